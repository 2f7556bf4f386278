//! Registries that lie or fail: each is refused by its own code, in bounded time and memory.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests are tests, too, which clippy does not see"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signet_crypto::Digest;
use signet_formats::oci::Descriptor;
use signet_registry::{Credentials, Error, Keychain, ReferrersVia};
use support::{Double, Reply, client, client_with, manifest};

fn basic() -> Keychain {
    Keychain::fixed(Credentials::Basic { username: "user".into(), password: "secret".into() })
}

async fn blob(server: &Double, content: &[u8]) -> Result<bytes::Bytes, Error> {
    let descriptor = Descriptor::of("t", content);
    client().blob_bytes(&server.repository(), &descriptor, 1 << 20).await
}

async fn always(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Double {
    Double::start(move |_| reply()).await
}

#[tokio::test]
async fn what_is_true_is_read() {
    let server = Double::start(|request| match request.target.as_str() {
        "/v2/app/manifests/v1" => Reply::new(200, manifest()),
        _ => Reply::new(200, "hello"),
    })
    .await;
    let resolved = client().resolve(&server.reference()).await.unwrap();
    assert_eq!(resolved.digest(), Digest::sha256(&manifest()));
    assert_eq!(blob(&server, b"hello").await.unwrap(), "hello");
    assert_eq!(server.seen().len(), 2, "one request for each");
}

#[tokio::test]
async fn a_manifest_with_another_digest() {
    let server = always(|| Reply::new(200, manifest())).await;
    let asked = Digest::sha256(b"another");
    let outcome = client().manifest(&server.repository(), &asked).await;
    assert!(
        matches!(&outcome, Err(Error::DigestMismatch { expected, .. }) if **expected == asked),
        "{outcome:?}"
    );
    let stated = Digest::sha256(b"stated");
    let server = always(move || Reply::new(200, manifest()).with("Docker-Content-Digest", stated)).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(
        matches!(&outcome, Err(Error::DigestMismatch { expected, .. }) if **expected == stated),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_blob_with_another_digest_or_size() {
    let server = always(|| Reply::new(200, "HELLO")).await;
    assert!(matches!(blob(&server, b"hello").await, Err(Error::DigestMismatch { .. })));
    assert!(matches!(blob(&server, b"hello!").await, Err(Error::SizeMismatch { .. })));
    assert!(matches!(blob(&server, b"hell").await, Err(Error::SizeMismatch { .. })));
}

#[tokio::test]
async fn endless_bodies() {
    let server = always(Reply::endless).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::SizeMismatch { expected: 5, .. })), "{outcome:?}");
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. })), "{outcome:?}");
    let outcome = client().referrers(&server.repository(), &Digest::sha256(b"")).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. })), "{outcome:?}");
}

#[tokio::test]
async fn slow_bodies() {
    let server = always(|| Reply::stalled(5)).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
}

#[tokio::test]
async fn redirect_loops() {
    let server = always(|| Reply::new(307, "").with("Location", "/again")).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::RedirectRefused { .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 6, "the first request and five redirects");
}

#[tokio::test]
async fn redirects_to_less_secure_places() {
    for target in ["http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd"] {
        let server = always(move || Reply::new(302, "").with("Location", target)).await;
        let outcome = blob(&server, b"hello").await;
        assert!(matches!(outcome, Err(Error::RedirectRefused { .. })), "{target}: {outcome:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect() {
    let storage = always(|| Reply::new(200, "hello")).await;
    let location = format!("http://{}/stored", storage.host);
    let server = Double::start(move |request| match request.header("authorization") {
        Some(_) => Reply::new(307, "").with("Location", &location),
        None => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    })
    .await;
    let descriptor = Descriptor::of("t", b"hello");
    let outcome = client_with(basic()).blob_bytes(&server.repository(), &descriptor, 100).await;
    assert_eq!(outcome, Ok("hello".into()));
    assert_eq!(storage.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn writes_are_not_redirected() {
    let server = always(|| Reply::new(307, "").with("Location", "/elsewhere")).await;
    let name = signet_registry::ManifestName::Digest(Digest::sha256(&manifest()));
    let pushed = client().push_manifest(&server.repository(), &name, "t", manifest().into(), None).await;
    assert!(matches!(pushed, Err(Error::RedirectRefused { .. })), "{pushed:?}");
}

#[tokio::test]
async fn loops_of_401() {
    let server = always(|| Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\"")).await;
    let outcome = client_with(basic()).resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Unauthorized { .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_token_realm_elsewhere_over_http() {
    for realm in ["http://tokens.example/t", "ftp://127.0.0.1/t", "not a url"] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        let server = always(move || Reply::new(401, "").with("WWW-Authenticate", &challenge)).await;
        let outcome = client_with(basic()).resolve(&server.reference()).await;
        assert!(matches!(outcome, Err(Error::RealmRefused { .. })), "{realm}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_token_is_fetched_and_used_and_renewed() {
    let grants = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&grants);
    let realm = Double::start(move |request| {
        assert!(request.target.contains("scope=repository%3Aapp%3Apull&service=s"), "{}", request.target);
        assert!(request.header("authorization").is_some_and(|value| value.starts_with("Basic ")));
        let token = count.fetch_add(1, Ordering::SeqCst);
        Reply::new(200, format!(r#"{{"token":"t{token}","expires_in":300}}"#))
    })
    .await;
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", realm.host);
    let valid = Arc::clone(&grants);
    let server = Double::start(move |request| {
        let latest = format!("Bearer t{}", valid.load(Ordering::SeqCst).wrapping_sub(1));
        // The first token is good for one request only.
        let spent = request.target.ends_with("v2") && latest == "Bearer t0";
        match request.header("authorization") == Some(latest.as_str()) && !spent {
            true => Reply::new(200, manifest()),
            false => Reply::new(401, "").with("WWW-Authenticate", &challenge),
        }
    })
    .await;
    let client = client_with(basic());
    client.resolve(&server.reference()).await.unwrap();
    client.resolve(&server.reference()).await.unwrap();
    assert_eq!((server.seen().len(), realm.seen().len()), (3, 1), "the token is kept");
    client.resolve(&format!("{}/app:v2", server.host).parse().unwrap()).await.unwrap();
    assert_eq!(realm.seen().len(), 2, "a refused token is renewed once");
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let realm = Double::start(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        assert!(body.contains("grant_type=refresh_token") && body.contains("refresh_token=r%2F1"), "{body}");
        assert_eq!((request.method.as_str(), request.header("authorization")), ("POST", None));
        Reply::new(200, r#"{"access_token":"good"}"#)
    })
    .await;
    let challenge = format!("Bearer realm=\"http://{}/token\"", realm.host);
    let server = Double::start(move |request| match request.header("authorization") {
        Some("Bearer good") => Reply::new(200, manifest()),
        _ => Reply::new(401, "").with("WWW-Authenticate", &challenge),
    })
    .await;
    let keychain = Keychain::fixed(Credentials::IdentityToken("r/1".into()));
    client_with(keychain).resolve(&server.reference()).await.unwrap();
}

#[tokio::test]
async fn rate_limits_are_waited_for_but_not_long() {
    let count = AtomicUsize::new(0);
    let server = Double::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(429, "").with("Retry-After", 0),
        _ => Reply::new(200, manifest()),
    })
    .await;
    client().resolve(&server.reference()).await.unwrap();
    let server = always(|| Reply::new(429, "").with("Retry-After", 3600)).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::RateLimited { .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn failures_of_the_registry_are_not_absence() {
    let server = always(|| Reply::new(503, "")).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Server { status: 503, .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 4);
    let outcome = client().referrers(&server.repository(), &Digest::sha256(b"")).await;
    assert!(matches!(outcome, Err(Error::Server { .. })), "{outcome:?}");
    let gone = server.reference();
    drop(server);
    let outcome = client().resolve(&gone).await;
    assert!(matches!(outcome, Err(Error::Unreachable { .. })), "{outcome:?}");
    for (status, want) in [(403, "Forbidden"), (404, "NotFound"), (418, "Refused"), (409, "Conflict")] {
        let server = always(move || Reply::new(status, "")).await;
        let outcome = format!("{:?}", client().resolve(&server.reference()).await);
        assert!(outcome.starts_with(&format!("Err({want}")), "{outcome}");
    }
}

#[tokio::test]
async fn a_gzip_bomb_is_not_unpacked() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![0; 16 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let packed = bomb.clone();
    let server = always(move || Reply::new(200, packed.clone()).with("Content-Encoding", "gzip")).await;
    assert_eq!(blob(&server, &bomb).await.unwrap(), bomb, "the bytes are those that were sent");
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Malformed { .. })), "{outcome:?}");
}

fn page(from: usize, count: usize) -> String {
    let entry = |i: usize| serde_json::to_string(&Descriptor::of("m", &i.to_be_bytes())).unwrap();
    let entries: Vec<_> = (from..from + count).map(entry).collect();
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
}

#[tokio::test]
async fn more_than_ten_thousand_referrers() {
    let server = Double::start(|request| {
        let number: usize = request.target.rsplit_once('=').map_or(0, |(_, n)| n.parse().unwrap());
        let next = format!("<?page={}>; rel=\"next\"", number + 1);
        Reply::new(200, page(number * 3000, 3000)).with("Link", next)
    })
    .await;
    let found = client().referrers(&server.repository(), &Digest::sha256(b"")).await.unwrap();
    assert_eq!(found.descriptors.len(), 10_000);
    assert!(matches!(found.incomplete, Some(Error::LimitHit { limit: 10_000, .. })));
    assert!(server.seen().len() <= 4);
}

#[tokio::test]
async fn pages_elsewhere_are_not_fetched() {
    let other = always(|| Reply::new(200, page(0, 1))).await;
    let foreign = format!("<http://{}/v2/app/referrers/x>; rel=next", other.host);
    for link in [foreign.as_str(), "</v2/other/referrers/x>; rel=next", "<>; rel=next"] {
        let link = link.to_owned();
        let server = always(move || Reply::new(200, page(0, 2)).with("Link", &link)).await;
        let outcome = client().referrers(&server.repository(), &Digest::sha256(b"")).await;
        assert!(matches!(outcome, Err(Error::RedirectRefused { .. })), "{outcome:?}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn an_empty_list_also_asks_the_fallback_tag() {
    let subject = Digest::sha256(b"subject");
    for (status, via) in [(200, ReferrersVia::Both), (404, ReferrersVia::Tag)] {
        let server = Double::start(move |request| match request.target.contains("/referrers/") {
            true => Reply::new(status, r#"{"schemaVersion":2,"manifests":[]}"#),
            false => Reply::new(200, page(0, 2)),
        })
        .await;
        let found = client().referrers(&server.repository(), &subject).await.unwrap();
        assert_eq!((found.descriptors.len(), found.via, found.incomplete), (2, via, None));
        let tag = format!("/v2/app/manifests/sha256-{}", subject.hex());
        assert_eq!(server.seen()[1].target, tag);
    }
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let outcome = client().resolve(&"registry.invalid/app:v1".parse().unwrap()).await;
    assert!(matches!(outcome, Err(Error::Unreachable { .. })), "https only: {outcome:?}");
}

#[tokio::test]
async fn an_upload_is_not_sent_to_a_less_secure_place() {
    let server = Double::start(|request| match request.method.as_str() {
        "HEAD" => Reply::new(404, ""),
        _ => Reply::new(202, "").with("Location", "http://example.com/upload"),
    })
    .await;
    let pushed = client().push_bytes(&server.repository(), "t", "hello".into()).await;
    assert!(matches!(pushed, Err(Error::RedirectRefused { .. })), "{pushed:?}");
}

#[tokio::test]
async fn chunks_are_sent_where_the_whole_is_refused() {
    let server = Double::start(|request| match (request.method.as_str(), request.body.len()) {
        ("HEAD", _) => Reply::new(404, ""),
        ("POST", _) => Reply::new(202, "").with("Location", "/v2/app/blobs/uploads/1?s=0"),
        ("PUT", 0) => Reply::new(201, ""),
        ("PUT", _) => Reply::new(413, ""),
        _ => Reply::new(202, "").with("Location", "/v2/app/blobs/uploads/1?s=1"),
    })
    .await;
    client().push_bytes(&server.repository(), "t", "hello".into()).await.unwrap();
    let seen = server.seen();
    let patch = seen.iter().find(|request| request.method == "PATCH").unwrap();
    assert_eq!((patch.header("content-range"), patch.body.as_slice()), (Some("0-4"), b"hello".as_slice()));
}
