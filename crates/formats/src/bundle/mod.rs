//! Sigstore bundles (sigstore_bundle.proto, client-spec §5): v0.1 to v0.3 are read, v0.3 is written.

mod wire;

use std::collections::BTreeSet;
use std::fmt;

use signet_crypto::Digest;

use crate::dsse::Envelope;
use crate::json::{self, JsonError};
use crate::proto_json::{self, FieldError};
use crate::rekor::TlogEntry;
use wire::WireBundle;

/// The largest bundle that is read unless the caller says otherwise, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;
/// The most log entries of one bundle.
pub const MAX_TLOG_ENTRIES: usize = 32;
/// The most timestamps of one bundle.
pub const MAX_TIMESTAMPS: usize = 32;
/// The most certificates of one chain.
pub const MAX_CHAIN: usize = 16;

/// A bundle that keeps the rules of its version: a signature and what it takes to verify it.
///
/// What the parts prove is not decided here; nor is anything in DER looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The version it was written in.
    pub version: Version,
    /// What is signed, and the signature.
    pub content: Content,
    /// Who signed, as the bundle claims.
    pub material: Material,
    /// Entries of transparency logs; at most [`MAX_TLOG_ENTRIES`], no entry twice.
    pub tlog_entries: Vec<TlogEntry>,
    /// RFC 3161 `TimeStampResp`s over the signature's bytes, in DER; at most [`MAX_TIMESTAMPS`].
    pub timestamps: Vec<Vec<u8>>,
}

impl Bundle {
    /// Reads a bundle with the default options.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        Self::parse_with(bytes, ParseOptions::default())
    }

    /// Reads a bundle. Fields that the format does not have are refused, as sigstore-go does.
    pub fn parse_with(bytes: &[u8], options: ParseOptions) -> Result<Self, BundleError> {
        let wire: WireBundle<'_> = json::parse(bytes, options.max_bytes).map_err(BundleError::Json)?;
        let bundle = wire.read()?;
        bundle.keeps_rules_of(bundle.version, options.allow_chain)?;
        Ok(bundle)
    }

    /// The bundle as v0.3 JSON, whatever version it was read from; an error where v0.3 cannot say it.
    pub fn to_json(&self) -> Result<String, BundleError> {
        self.keeps_rules_of(Version::V03, false)?;
        proto_json::to_string(&WireBundle::of(self))
            .map_err(|error| BundleError::Json(JsonError::Malformed(error.to_string())))
    }

    /// The bytes of the signature, over which timestamps are made.
    pub fn signature(&self) -> &[u8] {
        match &self.content {
            Content::MessageSignature { signature, .. } => signature,
            // Exactly one signature, or the bundle would have been refused.
            Content::Dsse(envelope) => envelope.signatures.first().map_or(&[], |first| &first.sig),
        }
    }

    fn keeps_rules_of(&self, version: Version, allow_chain: bool) -> Result<(), BundleError> {
        if let Content::Dsse(Envelope { signatures, .. }) = &self.content
            && signatures.len() != 1
        {
            return Err(BundleError::SignatureCount(signatures.len()));
        }
        match (&self.material, version) {
            (Material::Chain(_), Version::V03) if !allow_chain => return Err(BundleError::ChainInV03),
            (Material::Certificate(_), Version::V01 | Version::V02) => {
                return Err(BundleError::CertificateBeforeV03);
            }
            _ => {}
        }
        let mut seen = BTreeSet::new();
        for entry in &self.tlog_entries {
            if !seen.insert((entry.log_id, entry.log_index)) {
                return Err(BundleError::DuplicateEntry { log_index: entry.log_index });
            }
            entry_keeps_rules(entry, version)?;
        }
        Ok(())
    }
}

/// What the caller allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// The largest bundle, in bytes.
    pub max_bytes: usize,
    /// Whether v0.3 may carry a certificate chain, which its rules forbid (cosign's
    /// `--allow-certificate-chain`).
    pub allow_chain: bool,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self { max_bytes: MAX_BUNDLE_BYTES, allow_chain: false }
    }
}

/// The version of the bundle format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 0.1: log entries carry a promise.
    V01,
    /// 0.2: log entries carry a proof.
    V02,
    /// 0.3: one certificate instead of a chain.
    V03,
}

impl Version {
    /// The version that a media type names.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        match media_type {
            "application/vnd.dev.sigstore.bundle+json;version=0.1" => Some(Self::V01),
            "application/vnd.dev.sigstore.bundle+json;version=0.2" => Some(Self::V02),
            "application/vnd.dev.sigstore.bundle+json;version=0.3"
            | crate::oci::media_type::SIGSTORE_BUNDLE => Some(Self::V03),
            _ => None,
        }
    }
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The artifact itself is.
    MessageSignature {
        /// What the signer says the artifact's digest is.
        digest: Option<Digest>,
        /// The signature's bytes.
        signature: Vec<u8>,
    },
    /// A DSSE envelope of exactly one signature.
    Dsse(Envelope),
}

/// Who signed, as the bundle claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// A key that the verifier has; the hint is base64 of the SHA-256 of its SubjectPublicKeyInfo,
    /// or whatever the signer chose.
    PublicKeyHint(String),
    /// The leaf certificate, in DER.
    Certificate(Vec<u8>),
    /// Certificates in DER, leaf first; never empty, at most [`MAX_CHAIN`].
    Chain(Vec<Vec<u8>>),
}

impl Material {
    /// The leaf certificate, in DER.
    pub fn leaf(&self) -> Option<&[u8]> {
        match self {
            Self::PublicKeyHint(_) => None,
            Self::Certificate(leaf) => Some(leaf),
            Self::Chain(chain) => chain.first().map(Vec::as_slice),
        }
    }
}

/// Why a bundle was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleError {
    /// v0.1 and v0.2 carry a chain, not a single certificate.
    CertificateBeforeV03,
    /// v0.3 carries a single certificate, not a chain.
    ChainInV03,
    /// The digest of the message is not as long as its algorithm says.
    Digest,
    /// The same entry of the same log stands twice.
    DuplicateEntry {
        /// The index of the entry.
        log_index: u64,
    },
    /// The certificate chain has no certificate.
    EmptyChain,
    /// A field has an impossible value.
    Field(FieldError),
    /// It is not JSON of the bundle's shape.
    Json(JsonError),
    /// The proof of a log entry has no checkpoint, which v0.2 and later demand.
    MissingCheckpoint {
        /// The index of the entry.
        log_index: u64,
    },
    /// A log entry has no inclusion proof, which v0.2 and later demand.
    MissingProof {
        /// The index of the entry.
        log_index: u64,
    },
    /// A log entry has no inclusion promise, which v0.1 demands.
    MissingPromise {
        /// The index of the entry.
        log_index: u64,
    },
    /// A one-of field has no value, or more than one.
    OneOf {
        /// The field's name.
        field: &'static str,
        /// How many values it has.
        values: usize,
    },
    /// The DSSE envelope has not exactly one signature, but this many.
    SignatureCount(usize),
    /// A media type that is no bundle's of a known version.
    UnknownVersion(String),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateBeforeV03 => {
                f.write_str("a bundle before v0.3 carries a chain, not a certificate")
            }
            Self::ChainInV03 => f.write_str("a v0.3 bundle carries a single certificate, not a chain"),
            Self::Digest => f.write_str("the bundle's message digest does not have its algorithm's length"),
            Self::DuplicateEntry { log_index } => write!(f, "the bundle has log entry {log_index} twice"),
            Self::EmptyChain => f.write_str("the bundle's certificate chain is empty"),
            Self::Field(error) => write!(f, "in the bundle, {error}"),
            Self::Json(error) => write!(f, "the bundle is malformed: {error}"),
            Self::MissingCheckpoint { log_index } => write!(f, "log entry {log_index} has no checkpoint"),
            Self::MissingProof { log_index } => write!(f, "log entry {log_index} has no inclusion proof"),
            Self::MissingPromise { log_index } => write!(f, "log entry {log_index} has no inclusion promise"),
            Self::OneOf { field, values } => {
                write!(f, "the bundle's {field} must be exactly one thing, but {values} are there")
            }
            Self::SignatureCount(count) => {
                write!(f, "the bundle's envelope must have exactly one signature, not {count}")
            }
            Self::UnknownVersion(media_type) => {
                write!(f, "`{media_type}` is not a bundle version that is understood (v0.1 to v0.3 are)")
            }
        }
    }
}

impl std::error::Error for BundleError {}

impl From<FieldError> for BundleError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

fn entry_keeps_rules(entry: &TlogEntry, version: Version) -> Result<(), BundleError> {
    let log_index = entry.log_index;
    if version == Version::V01 {
        return entry.promise.as_ref().map(|_| ()).ok_or(BundleError::MissingPromise { log_index });
    }
    let proof = entry.proof.as_ref().ok_or(BundleError::MissingProof { log_index })?;
    proof.checkpoint.as_ref().map(|_| ()).ok_or(BundleError::MissingCheckpoint { log_index })
}

#[cfg(test)]
mod tests;
