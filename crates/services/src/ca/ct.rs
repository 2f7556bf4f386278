//! Certificate transparency: who promises to publish a certificate before it is issued.

use async_trait::async_trait;
use signet_crypto::{Digest, PublicKey};
use signet_formats::sct::Sct;
use signet_formats::x509::Certificate;

/// A log of certificates.
#[async_trait]
pub trait CtLog: Send + Sync {
    /// The keys of which one has to have signed its promises; `None` if this process signs them itself.
    fn keys(&self) -> Option<&[PublicKey]>;

    /// Whether it can promise now, as far as that is known here.
    fn is_ready(&self) -> bool {
        true
    }

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
