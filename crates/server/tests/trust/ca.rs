use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use reqwest::StatusCode;
use serde_json::Value;
use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm, Scheme};
use signet_formats::x509::{Certificate, certificates_from_pem};
use signet_formats::{base64, pem, sct};
use signet_keys::{Payload, PrivateKey};
use signet_server::fulcio::{HttpCtLog, HttpFetch, operators, router};
use signet_services::ca::{Ca, Config};
use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLogs;
use signet_services::oidc::dev::{Bearer, DevIssuer};
use signet_services::oidc::{Issuers, KeySource, Verifier};
use signet_store::fs::Disk;

use crate::harness::{Served, json};
use crate::lines::Lines;

/// A CA, and a development issuer whose keys it fetches over HTTP.
struct Stack {
    ca: Served,
    operators: Served,
    dev: Arc<DevIssuer>,
    issuer: Served,
    _dir: tempfile::TempDir,
}

impl Stack {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = Served::listen().await;
        let dev = DevIssuer::open(&Disk::default(), dir.path(), &format!("{}/oidc-dev", host.url())).unwrap();
        let dev = Arc::new(dev);
        let issuer = Served::start(host, signet_server::oidc_dev::router(Arc::clone(&dev), "/oidc-dev"));
        let mut issuers = Issuers::default();
        dev.issuers().into_iter().for_each(|issuer| issuers.add(issuer).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let keys = KeySource::new(Arc::new(HttpFetch::default()));
        let log = CertificateLogs::open_home(&dir.path().join("ct"), "ct.example", Arc::clone(&clock))
            .await
            .unwrap();
        let mut config = Config::new(Verifier::new(issuers, keys, Arc::clone(&clock)), Arc::new(log), clock);
        change(&mut config);
        let ca = Ca::open(&dir.path().join("ca"), config).await.unwrap();
        let operators = Served::start(Served::listen().await, operators(ca.clone(), None));
        Self { ca: Served::start(Served::listen().await, router(ca)), operators, dev, issuer, _dir: dir }
    }

    fn token(&self) -> String {
        self.dev.mint(&Bearer::Email("a@example.com".into()), SystemClock::start().seconds()).unwrap()
    }

    async fn ask(&self, body: &Value) -> (StatusCode, Value) {
        let answer = self.ca.post(PATH, "application/json", body.to_string()).send().await.unwrap();
        (answer.status(), json(answer).await)
    }
}

const PATH: &str = "/api/v2/signingCert";

fn key() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn sign(key: &PrivateKey, message: &[u8]) -> Vec<u8> {
    key.sign(Scheme::EcdsaP256Sha256, Payload::Message(message)).unwrap()
}

/// A request as sigstore-js and sigstore-go write it.
fn request(token: &str, key: &PrivateKey, challenge: &str) -> Value {
    serde_json::json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": pem::encode(pem::PUBLIC_KEY, key.public_key().spki_der()) },
            "proofOfPossession": base64::encode(sign(key, challenge.as_bytes())),
        },
    })
}

fn chain(answer: &Value) -> Vec<Certificate> {
    let chain = &answer["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let pem: String = chain.as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
    certificates_from_pem(&pem).unwrap()
}

#[tokio::test]
async fn a_token_and_a_proof_of_possession_get_a_certificate() {
    let (stack, key) = (Stack::start(|_| {}).await, key());
    let (status, answer) = stack.ask(&request(&stack.token(), &key, "a@example.com")).await;
    // sigstore-go takes no other success.
    assert_eq!(status, StatusCode::OK, "{answer}");
    let chain = chain(&answer);
    assert_eq!(chain[0].public_key().unwrap(), *key.public_key());
    let bundle = json(stack.ca.get("/api/v2/trustBundle").send().await.unwrap()).await;
    let trusted = bundle["chains"][0]["certificates"].as_array().unwrap();
    let expected: Vec<String> =
        chain[1..].iter().map(|certificate| pem::encode(pem::CERTIFICATE, certificate.der())).collect();
    assert_eq!(*trusted, expected);
}

/// Fulcio reads proto3 JSON: fields by either name, bytes in either alphabet, padded or not.
#[tokio::test]
async fn every_spelling_of_a_request_in_proto3_json_is_read() {
    let (stack, key) = (Stack::start(|_| {}).await, key());
    // Until there is something to tell the alphabets and the padding apart by.
    let signature = std::iter::repeat_with(|| sign(&key, b"a@example.com"))
        .find(|signature| {
            let text = base64::encode(signature);
            text.contains(['+', '/']) && text.ends_with('=')
        })
        .unwrap();
    let padded = base64::encode(&signature);
    let in_urls = padded.replace('+', "-").replace('/', "_");
    for proof in [&padded, padded.trim_end_matches('='), &in_urls, in_urls.trim_end_matches('=')] {
        let pem = pem::encode(pem::PUBLIC_KEY, key.public_key().spki_der());
        let body = serde_json::json!({
            "credentials": { "oidc_identity_token": stack.token() },
            "public_key_request": { "public_key": { "content": pem }, "proof_of_possession": proof },
        });
        let (status, answer) = stack.ask(&body).await;
        assert_eq!(status, StatusCode::OK, "{proof}: {answer}");
    }
    let request = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&request).unwrap().pem().unwrap();
    let body = serde_json::json!({
        "credentials": { "oidc_identity_token": stack.token() },
        "certificate_signing_request": base64::encode_url(&request),
    });
    assert_eq!(stack.ask(&body).await.0, StatusCode::OK);
}

/// sigstore-python sends a request of its own making and the token in a header.
#[tokio::test]
async fn a_signing_request_with_a_bearer_token_gets_a_certificate() {
    let stack = Stack::start(|_| {}).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let body = serde_json::json!({ "certificateSigningRequest": base64::encode(&request) }).to_string();
    let asked = stack.ca.post(PATH, "application/json", body).bearer_auth(stack.token());
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let chain = chain(&json(answer).await);
    assert_eq!(chain[0].spki(), rcgen::PublicKeyData::subject_public_key_info(&key));

    let mut tampered = pem::single(request.as_bytes()).unwrap();
    *tampered.contents.last_mut().unwrap() ^= 1;
    let tampered = pem::encode("CERTIFICATE REQUEST", &tampered.contents);
    let body = serde_json::json!({ "certificateSigningRequest": base64::encode(tampered), "credentials": { "oidcIdentityToken": stack.token() } });
    let (status, error) = stack.ask(&body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["message"].as_str().unwrap().contains("not signed by its own key"), "{error}");
}

/// As `openssl req` makes it of such a key, where nothing else is asked for. Fulcio takes the hash for that of the signatures to come, and refuses it.
#[tokio::test]
async fn a_signing_request_counts_by_each_hash_that_goes_with_its_key() {
    let stack = Stack::start(|_| {}).await;
    let body = serde_json::json!({
        "credentials": { "oidcIdentityToken": stack.token() },
        "certificateSigningRequest": base64::encode(P384_WITH_SHA256),
    });
    let (status, answer) = stack.ask(&body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(chain(&answer)[0].public_key().unwrap().algorithm(), KeyAlgorithm::EcdsaP384);
}

/// `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj /CN=a -sha256`
const P384_WITH_SHA256: &str = "-----BEGIN CERTIFICATE REQUEST-----
MIIBAzCBiwIBADAMMQowCAYDVQQDDAFhMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE
gDx79fgD5u2JFizdh8fi5kprO+l8tSyn0A+el7vwdSOPyjSqtvpKqg9xvmKhF2s3
P8xRZFs/JdCammwZczggjcw2oJmS9Fw2EatKALSeA2umxyMbRH4UijiA4TlDnvjs
oAAwCgYIKoZIzj0EAwIDZwAwZAIwI9UtBeM5Jib6EINh7+ncJ9I0/fMMe3nljk87
j2cmK0uhZH1Tbv1uSRzZsDnVc18QAjB5TfpUteOSqrfxn0hHbnt/VIWdUNUgKvdq
8vz1YlWV0F7vpcIl7pSO4NTj12qXNtg=
-----END CERTIFICATE REQUEST-----
";

/// It asks for the key in DER, cosign 2 sends PEM.
#[tokio::test]
async fn the_first_form_gets_the_same_certificate() {
    let (stack, key) = (Stack::start(|_| {}).await, key());
    let ask = async |body: &Value, token: &str| {
        let asked = stack.ca.post("/api/v1/signingCert", "application/json", body.to_string());
        let answer = asked.bearer_auth(token).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let public =
        serde_json::json!({"algorithm": "ecdsa", "content": base64::encode(key.public_key().spki_der())});
    let proof = |challenge: &str| base64::encode(sign(&key, challenge.as_bytes()));
    let signed = serde_json::json!({"publicKey": public, "signedEmailAddress": proof("a@example.com")});
    let (status, answer) = ask(&signed, &stack.token()).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let chain = certificates_from_pem(&answer).unwrap();
    assert_eq!(chain[0].public_key().unwrap(), *key.public_key());
    let content = pem::encode(pem::PUBLIC_KEY, key.public_key().spki_der());
    let in_pem = serde_json::json!({"algorithm": "ecdsa", "content": base64::encode(content)});
    let in_pem = serde_json::json!({"publicKey": in_pem, "signedEmailAddress": proof("a@example.com")});
    let (status, answer) = ask(&in_pem, &stack.token()).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let root = stack.ca.get("/api/v1/rootCert").send().await.unwrap();
    assert_eq!(root.headers()["content-type"], "application/pem-certificate-chain");
    assert_eq!(certificates_from_pem(&root.text().await.unwrap()).unwrap(), chain[1..]);

    let requester = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&requester).unwrap().pem().unwrap();
    let request = base64::encode(request);
    let requested = serde_json::json!({"publicKey": {}, "certificateSigningRequest": request});
    let (status, answer) = ask(&requested, &stack.token()).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");

    let other = serde_json::json!({"publicKey": public, "signedEmailAddress": proof("b@example.com")});
    let unsigned = serde_json::json!({"publicKey": public});
    let both = serde_json::json!({"publicKey": public, "certificateSigningRequest": request});
    let cases = [
        (&other, stack.token(), 400, "not a signature by the key over `a@example.com`"),
        (&unsigned, stack.token(), 400, "not a signature by the key over `a@example.com`"),
        (&both, stack.token(), 400, "give either `publicKey` or `certificateSigningRequest`"),
        (&signed, "junk".to_owned(), 401, "not a signed token"),
        (&signed, String::new(), 400, "there is no bearer token"),
    ];
    for (body, token, wanted, why) in cases {
        let (status, answer) = ask(body, &token).await;
        assert!(status.as_u16() == wanted && answer.contains(why), "{status}: {answer}");
    }
}

#[tokio::test]
async fn refusals_have_their_status_and_say_why() {
    let (stack, key) = (Stack::start(|_| {}).await, key());
    let token = stack.token();
    let stranger = {
        let dir = tempfile::tempdir().unwrap();
        let dev = DevIssuer::open(&Disk::default(), dir.path(), "http://127.0.0.1:1").unwrap();
        dev.mint(&Bearer::Email("a@example.com".into()), SystemClock::start().seconds()).unwrap()
    };
    let mut both = request(&token, &key, "a@example.com");
    both["certificateSigningRequest"] = serde_json::json!("");
    let mut small_key = request(&token, &key, "a@example.com");
    small_key["publicKeyRequest"]["publicKey"]["content"] =
        serde_json::json!("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    let cases = [
        (request(&token, &key, "b@example.com"), 400, 3, "not a signature by the key over `a@example.com`"),
        (request(&stranger, &key, "a@example.com"), 401, 16, "claim `iss` is `http://127.0.0.1:1/email`"),
        (request("junk", &key, "a@example.com"), 401, 16, "not a signed token"),
        (request("", &key, "a@example.com"), 400, 3, "there is no identity token"),
        (both, 400, 3, "give either `publicKeyRequest` or `certificateSigningRequest`"),
        (small_key, 400, 3, "`publicKeyRequest.publicKey.content`"),
        (serde_json::json!({ "credentials": { "oidcIdentityToken": token } }), 400, 3, "give either"),
        (
            serde_json::json!({ "certificateSigningRequest": base64::encode("x"), "credentials": { "oidcIdentityToken": token } }),
            400,
            3,
            "no PEM block",
        ),
        (serde_json::json!([]), 400, 3, "malformed JSON"),
    ];
    for (body, status, code, why) in cases {
        let (found, error) = stack.ask(&body).await;
        assert_eq!((found.as_u16(), &error["code"]), (status, &serde_json::json!(code)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
    }
    let large = stack.ca.post(PATH, "application/json", vec![b' '; 128 * 1024 + 1]).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// Whoever asks an operator why can be told, and whoever reads the log can sign as nobody else.
#[tokio::test]
async fn the_log_says_why_a_token_was_refused_and_never_the_token() {
    let lines = Lines::of_this_thread();
    let (stack, key) = (Stack::start(|_| {}).await, key());
    let bearer = Bearer::Email("a@example.com".into());
    let now = SystemClock::start().seconds();
    let (good, late) = (stack.token(), stack.dev.mint(&bearer, now - 3_600).unwrap());
    let (claims, signature) = (good.rsplit_once('.').unwrap().0, late.rsplit_once('.').unwrap().1);
    let forged = format!("{claims}.{signature}");
    let cases = [
        (late, "a@example.com", "claim `exp` is"),
        (stack.dev.mint(&bearer, now + 3_600).unwrap(), "a@example.com", "claim `nbf` is"),
        (forged, "a@example.com", "the token's signature does not verify"),
        ("sesame".to_owned(), "a@example.com", "not a signed token"),
        (good, "b@example.com", "not a signature by the key"),
    ];
    for (token, challenge, _) in &cases {
        assert!(stack.ask(&request(token, &key, challenge)).await.0.is_client_error());
    }
    let said = lines.said();
    let refusals: Vec<_> = said.iter().filter(|line| line.contains("no certificate was issued")).collect();
    assert_eq!(refusals.len(), cases.len(), "{said:?}");
    for ((token, _, why), line) in cases.iter().zip(refusals) {
        assert!(line.contains(why), "{line}");
        let parts = token.split('.');
        assert!(!said.iter().any(|line| parts.clone().any(|part| line.contains(part))), "{said:?}");
    }
}

/// Clients may try again, and whoever watches the failures sees it.
#[tokio::test]
async fn an_outage_of_an_issuer_is_unavailable_and_counts_as_a_failure() {
    let (mut stack, key) = (Stack::start(|_| {}).await, key());
    let gone = Served::start(Served::listen().await, Router::new());
    std::mem::replace(&mut stack.issuer, gone).stop().await;
    let (status, error) = stack.ask(&request(&stack.token(), &key, "a@example.com")).await;
    assert_eq!(
        (status, &error["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &serde_json::json!(14)),
        "{error}"
    );
    let metrics = stack.operators.get("/metrics").send().await.unwrap().text().await.unwrap();
    for line in [r#"signet_ca_failures_total{of="issuer"} 1"#, "signet_ca_refusals_total 0"] {
        assert!(metrics.lines().any(|said| said == line), "{metrics}");
    }
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    use std::time::Duration;
    let rate = signet_services::ca::Rate { count: 1, per: Duration::from_secs(3_600) };
    let (stack, key) = (Stack::start(|config| config.per_identity = rate).await, key());
    let body = request(&stack.token(), &key, "a@example.com").to_string();
    let ask = || stack.ca.post(PATH, "application/json", body.clone()).send();
    assert_eq!(ask().await.unwrap().status(), StatusCode::OK);
    let refused = ask().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3_000..=3_601).contains(&wait), "{wait}");
}

#[tokio::test]
async fn the_configuration_lists_the_issuers() {
    let stack = Stack::start(|_| {}).await;
    let document = json(stack.ca.get("/api/v2/configuration").send().await.unwrap()).await;
    let types: Vec<&str> = document["issuers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issuer| issuer["issuerType"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["email", "github-workflow", "gitlab-pipeline", "kubernetes"]);
    assert_eq!(document["issuers"][0]["challengeClaim"], "email");
}

/// A certificate log as RFC 6962 §4.2 describes it, with one key and a memory.
#[tokio::test]
async fn certificates_go_to_a_log_by_its_url() {
    let log_key = Arc::new(key());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (signer, memory) = (Arc::clone(&log_key), Arc::clone(&seen));
    let answer = move |body: String| async move {
        let body: Value = serde_json::from_str(&body).unwrap();
        let der = |n: usize| base64::decode(body["chain"][n].as_str().unwrap()).unwrap();
        let precertificate = Certificate::from_der(&der(0)).unwrap();
        let issuer = Certificate::from_der(&der(1)).unwrap();
        memory.lock().unwrap().push(precertificate.clone());
        // Without the poison, as the certificate without its timestamps will be.
        let tbs = without_poison(&precertificate);
        let signed = sct::signed_data(7_000, &[], &Digest::of(DigestAlgorithm::Sha256, issuer.spki()), &tbs);
        let signature = sign(&signer, &signed);
        let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
        serde_json::json!({
            "sct_version": 0,
            "id": base64::encode(signer.public_key().id().as_bytes()),
            "timestamp": 7_000,
            "extensions": "",
            "signature": base64::encode([&[4, 3], &length[..], &signature].concat()),
        })
        .to_string()
    };
    let log =
        Served::start(Served::listen().await, Router::new().route("/log/ct/v1/add-pre-chain", post(answer)));
    let http = HttpCtLog::new(&format!("{}/log/", log.url), vec![log_key.public_key().clone()]);
    let stack = Stack::start(|config| config.log = Arc::new(http)).await;
    let (status, answer) = stack.ask(&request(&stack.token(), &key(), "a@example.com")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let chain = chain(&answer);
    let scts = chain[0].scts().unwrap();
    assert_eq!((scts.len(), scts[0].timestamp()), (1, 7_000));
    scts[0].verify(log_key.public_key(), &Digest::sha256(chain[1].spki()), &chain[0].precert_tbs()).unwrap();
    assert_eq!(seen.lock().unwrap()[0].serial(), chain[0].serial());

    let url = log.url.clone();
    log.stop().await;
    let (status, error) = stack.ask(&request(&stack.token(), &key(), "a@example.com")).await;
    assert_eq!((status, &error["code"]), (StatusCode::SERVICE_UNAVAILABLE, &serde_json::json!(14)));
    assert!(!error.to_string().contains(&url), "where the log is was told to a stranger: {error}");
}

/// The TBSCertificate without the poison: all lengths here take two bytes.
fn without_poison(precertificate: &Certificate) -> Vec<u8> {
    const POISON: &[u8] =
        b"\x30\x13\x06\x0a\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03\x01\x01\xff\x04\x02\x05\x00";
    let tbs = precertificate.tbs();
    let at = tbs.windows(POISON.len()).position(|window| window == POISON).unwrap();
    let mut shortened = [&tbs[..at], &tbs[at + POISON.len()..]].concat();
    // The certificate's own length, and those of `[3]` and the SEQUENCE in it.
    let extensions = shortened.windows(2).rposition(|pair| pair == [0xa3, 0x82]).unwrap();
    for length in [2, extensions + 2, extensions + 6] {
        let long = u16::from_be_bytes([shortened[length], shortened[length + 1]]);
        shortened[length..length + 2].copy_from_slice(&(long - POISON.len() as u16).to_be_bytes());
    }
    shortened
}
