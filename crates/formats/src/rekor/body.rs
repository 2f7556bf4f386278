//! What the leaves of Rekor's log say, by kind and version.

use std::fmt;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use signet_crypto::{Digest, DigestAlgorithm};

use super::entry::EntryKind;
use super::key_details::PublicKeyDetails;
use crate::base64::{self, Base64};
use crate::json::{self, JsonError};
use crate::pem::{self, PemError};
use crate::proto_json::{self, EnumValue, FieldError, HASH_ALGORITHMS};

/// The largest body that is read, in bytes. Rekor v1 refuses more than about 3 MB.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// The most signatures one body may have.
const MAX_SIGNATURES: usize = 32;

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
        let head: Head = parse_json(bytes)?;
        if head.kind != stated.kind || head.api_version != stated.version {
            let found = EntryKind { kind: head.kind, version: head.api_version };
            return Err(RekorError::KindMismatch { stated: stated.clone(), found });
        }
        match (stated.kind.as_str(), stated.version.as_str()) {
            ("hashedrekord", "0.0.1") => wire_v1::hashed_rekord(bytes).map(Self::HashedRekordV001),
            ("dsse", "0.0.1") => wire_v1::dsse(bytes).map(Self::DsseV001),
            ("intoto", "0.0.1") => wire_v1::intoto_v001(bytes).map(Self::IntotoV001),
            ("intoto", "0.0.2") => wire_v1::intoto_v002(bytes).map(Self::IntotoV002),
            ("hashedrekord", "0.0.2") => wire_v2::hashed_rekord(bytes).map(Self::HashedRekordV002),
            ("dsse", "0.0.2") => wire_v2::dsse(bytes).map(Self::DsseV002),
            _ => Err(RekorError::UnknownKind(stated.clone())),
        }
    }

    /// The kind and version that a body says it has.
    pub fn stated_kind(bytes: &[u8]) -> Result<EntryKind, RekorError> {
        let head: Head = parse_json(bytes)?;
        Ok(EntryKind { kind: head.kind, version: head.api_version })
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

/// What every body has; read first, to know the shape of the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Head {
    api_version: String,
    kind: String,
    #[serde(rename = "spec")]
    _spec: IgnoredAny,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<S> {
    api_version: String,
    kind: String,
    spec: S,
}

fn parse_json<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, RekorError> {
    json::parse(bytes, MAX_BODY_BYTES).map_err(RekorError::Json)
}

/// The types of Rekor v1: hashes in hex, keys and certificates as base64 of PEM.
mod wire_v1 {
    use super::*;

    pub(super) fn hashed_rekord(bytes: &[u8]) -> Result<HashedRekordV001, RekorError> {
        let spec = parse_json::<Document<HashedRekord>>(bytes)?.spec;
        let signature = EntrySignature {
            signature: spec.signature.content.0,
            verifier: verifier(&spec.signature.public_key.content)?,
        };
        Ok(HashedRekordV001 { digest: spec.data.hash.read("data.hash")?, signature })
    }

    pub(super) fn dsse(bytes: &[u8]) -> Result<DsseV001, RekorError> {
        let spec = parse_json::<Document<Dsse>>(bytes)?.spec;
        let signatures = proto_json::list(Some(spec.signatures), MAX_SIGNATURES, "signatures")?;
        Ok(DsseV001 {
            envelope_hash: spec.envelope_hash.read("envelopeHash")?,
            payload_hash: spec.payload_hash.read("payloadHash")?,
            signatures: signatures
                .into_iter()
                .map(|s| Ok(EntrySignature { signature: s.signature.0, verifier: verifier(&s.verifier)? }))
                .collect::<Result<_, RekorError>>()?,
        })
    }

    pub(super) fn intoto_v001(bytes: &[u8]) -> Result<IntotoV001, RekorError> {
        let spec = parse_json::<Document<IntotoFirst>>(bytes)?.spec;
        Ok(IntotoV001 {
            envelope_hash: spec.content.hash.read("content.hash")?,
            payload_hash: spec.content.payload_hash.map(|h| h.read("content.payloadHash")).transpose()?,
            verifier: verifier(&spec.public_key)?,
        })
    }

    pub(super) fn intoto_v002(bytes: &[u8]) -> Result<IntotoV002, RekorError> {
        let content = parse_json::<Document<IntotoSecond>>(bytes)?.spec.content;
        let envelope = content.envelope;
        let signatures = proto_json::list(Some(envelope.signatures), MAX_SIGNATURES, "signatures")?;
        Ok(IntotoV002 {
            envelope_hash: content.hash.read("content.hash")?,
            payload_hash: content.payload_hash.read("content.payloadHash")?,
            payload_type: envelope.payload_type,
            payload: envelope.payload.map(twice_encoded),
            signatures: signatures.into_iter().map(envelope_signature).collect::<Result<_, _>>()?,
        })
    }

    fn envelope_signature(wire: EnvelopeSignature) -> Result<EntrySignature, RekorError> {
        Ok(EntrySignature { signature: twice_encoded(wire.sig), verifier: verifier(&wire.public_key)? })
    }

    /// intoto 0.0.2 encodes in base64 what is base64 in the envelope already; some writers did not,
    /// and raw bytes of a signature do not happen to be base64.
    fn twice_encoded(once: Base64) -> Vec<u8> {
        base64::decode(&once.0).unwrap_or(once.0)
    }

    fn verifier(pem: &Base64) -> Result<Verifier, RekorError> {
        Verifier::from_pem(&pem.0).map_err(RekorError::Pem)
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct HashedRekord {
        data: Data,
        signature: Signature,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Data {
        hash: Hash,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Hash {
        algorithm: String,
        value: String,
    }

    impl Hash {
        fn read(&self, field: &'static str) -> Result<Digest, RekorError> {
            let algorithm: DigestAlgorithm =
                self.algorithm.parse().map_err(|_| RekorError::Digest { field })?;
            Digest::from_hex(algorithm, &self.value).map_err(|_| RekorError::Digest { field })
        }
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Signature {
        content: Base64,
        public_key: PublicKey,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct PublicKey {
        content: Base64,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Dsse {
        envelope_hash: Hash,
        payload_hash: Hash,
        signatures: Vec<DsseSignature>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct DsseSignature {
        signature: Base64,
        verifier: Base64,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct IntotoFirst {
        content: IntotoFirstContent,
        public_key: Base64,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct IntotoFirstContent {
        hash: Hash,
        #[serde(default)]
        payload_hash: Option<Hash>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct IntotoSecond {
        content: IntotoSecondContent,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct IntotoSecondContent {
        envelope: Envelope,
        hash: Hash,
        payload_hash: Hash,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Envelope {
        #[serde(default)]
        payload: Option<Base64>,
        payload_type: String,
        signatures: Vec<EnvelopeSignature>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct EnvelopeSignature {
        public_key: Base64,
        sig: Base64,
        #[serde(default, rename = "keyid")]
        _keyid: Option<String>,
    }
}

/// The types of Rekor v2: proto3 JSON, made canonical.
mod wire_v2 {
    use super::*;
    use crate::canonical_json;

    pub(super) fn hashed_rekord(bytes: &[u8]) -> Result<HashedRekordV002, RekorError> {
        let spec = parse_json::<Document<HashedRekordSpec>>(bytes)?.spec.hashed_rekord;
        Ok(HashedRekordV002 { digest: spec.data.read("data")?, signature: spec.signature.read()? })
    }

    pub(super) fn dsse(bytes: &[u8]) -> Result<DsseV002, RekorError> {
        let spec = parse_json::<Document<DsseSpec>>(bytes)?.spec.dsse;
        let signatures = proto_json::list(Some(spec.signatures), MAX_SIGNATURES, "signatures")?;
        Ok(DsseV002 {
            payload_hash: spec.payload_hash.read("payloadHash")?,
            signatures: signatures.into_iter().map(Signature::read).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn encode_hashed_rekord(entry: &HashedRekordV002) -> Result<Vec<u8>, RekorError> {
        let document = Document {
            api_version: "0.0.2".to_owned(),
            kind: "hashedrekord".to_owned(),
            spec: HashedRekordSpec {
                hashed_rekord: HashedRekord {
                    data: Hash::of(&entry.digest),
                    signature: Signature::of(&entry.signature),
                },
            },
        };
        let text = canonical_json::to_string(&document)
            .map_err(|error| RekorError::Json(JsonError::Malformed(error.to_string())))?;
        Ok(text.into_bytes())
    }

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct HashedRekordSpec {
        #[serde(rename = "hashedRekordV002")]
        hashed_rekord: HashedRekord,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct HashedRekord {
        data: Hash,
        signature: Signature,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Hash {
        algorithm: String,
        digest: Base64,
    }

    impl Hash {
        fn read(&self, field: &'static str) -> Result<Digest, RekorError> {
            let algorithm = EnumValue::Name(self.algorithm.as_str().into()).find(HASH_ALGORITHMS, field)?;
            Digest::from_bytes(algorithm, &self.digest.0).map_err(|_| RekorError::Digest { field })
        }

        fn of(digest: &Digest) -> Self {
            let name = proto_json::hash_name(digest.algorithm());
            Self { algorithm: name.to_owned(), digest: Base64(digest.as_bytes().to_vec()) }
        }
    }

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Signature {
        content: Base64,
        verifier: WireVerifier,
    }

    impl Signature {
        fn read(self) -> Result<EntrySignatureV002, RekorError> {
            let verifier = match (self.verifier.x509_certificate, self.verifier.public_key) {
                (Some(certificate), None) => Verifier::Certificate(certificate.raw_bytes.0),
                (None, Some(key)) => Verifier::PublicKey(key.raw_bytes.0),
                _ => return Err(RekorError::Verifier),
            };
            let name = EnumValue::Name(self.verifier.key_details.into());
            let key_details = PublicKeyDetails::read(&name, "keyDetails")?;
            Ok(EntrySignatureV002 { signature: self.content.0, verifier, key_details })
        }

        fn of(signature: &EntrySignatureV002) -> Self {
            let raw = |bytes: &Vec<u8>| Some(Raw { raw_bytes: Base64(bytes.clone()) });
            let (x509_certificate, public_key) = match &signature.verifier {
                Verifier::Certificate(der) => (raw(der), None),
                Verifier::PublicKey(spki) => (None, raw(spki)),
            };
            let key_details = signature.key_details.name().to_owned();
            let verifier = WireVerifier { key_details, x509_certificate, public_key };
            Self { content: Base64(signature.signature.clone()), verifier }
        }
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct WireVerifier {
        key_details: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        x509_certificate: Option<Raw>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        public_key: Option<Raw>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Raw {
        raw_bytes: Base64,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct DsseSpec {
        #[serde(rename = "dsseV002")]
        dsse: Dsse,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Dsse {
        payload_hash: Hash,
        signatures: Vec<Signature>,
    }
}
