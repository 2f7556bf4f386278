//! Sigstore's JSON form of a timestamp request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use const_oid::ObjectIdentifier;
use serde::Deserialize;
use serde_json::Number;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::timestamp::ReceivedRequest;

/// Reads the JSON; the error says what is wrong with it.
pub(super) fn read(json: &[u8]) -> Result<ReceivedRequest, &'static str> {
    if json.len() > MAX_JSON {
        return Err("the request is longer than 1 KiB");
    }
    let request: Request = serde_json::from_slice(json).map_err(|_| "the request is not of the JSON form")?;
    let algorithm: DigestAlgorithm =
        request.hash_algorithm.parse().map_err(|_| "`hashAlgorithm` is not sha256, sha384 or sha512")?;
    let hash = STANDARD.decode(&request.artifact_hash).map_err(|_| "`artifactHash` is not base64")?;
    let imprint = Digest::from_bytes(algorithm, &hash)
        .map_err(|_| "`artifactHash` is not as long as its algorithm's hashes")?;
    let policy = request.policy.as_deref().filter(|policy| !policy.is_empty());
    let policy = policy.map(ObjectIdentifier::new).transpose().map_err(|_| "`tsaPolicyOID` is not an OID")?;
    let nonce = request.nonce.map(|nonce| nonce.as_u64().ok_or("`nonce` is not a number below 2^64"));
    let nonce = nonce.transpose()?.map(u64::to_be_bytes);
    let mut received = ReceivedRequest::new(imprint, policy, nonce.as_ref().map(|nonce| nonce.as_slice()));
    received.with_certificates = request.certificates;
    Ok(received)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    artifact_hash: String,
    hash_algorithm: String,
    #[serde(default)]
    certificates: bool,
    nonce: Option<Number>,
    #[serde(rename = "tsaPolicyOID")]
    policy: Option<String>,
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

    #[test]
    fn malformed_requests_say_what_is_wrong() {
        let hash = STANDARD.encode(Digest::sha256(b"x").as_bytes());
        let with = |rest: &str| format!(r#"{{"artifactHash":"{hash}","hashAlgorithm":{rest}}}"#);
        let cases = [
            (String::new(), "the request is not of the JSON form"),
            (" ".repeat(MAX_JSON + 1), "the request is longer than 1 KiB"),
            (with(r#""sha1""#), "`hashAlgorithm` is not sha256, sha384 or sha512"),
            (with(r#""sha384""#), "`artifactHash` is not as long as its algorithm's hashes"),
            (with(r#""sha256","nonce":1e999"#), "the request is not of the JSON form"),
            (with(r#""sha256","nonce":-1"#), "`nonce` is not a number below 2^64"),
            (with(r#""sha256","nonce":18446744073709551616"#), "`nonce` is not a number below 2^64"),
            (with(r#""sha256","tsaPolicyOID":"x""#), "`tsaPolicyOID` is not an OID"),
            (with(r#""sha256","extra":1"#), "the request is not of the JSON form"),
        ];
        for (json, why) in cases {
            assert_eq!(read(json.as_bytes()).unwrap_err(), why, "{json}");
        }
    }
}
