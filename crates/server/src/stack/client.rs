//! What clients of a stack are given: whom to trust, and where to sign.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_crypto::{DigestAlgorithm, KeyAlgorithm, Scheme};
use signet_formats::note::{KeyKind, VerifierKey};
use signet_formats::rekor::PublicKeyDetails;
use signet_formats::signing_config::{Selector, Service, SigningConfig};
use signet_formats::trusted_root::{Authority, LogInstance, TrustedRoot, Validity, Version};
use signet_formats::x509::{Certificate, oid};
use signet_services::ca::Ca;
use signet_services::log;
use signet_services::oidc::Provider;
use signet_services::trust::{SIGNING_CONFIG, TRUSTED_ROOT, Target, Watch};
use signet_services::tsa::Tsa;
use signet_store::DataDir;

use super::StackError;
use super::names::{Line, Names, Shard};
use crate::oidc_dev;

/// The files, as they stand in `client/`.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// The trusted root of Sigstore's clients: their `--trusted-root`.
    pub trusted_root: PathBuf,
    /// The signing config of Sigstore's clients: their `--signing-config`.
    pub signing_config: PathBuf,
    /// The root of the repository of trust, to be pinned, if there is one.
    pub root: Option<PathBuf>,
}

/// What clients are given follows from these, and from the names of the logs.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) root: Arc<DataDir>,
    /// How clients reach the stack.
    pub(super) url: String,
    pub(super) ca: Ca,
    pub(super) tsa: Tsa,
    /// What is to be trusted besides; of what both have, the stack's own word counts.
    pub(super) also_trust: Vec<TrustedRoot>,
    /// Those who follow the repository of trust are given the same.
    pub(super) trust: Option<Watch>,
}

impl Clients {
    /// Writes the files, and lets the repository of trust publish the first two.
    pub(super) fn write(&self, names: &Names) -> Result<ClientFiles, StackError> {
        let files = ClientFiles {
            trusted_root: self.file("trusted_root.json"),
            signing_config: self.file("signing_config.json"),
            root: None,
        };
        let failed = |path: &Path, error| StackError::Client { path: path.to_owned(), error };
        let targets = self.targets(names).map_err(|error| failed(&files.trusted_root, error))?;
        for (path, (_, bytes)) in [&files.trusted_root, &files.signing_config].into_iter().zip(&targets) {
            self.put(path, bytes)?;
        }
        if let Some(trust) = &self.trust {
            trust.set_targets(targets.into());
        }
        Ok(ClientFiles { root: self.write_root()?, ..files })
    }

    /// The content of the two files, the trusted root first, as targets of the repository of trust.
    fn targets(&self, names: &Names) -> io::Result<[Target; 2]> {
        let trusted = self.trusted_root(names)?;
        let trusted = with_others(trusted, &self.also_trust)?.to_json().map_err(io::Error::other)?;
        let config = self.signing_config(names).to_json().map_err(io::Error::other)?;
        Ok([
            (TRUSTED_ROOT.to_owned(), trusted),
            (SIGNING_CONFIG.to_owned(), format!("{config}\n").into_bytes()),
        ])
    }

    /// Writes the root that is to be pinned: the newest that is published, if there is one.
    pub(super) fn write_root(&self) -> Result<Option<PathBuf>, StackError> {
        let published = self.trust.as_ref().map(|trust| trust.publisher().root()).transpose()?.flatten();
        let Some(root) = published else { return Ok(None) };
        let path = self.file("root.json");
        self.put(&path, root.to_json().as_bytes())?;
        Ok(Some(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(DIR).join(name)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), StackError> {
        let disk = self.root.disk();
        let made = disk.make_dirs(&self.root.path().join(DIR));
        let written = made.and_then(|()| disk.keep(self.root.path(), path, bytes));
        written.map_err(|error| StackError::Client { path: path.to_owned(), error })
    }

    fn trusted_root(&self, names: &Names) -> io::Result<TrustedRoot> {
        let operator = names.operator();
        let instances = |line: Line| {
            let instance = |shard: &Shard| {
                let key = key_of(&Names::dir(&self.root, line, shard)).transpose()?;
                Some(key.and_then(|key| log_instance(shard, &key, operator)))
            };
            names.known(line).filter_map(instance).collect::<io::Result<Vec<_>>>()
        };
        let timestamps = format!("{}{TSA_PATH}", self.url);
        Ok(TrustedRoot {
            // sigstore-go, and so cosign 3.1, reads no other.
            version: Version::V01,
            tlogs: instances(Line::Log)?,
            ctlogs: instances(Line::Ct)?,
            certificate_authorities: self
                .ca
                .chains()
                .iter()
                .map(|chain| authority(chain, &self.url, operator))
                .collect(),
            timestamp_authorities: self
                .tsa
                .chains()
                .iter()
                .map(|chain| authority(chain, &timestamps, operator))
                .collect(),
        })
    }

    fn signing_config(&self, names: &Names) -> SigningConfig {
        // Since there is a stack: another shard is no other service, and clients' clocks may be behind ours.
        let start = names.log.first().map_or(0, |shard| validity(shard).start);
        let service = |url: &str, api_version| Service {
            url: url.to_owned(),
            api_version,
            validity: Validity { start, end: None },
            operator: names.operator().to_owned(),
        };
        // People log in there; machines bring their tokens, and so does who uses the development issuer.
        let development = format!("{}{}/", self.url, oidc_dev::PATH);
        let people = self.ca.issuers().iter().filter(|(issuer, is_pattern)| {
            let of_people = !is_pattern && matches!(issuer.provider, Provider::Email { .. });
            of_people && !issuer.url.starts_with(&development)
        });
        SigningConfig {
            certificate_authorities: vec![service(&self.url, 1)],
            identity_providers: people.map(|(issuer, _)| service(&issuer.url, 1)).collect(),
            logs: vec![service(&self.url, 2)],
            log_selector: Some(Selector::Any),
            timestamp_authorities: vec![service(&format!("{}{TSA_PATH}", self.url), 1)],
            timestamp_selector: Some(Selector::Any),
        }
    }
}

fn with_others(mut own: TrustedRoot, others: &[TrustedRoot]) -> io::Result<TrustedRoot> {
    others.iter().try_for_each(|other| own.add(other.clone())).map_err(io::Error::other)?;
    Ok(own)
}

/// The first key of a log, which every client knows; `None` if it was named, and is not made yet.
pub(super) fn key_of(path: &Path) -> io::Result<Option<VerifierKey>> {
    match log::origin_of(path).map_err(io::Error::other)? {
        Some(_) => Ok(log::keys_of(path).map_err(io::Error::other)?.into_iter().next()),
        None => Ok(None),
    }
}

/// A log under its name, not under the URL that it is reached at: clients of Rekor v2 take the host of the base
/// URL for the origin in its checkpoints. A log of certificates has the id of its key alone (RFC 6962 §3.2).
fn log_instance(shard: &Shard, verifier: &VerifierKey, operator: &str) -> io::Result<LogInstance> {
    let key = verifier.key();
    let of_certificates = verifier.kind() == KeyKind::CertificateLog;
    let log_id = if of_certificates { key.id() } else { verifier.full_id() };
    let scheme = match key.algorithm() {
        KeyAlgorithm::Ed25519 => Scheme::Ed25519,
        _ => Scheme::EcdsaP256Sha256,
    };
    let details = PublicKeyDetails::of(key.algorithm(), scheme);
    Ok(LogInstance {
        base_url: format!("https://{}", shard.origin),
        hash: DigestAlgorithm::Sha256,
        public_key: key.spki_der().to_vec(),
        key_details: details.ok_or_else(|| io::Error::other("a log's key has no name in trusted roots"))?,
        validity: validity(shard),
        log_id: log_id.as_bytes().to_vec(),
        // Without it clients take the log id. sigstore-js compares it with the whole log id of an entry, where it
        // would have to be of four bytes.
        checkpoint_key_id: None,
        operator: Some(operator.to_owned()),
    })
}

/// What this chain issues is trusted for as long as its first certificate is.
fn authority(chain: &[Certificate], uri: &str, operator: &str) -> Authority {
    let attribute = |wanted| {
        let attributes = chain.first().map(|own| own.subject().attributes()).unwrap_or_default();
        let found = attributes.into_iter().find(|attribute| attribute.oid() == wanted);
        found.and_then(|attribute| attribute.value().map(str::to_owned)).unwrap_or_default()
    };
    Authority {
        organization: attribute(oid::ORGANIZATION),
        common_name: attribute(oid::COMMON_NAME),
        uri: uri.to_owned(),
        chain: chain.iter().map(|certificate| certificate.der().to_vec()).collect(),
        validity: Validity { start: chain.first().map_or(0, Certificate::not_before), end: None },
        operator: Some(operator.to_owned()),
    }
}

fn validity(shard: &Shard) -> Validity {
    Validity { start: shard.start - CLOCKS_DIFFER, end: shard.end.map(|end| end + CLOCKS_DIFFER) }
}

/// Clients' clocks may be behind ours.
const CLOCKS_DIFFER: i64 = 5 * 60;
const TSA_PATH: &str = "/api/v1/timestamp";
/// Below the stack's directory.
const DIR: &str = "client";
