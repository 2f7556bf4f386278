use reqwest::{Method, StatusCode};
use signet_crypto::{Digest, DigestAlgorithm};

use crate::harness::{Registry, code, header};

#[tokio::test]
async fn a_blob_is_pushed_in_chunks_in_order() {
    let registry = Registry::start().await;
    let mut location = registry.start_upload("a/b").await;
    let chunk = |location: &str, range: &'static str, body: &'static str| {
        registry.request(Method::PATCH, location).header("content-range", range).body(body).send()
    };
    let first = chunk(&location, "0-4", "hello").await.unwrap();
    assert_eq!((first.status(), header(&first, "range")), (StatusCode::ACCEPTED, "0-4".to_owned()));
    location = header(&first, "location");
    for wrong in ["0-4", "6-10"] {
        let answer = chunk(&location, wrong, "again").await.unwrap();
        assert_eq!(
            (answer.status(), header(&answer, "range")),
            (StatusCode::RANGE_NOT_SATISFIABLE, "0-4".to_owned())
        );
    }
    assert_eq!(chunk(&location, "5-6", " there").await.unwrap().status(), StatusCode::BAD_REQUEST);
    let status = registry.get(&location).await;
    assert_eq!((status.status(), header(&status, "range")), (StatusCode::NO_CONTENT, "0-4".to_owned()));
    assert_eq!(chunk(&location, "5-10", " there").await.unwrap().status(), StatusCode::ACCEPTED);
    let digest = Digest::sha256(b"hello there");
    let done = registry.send(Method::PUT, &format!("{location}?digest={digest}")).await;
    assert_eq!(
        (done.status(), header(&done, "location")),
        (StatusCode::CREATED, format!("/v2/a/b/blobs/{digest}"))
    );
    let blob = registry.get(&header(&done, "location")).await;
    assert_eq!(header(&blob, "docker-content-digest"), digest.to_string());
    assert_eq!(blob.text().await.unwrap(), "hello there");
    assert_eq!(registry.get(&location).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_blob_is_streamed_and_finished_with_its_last_bytes() {
    let registry = Registry::start().await;
    let location = registry.start_upload("a").await;
    let chunks = futures_util::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 10_000])));
    let body = reqwest::Body::wrap_stream(chunks);
    let patched = registry.request(Method::PATCH, &location).body(body).send().await.unwrap();
    assert_eq!((patched.status(), header(&patched, "range")), (StatusCode::ACCEPTED, "0-639999".to_owned()));
    let whole = [vec![7; 640_000], b"end".to_vec()].concat();
    let digest = Digest::of(DigestAlgorithm::Sha512, &whole);
    let done = registry.request(Method::PUT, &format!("{location}?digest={digest}")).body("end").send().await;
    assert_eq!(done.unwrap().status(), StatusCode::CREATED);
    let blob = registry.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(blob.bytes().await.unwrap(), whole);
}

#[tokio::test]
async fn a_blob_is_pushed_in_one_request() {
    let registry = Registry::start().await;
    for size in [0, 65_536, 65_537] {
        let content = vec![7; size];
        let digest = Digest::of(DigestAlgorithm::Sha512, &content);
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        let pushed = registry.request(Method::POST, &path).body(content.clone()).send().await.unwrap();
        assert_eq!(
            (pushed.status(), header(&pushed, "location")),
            (StatusCode::CREATED, format!("/v2/a/blobs/{digest}"))
        );
        let blob = registry.get(&format!("/v2/a/blobs/{digest}")).await;
        assert_eq!(
            (header(&blob, "content-length"), blob.bytes().await.unwrap()),
            (size.to_string(), content.into())
        );
    }
}

#[tokio::test]
async fn content_with_another_digest_is_refused_and_leaves_nothing() {
    let registry = Registry::start().await;
    let digest = Digest::sha256(b"other");
    for location in ["/v2/a/blobs/uploads/".to_owned(), registry.start_upload("a").await] {
        let method = if location.ends_with('/') { Method::POST } else { Method::PUT };
        let path = format!("{location}?digest={digest}");
        let pushed = registry.request(method, &path).body("content").send().await.unwrap();
        assert_eq!(pushed.status(), StatusCode::BAD_REQUEST);
        assert_eq!(code(pushed).await, "DIGEST_INVALID");
    }
    assert_eq!(code(registry.get(&format!("/v2/a/blobs/{digest}")).await).await, "BLOB_UNKNOWN");
    let uploads = std::fs::read_dir(registry.data.path().join("data/repositories/a/_uploads"));
    // Another store keeps them elsewhere.
    assert_eq!(uploads.map(Iterator::count).unwrap_or_default(), 0);
}

#[tokio::test]
async fn an_upload_is_cancelled() {
    let registry = Registry::start().await;
    let location = registry.start_upload("a").await;
    assert_eq!(registry.send(Method::DELETE, &location).await.status(), StatusCode::NO_CONTENT);
    let gone = registry.request(Method::PATCH, &location).body("x").send().await.unwrap();
    assert_eq!((gone.status(), code(gone).await), (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let registry = Registry::start().await;
    let location = registry.start_upload("a").await.replacen("/a/", "/b/", 1);
    let elsewhere = registry.request(Method::PATCH, &location).body("x").send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_blob_is_mounted_with_and_without_a_source() {
    let registry = Registry::start().await;
    let digest = registry.push_blob("a", b"shared").await;
    for query in [format!("mount={digest}&from=a"), format!("mount={digest}")] {
        let mounted = registry.send(Method::POST, &format!("/v2/b/blobs/uploads/?{query}")).await;
        assert_eq!(mounted.status(), StatusCode::CREATED, "{query}");
        let path = format!("/v2/b/blobs/{digest}");
        assert_eq!(registry.send(Method::DELETE, &path).await.status(), StatusCode::ACCEPTED);
        assert_eq!(registry.get(&path).await.status(), StatusCode::NOT_FOUND);
    }
    let nowhere = registry.send(Method::POST, &format!("/v2/b/blobs/uploads/?mount={digest}&from=c")).await;
    assert_eq!(nowhere.status(), StatusCode::ACCEPTED, "the blob must then be uploaded");
}

#[tokio::test]
async fn a_part_of_a_blob_is_served() {
    let registry = Registry::start().await;
    let digest = registry.push_blob("a", b"0123456789").await;
    let path = format!("/v2/a/blobs/{digest}");
    let range =
        async |range| registry.request(Method::GET, &path).header("range", range).send().await.unwrap();
    let part = range("bytes=2-4").await;
    assert_eq!(
        (part.status(), header(&part, "content-range")),
        (StatusCode::PARTIAL_CONTENT, "bytes 2-4/10".to_owned())
    );
    assert_eq!(part.text().await.unwrap(), "234");
    assert_eq!(range("bytes=-3").await.text().await.unwrap(), "789");
    let beyond = range("bytes=10-").await;
    assert_eq!(
        (beyond.status(), header(&beyond, "content-range")),
        (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */10".to_owned())
    );
    let head = registry.send(Method::HEAD, &path).await;
    assert_eq!(
        (header(&head, "content-length"), header(&head, "accept-ranges")),
        ("10".to_owned(), "bytes".to_owned())
    );
}
