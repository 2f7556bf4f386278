//! Sigstore's JSON form of a timestamp request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use const_oid::ObjectIdentifier;
use serde::Deserialize;
use serde_json::value::RawValue;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::json;
use signet_formats::timestamp::{MAX_NONCE_BYTES, ReceivedRequest};

/// Reads the JSON; the error says what is wrong with it.
pub(super) fn read(json: &[u8]) -> Result<ReceivedRequest, String> {
    let request: Request<'_> = json::parse(json, MAX_JSON).map_err(|error| error.to_string())?;
    Ok(request.received()?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request<'a> {
    artifact_hash: String,
    hash_algorithm: String,
    certificates: Option<bool>,
    /// A number of any size.
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
    #[serde(rename = "tsaPolicyOID")]
    policy: Option<String>,
}

impl Request<'_> {
    fn received(&self) -> Result<ReceivedRequest, &'static str> {
        // Go's reader of the names looks at no case.
        let algorithm: DigestAlgorithm = self
            .hash_algorithm
            .to_ascii_lowercase()
            .parse()
            .map_err(|_| "`hashAlgorithm` is not sha256, sha384 or sha512")?;
        let hash = STANDARD.decode(&self.artifact_hash).map_err(|_| "`artifactHash` is not base64")?;
        let imprint = Digest::from_bytes(algorithm, &hash)
            .map_err(|_| "`artifactHash` is not as long as its algorithm's hashes")?;
        let policy = self.policy.as_deref().filter(|policy| !policy.is_empty());
        let policy =
            policy.map(ObjectIdentifier::new).transpose().map_err(|_| "`tsaPolicyOID` is not an OID")?;
        let nonce = self.nonce.map(|nonce| big_endian(nonce.get()).ok_or("`nonce` is not a whole number"));
        let mut received = ReceivedRequest::new(imprint, policy, nonce.transpose()?.as_deref());
        if received.nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE_BYTES) {
            return Err("`nonce` has more than 64 bytes");
        }
        received.with_certificates = self.certificates.unwrap_or(false);
        Ok(received)
    }
}

/// The bytes of a number in decimal digits.
fn big_endian(digits: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8];
    for digit in digits.chars() {
        let mut carry = digit.to_digit(10)?;
        for byte in bytes.iter_mut().rev() {
            let [.., high, low] = (u32::from(*byte) * 10 + carry).to_be_bytes();
            (*byte, carry) = (low, u32::from(high));
        }
        if carry > 0 {
            bytes.insert(0, u8::try_from(carry).ok()?);
        }
    }
    Some(bytes)
}

const MAX_JSON: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_sigstore_js_posts_is_read() {
        let hash = STANDARD.encode(Digest::sha256(b"x").as_bytes());
        let json = format!(r#"{{"artifactHash":"{hash}","hashAlgorithm":"sha256"}}"#);
        let request = read(json.as_bytes()).unwrap();
        assert_eq!(request.imprint, Digest::sha256(b"x"));
        assert!(!request.with_certificates && request.nonce.is_none() && request.policy.is_none());
        let json = format!(
            r#"{{"artifactHash":"{hash}","hashAlgorithm":"sha256","certificates":true,"nonce":129,"tsaPolicyOID":"1.2.3"}}"#
        );
        let request = read(json.as_bytes()).unwrap();
        assert!(request.with_certificates);
        assert_eq!(request.nonce, Some(vec![0, 129]));
        assert_eq!(request.policy.unwrap().to_string(), "1.2.3");
    }

    /// As Sigstore's authority takes them.
    #[test]
    fn other_spellings_of_the_form_are_read() {
        let hash = STANDARD.encode(Digest::sha256(b"x").as_bytes());
        let read = |rest: &str| {
            let json =
                format!(r#"{{"artifactHash":"{hash}","hashAlgorithm":"SHA256","certificates":null{rest}}}"#);
            read(json.as_bytes()).map(|request| (request.with_certificates, request.nonce))
        };
        assert_eq!(read(""), Ok((false, None)));
        assert_eq!(read(r#","nonce":null"#), Ok((false, None)));
        assert_eq!(read(r#","nonce":0"#), Ok((false, Some(vec![0]))));
        // 2^64, and the largest number of 63 bytes and a half.
        let two_to_64 = [&[1][..], &[0; 8]].concat();
        assert_eq!(read(r#","nonce":18446744073709551616"#), Ok((false, Some(two_to_64))));
        let largest = "9".repeat(152);
        assert_eq!(read(&format!(",\"nonce\":{largest}")).unwrap().1.map(|nonce| nonce.len()), Some(64));
        let too_long = read(&format!(",\"nonce\":{largest}999"));
        assert_eq!(too_long, Err("`nonce` has more than 64 bytes".to_owned()));
    }

    #[test]
    fn malformed_requests_say_what_is_wrong() {
        let hash = STANDARD.encode(Digest::sha256(b"x").as_bytes());
        let with = |rest: &str| format!(r#"{{"artifactHash":"{hash}","hashAlgorithm":{rest}}}"#);
        let cases = [
            (String::new(), "malformed JSON: EOF while parsing a value at line 1 column 0"),
            (" ".repeat(MAX_JSON + 1), "the JSON has 1025 bytes, more than the 1024 allowed"),
            (with(r#""sha1""#), "`hashAlgorithm` is not sha256, sha384 or sha512"),
            (with(r#""sha384""#), "`artifactHash` is not as long as its algorithm's hashes"),
            (with(r#""sha256","nonce":1e9"#), "`nonce` is not a whole number"),
            (with(r#""sha256","nonce":-1"#), "`nonce` is not a whole number"),
            (with(r#""sha256","nonce":"1""#), "`nonce` is not a whole number"),
            (with(r#""sha256","tsaPolicyOID":"x""#), "`tsaPolicyOID` is not an OID"),
            (with(r#""sha256","nonce":1,"nonce":2"#), "the key `nonce` stands twice in one JSON object"),
        ];
        for (json, why) in cases {
            assert_eq!(read(json.as_bytes()).unwrap_err(), why, "{json}");
        }
        for shape in [with(r#""sha256","extra":1"#), format!(r#"["{hash}","sha256",true,null,null]"#)] {
            assert!(read(shape.as_bytes()).unwrap_err().starts_with("malformed JSON: "), "{shape}");
        }
    }
}
