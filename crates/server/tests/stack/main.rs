//! A whole stack when something around it fails: each fault has an outcome, and it is not everybody's.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod lost;
mod time;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Map, json};
use signet_crypto::KeyAlgorithm;
use signet_formats::jwt::{JwtAlgorithm, signing_input};
use signet_formats::signing_config::SigningConfig;
use signet_formats::{base64, pem};
use signet_keys::PrivateKey;
use signet_server::stack::{Config, Stack, StackError, WitnessConfig};
use signet_services::oidc::Issuers;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    url: String,
    address: SocketAddr,
    ct: String,
    http: Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), StackError>>,
}

impl Running {
    async fn start(data: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(data.to_owned(), ([127, 0, 0, 1], 0).into());
        config.dev = true;
        change(&mut config);
        let stack: Stack = config.build().await.unwrap();
        let (url, address) = (stack.url().to_owned(), stack.local_addr());
        let ct = stack.services().ct.active().unwrap().log().signer().origin().to_owned();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(stack.run(async { drop(stopped.await) }));
        // Other crates of the workspace ask reqwest for no provider of its own; a second one is refused.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { url, address, ct, http, stop, served }
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().status()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

/// Whoever sends a byte and then none is let go after the time that a connection may be idle; others are answered meanwhile.
#[tokio::test]
async fn slow_clients_of_every_service_are_let_go_and_hold_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Running::start(&dir.path().join("up"), |config| {
        config.bounds.idle = Duration::from_millis(400);
        config.witness = Some(WitnessConfig::default());
    })
    .await;
    let posts = [
        "/api/v2/log/entries".to_owned(),
        "/api/v1/timestamp".to_owned(),
        "/api/v2/signingCert".to_owned(),
        format!("/ct/{}/ct/v1/add-chain", stack.ct),
        "/add-checkpoint".to_owned(),
        "/v2/app/blobs/uploads/?digest=sha256:aa".to_owned(),
    ];
    let mut slow = Vec::new();
    for path in &posts {
        for said in [
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{{"
            ),
            format!("POST {path} HT"),
        ] {
            let mut stream = TcpStream::connect(stack.address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            slow.push((said, stream));
        }
    }
    for path in ["/ready", "/v2/", "/tuf/timestamp.json", "/api/v2/checkpoint", "/api/v2/trustBundle"] {
        assert_eq!(stack.status(path).await, StatusCode::OK, "{path} while others are slow");
    }
    for (said, mut stream) in slow {
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "still open after {said:?}");
    }
    stack.stop().await;
}

/// Who logs in elsewhere gets no certificate and is told to come again; nobody else notices, and the start did not wait for it.
#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_an_outage_of_its_own_identities_only() {
    let dir = tempfile::tempdir().unwrap();
    let issuers = "oidc-issuers:\n  https://localhost:1:\n    client-id: sigstore\n    type: email\n";
    let stack = Running::start(&dir.path().join("up"), |config| {
        config.ca.issuers = Issuers::from_yaml(issuers).unwrap();
    })
    .await;
    let claims = json!({
        "iss": "https://localhost:1", "aud": "sigstore", "sub": "a", "email": "a@b.c", "email_verified": true,
        "iat": 0, "exp": 4_000_000_000_i64,
    });
    let claims: Map<_, _> = claims.as_object().cloned().unwrap();
    let token =
        format!("{}.{}", signing_input(JwtAlgorithm::Es256, "1", &claims), base64::encode_url([0; 64]));
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let body = json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "content": pem::encode(pem::PUBLIC_KEY, key.public_key().spki_der()) },
            "proofOfPossession": base64::encode([0; 64]),
        },
    });
    let asked =
        stack.http.post(format!("{}/api/v2/signingCert", stack.url)).body(body.to_string()).send().await;
    let answer = asked.unwrap();
    let (status, said) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
    assert!(said.contains("https://localhost:1") && said.contains("cannot be reached"), "{said}");
    let config = std::fs::read(dir.path().join("up/client/signing_config.json")).unwrap();
    let people = SigningConfig::parse(&config).unwrap().identity_providers;
    assert_eq!(people[0].url, "https://localhost:1", "people log in there");
    assert_eq!(stack.status("/ready").await, StatusCode::OK);
    stack.stop().await;
}
