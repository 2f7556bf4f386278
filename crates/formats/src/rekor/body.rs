//! What the leaves of Rekor's log say, by kind and version.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;
use signet_crypto::Digest;

use super::entry::EntryKind;
use super::key_details::PublicKeyDetails;
use super::{wire_v1, wire_v2};
use crate::json::{self, JsonError};
use crate::pem::{self, PemError};
use crate::proto_json::FieldError;

/// The largest body that is read, in bytes. Rekor v1 refuses more than about 3 MB.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// The most signatures one body may have.
pub(super) const MAX_SIGNATURES: usize = 32;

/// A decoded body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// `hashedrekord` 0.0.1.
    HashedRekordV001(HashedRekordV001),
    /// `dsse` 0.0.1.
    DsseV001(DsseV001),
    /// `intoto` 0.0.1.
    IntotoV001(IntotoV001),
    /// `intoto` 0.0.2.
    IntotoV002(IntotoV002),
    /// `hashedrekord` 0.0.2, of Rekor v2.
    HashedRekordV002(HashedRekordV002),
    /// `dsse` 0.0.2, which Rekor v2 wrote until June 2026.
    DsseV002(DsseV002),
}

impl Body {
    /// Reads a body that must be of the stated kind; fields that its type does not have are refused.
    pub fn parse(bytes: &[u8], stated: &EntryKind) -> Result<Self, RekorError> {
        let head: Head<'_> = parse_json(bytes)?;
        if head.kind != stated.kind || head.api_version != stated.version {
            return Err(RekorError::KindMismatch { stated: stated.clone(), found: head.entry_kind() });
        }
        let spec = head.spec.get();
        match (stated.kind.as_str(), stated.version.as_str()) {
            ("hashedrekord", "0.0.1") => wire_v1::hashed_rekord(spec).map(Self::HashedRekordV001),
            ("dsse", "0.0.1") => wire_v1::dsse(spec).map(Self::DsseV001),
            ("intoto", "0.0.1") => wire_v1::intoto_v001(spec).map(Self::IntotoV001),
            ("intoto", "0.0.2") => wire_v1::intoto_v002(spec).map(Self::IntotoV002),
            ("hashedrekord", "0.0.2") => wire_v2::hashed_rekord(spec).map(Self::HashedRekordV002),
            ("dsse", "0.0.2") => wire_v2::dsse(spec).map(Self::DsseV002),
            _ => Err(RekorError::UnknownKind(stated.clone())),
        }
    }

    /// The kind and version that a body says it has.
    pub fn stated_kind(bytes: &[u8]) -> Result<EntryKind, RekorError> {
        Ok(parse_json::<Head<'_>>(bytes)?.entry_kind())
    }
}

/// The digest of an artifact and a signature over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedRekordV001 {
    /// The digest of what was signed.
    pub digest: Digest,
    /// The signature and what verifies it.
    pub signature: EntrySignature,
}

/// A DSSE envelope, by its digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsseV001 {
    /// The digest of the envelope as it was uploaded.
    pub envelope_hash: Digest,
    /// The digest of the payload (not of its pre-authentication encoding).
    pub payload_hash: Digest,
    /// The envelope's signatures.
    pub signatures: Vec<EntrySignature>,
}

/// An in-toto attestation as Rekor logged it first: without its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntotoV001 {
    /// The digest of the envelope as it was uploaded.
    pub envelope_hash: Digest,
    /// The digest of the payload, where it was stated.
    pub payload_hash: Option<Digest>,
    /// What verifies the envelope.
    pub verifier: Verifier,
}

/// A DSSE envelope with its signatures, its payload left out or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntotoV002 {
    /// The digest of the envelope as it was uploaded.
    pub envelope_hash: Digest,
    /// The digest of the payload.
    pub payload_hash: Digest,
    /// The type of the payload.
    pub payload_type: String,
    /// The payload, where the log kept it.
    pub payload: Option<Vec<u8>>,
    /// The envelope's signatures.
    pub signatures: Vec<EntrySignature>,
}

/// The digest of an artifact, or of a DSSE pre-authentication encoding, and a signature over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedRekordV002 {
    /// The digest of what was signed.
    pub digest: Digest,
    /// The signature and what verifies it.
    pub signature: EntrySignatureV002,
}

impl HashedRekordV002 {
    /// The bytes of the leaf that says this: canonical JSON, as Rekor v2 makes it.
    pub fn to_body(&self) -> Result<Vec<u8>, RekorError> {
        wire_v2::encode_hashed_rekord(self)
    }
}

/// A DSSE envelope in Rekor v2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsseV002 {
    /// The digest of the payload.
    pub payload_hash: Digest,
    /// The envelope's signatures.
    pub signatures: Vec<EntrySignatureV002>,
}

/// A signature in Rekor v1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntrySignature {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// What verifies it.
    pub verifier: Verifier,
}

/// A signature in Rekor v2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntrySignatureV002 {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// What verifies it.
    pub verifier: Verifier,
    /// By which algorithms.
    pub key_details: PublicKeyDetails,
}

/// What verifies a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// A certificate, in DER.
    Certificate(Vec<u8>),
    /// A SubjectPublicKeyInfo, in DER.
    PublicKey(Vec<u8>),
}

impl Verifier {
    /// Reads the one PEM block of a certificate or public key.
    pub fn from_pem(text: &[u8]) -> Result<Self, PemError> {
        let block = pem::single(text)?;
        match block.label.as_str() {
            pem::CERTIFICATE => Ok(Self::Certificate(block.contents)),
            pem::PUBLIC_KEY => Ok(Self::PublicKey(block.contents)),
            _ => Err(PemError::Label(block.label)),
        }
    }
}

/// Why an entry was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RekorError {
    /// A digest is of an unknown algorithm, or is not hex of its length.
    Digest {
        /// The field's name.
        field: &'static str,
    },
    /// A field has an impossible value.
    Field(FieldError),
    /// It is not JSON of its type's shape.
    Json(JsonError),
    /// The body is of another kind or version than what stands beside it.
    KindMismatch {
        /// What the entry says.
        stated: EntryKind,
        /// What the body says.
        found: EntryKind,
    },
    /// The key or certificate is not one PEM block.
    Pem(PemError),
    /// A kind or version that Signet does not know.
    UnknownKind(EntryKind),
    /// The verifier is not exactly one of certificate and public key.
    Verifier,
}

impl fmt::Display for RekorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest { field } => write!(f, "the log entry's `{field}` is not a digest"),
            Self::Field(error) => write!(f, "in the log entry, {error}"),
            Self::Json(error) => write!(f, "the log entry is malformed: {error}"),
            Self::KindMismatch { stated, found } => {
                write!(f, "the log entry is stated to be {stated} but its body is {found}")
            }
            Self::Pem(error) => write!(f, "the log entry's key or certificate is malformed: {error}"),
            Self::UnknownKind(kind) => write!(f, "log entries of kind {kind} are not supported"),
            Self::Verifier => f.write_str("the log entry does not have exactly one certificate or key"),
        }
    }
}

impl std::error::Error for RekorError {}

impl From<FieldError> for RekorError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.version)
    }
}

/// What every body has; the kind tells the shape of the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Head<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    spec: &'a RawValue,
}

impl Head<'_> {
    fn entry_kind(self) -> EntryKind {
        EntryKind { kind: self.kind.into_owned(), version: self.api_version.into_owned() }
    }
}

/// Reads the whole body, within the bounds and rules of [`json::parse`].
fn parse_json<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, RekorError> {
    json::parse(bytes, MAX_BODY_BYTES).map_err(RekorError::Json)
}

/// Reads the `spec` of a body that [`parse_json`] has read.
pub(super) fn parse_spec<'de, T: Deserialize<'de>>(spec: &'de str) -> Result<T, RekorError> {
    json::parse_part(spec).map_err(RekorError::Json)
}
