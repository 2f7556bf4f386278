//! Certificate transparency: who promises to publish a certificate before it is issued.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};
use signet_formats::base64;
use signet_formats::sct::{self, Sct};
use signet_formats::x509::Certificate;
use signet_keys::{
    Existing, PasswordSource, Payload, PrivateFormat, PrivateKey, Signer, read_private, write_private,
};
use signet_store::fs::Disk;

use crate::authority::AuthorityError;
use crate::clock::Clock;
use crate::journal::Journal;

/// A log of certificates.
#[async_trait]
pub trait CtLog: Send + Sync {
    /// The key that its promises are signed with.
    fn public_key(&self) -> &PublicKey;

    /// Takes a precertificate and promises to publish it.
    async fn add_pre_chain(&self, entry: &PrecertEntry) -> Result<Sct, CtError>;
}

/// What a log is given.
#[derive(Clone, Debug)]
pub struct PrecertEntry {
    /// The precertificate, which has the poison.
    pub precertificate: Certificate,
    /// Its issuer's certificate first, the root last.
    pub chain: Vec<Certificate>,
    /// The TBSCertificate without poison and timestamps: what the promise is about.
    pub tbs: Vec<u8>,
}

impl PrecertEntry {
    /// The SHA-256 of the issuer's key, as promises name it.
    pub fn issuer_key_hash(&self) -> Digest {
        Digest::sha256(self.chain.first().map(Certificate::spki).unwrap_or_default())
    }
}

/// Why a log promised nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate log did not take the certificate: {0}")]
pub struct CtError(pub String);

/// A log that keeps its entries in one file of this process, with the index in its promises that a log of
/// the static API gives. It publishes nothing: for a stack that has no other log.
///
/// Trusted? Its key is. May it be lost? The entries: then certificates exist that no log shows.
pub struct LocalLog {
    key: PrivateKey,
    journal: Journal,
    clock: Arc<dyn Clock>,
}

impl LocalLog {
    /// Opens or makes the log in `dir`, which has to exist.
    pub fn open(disk: Disk, dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, AuthorityError> {
        let file = dir.join("ct.key");
        let key = match file.is_file() {
            true => read_private(&file, &PasswordSource::Environment)?,
            false => {
                let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(AuthorityError::Key)?;
                write_private(&file, &key, PrivateFormat::Pkcs8, Existing::Refuse)?;
                key
            }
        };
        let path = dir.join("ct.jsonl");
        let journal = Journal::open(disk, &path).map_err(|error| AuthorityError::Io { path, error })?;
        Ok(Self { key, journal, clock })
    }
}

#[async_trait]
impl CtLog for LocalLog {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    async fn add_pre_chain(&self, entry: &PrecertEntry) -> Result<Sct, CtError> {
        let failed = |error: &dyn std::fmt::Display| CtError(error.to_string());
        let timestamp = u64::try_from(self.clock.read().wall.as_millis()).unwrap_or(u64::MAX);
        let chain: Vec<String> =
            entry.chain.iter().map(|certificate| base64::encode(certificate.der())).collect();
        let line = serde_json::json!({
            "timestamp": timestamp,
            "precertificate": base64::encode(entry.precertificate.der()),
            "chain": chain,
        });
        // On the disk before it is promised.
        let index = self.journal.append(line.to_string()).await.map_err(|error| failed(&error))?;
        let extensions = sct::leaf_index_extension(index).ok_or_else(|| failed(&"the log is full"))?;
        let signed = sct::signed_data(timestamp, &extensions, &entry.issuer_key_hash(), &entry.tbs);
        let signed = Signer::sign(&self.key, Scheme::EcdsaP256Sha256, Payload::Message(&signed)).await;
        let log_id = self.key.public_key().id().as_bytes().try_into().map_err(|_| failed(&"no log id"))?;
        Ok(Sct::new(log_id, timestamp, extensions, signed.map_err(|error| failed(&error))?))
    }
}
