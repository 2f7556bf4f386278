//! cosign's own older formats: signatures and attestations as annotated layers of a `.sig` or `.att`
//! image, and the bundle file that `cosign sign-blob` wrote before Sigstore bundles.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base64::{self, Base64, Base64Error};
use crate::dsse::{DsseError, Envelope, MAX_ENVELOPE_BYTES};
use crate::json::{self, JsonError};
use crate::pem::{self, PemError};
use crate::proto_json::FieldError;
use crate::rekor::{Body, RekorError, TlogEntry, Verifier};

/// Annotation: the signature, in base64.
pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Annotation: the certificate, in PEM.
pub const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
/// Annotation: the certificates above it, in PEM.
pub const CHAIN: &str = "dev.sigstore.cosign/chain";
/// Annotation: the promise of Rekor v1, in JSON.
pub const BUNDLE: &str = "dev.sigstore.cosign/bundle";
/// Annotation: the RFC 3161 timestamp, in JSON.
pub const RFC3161_TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// Annotation of an attestation: the type of its predicate.
pub const PREDICATE_TYPE: &str = "predicateType";
/// The most certificates above the signer's.
pub const MAX_CHAIN: usize = 16;
/// The largest value of one annotation, in bytes; also the largest bundle file.
pub const MAX_ANNOTATION_BYTES: usize = 4 * 1024 * 1024;

/// A signature as a layer of a `.sig` image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacySignature {
    /// The signed bytes, the layer: a simple-signing claim.
    pub payload: Vec<u8>,
    /// The signature over the payload.
    pub signature: Vec<u8>,
    /// What supports it.
    pub material: LegacyMaterial,
}

impl LegacySignature {
    /// Reads the layer and the annotations of its descriptor.
    pub fn read(payload: Vec<u8>, annotations: &BTreeMap<String, String>) -> Result<Self, LegacyError> {
        let signature = annotation(annotations, SIGNATURE)?.ok_or(LegacyError::NoSignature)?;
        let signature = base64::decode_folded(signature).map_err(LegacyError::Signature)?;
        if signature.is_empty() {
            return Err(LegacyError::NoSignature);
        }
        Ok(Self { payload, signature, material: LegacyMaterial::read(annotations)? })
    }

    /// The annotations of the layer's descriptor.
    pub fn annotations(&self) -> Result<BTreeMap<String, String>, LegacyError> {
        let mut annotations = self.material.annotations()?;
        annotations.insert(SIGNATURE.to_owned(), base64::encode(&self.signature));
        Ok(annotations)
    }
}

/// An attestation as a layer of an `.att` image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyAttestation {
    /// The envelope, the layer.
    pub envelope: Envelope,
    /// What supports it.
    pub material: LegacyMaterial,
}

impl LegacyAttestation {
    /// Reads the layer and the annotations of its descriptor.
    pub fn read(layer: &[u8], annotations: &BTreeMap<String, String>) -> Result<Self, LegacyError> {
        let envelope = Envelope::parse(layer, MAX_ENVELOPE_BYTES).map_err(LegacyError::Envelope)?;
        Ok(Self { envelope, material: LegacyMaterial::read(annotations)? })
    }
}

/// What stands in annotations beside a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegacyMaterial {
    /// The signer's certificate, in DER. A public key in its place is refused (GHSA-fx35-mq7g-6g98).
    pub certificate: Option<Vec<u8>>,
    /// The certificates above it, in DER.
    pub chain: Vec<Vec<u8>>,
    /// The log entry, with a promise and without a proof.
    pub entry: Option<TlogEntry>,
    /// The RFC 3161 `TimeStampResp`, in DER.
    pub timestamp: Option<Vec<u8>>,
}

impl LegacyMaterial {
    fn read(annotations: &BTreeMap<String, String>) -> Result<Self, LegacyError> {
        let certificate = annotation(annotations, CERTIFICATE)?;
        let chain = annotation(annotations, CHAIN)?;
        let chain = chain.map(read_chain).transpose()?;
        let entry = annotation(annotations, BUNDLE)?;
        let timestamp = annotation(annotations, RFC3161_TIMESTAMP)?;
        Ok(Self {
            certificate: certificate.map(read_certificate).transpose()?,
            chain: chain.unwrap_or_default(),
            entry: entry.map(|text| parse_json::<RekorBundle>(text)?.read()).transpose()?,
            timestamp: timestamp
                .map(|text| Ok(parse_json::<TimestampBundle>(text)?.signed_timestamp.0))
                .transpose()?,
        })
    }

    fn annotations(&self) -> Result<BTreeMap<String, String>, LegacyError> {
        let mut annotations = BTreeMap::new();
        let mut put = |name: &str, value: String| annotations.insert(name.to_owned(), value);
        if let Some(der) = &self.certificate {
            put(CERTIFICATE, pem::encode(pem::CERTIFICATE, der));
        }
        if !self.chain.is_empty() {
            put(CHAIN, self.chain.iter().map(|der| pem::encode(pem::CERTIFICATE, der)).collect());
        }
        if let Some(entry) = &self.entry {
            put(BUNDLE, write_json(&RekorBundle::of(entry)?)?);
        }
        if let Some(der) = &self.timestamp {
            put(RFC3161_TIMESTAMP, write_json(&TimestampBundle { signed_timestamp: Base64(der.clone()) })?);
        }
        Ok(annotations)
    }
}

/// The bundle file of `cosign sign-blob` before Sigstore bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalBundle {
    /// The signature over the file.
    pub signature: Vec<u8>,
    /// The certificate or key that the file names; a key here proves nothing about who signed.
    pub verifier: Option<Verifier>,
    /// The log entry, with a promise and without a proof.
    pub entry: Option<TlogEntry>,
}

impl LocalBundle {
    /// Reads a bundle file of at most [`MAX_ANNOTATION_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LegacyError> {
        let wire: WireLocalBundle = json::parse(bytes, MAX_ANNOTATION_BYTES).map_err(LegacyError::Json)?;
        let cert = wire.cert.filter(|cert| !cert.is_empty());
        Ok(Self {
            signature: base64::decode(wire.base64_signature).map_err(LegacyError::Signature)?,
            verifier: cert.map(|cert| read_verifier(&cert)).transpose()?,
            entry: wire.rekor_bundle.map(RekorBundle::read).transpose()?,
        })
    }
}

/// Why a legacy signature was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyError {
    /// An annotation is larger than [`MAX_ANNOTATION_BYTES`].
    AnnotationTooLarge(&'static str),
    /// The certificate is not one PEM certificate.
    Certificate(PemError),
    /// The chain is not PEM certificates.
    Chain(PemError),
    /// The chain has more than [`MAX_CHAIN`] certificates.
    ChainTooLong(usize),
    /// The attestation is no DSSE envelope.
    Envelope(DsseError),
    /// The promise's log entry is not one.
    Entry(RekorError),
    /// An annotation or the bundle file is not JSON of its shape.
    Json(JsonError),
    /// The log entry has no promise and time, without which the format cannot carry it.
    NoPromise,
    /// There is no signature.
    NoSignature,
    /// The signature is not base64.
    Signature(Base64Error),
}

impl fmt::Display for LegacyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnnotationTooLarge(name) => {
                write!(f, "the annotation `{name}` is larger than {MAX_ANNOTATION_BYTES} bytes")
            }
            Self::Certificate(error) => write!(f, "the signature's certificate is unusable: {error}"),
            Self::Chain(error) => write!(f, "the signature's certificate chain is unusable: {error}"),
            Self::ChainTooLong(count) => {
                write!(f, "the signature's certificate chain has {count} certificates, more than {MAX_CHAIN}")
            }
            Self::Envelope(error) => error.fmt(f),
            Self::Entry(error) => error.fmt(f),
            Self::Json(error) => write!(f, "what stands beside the signature is malformed: {error}"),
            Self::NoPromise => f.write_str("the legacy format cannot carry a log entry without a promise"),
            Self::NoSignature => write!(f, "the layer has no annotation `{SIGNATURE}`"),
            Self::Signature(error) => write!(f, "the signature is {error}"),
        }
    }
}

impl std::error::Error for LegacyError {}

/// The annotation's value; cosign takes an empty one for an absent one.
fn annotation<'a>(
    annotations: &'a BTreeMap<String, String>,
    name: &'static str,
) -> Result<Option<&'a str>, LegacyError> {
    match annotations.get(name).map(String::as_str) {
        Some(value) if value.len() > MAX_ANNOTATION_BYTES => Err(LegacyError::AnnotationTooLarge(name)),
        value => Ok(value.filter(|value| !value.is_empty())),
    }
}

fn read_certificate(text: &str) -> Result<Vec<u8>, LegacyError> {
    match Verifier::from_pem(text.as_bytes()).map_err(LegacyError::Certificate)? {
        Verifier::Certificate(der) => Ok(der),
        Verifier::PublicKey(_) => Err(LegacyError::Certificate(PemError::Label(pem::PUBLIC_KEY.to_owned()))),
    }
}

fn read_chain(text: &str) -> Result<Vec<Vec<u8>>, LegacyError> {
    let chain = pem::certificates(text.as_bytes()).map_err(LegacyError::Chain)?;
    if chain.len() > MAX_CHAIN {
        return Err(LegacyError::ChainTooLong(chain.len()));
    }
    Ok(chain)
}

/// The bundle file has PEM, or base64 of PEM.
fn read_verifier(cert: &str) -> Result<Verifier, LegacyError> {
    let text = base64::decode(cert).unwrap_or_else(|_| cert.as_bytes().to_vec());
    Verifier::from_pem(&text).map_err(LegacyError::Certificate)
}

fn parse_json<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, LegacyError> {
    json::parse(text.as_bytes(), MAX_ANNOTATION_BYTES).map_err(LegacyError::Json)
}

fn write_json<T: Serialize>(value: &T) -> Result<String, LegacyError> {
    serde_json::to_string(value).map_err(|error| LegacyError::Json(JsonError::Malformed(error.to_string())))
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RekorBundle {
    signed_entry_timestamp: Base64,
    payload: RekorPayload,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RekorPayload {
    body: Base64,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

impl RekorBundle {
    fn read(self) -> Result<TlogEntry, LegacyError> {
        let payload = self.payload;
        let field = |error: FieldError| LegacyError::Entry(RekorError::Field(error));
        let negative = |name, value| field(FieldError::Negative { field: name, value });
        let mut log_id = [0; 32];
        hex::decode_to_slice(&payload.log_id, &mut log_id)
            .map_err(|_| LegacyError::Entry(RekorError::Digest { field: "logID" }))?;
        if payload.integrated_time <= 0 {
            return Err(negative("integratedTime", payload.integrated_time));
        }
        Ok(TlogEntry {
            log_index: u64::try_from(payload.log_index)
                .map_err(|_| negative("logIndex", payload.log_index))?,
            log_id,
            kind: Body::stated_kind(&payload.body.0).map_err(LegacyError::Entry)?,
            integrated_time: Some(payload.integrated_time),
            promise: Some(self.signed_entry_timestamp.0),
            proof: None,
            body: payload.body.0,
        })
    }

    fn of(entry: &TlogEntry) -> Result<Self, LegacyError> {
        let (Some(set), Some(integrated_time)) = (&entry.promise, entry.integrated_time) else {
            return Err(LegacyError::NoPromise);
        };
        let payload = RekorPayload {
            body: Base64(entry.body.clone()),
            integrated_time,
            log_index: i64::try_from(entry.log_index).map_err(|_| LegacyError::NoPromise)?,
            log_id: hex::encode(entry.log_id),
        };
        Ok(Self { signed_entry_timestamp: Base64(set.clone()), payload })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TimestampBundle {
    #[serde(rename = "SignedRFC3161Timestamp")]
    signed_timestamp: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireLocalBundle {
    base64_signature: String,
    #[serde(default)]
    cert: Option<String>,
    #[serde(default)]
    rekor_bundle: Option<RekorBundle>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn entry() -> TlogEntry {
        let body = br#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}"#.to_vec();
        TlogEntry {
            log_index: 5,
            log_id: [7; 32],
            kind: Body::stated_kind(&body).unwrap(),
            integrated_time: Some(1_700_000_000),
            promise: Some(b"set".to_vec()),
            proof: None,
            body,
        }
    }

    #[test]
    fn what_is_annotated_is_read_back() {
        let material = LegacyMaterial {
            certificate: Some(b"leaf".to_vec()),
            chain: vec![b"one".to_vec(), b"two".to_vec()],
            entry: Some(entry()),
            timestamp: Some(b"tsr".to_vec()),
        };
        let full = LegacySignature { payload: b"{}".to_vec(), signature: b"sig".to_vec(), material };
        let bare = LegacySignature { material: LegacyMaterial::default(), ..full.clone() };
        for signature in [full, bare] {
            let annotations = signature.annotations().unwrap();
            assert_eq!(LegacySignature::read(b"{}".to_vec(), &annotations), Ok(signature));
        }
    }

    #[test]
    fn ghsa_fx35_a_public_key_is_no_certificate() {
        let key = pem::encode(pem::PUBLIC_KEY, b"spki");
        let annotations = annotations(&[(SIGNATURE, "c2ln"), (CERTIFICATE, &key)]);
        let why = LegacyError::Certificate(PemError::Label("PUBLIC KEY".into()));
        assert_eq!(LegacySignature::read(vec![], &annotations), Err(why));
    }

    #[test]
    fn malformed_annotations_are_refused_for_their_reason() {
        let read = |pairs: &[(&str, &str)]| LegacySignature::read(vec![], &annotations(pairs));
        assert_eq!(read(&[]), Err(LegacyError::NoSignature));
        for nothing in ["", "\n"] {
            assert_eq!(read(&[(SIGNATURE, nothing)]), Err(LegacyError::NoSignature));
        }
        assert_eq!(read(&[(SIGNATURE, "c2l")]), Err(LegacyError::Signature(Base64Error)));
        let two = pem::encode(pem::CERTIFICATE, b"a").repeat(2);
        let several = read(&[(SIGNATURE, "c2ln"), (CERTIFICATE, &two)]);
        assert_eq!(several, Err(LegacyError::Certificate(PemError::TooMany)));
        let chain = |count| pem::encode(pem::CERTIFICATE, b"x").repeat(count);
        assert!(read(&[(SIGNATURE, "c2ln"), (CHAIN, &chain(MAX_CHAIN))]).is_ok());
        let long = read(&[(SIGNATURE, "c2ln"), (CHAIN, &chain(MAX_CHAIN + 1))]);
        assert_eq!(long, Err(LegacyError::ChainTooLong(MAX_CHAIN + 1)));
        let no_chain = read(&[(SIGNATURE, "c2ln"), (CHAIN, "x")]);
        assert_eq!(no_chain, Err(LegacyError::Chain(PemError::Empty)));
        assert!(matches!(read(&[(SIGNATURE, "c2ln"), (BUNDLE, "{}")]), Err(LegacyError::Json(_))));
        let large = " ".repeat(MAX_ANNOTATION_BYTES + 1);
        let too_large = read(&[(SIGNATURE, "c2ln"), (BUNDLE, &large)]);
        assert_eq!(too_large, Err(LegacyError::AnnotationTooLarge(BUNDLE)));
    }

    #[test]
    fn negative_indexes_and_times_are_refused() {
        let text = write_json(&RekorBundle::of(&entry()).unwrap()).unwrap();
        for (from, to, field) in [
            (":5", ":-5", "logIndex"),
            (":1700000000", ":-1", "integratedTime"),
            (":1700000000", ":0", "integratedTime"),
        ] {
            let annotations = annotations(&[(SIGNATURE, "c2ln"), (BUNDLE, &text.replace(from, to))]);
            let result = LegacySignature::read(vec![], &annotations);
            let Err(LegacyError::Entry(RekorError::Field(FieldError::Negative { field: found, .. }))) =
                result
            else {
                panic!("{result:?}")
            };
            assert_eq!(found, field);
        }
    }

    #[test]
    fn an_entry_without_a_promise_cannot_be_annotated() {
        let entry = TlogEntry { promise: None, ..entry() };
        let material = LegacyMaterial { entry: Some(entry), ..LegacyMaterial::default() };
        assert_eq!(material.annotations(), Err(LegacyError::NoPromise));
    }

    #[test]
    fn a_local_bundle_names_its_key_in_pem_or_base64_of_it() {
        let key = pem::encode(pem::PUBLIC_KEY, b"spki");
        for cert in [base64::encode(&key), key] {
            let text = json!({"base64Signature": "c2ln", "cert": cert}).to_string();
            let bundle = LocalBundle::parse(text.as_bytes()).unwrap();
            assert_eq!(bundle.verifier, Some(Verifier::PublicKey(b"spki".to_vec())));
            assert_eq!((bundle.signature.as_slice(), bundle.entry), (&b"sig"[..], None));
        }
    }

    #[test]
    fn an_attestation_is_an_envelope_with_annotations() {
        let layer = br#"{"payloadType":"t","payload":"aGk=","signatures":[{"keyid":"","sig":"AQ=="}]}"#;
        let attestation = LegacyAttestation::read(layer, &annotations(&[(SIGNATURE, "")])).unwrap();
        assert_eq!(attestation.envelope.payload, b"hi");
        assert!(matches!(LegacyAttestation::read(b"{}", &BTreeMap::new()), Err(LegacyError::Envelope(_))));
    }

    proptest! {
        #[test]
        fn any_annotation_is_read_or_refused_without_panic(text in ".{0,200}") {
            for name in [SIGNATURE, CERTIFICATE, CHAIN, BUNDLE, RFC3161_TIMESTAMP] {
                let _ = LegacySignature::read(vec![], &annotations(&[(SIGNATURE, "c2ln"), (name, &text)]));
            }
            let _ = LocalBundle::parse(text.as_bytes());
        }
    }
}
