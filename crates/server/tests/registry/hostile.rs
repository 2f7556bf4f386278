use std::time::Duration;

use reqwest::{Method, StatusCode};
use signet_crypto::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Registry, code, header, index, until};

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let registry = Registry::start_with(|config, _| config.limits.idle = Duration::from_millis(200)).await;
    for said in [
        "",
        "GET /v2/ HT",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: localhost\r\ncontent-type: x\r\ncontent-length: 9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(registry.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "still open after {said:?}");
    }
}

#[tokio::test]
async fn an_upload_larger_than_allowed_is_refused() {
    let registry = Registry::start_with(|config, _| config.limits.store.blob_bytes = 10).await;
    let location = registry.start_upload("a").await;
    let pushed = registry.request(Method::PATCH, &location).body("eleven byte").send().await.unwrap();
    assert_eq!(
        (pushed.status(), code(pushed).await),
        (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID".to_owned())
    );
    registry.push_blob("a", b"ten bytes!").await;
}

#[tokio::test]
async fn uploads_are_bounded_in_number() {
    let registry = Registry::start_with(|config, _| config.limits.store.uploads = 1).await;
    registry.start_upload("a").await;
    let second = registry.send(Method::POST, "/v2/a/blobs/uploads/").await;
    assert_eq!(
        (second.status(), header(&second, "retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, "10".to_owned())
    );
}

/// 997 bare POSTs of who may push to one repository had stopped all pushes for a day.
#[tokio::test]
async fn one_repositorys_pusher_does_not_stop_the_pushes_of_others() {
    let registry = Registry::start_with(|config, _| config.limits.store.uploads = 8).await;
    for _ in 0..4 {
        registry.start_upload("flooded").await;
    }
    let more = registry.send(Method::POST, "/v2/flooded/blobs/uploads/").await;
    assert_eq!(more.status(), StatusCode::TOO_MANY_REQUESTS);
    let location = registry.start_upload("other").await;
    let digest = Digest::sha256(b"content");
    let pushed = registry.request(Method::PUT, &format!("{location}?digest={digest}")).body("content");
    assert_eq!(pushed.send().await.unwrap().status(), StatusCode::CREATED);
}

/// Eight PUTs that sent a byte each had stopped the pushes of all manifests for a minute, and others then for the next.
#[tokio::test]
async fn manifests_that_come_slowly_keep_nobody_else_waiting() {
    let registry = Registry::start().await;
    let mut slow = Vec::new();
    for came in [1, 20_000] {
        for number in 0..10 {
            let mut stream = TcpStream::connect(registry.address).await.unwrap();
            let head = format!(
                "PUT /v2/slow/manifests/{number} HTTP/1.1\r\nhost: localhost\r\ncontent-type: x\r\n\
                 content-length: 30000\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![b' '; came]).await.unwrap();
            slow.push(stream);
        }
    }
    for large in [0, 20_000] {
        let mut manifest = index(&[]);
        manifest["annotations"] = serde_json::json!({"filled": " ".repeat(large)});
        let pushing = registry.push_manifest("quick", &manifest);
        let pushed = tokio::time::timeout(Duration::from_secs(30), pushing).await;
        assert!(pushed.is_ok(), "a manifest with {large} bytes waited for those of another repository");
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let registry = Registry::start_with(|config, _| config.limits.connections = 1).await;
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    };
    let mut first = TcpStream::connect(registry.address).await.unwrap();
    ask(&mut first).await;
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = TcpStream::connect(registry.address).await.unwrap();
    ask(&mut second).await;
    let early = tokio::time::timeout(Duration::from_millis(300), second.read_exact(&mut answer)).await;
    assert!(early.is_err(), "it was served beside the first one");
    drop(first);
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// 256 connections that sent half a header had kept everybody out for a quarter of a minute, before anybody logged in.
#[tokio::test]
async fn half_open_connections_have_less_time_where_there_are_many() {
    let registry = Registry::start_with(|config, _| config.limits.connections = 4).await;
    let mut half_open = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(registry.address).await.unwrap();
        stream.write_all(b"GET /v2/ HT").await.unwrap();
        half_open.push(stream);
    }
    assert_eq!(registry.get("/v2/").await.status(), StatusCode::OK);
    let mut first = half_open.swap_remove(0);
    let early = tokio::time::timeout(Duration::from_millis(100), first.read_u8()).await;
    assert!(early.is_err(), "who came while there was room still has its time");
}

#[tokio::test]
async fn no_request_leaves_the_repositories() {
    let registry = Registry::start().await;
    std::fs::write(registry.data.path().join("secret"), "secret").unwrap();
    for path in ["../secret", "a/../../secret", "%2e%2e/secret", "a/_tags", "a//b"] {
        let mut stream = TcpStream::connect(registry.address).await.unwrap();
        let request =
            format!("GET /v2/{path}/manifests/v1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
        assert!(answer.contains("NAME_INVALID"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_refused() {
    let registry = Registry::start().await;
    let asked = registry.send(Method::POST, "/v2/a/tags/list").await;
    assert_eq!(
        (asked.status(), code(asked).await),
        (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED".to_owned())
    );
    let asked = registry.get("/").await;
    assert_eq!(asked.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn requests_under_way_end_when_it_stops_and_what_it_acknowledged_is_there_again() {
    let mut registry = Registry::start().await;
    let (body, sender) = slow_body();
    let digest = Digest::sha256(b"first half, second half");
    let request = registry.request(Method::POST, &format!("/v2/a/blobs/uploads/?digest={digest}")).body(body);
    let pushing = tokio::spawn(request.send());
    sender.send("first half").await.unwrap();
    // The upload's file appears when the registry has the request.
    let uploads = registry.data.path().join("data/repositories/a/_uploads");
    let has_begun = async || std::fs::read_dir(&uploads).is_ok_and(|mut entries| entries.next().is_some());
    until("the upload has begun", has_begun).await;
    let finish = async {
        sender.send(", second half").await.unwrap();
        drop(sender);
        pushing.await.unwrap().unwrap().status()
    };
    let (status, ()) = tokio::join!(finish, registry.stop());
    assert_eq!(status, StatusCode::CREATED);
    assert!(registry.client.get(&registry.url).send().await.is_err(), "nothing listens any more");

    let data = registry.data.path().join("data");
    let again = Registry::start_with(|config, _| config.data = data).await;
    assert_eq!(
        again.get(&format!("/v2/a/blobs/{digest}")).await.text().await.unwrap(),
        "first half, second half"
    );
}

fn slow_body() -> (reqwest::Body, tokio::sync::mpsc::Sender<&'static str>) {
    let (sender, receiver) = tokio::sync::mpsc::channel::<&'static str>(1);
    let chunks = futures_util::stream::unfold(receiver, async |mut receiver| {
        let chunk = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(chunk), receiver))
    });
    (reqwest::Body::wrap_stream(chunks), sender)
}
