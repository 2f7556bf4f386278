//! The types of Rekor v2: proto3 JSON, made canonical.

use serde::{Deserialize, Serialize};
use signet_crypto::Digest;

use super::body::{
    DsseV002, EntrySignatureV002, HashedRekordV002, MAX_SIGNATURES, RekorError, Verifier, parse_spec,
};
use super::key_details::PublicKeyDetails;
use crate::base64::Base64;
use crate::bounded::List;
use crate::json::JsonError;
use crate::proto_json::{self, EnumValue, HASH_ALGORITHMS};

pub(super) fn hashed_rekord(spec: &str) -> Result<HashedRekordV002, RekorError> {
    let spec = parse_spec::<HashedRekordSpec>(spec)?.hashed_rekord;
    Ok(HashedRekordV002 { digest: spec.data.read("data")?, signature: spec.signature.read()? })
}

pub(super) fn dsse(spec: &str) -> Result<DsseV002, RekorError> {
    let spec = parse_spec::<DsseSpec>(spec)?.dsse;
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
    serde_json::to_writer(&mut text, &document)
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
struct Document {
    api_version: &'static str,
    kind: &'static str,
    spec: HashedRekordSpec,
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
    signatures: List<Signature, MAX_SIGNATURES>,
}

/// The most that all but the signature and what verifies it have in an entry, in bytes.
const NAMES_AND_DIGEST: usize = 360;
