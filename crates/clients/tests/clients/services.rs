//! The certificate authority and the timestamp authority.

use serde_json::{Value, json};
use signet_clients::oidc::Token;
use signet_clients::{Error, fulcio, tsa};
use signet_crypto::{Digest, KeyAlgorithm, PublicKey};
use signet_formats::base64;
use signet_formats::timestamp::{PkiFailure, TimestampRequest, rejected};

use crate::fake::{Fake, says};
use crate::{token, web};

fn key() -> PublicKey {
    PublicKey::from_bits(KeyAlgorithm::Ed25519, &[9; 32]).unwrap()
}

async fn certified(fake: &Fake) -> Error {
    let token = Token::read("a test", &token(&json!({"sub": "s"}))).unwrap();
    fulcio::certify(&web(), &format!("{}/", fake.url()), &token, &key(), b"proof").await.unwrap_err()
}

#[tokio::test]
async fn the_authority_is_told_token_key_and_proof_once() {
    let fake =
        Fake::start(|_, _| says(401, json!({"code": 16, "message": "the token's audience is wrong"}))).await;
    let error = certified(&fake).await;
    assert!(matches!(&error, Error::Refused { status: 401, .. }), "{error:?}");
    assert!(error.to_string().ends_with(": the token's audience is wrong"), "{error}");
    let asked = fake.asked();
    assert_eq!((asked.len(), asked[0].line.as_str()), (1, "POST /api/v2/signingCert"));
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body["credentials"]["oidcIdentityToken"], token(&json!({"sub": "s"})));
    let request = &body["publicKeyRequest"];
    assert_eq!(request["proofOfPossession"], base64::encode("proof"));
    let pem = request["publicKey"]["content"].as_str().unwrap();
    assert_eq!(signet_formats::pem::public_key(pem).unwrap(), key());
}

#[tokio::test]
async fn answers_that_are_no_certificate_for_the_key_are_refused() {
    let of_another_key = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap().cert.pem();
    let embedded = |certificates: Value| json!({"signedCertificateEmbeddedSct": {"chain": {"certificates": certificates}}});
    let cases = [
        (json!({}), "there is no certificate"),
        (json!({"signedCertificateDetachedSct": {}}), "missing field `chain`"),
        (
            json!({"signedCertificateDetachedSct": {"chain": {"certificates": [&of_another_key]}}}),
            "is for another key",
        ),
        (embedded(json!([])), "not a well-formed certificate"),
        (embedded(json!(["junk"])), ""),
        (embedded(json!([of_another_key])), "is for another key"),
        (embedded(json!(vec!["x"; 17])), "the chain is too long"),
    ];
    for (answer, why) in cases {
        let fake = Fake::start(move |_, _| says(201, &answer)).await;
        let error = certified(&fake).await;
        assert!(
            matches!(&error, Error::Malformed { .. }) && error.to_string().contains(why),
            "{why}: {error}"
        );
    }
    // What may have left a trace in a log of certificates is not done again; what did not begin is.
    let broken = Fake::start(|_, _| says(500, "")).await;
    assert!(matches!(certified(&broken).await, Error::Failed { status: 500, .. }));
    assert_eq!(broken.lines().len(), 1);
    let busy = Fake::start(|_, _| (429, vec![("retry-after", "0".to_owned())], Vec::new())).await;
    assert!(matches!(certified(&busy).await, Error::Failed { status: 429, .. }));
    assert_eq!(busy.lines().len(), 4);
}

#[tokio::test]
async fn a_timestamp_that_is_refused_or_none_is_an_error() {
    let request = TimestampRequest {
        imprint: Digest::sha256(b"signature"),
        policy: None,
        nonce: Some(7),
        with_certificates: true,
    };
    let refusal = rejected(PkiFailure::TimeNotAvailable, "the clock may be off");
    let fake = Fake::start(move |_, _| (200, Vec::new(), refusal.clone())).await;
    let url = format!("{}/api/v1/timestamp", fake.url());
    let error = tsa::stamp(&web(), &url, &request).await.unwrap_err();
    assert!(matches!(&error, Error::Malformed { .. }), "{error:?}");
    assert!(error.to_string().contains("timeNotAvailable"), "{error}");
    assert_eq!(fake.asked()[0].header("content-type"), Some("application/timestamp-query"));
    let junk = Fake::start(|_, _| says(200, "junk")).await;
    assert!(matches!(tsa::stamp(&web(), &junk.url(), &request).await, Err(Error::Malformed { .. })));
}
