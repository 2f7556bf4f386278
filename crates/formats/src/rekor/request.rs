//! What is posted to `/api/v2/log/entries` of Rekor v2.

use serde::{Deserialize, Serialize};

use super::body::{EntrySignatureV002, RekorError, Verifier};
use super::key_details::PublicKeyDetails;
use crate::json::{self, JsonError};
use crate::proto_json::{self, EnumValue, Text};

/// The largest request that is read, in bytes: room for the largest entry that a log takes, however it is written. Rekor
/// reads 4 MiB.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// A request to log a signature over a digest. Which hash made the digest follows from the key details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedRekordRequest {
    /// The digest of what was signed.
    pub digest: Vec<u8>,
    /// The signature and what verifies it; not checked.
    pub signature: EntrySignatureV002,
}

impl HashedRekordRequest {
    /// Reads a `CreateEntryRequest`, which has to be of a hashedrekord. Unknown fields are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, RekorError> {
        let wire: Request<'_> = json::parse(bytes, MAX_REQUEST_BYTES).map_err(RekorError::Json)?;
        let wire = proto_json::required(wire.hashed_rekord, "hashedRekordRequestV002")?;
        let digest = proto_json::bytes_in_any_form(wire.digest, "digest")?;
        let signature = proto_json::required(wire.signature, "signature")?;
        let content = proto_json::bytes_in_any_form(signature.content, "signature.content")?;
        let wire = proto_json::required(signature.verifier, "verifier")?;
        let verifier = match (wire.x509_certificate, wire.public_key) {
            (Some(raw), None) => {
                Verifier::Certificate(proto_json::bytes_in_any_form(raw.raw_bytes, "rawBytes")?)
            }
            (None, Some(raw)) => {
                Verifier::PublicKey(proto_json::bytes_in_any_form(raw.raw_bytes, "rawBytes")?)
            }
            _ => return Err(RekorError::Verifier),
        };
        let details = proto_json::required(wire.key_details, "keyDetails")?;
        let key_details = PublicKeyDetails::read(&details, "keyDetails")?;
        Ok(Self { digest, signature: EntrySignatureV002 { signature: content, verifier, key_details } })
    }

    /// The request as it is posted.
    pub fn to_json(&self) -> Result<Vec<u8>, RekorError> {
        let raw = |bytes| Some(Raw { raw_bytes: Some(Text::Base64(bytes)) });
        let (x509_certificate, public_key) = match &self.signature.verifier {
            Verifier::Certificate(der) => (raw(der), None),
            Verifier::PublicKey(spki) => (None, raw(spki)),
        };
        let key_details = Some(EnumValue::Name(self.signature.key_details.name().into()));
        let request = Request {
            hashed_rekord: Some(HashedRekord {
                digest: Some(Text::Base64(&self.digest)),
                signature: Some(Signature {
                    content: Some(Text::Base64(&self.signature.signature)),
                    verifier: Some(WireVerifier { x509_certificate, public_key, key_details }),
                }),
            }),
        };
        proto_json::to_string(&request)
            .map(String::into_bytes)
            .map_err(|error| RekorError::Json(JsonError::Malformed(error.to_string())))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    #[serde(borrow, rename = "hashedRekordRequestV002", alias = "hashed_rekord_request_v002", default)]
    hashed_rekord: Option<HashedRekord<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HashedRekord<'a> {
    #[serde(borrow, default)]
    digest: Option<Text<'a>>,
    #[serde(borrow, default)]
    signature: Option<Signature<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Signature<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    verifier: Option<WireVerifier<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireVerifier<'a> {
    #[serde(borrow, alias = "x509_certificate", default, skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<Raw<'a>>,
    #[serde(borrow, alias = "public_key", default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Raw<'a>>,
    #[serde(borrow, alias = "key_details", default)]
    key_details: Option<EnumValue<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw<'a> {
    #[serde(borrow, alias = "raw_bytes", default)]
    raw_bytes: Option<Text<'a>>,
}
