//! The API of Rekor v2, as its clients see it, over a log on a free loopback port.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm, Scheme};
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::merkle::{leaf_hash, verify_inclusion};
use signet_formats::rekor::{Body, PublicKeyDetails, TlogEntry};
use signet_formats::{base64, tlog};
use signet_keys::{Payload, PrivateKey};
use signet_server::host::{Host, health};
use signet_server::rekor::{self, Identities, Kind};
use signet_services::log::{Config, Log, LogSigner, Searches};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::Service;

const ORIGIN: &str = "rekor.example.org";
const ENTRIES: &str = "/api/v2/log/entries";

struct Server {
    url: String,
    client: Client,
    log: Log,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    _data: TempDir,
}

impl Server {
    async fn start(kind: Kind) -> Self {
        let data = tempfile::tempdir().unwrap();
        let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let signer = LogSigner::new(ORIGIN, Arc::new(key), None).unwrap();
        let log = Log::open(Config::new(data.path().join("log")), signer).await.unwrap();
        let host = Host::listen(([127, 0, 0, 1], 0).into(), None).await.unwrap();
        let url = host.url();
        let (stop, stopped) = oneshot::channel();
        let writing = log.clone();
        let search = Searches::open(vec![log.clone()]).unwrap();
        let router = rekor::router(log.clone(), kind).unwrap().merge(health(move || writing.is_writing()));
        let router = router.merge(rekor::search_router(search, Identities::Hashed));
        let served = tokio::spawn(host.run(router, async { drop(stopped.await) }));
        // Other crates of the workspace ask reqwest for no provider of its own; a second one is refused.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { url, client, log, stop: Some(stop), served, _data: data }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.body(reqwest::Body::from(body.into())).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, Bytes::new()).await
    }

    async fn post(&self, request: &Value) -> Response {
        self.send(Method::POST, ENTRIES, request.to_string()).await
    }
}

/// A request to log a signature over the digest of `artifact`.
fn request(key: &PrivateKey, scheme: Scheme, artifact: &[u8]) -> Value {
    let details = PublicKeyDetails::of(key.public_key().algorithm(), scheme).unwrap();
    let digest = Digest::of(scheme.digest().unwrap_or(DigestAlgorithm::Sha256), artifact);
    let signature = key.sign(scheme, Payload::Message(artifact)).unwrap();
    json!({"hashedRekordRequestV002": {
        "digest": base64::encode(digest.as_bytes()),
        "signature": {"content": base64::encode(signature), "verifier": {
            "publicKey": {"rawBytes": base64::encode(key.public_key().spki_der())},
            "keyDetails": details.name(),
        }},
    }})
}

fn p256() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn status_and_code(response: Response) -> (StatusCode, i64) {
    let status = response.status();
    let document: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert!(document["message"].is_string() && document["details"] == json!([]), "{document}");
    (status, document["code"].as_i64().unwrap())
}

#[tokio::test]
async fn a_new_entry_is_answered_with_its_proof() {
    let server = Server::start(Kind::HashedRekord).await;
    let request = request(&p256(), Scheme::EcdsaP256Sha256, b"artifact");
    let response = server.post(&request).await;
    assert_eq!(
        (response.status(), header(&response, "content-type")),
        (StatusCode::CREATED, "application/json".into())
    );
    let entry = TlogEntry::parse(&response.bytes().await.unwrap(), 1 << 20).unwrap();
    assert!(matches!(entry.decode_body(), Ok(Body::HashedRekordV002(_))));
    assert_eq!((entry.log_index, entry.integrated_time, &entry.promise), (0, None, &None));
    let key = server.log.signer().keys().next().unwrap().clone();
    assert_eq!(entry.log_id.as_slice(), key.full_id().as_bytes());
    let proof = entry.proof.as_ref().unwrap();
    let checkpoint = SignedCheckpoint::parse(proof.checkpoint.as_ref().unwrap().as_bytes()).unwrap();
    assert_eq!(checkpoint.note().verify(&key), Ok(()));
    let root = checkpoint.checkpoint().root;
    assert_eq!(
        (proof.root_hash.as_bytes(), checkpoint.checkpoint().origin.as_str()),
        (root.as_slice(), ORIGIN)
    );
    let hashes: Vec<[u8; 32]> = proof.hashes.iter().map(|hash| hash.as_bytes().try_into().unwrap()).collect();
    let size = checkpoint.checkpoint().size;
    assert_eq!(verify_inclusion(proof.log_index, size, &leaf_hash(&entry.body), &hashes, &root), Ok(()));
}

#[tokio::test]
async fn a_duplicate_is_a_conflict_that_says_where() {
    let server = Server::start(Kind::HashedRekord).await;
    let key = p256();
    let first = request(&key, Scheme::EcdsaP256Sha256, b"one");
    let second = request(&key, Scheme::EcdsaP256Sha256, b"two");
    for request in [&first, &second] {
        assert_eq!(server.post(request).await.status(), StatusCode::CREATED);
    }
    let response = server.post(&second).await;
    assert_eq!(header(&response, "x-log-index"), "1");
    assert_eq!(status_and_code(response).await, (StatusCode::CONFLICT, 6));
}

#[tokio::test]
async fn all_spellings_of_base64_that_proto3_json_has_are_one_entry() {
    let server = Server::start(Kind::HashedRekord).await;
    let strict = request(&p256(), Scheme::EcdsaP256Sha256, b"one").to_string();
    let unpadded = strict.replace('=', "");
    let for_urls = strict.replace('+', "-").replace("\\/", "_").replace('/', "_");
    assert!(unpadded != strict && for_urls != strict);
    assert_eq!(server.send(Method::POST, ENTRIES, unpadded.clone()).await.status(), StatusCode::CREATED);
    for again in [strict, for_urls, unpadded] {
        assert_eq!(server.send(Method::POST, ENTRIES, again).await.status(), StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn every_algorithm_of_rekor_is_logged_and_no_other() {
    let server = Server::start(Kind::HashedRekord).await;
    for (algorithm, scheme, status) in [
        (KeyAlgorithm::EcdsaP384, Scheme::EcdsaP384Sha384, StatusCode::CREATED),
        (KeyAlgorithm::EcdsaP521, Scheme::EcdsaP521Sha512, StatusCode::CREATED),
        (KeyAlgorithm::Ed25519, Scheme::Ed25519ph, StatusCode::CREATED),
        (KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPkcs1Sha256, StatusCode::CREATED),
        (KeyAlgorithm::Ed25519, Scheme::Ed25519, StatusCode::BAD_REQUEST),
        (KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPssSha256, StatusCode::BAD_REQUEST),
        (KeyAlgorithm::EcdsaP521, Scheme::EcdsaP521Sha256, StatusCode::BAD_REQUEST),
        (KeyAlgorithm::MlDsa44, Scheme::MlDsa44, StatusCode::BAD_REQUEST),
    ] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let response = server.post(&request(&key, scheme, b"artifact")).await;
        assert_eq!(response.status(), status, "{scheme}");
    }
}

#[tokio::test]
async fn what_does_not_verify_is_not_logged() {
    let server = Server::start(Kind::HashedRekord).await;
    let (key, other) = (p256(), p256());
    let good = request(&key, Scheme::EcdsaP256Sha256, b"one");
    let change = |pointer: &str, to: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(&format!("/hashedRekordRequestV002{pointer}")).unwrap() = to;
        bad
    };
    let spki = base64::encode(other.public_key().spki_der());
    for bad in [
        change("/digest", json!(base64::encode(Digest::sha256(b"two").as_bytes()))),
        change("/digest", json!(base64::encode(&Digest::sha256(b"one").as_bytes()[1..]))),
        change("/signature/content", json!("AAAA")),
        change("/signature/verifier/publicKey/rawBytes", json!(spki)),
        change("/signature/verifier/publicKey/rawBytes", json!("AAAA")),
        change("/signature/verifier/keyDetails", json!("PKIX_ECDSA_P384_SHA_384")),
        change("/signature/verifier", json!({"x509Certificate": {"rawBytes": "AAAA"}, "keyDetails": 5})),
        json!({}),
        json!({"dsseRequestV002": {}}),
        json!([]),
    ] {
        assert_eq!(status_and_code(server.post(&bad).await).await, (StatusCode::BAD_REQUEST, 3), "{bad}");
    }
    let large = vec![b' '; (256 << 10) + 1];
    let response = server.send(Method::POST, ENTRIES, large).await;
    assert_eq!(status_and_code(response).await, (StatusCode::BAD_REQUEST, 3));
    assert_eq!(server.log.head().checkpoint.size, 0);
}

#[tokio::test]
async fn it_is_read_as_tlog_tiles_says() {
    let server = Server::start(Kind::HashedRekord).await;
    let key = p256();
    for artifact in [b"one".as_slice(), b"two"] {
        server.post(&request(&key, Scheme::EcdsaP256Sha256, artifact)).await;
    }
    let response = server.get("/api/v2/checkpoint").await;
    assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&response, "cache-control"), "no-cache");
    let checkpoint = SignedCheckpoint::parse(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(checkpoint.checkpoint().size, 2);
    let response = server.get("/api/v2/tile/entries/000.p/2").await;
    assert!(header(&response, "cache-control").contains("immutable"));
    assert_eq!(header(&response, "content-type"), "application/octet-stream");
    let bundle = response.bytes().await.unwrap();
    let leaves: Vec<_> = tlog::Entries::new(&bundle).map(|entry| leaf_hash(entry.unwrap())).collect();
    let tile = server.get("/api/v2/tile/0/000.p/2").await.bytes().await.unwrap();
    assert_eq!(tile, leaves.as_flattened());
    assert_eq!(signet_formats::merkle::root(&leaves), checkpoint.checkpoint().root);
    for absent in
        ["/api/v2/tile/0/000", "/api/v2/tile/0/000.p/3", "/api/v2/tile/1/000.p/1", "/api/v2/tile/0/0"]
    {
        assert_eq!(status_and_code(server.get(absent).await).await, (StatusCode::NOT_FOUND, 5), "{absent}");
    }
    for elsewhere in ["/", "/checkpoint", "/api/v2/tile", "/tile/0/000.p/2"] {
        let answer = status_and_code(server.get(elsewhere).await).await;
        assert_eq!(answer, (StatusCode::NOT_FOUND, 5), "{elsewhere}");
    }
    for (method, path) in [(Method::PUT, "/api/v2/checkpoint"), (Method::GET, ENTRIES)] {
        let answer = status_and_code(server.send(method, path, "").await).await;
        assert_eq!(answer, (StatusCode::NOT_IMPLEMENTED, 12), "{path}");
    }
}

#[tokio::test]
async fn a_frozen_log_says_so() {
    let server = Server::start(Kind::HashedRekord).await;
    server.log.freeze().await.unwrap();
    for request in [request(&p256(), Scheme::EcdsaP256Sha256, b"one"), json!("not a request")] {
        let response = server.post(&request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        let text = response.text().await.unwrap();
        assert_eq!(text, "This log has been frozen, please switch to the latest log.\n");
    }
    assert_eq!(server.get("/api/v2/checkpoint").await.status(), StatusCode::OK);
}

/// Cut off while it sends, a client saw a broken connection and not where to go.
#[tokio::test]
async fn a_frozen_log_keeps_the_connection() {
    let server = Server::start(Kind::Opaque).await;
    server.log.freeze().await.unwrap();
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    for _ in 0..3 {
        let head = "POST /add HTTP/1.1\r\nhost: log\r\ncontent-length: 60000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(&[b'x'; 60_000]).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"latest log.\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "it is cut");
        }
        let answer = String::from_utf8(answer).unwrap().to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 405 ") && !answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn an_opaque_log_takes_any_bytes() {
    let server = Server::start(Kind::Opaque).await;
    for (entry, index) in [("one", "0"), ("two", "1"), ("one", "0")] {
        let response = server.send(Method::POST, "/add", entry).await;
        assert_eq!((response.status(), response.text().await.unwrap()), (StatusCode::OK, index.to_owned()));
    }
    let bundle = server.get("/tile/entries/000.p/2").await.bytes().await.unwrap();
    assert_eq!(bundle, b"\x00\x03one\x00\x03two".as_slice());
    assert_eq!(server.send(Method::POST, "/add", "").await.status(), StatusCode::BAD_REQUEST);
    let long = server.send(Method::POST, "/add", vec![1; 65_536]).await;
    assert_eq!(long.status(), StatusCode::BAD_REQUEST);
    assert_eq!(server.send(Method::POST, ENTRIES, "{}").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
}

/// Thirty readers of such a bundle who did not read had made a log 648 MB large.
#[tokio::test]
async fn a_large_bundle_is_read_as_its_reader_reads_it() {
    let server = Server::start(Kind::Opaque).await;
    let entries: Vec<Vec<u8>> = (0..256_u32).map(|index| index.to_be_bytes().repeat(1 << 13)).collect();
    for entries in entries.chunks(64) {
        let added = entries.iter().map(|entry| server.log.add(entry.clone().into()));
        for added in futures_util::future::join_all(added).await {
            added.unwrap();
        }
    }
    let read = Request::get("/tile/entries/000").body(axum::body::Body::empty()).unwrap();
    let mut router = rekor::router(server.log.clone(), Kind::Opaque).unwrap();
    let mut answer = router.call(read).await.unwrap();
    let mut served = Vec::new();
    while let Some(piece) = answer.body_mut().frame().await {
        let piece = piece.unwrap().into_data().unwrap();
        assert!(piece.len() <= 128 << 10, "{} bytes wait for the reader", piece.len());
        served.extend_from_slice(&piece);
    }
    let mut read: Vec<&[u8]> = tlog::Entries::new(&served).map(Result::unwrap).collect();
    read.sort_unstable();
    assert!(read == entries);
    let response = server.get("/tile/entries/000").await;
    assert_eq!(header(&response, "content-length"), served.len().to_string());
    assert!(response.bytes().await.unwrap() == served);
}

/// A hundred half-sent requests had made a log 430 MB large.
#[tokio::test]
async fn half_sent_requests_are_bounded_together_and_others_are_served() {
    let server = Server::start(Kind::HashedRekord).await;
    let mut halves = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        let head = format!("POST {ENTRIES} HTTP/1.1\r\nhost: log\r\ncontent-length: 262144\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; 262_000]).await.unwrap();
        halves.push(stream);
    }
    let response = server.post(&request(&p256(), Scheme::EcdsaP256Sha256, b"artifact")).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let long = server.send(Method::POST, ENTRIES, vec![b' '; 100_000]).await;
    assert_eq!(header(&long, "retry-after"), "1");
    assert_eq!(status_and_code(long).await, (StatusCode::SERVICE_UNAVAILABLE, 14));
}

#[tokio::test]
async fn a_log_that_does_not_write_is_not_healthy_but_read() {
    let server = Server::start(Kind::Opaque).await;
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
    server.log.close().await;
    assert_eq!(server.get("/healthz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let response = server.send(Method::POST, "/add", "one").await;
    assert_eq!(header(&response, "retry-after"), "1");
    assert_eq!(status_and_code(response).await, (StatusCode::SERVICE_UNAVAILABLE, 14));
    assert_eq!(server.get("/checkpoint").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn entries_are_found_a_page_at_a_time() {
    let server = Server::start(Kind::HashedRekord).await;
    let (key, other) = (p256(), p256());
    for (key, artifact) in [(&key, "one"), (&other, "two"), (&key, "three"), (&key, "four")] {
        server.post(&request(key, Scheme::EcdsaP256Sha256, artifact.as_bytes())).await;
    }
    let find = async |query: &str| -> Value {
        let response = server.get(&format!("/api/v1/search?{query}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{query}");
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    };
    let key = Digest::sha256(key.public_key().spki_der()).to_string();
    let first = find(&format!("key={}&limit=2", key.replace(':', "%3a"))).await;
    assert_eq!((&first["next"], &first["size"]), (&json!(3), &json!(4)));
    assert_eq!((&first["entries"][0]["index"], &first["entries"][1]["index"]), (&json!(0), &json!(2)));
    assert_eq!(first["entries"][0]["keys"], json!([key]));
    let rest = find(&format!("key={key}&limit=2&from=3")).await;
    assert_eq!((rest["entries"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let digest = Digest::sha256(b"two").to_string();
    let two = find(&format!("digest={digest}")).await;
    assert_eq!((&two["entries"][0]["index"], &two["entries"][0]["digests"]), (&json!(1), &json!([digest])));
    assert_eq!(find("identity=nobody%40example.org").await["entries"], json!([]));
    assert_eq!(find("since=2026-01-01T00:00:00Z").await["entries"], json!([]), "bare keys state no time");
    for wrong in [
        "limit=0",
        "limit=1001",
        "key=x",
        "since=1",
        "from=-1",
        "name=x",
        "from=1&from=2",
        "from",
        "shard=other",
        "identity=%ff",
    ] {
        let response = server.get(&format!("/api/v1/search?{wrong}")).await;
        assert_eq!(status_and_code(response).await, (StatusCode::BAD_REQUEST, 3), "{wrong}");
    }
}

#[tokio::test]
async fn it_ends_when_told_to() {
    let mut server = Server::start(Kind::Opaque).await;
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
    drop(server.stop.take());
    server.served.await.unwrap();
    server.log.close().await;
}
