//! Simple signing (containers-signature(5)): the claim "this manifest belongs to this name" that
//! GPG signatures of containers/image and legacy signatures of cosign are over.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_crypto::{Digest, DigestParseError};

use crate::exact::read_exactly;
use crate::json::{self, JsonError};

/// The largest claim that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The `critical.type` that cosign writes.
pub const TYPE_COSIGN: &str = "cosign container image signature";
/// The `critical.type` that containers/image writes under GPG signatures.
pub const TYPE_ATOMIC: &str = "atomic container signature";

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimpleSigning {
    /// What the claim says it is, [`TYPE_COSIGN`] or [`TYPE_ATOMIC`] unless read leniently.
    pub kind: String,
    /// The name that the image is signed under.
    pub docker_reference: String,
    /// The digest of the manifest.
    pub manifest_digest: Digest,
    /// What the signer added: creator, timestamp, annotations.
    pub optional: Map<String, Value>,
}

impl SimpleSigning {
    /// A claim as cosign makes it.
    pub fn cosign(docker_reference: impl Into<String>, manifest_digest: Digest) -> Self {
        Self {
            kind: TYPE_COSIGN.to_owned(),
            docker_reference: docker_reference.into(),
            manifest_digest,
            optional: Map::new(),
        }
    }

    /// Reads a claim as containers/image does: exactly the fields of the format, a known type, and
    /// `optional` an object or null.
    pub fn parse(bytes: &[u8]) -> Result<Self, SimpleSigningError> {
        let strict: Strict = json::parse(bytes, MAX_BYTES).map_err(SimpleSigningError::Json)?;
        let critical = strict.critical;
        if ![TYPE_COSIGN, TYPE_ATOMIC].contains(&critical.kind.as_str()) {
            return Err(SimpleSigningError::Type(critical.kind));
        }
        Ok(Self {
            kind: critical.kind,
            docker_reference: critical.identity.docker_reference,
            manifest_digest: digest(critical.image.docker_manifest_digest)?,
            optional: strict.optional.unwrap_or_default(),
        })
    }

    /// Reads a claim as cosign does: the type and the reference may be anything or missing, unknown
    /// fields are ignored, but not the known ones in another case. Only the digest and `optional` are then worth anything.
    pub fn parse_lenient(bytes: &[u8]) -> Result<Self, SimpleSigningError> {
        let lenient: Lenient = json::parse(bytes, MAX_BYTES).map_err(SimpleSigningError::Json)?;
        let critical = lenient.critical;
        Ok(Self {
            kind: critical.kind,
            docker_reference: critical.identity.docker_reference,
            manifest_digest: digest(critical.image.docker_manifest_digest)?,
            optional: lenient.optional.unwrap_or_default(),
        })
    }

    /// The claim as cosign spells it, to be signed.
    pub fn to_json(&self) -> Result<String, SimpleSigningError> {
        let strict = Strict {
            critical: Critical {
                identity: Identity { docker_reference: self.docker_reference.clone() },
                image: Image { docker_manifest_digest: self.manifest_digest.to_string() },
                kind: self.kind.clone(),
            },
            optional: Some(self.optional.clone()).filter(|optional| !optional.is_empty()),
        };
        serde_json::to_string(&strict)
            .map_err(|error| SimpleSigningError::Json(JsonError::Malformed(error.to_string())))
    }
}

/// Why a claim was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimpleSigningError {
    /// The manifest's digest is none.
    Digest {
        /// The text found.
        value: String,
        /// What is wrong with it.
        error: DigestParseError,
    },
    /// It is not JSON of the claim's shape.
    Json(JsonError),
    /// It says it is something else.
    Type(String),
}

impl fmt::Display for SimpleSigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest { value, error } => write!(f, "the signed digest `{value}` is not one: {error}"),
            Self::Json(error) => write!(f, "the simple-signing payload is malformed: {error}"),
            Self::Type(kind) => write!(f, "the simple-signing payload has the unknown type `{kind}`"),
        }
    }
}

impl std::error::Error for SimpleSigningError {}

fn digest(value: String) -> Result<Digest, SimpleSigningError> {
    value.parse().map_err(|error| SimpleSigningError::Digest { value, error })
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    critical: Critical,
    #[serde(deserialize_with = "Option::deserialize")]
    optional: Option<Map<String, Value>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Identity {
    docker_reference: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Image {
    docker_manifest_digest: String,
}

read_exactly!(Lenient, LenientCritical, LenientIdentity, LenientImage);

#[derive(Deserialize)]
#[serde(remote = "Self")]
struct Lenient {
    critical: LenientCritical,
    #[serde(default)]
    optional: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(remote = "Self")]
struct LenientCritical {
    #[serde(default)]
    identity: LenientIdentity,
    image: LenientImage,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default, remote = "Self")]
struct LenientIdentity {
    docker_reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
struct LenientImage {
    docker_manifest_digest: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn claim() -> Value {
        json!({
            "critical": {
                "identity": {"docker-reference": "r.example/a"},
                "image": {"docker-manifest-digest": DIGEST},
                "type": TYPE_COSIGN,
            },
            "optional": null,
        })
    }

    #[test]
    fn the_bytes_are_those_that_cosign_signs() {
        let claim = SimpleSigning::cosign("r.example/a", DIGEST.parse().unwrap());
        let text = claim.to_json().unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"critical":{{"identity":{{"docker-reference":"r.example/a"}},"image":{{"docker-manifest-digest":"{DIGEST}"}},"type":"cosign container image signature"}},"optional":null}}"#
            )
        );
        assert_eq!(SimpleSigning::parse(text.as_bytes()), Ok(claim.clone()));
        assert_eq!(SimpleSigning::parse_lenient(text.as_bytes()), Ok(claim));
    }

    #[test]
    fn annotations_round_trip() {
        let mut claim = SimpleSigning::cosign("r.example/a", DIGEST.parse().unwrap());
        claim.optional.insert("k".into(), json!("v"));
        assert_eq!(SimpleSigning::parse(claim.to_json().unwrap().as_bytes()), Ok(claim));
    }

    #[test]
    fn strict_reading_refuses_what_lenient_reading_takes() {
        let mut unknown = claim();
        unknown["critical"]["extra"] = json!(1);
        let mut other_type = claim();
        other_type["critical"]["type"] = json!("x");
        let mut no_identity = claim();
        no_identity["critical"].as_object_mut().unwrap().remove("identity");
        let mut no_optional = claim();
        no_optional.as_object_mut().unwrap().remove("optional");
        for value in [unknown, other_type, no_identity, no_optional] {
            let bytes = value.to_string().into_bytes();
            assert!(SimpleSigning::parse(&bytes).is_err(), "{value}");
            assert_eq!(SimpleSigning::parse_lenient(&bytes).unwrap().manifest_digest.to_string(), DIGEST);
        }
    }

    /// cosign takes `Image` for `image`, and the last of both.
    #[test]
    fn a_claim_that_other_readers_read_otherwise_is_refused() {
        let other = Digest::sha256(b"").to_string();
        let image = json!({"docker-manifest-digest": other});
        let mut top = claim();
        top["Critical"] = json!({"image": image});
        let mut inner = claim();
        inner["critical"]["Image"] = image;
        let mut innermost = claim();
        innermost["critical"]["image"]["Docker-Manifest-Digest"] = other.into();
        for value in [top, inner, innermost] {
            assert!(SimpleSigning::parse_lenient(value.to_string().as_bytes()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_claim_without_a_whole_digest_is_refused_by_both() {
        let mut value = claim();
        value["critical"]["image"]["docker-manifest-digest"] = json!("sha256:e3b0");
        let bytes = value.to_string().into_bytes();
        let why = SimpleSigningError::Digest { value: "sha256:e3b0".into(), error: DigestParseError::Length };
        assert_eq!(SimpleSigning::parse(&bytes), Err(why.clone()));
        assert_eq!(SimpleSigning::parse_lenient(&bytes), Err(why));
        assert!(SimpleSigning::parse_lenient(b"{\"critical\":{\"image\":{}}}").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = SimpleSigning::parse(&bytes);
            let _ = SimpleSigning::parse_lenient(&bytes);
        }
    }
}
