use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use signet_crypto::Digest;
use signet_formats::base64;
use signet_formats::timestamp::{TimestampError, TimestampRequest, TimestampToken};
use signet_formats::x509::certificates_from_pem;
use signet_server::host::health;
use signet_server::tsa::router;
use signet_services::clock::{Clock, ManualClock, Reading};
use signet_services::tsa::{ClockBound, Config, SourceState, TimeSource, Tsa};

use crate::harness::{Served, json};

/// A bound that says what it is told to say.
struct Fixed(Option<Duration>);

impl ClockBound for Fixed {
    fn bound(&self, _: &Reading) -> Option<Duration> {
        self.0
    }

    fn sources(&self) -> Vec<SourceState> {
        Vec::new()
    }
}

async fn serve(bound: Option<Duration>) -> (Served, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(Arc::new(ManualClock::at(1_795_000_000)) as Arc<dyn Clock>);
    config.time = TimeSource::Bounded { accuracy: Duration::from_secs(1), bound: Arc::new(Fixed(bound)) };
    let tsa = Tsa::open(dir.path(), None, config).await.unwrap();
    let ready = tsa.clone();
    let routes = router(tsa).merge(health(move || ready.is_ready()));
    (Served::start(Served::listen().await, routes), dir)
}

fn request() -> TimestampRequest {
    let imprint = Digest::sha256(b"signature");
    TimestampRequest { imprint, policy: None, nonce: Some(7), with_certificates: true }
}

const PATH: &str = "/api/v1/timestamp";
const QUERY: &str = "application/timestamp-query";
const GOOD: Option<Duration> = Some(Duration::from_millis(5));

#[tokio::test]
async fn a_der_request_gets_a_token_of_the_published_chain() {
    let (served, _dir) = serve(GOOD).await;
    let answer = served.post(PATH, QUERY, request().to_der()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/timestamp-reply");
    let token = TimestampToken::from_response(&answer.bytes().await.unwrap()).unwrap();
    request().verify_answer(token.info()).unwrap();
    let chain = served.get("/api/v1/timestamp/certchain").send().await.unwrap();
    assert_eq!(chain.headers()["content-type"], "application/pem-certificate-chain");
    let chain = certificates_from_pem(&chain.text().await.unwrap()).unwrap();
    token.verify(&chain[0]).unwrap();
    assert!(chain[1].is_self_issued());
    served.stop().await;
}

/// sigstore-js posts JSON and reads DER.
#[tokio::test]
async fn the_json_form_gets_a_der_answer() {
    let (served, _dir) = serve(GOOD).await;
    let hash = base64::encode(Digest::sha256(b"signature").as_bytes());
    let json =
        format!(r#"{{"artifactHash":"{hash}","hashAlgorithm":"sha256","certificates":true,"nonce":9}}"#);
    let answer = served.post(PATH, "application/json; charset=utf-8", json).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let token = TimestampToken::from_response(&answer.bytes().await.unwrap()).unwrap();
    token.info().verify_imprint(b"signature").unwrap();
    assert_eq!((token.info().nonce.as_deref(), token.certificates().len()), (Some(&[9][..]), 1));
}

#[tokio::test]
async fn what_is_no_request_is_an_error_of_http_and_what_is_refused_an_answer() {
    let (served, _dir) = serve(GOOD).await;
    let cases = [
        ("text/plain", request().to_der(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", b"{}".to_vec(), StatusCode::BAD_REQUEST),
        (QUERY, vec![0; 16 * 1024 + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ];
    for (content_type, body, status) in cases {
        let answer = served.post(PATH, content_type, body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{content_type}");
        let error = json(answer).await;
        assert_eq!(error["code"], status.as_u16());
    }
    let answer = served.post(PATH, QUERY, "junk").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let refused = TimestampToken::from_response(&answer.bytes().await.unwrap()).unwrap_err();
    assert!(matches!(refused, TimestampError::Rejected { reason, .. } if reason.ends_with("badDataFormat")));
    let got = served.get(PATH).send().await.unwrap();
    assert_eq!(got.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(got.headers()["allow"], "POST");
    assert_eq!(json(got).await["code"], 405);
    assert_eq!(served.get("/elsewhere").send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn readiness_is_true() {
    let (served, _dir) = serve(GOOD).await;
    assert_eq!(served.get("/ready").send().await.unwrap().status(), StatusCode::OK);
    let (served, _dir) = serve(None).await;
    assert_eq!(served.get("/ready").send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(served.get("/ping").send().await.unwrap().status(), StatusCode::OK);
    let answer = served.post(PATH, QUERY, request().to_der()).send().await.unwrap();
    let refused = TimestampToken::from_response(&answer.bytes().await.unwrap()).unwrap_err();
    assert!(
        matches!(refused, TimestampError::Rejected { reason, .. } if reason.ends_with("timeNotAvailable"))
    );
}
