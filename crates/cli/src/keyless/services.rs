//! The services that a signing config names, and what they say about a signature.

use std::path::Path;

use futures_util::future::{try_join, try_join_all};
use signet_clients::rekor::{self, KnownLog, Log, Submission};
use signet_clients::{Limits, TlsOptions, Web, fulcio, tsa};
use signet_crypto::Digest;
use signet_formats::bundle::Content;
use signet_formats::rekor::{PublicKeyDetails, TlogEntry, Verifier};
use signet_formats::signing_config::{Selector, Service, SigningConfig, select};
use signet_formats::timestamp::TimestampRequest;
use signet_verify::{Code, TrustSnapshot};

use super::identity::Identity;
use crate::error::{CliError, Stop, about};
use crate::{clock, files};

/// The services to use now.
pub(super) struct Services {
    /// The way to them.
    pub(super) web: Web,
    /// The base URL of the certificate authority.
    pub(super) authority: String,
    /// Where to log in.
    pub(super) issuer: Option<String>,
    logs: Vec<Service>,
    stamps: Vec<Service>,
    known: Vec<KnownLog>,
}

/// What logs and timestamp authorities say about one signature.
pub(super) struct Proofs {
    pub(super) entries: Vec<TlogEntry>,
    pub(super) timestamps: Vec<Vec<u8>>,
}

impl Services {
    /// Reads a config and picks from it.
    pub(super) fn read(
        config: &Path,
        authorities: Option<&Path>,
        root: &TrustSnapshot,
    ) -> Result<Self, CliError> {
        Self::of(&files::read(config, MAX_CONFIG)?, config, authorities, root)
    }

    /// Picks from a config, of this name where something is wrong with it.
    pub(super) fn of(
        bytes: &[u8],
        config: &Path,
        authorities: Option<&Path>,
        root: &TrustSnapshot,
    ) -> Result<Self, CliError> {
        let invalid =
            |why: &dyn ToString| CliError::new(Code::SigningConfigInvalid, about(config, why.to_string()));
        let read = SigningConfig::parse(bytes).map_err(|error| invalid(&error))?;
        let pick = |services: &[Service], selector: Option<Selector>, versions: &[u32], what: &str| {
            let selector = match selector {
                // No service of a kind is a choice that the config makes.
                _ if services.is_empty() => return Ok(Vec::new()),
                None => return Err(invalid(&format!("it does not say of how many {what} one is wanted"))),
                Some(selector) => selector,
            };
            let chosen = select(services, selector, versions, clock::now());
            let chosen = chosen.map_err(|error| {
                CliError::new(Code::ServicesTooFew, about(config, format!("of its {what}, {error}")))
            })?;
            Ok(chosen.into_iter().cloned().collect())
        };
        let any = Some(Selector::Any);
        let authority =
            pick(&read.certificate_authorities, any, fulcio::API_VERSIONS, "certificate authorities")?;
        let issuer = pick(&read.identity_providers, any, OIDC_VERSIONS, "identity providers")?;
        let tls =
            TlsOptions { authorities: authorities.map(Path::to_owned).into_iter().collect(), identity: None };
        Ok(Self {
            web: Web::new(tls, Limits::default()),
            authority: first_url(authority).ok_or_else(|| invalid(&"it names no certificate authority"))?,
            issuer: first_url(issuer),
            logs: pick(&read.logs, read.log_selector, rekor::API_VERSIONS, "logs")?,
            stamps: pick(
                &read.timestamp_authorities,
                read.timestamp_selector,
                tsa::API_VERSIONS,
                "timestamp authorities",
            )?,
            known: known_logs(root),
        })
    }

    /// How many logs and timestamp authorities are used.
    pub(super) fn counts(&self) -> (u32, u32) {
        let count = |services: &Vec<Service>| u32::try_from(services.len()).unwrap_or(u32::MAX);
        (count(&self.logs), count(&self.stamps))
    }

    /// Logs and stamps a signature, everywhere at once.
    pub(super) async fn prove(&self, identity: &Identity, content: &Content) -> Result<Proofs, Stop> {
        let submission = submission(identity, content)?;
        let logged = self.logs.iter().map(|log| {
            let log = Log { url: &log.url, api_version: log.api_version };
            rekor::log(&self.web, log, &submission, &self.known)
        });
        let imprint = Digest::sha256(&submission.signature);
        let stamped = self.stamps.iter().map(|stamp| async move {
            let nonce: [u8; 8] = signet_keys::random().map_err(CliError::internal)?;
            let nonce = Some(u64::from_be_bytes(nonce));
            let request = TimestampRequest { imprint, policy: None, nonce, with_certificates: true };
            Ok(tsa::stamp(&self.web, &stamp.url, &request).await?)
        });
        let logged = async { Ok::<_, Stop>(try_join_all(logged).await?) };
        let (entries, timestamps) = try_join(logged, try_join_all(stamped)).await?;
        Ok(Proofs { entries, timestamps })
    }
}

/// What logs are told. An envelope is logged by the digest of what its signature is over.
fn submission(identity: &Identity, content: &Content) -> Result<Submission, CliError> {
    let signing = identity.signing();
    let details = PublicKeyDetails::of(signing.public_key().algorithm(), signing.scheme());
    let key_details = details.ok_or_else(|| CliError::internal("the scheme has no name in logs"))?;
    let verifier = Verifier::Certificate(identity.certificate().der().to_vec());
    Ok(match content {
        Content::MessageSignature { digest, signature } => Submission {
            digest: digest.ok_or_else(|| CliError::internal("a message was signed without its digest"))?,
            signature: signature.clone(),
            verifier,
            key_details,
            envelope: None,
        },
        Content::Dsse(envelope) => Submission {
            digest: Digest::sha256(&envelope.pae()),
            signature: envelope.signatures.first().map(|first| first.sig.clone()).unwrap_or_default(),
            verifier,
            key_details,
            envelope: Some(envelope.to_json().map_err(CliError::internal)?),
        },
    })
}

/// The logs of the root by the host of their URL, which is the origin of Rekor v2's.
fn known_logs(root: &TrustSnapshot) -> Vec<KnownLog> {
    let known = |log: &signet_verify::TrustedLog| {
        let host = log.base_url.split_once("://").map_or(log.base_url.as_str(), |(_, rest)| rest);
        let origin = host.split(['/', ':']).next().unwrap_or_default().to_owned();
        Some(KnownLog { origin, id: log.log_id.0.as_slice().try_into().ok()? })
    };
    root.logs.iter().filter_map(known).collect()
}

fn first_url(services: Vec<Service>) -> Option<String> {
    services.into_iter().next().map(|service| service.url)
}

const MAX_CONFIG: usize = signet_formats::signing_config::MAX_SIGNING_CONFIG_BYTES;
const OIDC_VERSIONS: &[u32] = &[1];
