//! DSSE, the Dead Simple Signing Envelope: a typed payload and signatures over type and payload.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::json::{self, JsonError};
use crate::proto_json::{self, FieldError, Text};

/// The payload type of in-toto statements.
pub const IN_TOTO_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The largest envelope that is read unless the caller says otherwise, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = 16 * 1024 * 1024;
/// The most signatures one envelope may have.
pub const MAX_SIGNATURES: usize = 32;

/// An envelope with its contents decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The payload.
    pub payload: Vec<u8>,
    /// What the payload is, a media type or URI.
    pub payload_type: String,
    /// Signatures over [`Envelope::pae`]; at least one, at most [`MAX_SIGNATURES`].
    pub signatures: Vec<Signature>,
}

impl Envelope {
    /// Reads an envelope of at most `max_bytes` bytes. Fields that DSSE does not have are refused.
    pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Self, DsseError> {
        let wire: WireEnvelope<'_> = json::parse(bytes, max_bytes).map_err(DsseError::Json)?;
        wire.read().map_err(DsseError::Field)
    }

    /// The envelope as JSON.
    pub fn to_json(&self) -> Result<String, DsseError> {
        proto_json::to_string(&WireEnvelope::of(self))
            .map_err(|error| DsseError::Json(JsonError::Malformed(error.to_string())))
    }

    /// The bytes that each signature is over.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The signature's bytes.
    pub sig: Vec<u8>,
    /// An unauthenticated hint at the key; empty means none.
    pub keyid: Option<String>,
}

/// What every pre-authentication encoding begins with.
pub const PAE_START: &str = "DSSEv1 ";

/// The pre-authentication encoding of DSSE v1:
/// `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("{PAE_START}{} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Why an envelope was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DsseError {
    /// A field has an impossible value.
    Field(FieldError),
    /// It is not JSON of the envelope's shape.
    Json(JsonError),
}

impl fmt::Display for DsseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(error) => write!(f, "in the DSSE envelope, {error}"),
            Self::Json(error) => write!(f, "the DSSE envelope is malformed: {error}"),
        }
    }
}

impl std::error::Error for DsseError {}

/// The envelope as it is written, alone and in bundles.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireEnvelope<'a> {
    #[serde(borrow, default)]
    payload: Option<Text<'a>>,
    #[serde(borrow, alias = "payload_type", default)]
    payload_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    signatures: Option<List<WireSignature<'a>, MAX_SIGNATURES>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireSignature<'a> {
    #[serde(borrow, default)]
    sig: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    keyid: Option<Text<'a>>,
}

impl<'a> WireEnvelope<'a> {
    pub(crate) fn read(self) -> Result<Envelope, FieldError> {
        let payload_type = proto_json::required(self.payload_type, "payloadType")?.into_str().into_owned();
        let signatures = proto_json::list(self.signatures, "signatures")?;
        if payload_type.is_empty() {
            return Err(FieldError::Missing { field: "payloadType" });
        }
        if signatures.is_empty() {
            return Err(FieldError::Missing { field: "signatures" });
        }
        Ok(Envelope {
            payload: proto_json::bytes(self.payload, "payload")?,
            payload_type,
            signatures: signatures.into_iter().map(WireSignature::read).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn of(envelope: &'a Envelope) -> Self {
        let wire = |signature: &'a Signature| WireSignature {
            sig: Some(Text::Base64(&signature.sig)),
            keyid: signature.keyid.as_deref().map(Text::from),
        };
        Self {
            payload: Some(Text::Base64(&envelope.payload)),
            payload_type: Some(envelope.payload_type.as_str().into()),
            signatures: Some(envelope.signatures.iter().map(wire).collect()),
        }
    }
}

impl WireSignature<'_> {
    fn read(self) -> Result<Signature, FieldError> {
        Ok(Signature {
            sig: proto_json::bytes(self.sig, "signatures.sig")?,
            keyid: self.keyid.map(|id| id.into_str().into_owned()).filter(|id| !id.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of the DSSE specification, protocol.md.
    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let encoded = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn an_envelope_with_several_signatures_round_trips() {
        let text = r#"{"payload":"aGk=","payloadType":"t","signatures":[{"sig":"AQ==","keyid":"k"},{"sig":"Ag=="}]}"#;
        let envelope = Envelope::parse(text.as_bytes(), MAX_ENVELOPE_BYTES).unwrap();
        assert_eq!(envelope.payload, b"hi");
        assert_eq!(envelope.signatures[1], Signature { sig: vec![2], keyid: None });
        assert_eq!(envelope.to_json().unwrap(), text);
    }

    #[test]
    fn malformed_envelopes_are_refused_for_their_reason() {
        let missing = |field| Err(DsseError::Field(FieldError::Missing { field }));
        let cases = [
            (r#"{"payloadType":"t","signatures":[{"sig":"AQ=="}]}"#, missing("payload")),
            (r#"{"payload":"AA==","signatures":[{"sig":"AQ=="}]}"#, missing("payloadType")),
            (r#"{"payload":"AA==","payloadType":"","signatures":[{"sig":"AQ=="}]}"#, missing("payloadType")),
            (r#"{"payload":"AA==","payloadType":"t","signatures":[]}"#, missing("signatures")),
            (r#"{"payload":"AA==","payloadType":"t","signatures":[{"sig":""}]}"#, missing("signatures.sig")),
            (
                r#"{"payload":"AA","payloadType":"t","signatures":[{"sig":"AQ=="}]}"#,
                Err(DsseError::Field(FieldError::Base64 { field: "payload" })),
            ),
        ];
        for (text, why) in cases {
            assert_eq!(Envelope::parse(text.as_bytes(), 1 << 20), why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Envelope::parse(&bytes, 1000);
        }
    }
}
