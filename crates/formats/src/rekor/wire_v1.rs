//! The types of Rekor v1: hashes in hex, keys and certificates as base64 of PEM.

use serde::Deserialize;
use signet_crypto::{Digest, DigestAlgorithm};

use super::body::{
    DsseV001, EntrySignature, HashedRekordV001, IntotoV001, IntotoV002, MAX_SIGNATURES, RekorError, Verifier,
    parse_spec,
};
use crate::base64::{self, Base64};
use crate::bounded::List;
use crate::proto_json;

pub(super) fn hashed_rekord(spec: &str) -> Result<HashedRekordV001, RekorError> {
    let spec = parse_spec::<HashedRekord>(spec)?;
    let signature = EntrySignature {
        signature: spec.signature.content.0,
        verifier: verifier(&spec.signature.public_key.content)?,
    };
    Ok(HashedRekordV001 { digest: spec.data.hash.read("data.hash")?, signature })
}

pub(super) fn dsse(spec: &str) -> Result<DsseV001, RekorError> {
    let spec = parse_spec::<Dsse>(spec)?;
    let signatures = proto_json::list(Some(spec.signatures), "signatures")?;
    Ok(DsseV001 {
        envelope_hash: spec.envelope_hash.read("envelopeHash")?,
        payload_hash: spec.payload_hash.read("payloadHash")?,
        signatures: signatures
            .into_iter()
            .map(|s| Ok(EntrySignature { signature: s.signature.0, verifier: verifier(&s.verifier)? }))
            .collect::<Result<_, RekorError>>()?,
    })
}

pub(super) fn intoto_v001(spec: &str) -> Result<IntotoV001, RekorError> {
    let spec = parse_spec::<IntotoFirst>(spec)?;
    Ok(IntotoV001 {
        envelope_hash: spec.content.hash.read("content.hash")?,
        payload_hash: spec.content.payload_hash.map(|h| h.read("content.payloadHash")).transpose()?,
        verifier: verifier(&spec.public_key)?,
    })
}

pub(super) fn intoto_v002(spec: &str) -> Result<IntotoV002, RekorError> {
    let content = parse_spec::<IntotoSecond>(spec)?.content;
    let envelope = content.envelope;
    let signatures = proto_json::list(Some(envelope.signatures), "signatures")?;
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
        let algorithm: DigestAlgorithm = self.algorithm.parse().map_err(|_| RekorError::Digest { field })?;
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
    signatures: List<DsseSignature, MAX_SIGNATURES>,
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
    signatures: List<EnvelopeSignature, MAX_SIGNATURES>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvelopeSignature {
    public_key: Base64,
    sig: Base64,
    #[serde(default, rename = "keyid")]
    _keyid: Option<String>,
}
