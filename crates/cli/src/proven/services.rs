//! The services that prove a signature, and what they say about one.

use std::path::Path;

use futures_util::future::{try_join, try_join_all};
use signet_clients::rekor::{self, KnownLog, Log, Submission};
use signet_clients::{Limits, TlsOptions, Web, tsa};
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::bundle::Content;
use signet_formats::rekor::{PublicKeyDetails, TlogEntry};
use signet_formats::signing_config::Service;
use signet_formats::timestamp::TimestampRequest;
use signet_verify::{Code, TrustSnapshot, is_logged};

use super::config::Config;
use super::signatory::Signatory;
use crate::error::{CliError, Stop};
use crate::signing::Signing;

/// The services to use now.
pub(super) struct Services {
    /// The way to them.
    pub(super) web: Web,
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
    /// Picks from a config, whose logs the root knows.
    pub(super) fn of(
        config: &Config,
        authorities: Option<&Path>,
        root: &TrustSnapshot,
    ) -> Result<Self, CliError> {
        let tls =
            TlsOptions { authorities: authorities.map(Path::to_owned).into_iter().collect(), identity: None };
        Ok(Self {
            web: Web::new(tls, Limits::default()),
            logs: config.logs()?,
            stamps: config.timestamp_authorities()?,
            known: known_logs(root),
        })
    }

    /// How many logs and timestamp authorities are used.
    pub(super) fn counts(&self) -> (u32, u32) {
        let count = |services: &Vec<Service>| u32::try_from(services.len()).unwrap_or(u32::MAX);
        (count(&self.logs), count(&self.stamps))
    }

    /// Refuses a key whose signatures the logs do not take, before it signs anything.
    pub(super) fn take(&self, signing: &Signing) -> Result<(), CliError> {
        let (algorithm, scheme) = (signing.public_key().algorithm(), signing.scheme());
        if self.logs.is_empty() || is_logged(algorithm, scheme) {
            return Ok(());
        }
        let detail = format!("logs take no signatures of {scheme} by a key of algorithm {algorithm}");
        Err(CliError::new(Code::AlgorithmNotInFormat, detail)
            .hint("sign with an ECDSA or RSA key, or without `--signing-config`"))
    }

    /// Logs and stamps a signature, everywhere at once.
    pub(super) async fn prove(&self, signatory: &Signatory, content: &Content) -> Result<Proofs, Stop> {
        let submission = submission(signatory, content)?;
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
fn submission(signatory: &Signatory, content: &Content) -> Result<Submission, CliError> {
    let signing = signatory.signing();
    let details = PublicKeyDetails::of(signing.public_key().algorithm(), signing.scheme());
    let key_details = details.ok_or_else(|| CliError::internal("the scheme has no name in logs"))?;
    let verifier = signatory.verifier();
    Ok(match content {
        Content::MessageSignature { digest, signature } => Submission {
            digest: digest.ok_or_else(|| CliError::internal("a message was signed without its digest"))?,
            signature: signature.clone(),
            verifier,
            key_details,
            envelope: None,
        },
        Content::Dsse(envelope) => Submission {
            digest: Digest::of(signing.message_digest().unwrap_or(DigestAlgorithm::Sha256), &envelope.pae()),
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
