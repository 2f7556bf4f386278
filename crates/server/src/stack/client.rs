//! What clients of a stack are given: whom to trust, and where to sign.

use std::io;
use std::path::{Path, PathBuf};

use signet_crypto::{DigestAlgorithm, KeyAlgorithm, Scheme};
use signet_formats::note::{KeyKind, VerifierKey};
use signet_formats::rekor::PublicKeyDetails;
use signet_formats::signing_config::{Selector, Service, SigningConfig};
use signet_formats::trusted_root::{Authority, LogInstance, TrustedRoot, Validity, Version};
use signet_formats::x509::{Certificate, oid};
use signet_services::log;
use signet_store::DataDir;

use super::names::{Names, Shard};
use super::{Services, StackError};

/// The two files, as they stand in `client/`.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// The trusted root of Sigstore's clients: their `--trusted-root`.
    pub trusted_root: PathBuf,
    /// The signing config of Sigstore's clients: their `--signing-config`.
    pub signing_config: PathBuf,
}

impl ClientFiles {
    pub(super) fn write(
        root: &DataDir,
        names: &Names,
        services: &Services,
        url: &str,
    ) -> Result<Self, StackError> {
        let dir = root.path().join("client");
        root.disk().make_dirs(&dir).map_err(|error| StackError::Client { path: dir.clone(), error })?;
        let files = Self {
            trusted_root: dir.join("trusted_root.json"),
            signing_config: dir.join("signing_config.json"),
        };
        let trusted = trusted_root(root, names, services, url);
        put(root, &files.trusted_root, trusted.and_then(|root| root.to_json().map_err(io::Error::other)))?;
        let config = signing_config(names, url).to_json().map_err(io::Error::other);
        put(root, &files.signing_config, config.map(|text| format!("{text}\n").into_bytes()))?;
        Ok(files)
    }
}

fn put(root: &DataDir, path: &Path, text: io::Result<Vec<u8>>) -> Result<(), StackError> {
    let written = text.and_then(|text| root.disk().put(root.path(), path, &text));
    written.map_err(|error| StackError::Client { path: path.to_owned(), error })
}

fn trusted_root(root: &DataDir, names: &Names, services: &Services, url: &str) -> io::Result<TrustedRoot> {
    let timestamps = format!("{url}{TSA_PATH}");
    let logs = |kind, shards: &[Shard]| -> io::Result<Vec<LogInstance>> {
        shards.iter().map(|shard| log_instance(shard, &key_of(&Names::dir(root, kind, shard))?)).collect()
    };
    Ok(TrustedRoot {
        // sigstore-go, and so cosign 3.1, reads no other.
        version: Version::V01,
        tlogs: logs("log", &names.log)?,
        ctlogs: logs("ct", &names.ct)?,
        certificate_authorities: services.ca.chains().map(|chain| authority(chain, url)).collect(),
        timestamp_authorities: vec![authority(services.tsa.chain(), &timestamps)],
    })
}

/// The first key of a log, which every client knows.
fn key_of(path: &Path) -> io::Result<VerifierKey> {
    let keys = log::keys_of(path).map_err(io::Error::other)?;
    keys.into_iter().next().ok_or_else(|| io::Error::other(format!("`{}` has no key", path.display())))
}

/// A log under its name, not under the URL that it is reached at: clients of Rekor v2 take the host of the base
/// URL for the origin in its checkpoints. A log of certificates has the id of its key alone (RFC 6962 §3.2).
fn log_instance(shard: &Shard, verifier: &VerifierKey) -> io::Result<LogInstance> {
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
        operator: Some(OPERATOR.to_owned()),
    })
}

/// What this chain issues is trusted for as long as its first certificate is.
fn authority(chain: &[Certificate], uri: &str) -> Authority {
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
        operator: Some(OPERATOR.to_owned()),
    }
}

fn signing_config(names: &Names, url: &str) -> SigningConfig {
    let start = names.log.last().map_or(0, |shard| validity(shard).start);
    let service = |url: &str, api_version| Service {
        url: url.to_owned(),
        api_version,
        validity: Validity { start, end: None },
        operator: OPERATOR.to_owned(),
    };
    SigningConfig {
        certificate_authorities: vec![service(url, 1)],
        identity_providers: Vec::new(),
        logs: vec![service(url, 2)],
        log_selector: Some(Selector::Any),
        timestamp_authorities: vec![service(&format!("{url}{TSA_PATH}"), 1)],
        timestamp_selector: Some(Selector::Any),
    }
}

fn validity(shard: &Shard) -> Validity {
    Validity { start: shard.start - CLOCKS_DIFFER, end: shard.end.map(|end| end + CLOCKS_DIFFER) }
}

/// Clients' clocks may be behind ours.
const CLOCKS_DIFFER: i64 = 5 * 60;
const OPERATOR: &str = "signet";
const TSA_PATH: &str = "/api/v1/timestamp";
