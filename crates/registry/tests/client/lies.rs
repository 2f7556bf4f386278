//! Registries that lie or fail: each is refused by its own code, in bounded time and memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signet_crypto::Digest;
use signet_formats::oci::Descriptor;
use signet_registry::{Client, Error, Keychain, ReferrersVia};

use crate::double::{Double, Reply, client, hasty, manifest};

async fn blob(server: &Double, content: &[u8]) -> Result<bytes::Bytes, Error> {
    blob_by(&client(), server, content).await
}

async fn blob_by(client: &Client, server: &Double, content: &[u8]) -> Result<bytes::Bytes, Error> {
    let descriptor = Descriptor::of("t", content);
    client.blob_bytes(&server.repository(), &descriptor, 1 << 20).await
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
    let server = Double::always(|| Reply::new(200, manifest())).await;
    let asked = Digest::sha256(b"another");
    let outcome = client().manifest(&server.repository(), &asked).await;
    assert!(
        matches!(&outcome, Err(Error::DigestMismatch { expected, .. }) if **expected == asked),
        "{outcome:?}"
    );
    let stated = Digest::sha256(b"stated");
    let server =
        Double::always(move || Reply::new(200, manifest()).with("Docker-Content-Digest", stated)).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(
        matches!(&outcome, Err(Error::DigestMismatch { expected, .. }) if **expected == stated),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_blob_with_another_digest_or_size() {
    let server = Double::always(|| Reply::new(200, "HELLO")).await;
    assert!(matches!(blob(&server, b"hello").await, Err(Error::DigestMismatch { .. })));
    assert!(matches!(blob(&server, b"hello!").await, Err(Error::SizeMismatch { .. })));
    assert!(matches!(blob(&server, b"hell").await, Err(Error::SizeMismatch { .. })));
}

#[tokio::test]
async fn endless_bodies() {
    let server = Double::always(Reply::endless).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::SizeMismatch { expected: 5, .. })), "{outcome:?}");
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. })), "{outcome:?}");
    let outcome = client().referrers(&server.repository(), &Digest::sha256(b"")).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. })), "{outcome:?}");
}

#[tokio::test]
async fn slow_bodies() {
    let (server, client) = (Double::always(|| Reply::stalled(5)).await, hasty(Keychain::anonymous()));
    let outcome = blob_by(&client, &server, b"hello").await;
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    let outcome = client.resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
}

#[tokio::test]
async fn redirect_loops() {
    let server = Double::always(|| Reply::new(307, "").with("Location", "/again")).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::RedirectRefused { .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 6, "the first request and five redirects");
}

#[tokio::test]
async fn redirects_to_less_secure_places() {
    for target in ["http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd"] {
        let server = Double::always(move || Reply::new(302, "").with("Location", target)).await;
        let outcome = blob(&server, b"hello").await;
        assert!(matches!(outcome, Err(Error::RedirectRefused { .. })), "{target}: {outcome:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn writes_are_not_redirected() {
    let server = Double::always(|| Reply::new(307, "").with("Location", "/elsewhere")).await;
    let name = signet_registry::ManifestName::Digest(Digest::sha256(&manifest()));
    let pushed = client().push_manifest(&server.repository(), &name, "t", manifest().into(), None).await;
    assert!(matches!(pushed, Err(Error::RedirectRefused { .. })), "{pushed:?}");
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
    let server = Double::always(|| Reply::new(429, "").with("Retry-After", 3600)).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::RateLimited { .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_failing_registry_is_asked_when_it_says_and_its_words_are_kept() {
    let count = AtomicUsize::new(0);
    let server = Double::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(503, "").with("Retry-After", 0),
        _ => Reply::new(200, manifest()),
    })
    .await;
    client().resolve(&server.reference()).await.unwrap();
    let words = r#"{"errors":[{"code":"UNKNOWN","message":"the disk\u001b[31m is full"}]}"#;
    let server = Double::always(move || Reply::new(503, words).with("Retry-After", 3600)).await;
    let outcome = client().resolve(&server.reference()).await.map(|_| ()).unwrap_err();
    assert!(outcome.to_string().ends_with("status 503: UNKNOWN: the disk[31m is full"), "{outcome}");
    assert_eq!(server.seen().len(), 1, "an hour is not waited for");
    let server = Double::always(|| Reply::new(501, "")).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Server { status: 501, .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 1, "what is not implemented stays so");
}

#[tokio::test]
async fn failures_of_the_registry_are_not_absence() {
    let server = Double::always(|| Reply::new(503, "")).await;
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
        let server = Double::always(move || Reply::new(status, "")).await;
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
    let server =
        Double::always(move || Reply::new(200, packed.clone()).with("Content-Encoding", "gzip")).await;
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
    let other = Double::always(|| Reply::new(200, page(0, 1))).await;
    let subject = Digest::sha256(b"");
    let foreign = format!("<http://{}/v2/app/referrers/{subject}?n=1>; rel=next", other.host);
    for link in [foreign.as_str(), "</v2/other/referrers/x>; rel=next", "<>; rel=next"] {
        let link = link.to_owned();
        let server = Double::always(move || Reply::new(200, page(0, 2)).with("Link", &link)).await;
        let outcome = client().referrers(&server.repository(), &subject).await;
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

/// Registries may know no upload in one request (distribution-spec, "Single POST"): some open a session
/// all the same, others refuse.
#[tokio::test]
async fn a_session_is_opened_where_one_request_is_not_taken() {
    for status in [202, 400, 404, 405] {
        let server = Double::start(move |request| match request.method.as_str() {
            "POST" if request.target.contains("digest=") && status != 202 => Reply::new(status, ""),
            "POST" => Reply::new(202, "").with("Location", "/v2/app/blobs/uploads/1?s=0"),
            _ => Reply::new(201, ""),
        })
        .await;
        client().push_new_bytes(&server.repository(), "t", "hello".into()).await.unwrap();
        let seen = server.seen();
        let last = seen.last().unwrap();
        assert_eq!((last.method.as_str(), last.body.as_slice()), ("PUT", b"hello".as_slice()), "{status}");
        assert_eq!(seen.len(), if status == 202 { 2 } else { 3 });
    }
    let server = Double::always(|| Reply::new(201, "")).await;
    client().push_new_bytes(&server.repository(), "t", "hello".into()).await.unwrap();
    assert_eq!(server.seen().len(), 1);
}

/// An answer that comes a byte at a time, each in time, the whole never.
#[tokio::test]
async fn answers_a_byte_at_a_time() {
    let (drip, client) = (Duration::from_millis(50), hasty(Keychain::anonymous()));
    for start in ["HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 200 X\r\nX-Slow: "] {
        let server = Double::always(move || Reply::wire(start, "x", drip)).await;
        let outcome = blob_by(&client, &server, &[0; 1000]).await;
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{start}: {outcome:?}");
        let outcome = client.resolve(&server.reference()).await;
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{start}: {outcome:?}");
    }
}

#[tokio::test]
async fn redirects_that_never_arrive() {
    let server =
        Double::start(|request| Reply::new(302, "").with("Location", format!("{}x", request.target))).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::RedirectRefused { .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn ten_thousand_pages_of_referrers() {
    for entries in [1, 0] {
        let server = Double::start(move |request| {
            let number: usize = request.target.rsplit_once('=').map_or(0, |(_, n)| n.parse().unwrap());
            let next = format!("<?page={}>; rel=\"next\"", number + 1);
            let reply = Reply::new(200, page(number, entries));
            if number < 10_000 { reply.with("Link", next) } else { reply }
        })
        .await;
        let found = client().referrers(&server.repository(), &Digest::sha256(b"")).await.unwrap();
        assert_eq!(found.descriptors.len(), 1000 * entries);
        assert!(
            matches!(found.incomplete, Some(Error::LimitHit { limit: 1000, .. })),
            "{:?}",
            found.incomplete
        );
        assert_eq!(server.seen().len(), 1000);
    }
}

#[tokio::test]
async fn pages_that_lead_back() {
    let server = Double::start(|request| {
        let (here, next) = if request.target.ends_with("page=b") { (1, "a") } else { (0, "b") };
        Reply::new(200, page(here, 1)).with("Link", format!("<?page={next}>; rel=next"))
    })
    .await;
    let found = client().referrers(&server.repository(), &Digest::sha256(b"")).await.unwrap();
    assert_eq!(found.descriptors.len(), 2, "each once");
    assert!(matches!(found.incomplete, Some(Error::RedirectRefused { .. })), "{:?}", found.incomplete);
    // The first page, b, a, which is the first by another name, and not b again.
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn endless_error_pages() {
    for (status, want) in [(403, "Forbidden"), (404, "NotFound"), (400, "Refused"), (500, "Server")] {
        let server = Double::always(move || Reply::endless_with(status)).await;
        let outcome = format!("{:?}", client().resolve(&server.reference()).await);
        assert!(outcome.starts_with(&format!("Err({want}")), "{status}: {outcome}");
    }
}

#[tokio::test]
async fn floods_of_headers() {
    let many = || Reply::wire("HTTP/1.1 200 X\r\n", b"X-Flood: 1\r\n".repeat(100), Duration::ZERO);
    let long = || Reply::wire("HTTP/1.1 200 X\r\nX-Flood: ", vec![b'x'; 1 << 16], Duration::ZERO);
    for (which, server) in [("many", Double::always(many).await), ("long", Double::always(long).await)] {
        let outcome = client().resolve(&server.reference()).await;
        assert!(matches!(outcome, Err(Error::Malformed { .. })), "{which}: {outcome:?}");
        assert_eq!(server.connections(), 1, "it is not asked again");
    }
}

#[tokio::test]
async fn chunks_that_never_end() {
    let server = Double::always(|| {
        let head = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n";
        Reply::wire(head, vec![0; 1 << 16], Duration::ZERO)
    })
    .await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::SizeMismatch { .. })), "{outcome:?}");
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. })), "{outcome:?}");
    let server = Double::always(|| {
        let head = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5;extension=";
        Reply::wire(head, vec![b'x'; 1 << 16], Duration::ZERO)
    })
    .await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Malformed { .. } | Error::Unreachable { .. })), "{outcome:?}");
}

#[tokio::test]
async fn wrong_content_lengths() {
    let stated = |lengths: &'static str| {
        move || Reply::wire(format!("HTTP/1.1 200 X\r\n{lengths}\r\nhello"), "", Duration::ZERO)
    };
    let server = Double::always(stated("Content-Length: 3\r\n")).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::SizeMismatch { .. })), "{outcome:?}");
    let server = Double::always(stated("Content-Length: 50\r\n")).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::Unreachable { .. })), "what broke off is not whole: {outcome:?}");
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Unreachable { .. })), "{outcome:?}");
    let server = Double::always(stated("Content-Length: 5\r\nContent-Length: 6\r\n")).await;
    let outcome = blob(&server, b"hello").await;
    assert!(matches!(outcome, Err(Error::Malformed { .. })), "{outcome:?}");
    let server = Double::always(stated("Content-Length: 18446744073709551615\r\n")).await;
    let outcome = client().resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::TooLarge { .. } | Error::Malformed { .. })), "{outcome:?}");
}
