//! The types of Rekor v2: proto3 JSON, made canonical.

use serde::{Deserialize, Serialize};
use signet_crypto::Digest;

use super::body::{
    DsseV002, EntrySignatureV002, HashedRekordV002, MAX_SIGNATURES, RekorError, Verifier, parse_spec,
};
use super::key_details::PublicKeyDetails;
use crate::bounded::List;
use crate::json::JsonError;
use crate::proto_json::{self, EnumValue, FieldError, HASH_ALGORITHMS, Text};

pub(super) fn hashed_rekord(spec: &str) -> Result<HashedRekordV002, RekorError> {
    let spec = parse_spec::<HashedRekordSpec<'_>>(spec)?.hashed_rekord;
    Ok(HashedRekordV002 { digest: spec.data.read("data")?, signature: spec.signature.read()? })
}

pub(super) fn dsse(spec: &str) -> Result<DsseV002, RekorError> {
    let spec = parse_spec::<DsseSpec<'_>>(spec)?.dsse;
    let signatures = proto_json::list(Some(spec.signatures), "signatures")?;
    Ok(DsseV002 {
        payload_hash: spec.payload_hash.read("payloadHash")?,
        signatures: signatures.into_iter().map(Signature::read).collect::<Result<_, _>>()?,
    })
}

pub(super) fn encode_hashed_rekord(entry: &HashedRekordV002) -> Result<Vec<u8>, RekorError> {
    let document = Document {
        api_version: "0.0.2",
        kind: "hashedrekord",
        spec: HashedRekordSpec {
            hashed_rekord: HashedRekord {
                data: Hash::of(&entry.digest),
                signature: Signature::of(&entry.signature),
            },
        },
    };
    // A log writes thousands a second: made as large as needed at once, it is never moved.
    let mut text = Vec::with_capacity(about_len(&entry.signature));
    // Canonical as it stands: the members are declared in order, and base64 has nothing to escape.
    proto_json::write(&document, &mut text)
        .map_err(|error| RekorError::Json(JsonError::Malformed(error.to_string())))?;
    Ok(text)
}

/// A little more than an entry has bytes.
fn about_len(signature: &EntrySignatureV002) -> usize {
    let (Verifier::Certificate(verifier) | Verifier::PublicKey(verifier)) = &signature.verifier;
    NAMES_AND_DIGEST + (signature.signature.len() + verifier.len()).div_ceil(3) * 4
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    spec: HashedRekordSpec<'a>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HashedRekordSpec<'a> {
    #[serde(borrow, rename = "hashedRekordV002")]
    hashed_rekord: HashedRekord<'a>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HashedRekord<'a> {
    #[serde(borrow)]
    data: Hash<'a>,
    #[serde(borrow)]
    signature: Signature<'a>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Hash<'a> {
    #[serde(borrow)]
    algorithm: Text<'a>,
    #[serde(borrow)]
    digest: Text<'a>,
}

impl<'a> Hash<'a> {
    fn read(self, field: &'static str) -> Result<Digest, RekorError> {
        let algorithm = EnumValue::Name(self.algorithm.into_str()).find(HASH_ALGORITHMS, field)?;
        let value = proto_json::bytes(Some(self.digest), field)?;
        Digest::from_bytes(algorithm, &value).map_err(|_| RekorError::Digest { field })
    }

    fn of(digest: &'a Digest) -> Self {
        let algorithm = proto_json::hash_name(digest.algorithm()).into();
        Self { algorithm, digest: Text::Base64(digest.as_bytes()) }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Signature<'a> {
    #[serde(borrow)]
    content: Text<'a>,
    #[serde(borrow)]
    verifier: WireVerifier<'a>,
}

impl<'a> Signature<'a> {
    fn read(self) -> Result<EntrySignatureV002, RekorError> {
        let verifier = match (self.verifier.x509_certificate, self.verifier.public_key) {
            (Some(certificate), None) => Verifier::Certificate(certificate.read("x509Certificate")?),
            (None, Some(key)) => Verifier::PublicKey(key.read("publicKey")?),
            _ => return Err(RekorError::Verifier),
        };
        let name = EnumValue::Name(self.verifier.key_details.into_str());
        let key_details = PublicKeyDetails::read(&name, "keyDetails")?;
        let signature = proto_json::bytes(Some(self.content), "signature")?;
        Ok(EntrySignatureV002 { signature, verifier, key_details })
    }

    fn of(signature: &'a EntrySignatureV002) -> Self {
        let raw = |bytes: &'a [u8]| Some(Raw { raw_bytes: Text::Base64(bytes) });
        let (x509_certificate, public_key) = match &signature.verifier {
            Verifier::Certificate(der) => (raw(der), None),
            Verifier::PublicKey(spki) => (None, raw(spki)),
        };
        let key_details = signature.key_details.name().into();
        let verifier = WireVerifier { key_details, x509_certificate, public_key };
        Self { content: Text::Base64(&signature.signature), verifier }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireVerifier<'a> {
    #[serde(borrow)]
    key_details: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<Raw<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Raw<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw<'a> {
    #[serde(borrow)]
    raw_bytes: Text<'a>,
}

impl Raw<'_> {
    fn read(self, field: &'static str) -> Result<Vec<u8>, FieldError> {
        proto_json::bytes(Some(self.raw_bytes), field)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseSpec<'a> {
    #[serde(borrow, rename = "dsseV002")]
    dsse: Dsse<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Dsse<'a> {
    #[serde(borrow)]
    payload_hash: Hash<'a>,
    #[serde(borrow)]
    signatures: List<Signature<'a>, MAX_SIGNATURES>,
}

/// The most that all but the signature and what verifies it have in an entry, in bytes.
const NAMES_AND_DIGEST: usize = 360;
