//! Sigstore's `trusted_root.json` (sigstore_trustroot.proto): the keys and certificates of the
//! services that a verifier trusts, and when it does.

mod merge;
mod read;
mod write;

use std::fmt;

use signet_crypto::{DigestAlgorithm, KeyAlgorithm, PublicKey};

use crate::json::{self, JsonError};
use crate::proto_json::{self, FieldError};
use crate::rekor::PublicKeyDetails;
use read::{WireAuthority, WireLog, WireRoot, read_all};

/// The largest trusted root that is read, in bytes.
pub const MAX_TRUSTED_ROOT_BYTES: usize = 4 * 1024 * 1024;
/// The most instances of one kind of service.
pub const MAX_INSTANCES: usize = 256;
/// The most certificates of one authority's chain.
pub const MAX_CHAIN: usize = 16;

/// A trusted root. Nothing in DER is looked into here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    /// The version it was written in.
    pub version: Version,
    /// Transparency logs of signatures.
    pub tlogs: Vec<LogInstance>,
    /// Certificate transparency logs.
    pub ctlogs: Vec<LogInstance>,
    /// Authorities that issue signing certificates.
    pub certificate_authorities: Vec<Authority>,
    /// Authorities that issue RFC 3161 timestamps.
    pub timestamp_authorities: Vec<Authority>,
}

impl TrustedRoot {
    /// Reads a trusted root of at most [`MAX_TRUSTED_ROOT_BYTES`]. Fields that the format does not
    /// have are refused: one of them could restrict the trust.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustedRootError> {
        let wire: WireRoot<'_> =
            json::parse(bytes, MAX_TRUSTED_ROOT_BYTES).map_err(TrustedRootError::Json)?;
        let media_type = proto_json::required(wire.media_type, "mediaType")?.into_str();
        let version = Version::of_media_type(&media_type)
            .ok_or_else(|| TrustedRootError::UnknownVersion(media_type.into_owned()))?;
        Ok(Self {
            version,
            tlogs: read_all(wire.tlogs, "tlogs", WireLog::read)?,
            ctlogs: read_all(wire.ctlogs, "ctlogs", WireLog::read)?,
            certificate_authorities: read_all(
                wire.certificate_authorities,
                "certificateAuthorities",
                WireAuthority::read,
            )?,
            timestamp_authorities: read_all(
                wire.timestamp_authorities,
                "timestampAuthorities",
                WireAuthority::read,
            )?,
        })
    }
}

/// The version of the trusted root's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0.1.
    V01,
    /// 0.2: logs have checkpoint key ids, services have operators.
    V02,
}

impl Version {
    fn media_type(self) -> &'static str {
        match self {
            Self::V01 => "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            Self::V02 => "application/vnd.dev.sigstore.trustedroot.v0.2+json",
        }
    }

    fn of_media_type(media_type: &str) -> Option<Self> {
        match media_type {
            "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
            | "application/vnd.dev.sigstore.trustedroot.v0.1+json" => Some(Self::V01),
            "application/vnd.dev.sigstore.trustedroot+json;version=0.2"
            | "application/vnd.dev.sigstore.trustedroot.v0.2+json" => Some(Self::V02),
            _ => None,
        }
    }
}

/// A log, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInstance {
    /// The URL below which the log is served; its host is the origin of a Rekor v2 log.
    pub base_url: String,
    /// The hash of the Merkle tree.
    pub hash: DigestAlgorithm,
    /// The key that signs checkpoints, promises or SCTs: a SubjectPublicKeyInfo or, where
    /// [`PublicKeyDetails::is_pkcs1`], a PKCS#1 RSAPublicKey; in DER.
    pub public_key: Vec<u8>,
    /// What kind of key it is.
    pub key_details: PublicKeyDetails,
    /// When the key was in use.
    pub validity: Validity,
    /// The log's id, as entries and SCTs name it.
    pub log_id: Vec<u8>,
    /// The key's id in signed notes, where it is stated.
    pub checkpoint_key_id: Option<Vec<u8>>,
    /// Who runs the log, where it is stated.
    pub operator: Option<String>,
}

impl LogInstance {
    /// What is stated of the key and is not so. A key that cannot be read contradicts nothing: it is of no use.
    ///
    /// The id of a log whose key is ECDSA is that of the key (Rekor v1, RFC 6962). Others' ids may be made of the
    /// log's name too, which is not told here.
    fn contradiction(&self) -> Option<&'static str> {
        if self.hash != DigestAlgorithm::Sha256 {
            return Some("hashAlgorithm");
        }
        let key = log_key(&self.public_key)?;
        let by_key_alone = matches!(
            key.algorithm(),
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521
        );
        let stated = self.key_details.meaning().map(|(algorithm, _)| algorithm);
        let key_id = self.checkpoint_key_id.as_deref().unwrap_or_default();
        let contradictions = [
            ("publicKey.keyDetails", stated.is_some_and(|stated| stated != key.algorithm())),
            ("logId", by_key_alone && self.log_id != key.id().as_bytes()),
            ("checkpointKeyId", by_key_alone && !key.id().as_bytes().starts_with(key_id)),
        ];
        contradictions.into_iter().find_map(|(field, wrong)| wrong.then_some(field))
    }
}

/// A log's key: SubjectPublicKeyInfo, or as older roots have them, bare Ed25519 or PKCS#1 RSA.
pub fn log_key(bytes: &[u8]) -> Option<PublicKey> {
    let spki = PublicKey::from_spki_der(bytes).ok();
    let ed25519 = || PublicKey::from_bits(KeyAlgorithm::Ed25519, bytes).ok();
    let rsa = || PublicKey::from_bits(KeyAlgorithm::Rsa { bits: 0 }, bytes).ok();
    spki.or_else(ed25519).or_else(rsa)
}

/// An authority, by its certificate chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The organization that the subject names.
    pub organization: String,
    /// The common name that the subject names.
    pub common_name: String,
    /// Where the authority is served.
    pub uri: String,
    /// Certificates in DER, the anchor last; never empty. The anchor may be an intermediate.
    pub chain: Vec<Vec<u8>>,
    /// When the authority was in use.
    pub validity: Validity,
    /// Who runs the authority, where it is stated.
    pub operator: Option<String>,
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second, in Unix time.
    pub start: i64,
    /// The last second, or `None` while in use.
    pub end: Option<i64>,
}

impl Validity {
    /// Whether the second lies in the span.
    pub fn contains(&self, seconds: i64) -> bool {
        self.start <= seconds && self.end.is_none_or(|end| seconds <= end)
    }
}

/// Why a trusted root was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedRootError {
    /// What is stated of a log is not so of its key, or of any log.
    Contradiction {
        /// The log's base URL.
        log: String,
        /// The field that is wrong.
        field: &'static str,
    },
    /// A validity ends before it starts.
    EmptyValidity(Validity),
    /// A field has an impossible value.
    Field(FieldError),
    /// It is not JSON of the trusted root's shape.
    Json(JsonError),
    /// A log's or authority's validity has no start, so that nothing says when to trust it.
    MissingValidityStart,
    /// A media type that is no trusted root's of a known version.
    UnknownVersion(String),
}

impl fmt::Display for TrustedRootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction { log, field } => {
                write!(f, "in the trusted root, `{field}` of the log `{log}` is not what the log has")
            }
            Self::EmptyValidity(_) => f.write_str("in the trusted root, a validity ends before it starts"),
            Self::Field(error) => write!(f, "in the trusted root, {error}"),
            Self::Json(error) => write!(f, "the trusted root is malformed: {error}"),
            Self::MissingValidityStart => f.write_str("in the trusted root, a validity has no start"),
            Self::UnknownVersion(media_type) => {
                write!(
                    f,
                    "`{media_type}` is not a trusted root version that is understood (v0.1 and v0.2 are)"
                )
            }
        }
    }
}

impl std::error::Error for TrustedRootError {}

impl From<FieldError> for TrustedRootError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn root() -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot.v0.2+json",
            "tlogs": [{
                "baseUrl": "https://log.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": "AQID", "keyDetails": "PKIX_ED25519",
                    "validFor": {"start": "2021-01-12T11:53:27.5Z", "end": "2021-01-12T11:53:30.5Z"},
                },
                "logId": {"keyId": "AQ=="},
                "checkpointKeyId": {"keyId": "Ag=="},
                "operator": "example",
            }],
            "certificateAuthorities": [{
                "subject": {"organization": "o", "commonName": "c"},
                "uri": "https://ca.example",
                "certChain": {"certificates": [{"rawBytes": "AQ=="}, {"rawBytes": "Ag=="}]},
                "validFor": {"start": "2021-01-12T11:53:27Z"},
            }],
        })
    }

    fn with(pointer: &str, value: Value) -> Result<TrustedRoot, TrustedRootError> {
        let mut root = root();
        *root.pointer_mut(pointer).unwrap() = value;
        TrustedRoot::parse(root.to_string().as_bytes())
    }

    #[test]
    fn every_field_of_v02_is_read() {
        let root = TrustedRoot::parse(root().to_string().as_bytes()).unwrap();
        let log = &root.tlogs[0];
        assert_eq!(root.version, Version::V02);
        assert_eq!((log.public_key.as_slice(), log.log_id.as_slice()), (&[1, 2, 3][..], &[1][..]));
        assert_eq!(log.key_details, PublicKeyDetails::PkixEd25519);
        assert_eq!(log.checkpoint_key_id, Some(vec![2]));
        assert_eq!(log.operator.as_deref(), Some("example"));
        // Neither end of a validity is widened by cutting a fraction off.
        assert_eq!(log.validity, Validity { start: 1_610_452_408, end: Some(1_610_452_410) });
        assert_eq!(root.certificate_authorities[0].chain, [[1], [2]]);
        assert_eq!(root.certificate_authorities[0].common_name, "c");
        assert!(root.timestamp_authorities.is_empty() && root.ctlogs.is_empty());
    }

    #[test]
    fn a_validity_includes_both_ends() {
        let validity = Validity { start: 5, end: Some(7) };
        assert_eq!([4, 5, 7, 8].map(|second| validity.contains(second)), [false, true, true, false]);
        assert!(Validity { start: 5, end: None }.contains(i64::MAX));
    }

    #[test]
    fn malformed_roots_are_refused_for_their_reason() {
        let field = |error| Err(TrustedRootError::Field(error));
        assert_eq!(with("/mediaType", json!("x")), Err(TrustedRootError::UnknownVersion("x".into())));
        let valid_for = "/tlogs/0/publicKey/validFor";
        assert_eq!(with(valid_for, json!({})), Err(TrustedRootError::MissingValidityStart));
        assert_eq!(with(valid_for, Value::Null), Err(TrustedRootError::MissingValidityStart));
        let ca = with("/certificateAuthorities/0/validFor", Value::Null);
        assert_eq!(ca, Err(TrustedRootError::MissingValidityStart));
        let empty = with(&format!("{valid_for}/end"), json!("2021-01-12T11:53:26Z"));
        assert!(matches!(empty, Err(TrustedRootError::EmptyValidity(_))));
        let time = with(&format!("{valid_for}/start"), json!("yesterday"));
        assert_eq!(time, field(FieldError::Time { field: "validFor.start" }));
        let hash = FieldError::Enumeration { field: "hashAlgorithm", value: "SHA3_256".into() };
        assert_eq!(with("/tlogs/0/hashAlgorithm", json!("SHA3_256")), field(hash));
        let chain = with("/certificateAuthorities/0/certChain", json!({}));
        assert_eq!(chain, field(FieldError::Missing { field: "certChain" }));
        let extra = with("/tlogs/0/logId", json!({"keyId": "AQ==", "until": 1}));
        assert!(matches!(extra, Err(TrustedRootError::Json(JsonError::Malformed(_)))));
        let many = vec![root()["tlogs"][0].clone(); MAX_INSTANCES + 1];
        let count = FieldError::Count { field: "tlogs", count: MAX_INSTANCES + 1, limit: MAX_INSTANCES };
        assert_eq!(with("/tlogs", many.into()), field(count));
    }

    /// Two readers that each believe another field would trust two logs.
    #[test]
    fn what_contradicts_its_key_is_refused() {
        let key = crate::base64::decode(P256).unwrap();
        let id = PublicKey::from_spki_der(&key).unwrap().id();
        let log = |field: &str, value: &str| {
            let mut root = root();
            let log = &mut root["tlogs"][0];
            log["publicKey"]["rawBytes"] = json!(P256);
            log["publicKey"]["keyDetails"] = json!("PKIX_ECDSA_P256_SHA_256");
            log["logId"]["keyId"] = json!(crate::base64::encode(id.as_bytes()));
            log["checkpointKeyId"]["keyId"] = json!(crate::base64::encode(&id.as_bytes()[..4]));
            if !field.is_empty() {
                *log.pointer_mut(field).unwrap() = json!(value);
            }
            TrustedRoot::parse(root.to_string().as_bytes()).err()
        };
        assert_eq!(log("", ""), None);
        for (pointer, value, field) in [
            ("/hashAlgorithm", "SHA2_512", "hashAlgorithm"),
            ("/publicKey/keyDetails", "PKIX_ECDSA_P384_SHA_384", "publicKey.keyDetails"),
            ("/publicKey/keyDetails", "PKIX_ED25519", "publicKey.keyDetails"),
            ("/logId/keyId", "AQ==", "logId"),
            ("/checkpointKeyId/keyId", "AQIDBA==", "checkpointKeyId"),
        ] {
            let why = TrustedRootError::Contradiction { log: "https://log.example".to_owned(), field };
            assert_eq!(log(pointer, value), Some(why));
        }
    }

    const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECjzpUDKDGCApY5HSmJW7w+dajzJfQsLHmlnUo6tFNe0WgpOI0t7s7gKzBaSRcg+tsbjKbol4VI6NpS0HNEX+Gg==";

    proptest! {
        #[test]
        fn any_damage_is_parsed_or_refused_without_panic(at in 0_usize..700, byte in any::<u8>()) {
            let mut bytes = root().to_string().into_bytes();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            let _ = TrustedRoot::parse(&bytes);
        }
    }
}
