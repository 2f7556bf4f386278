//! Uploads that fail, and what the registry is told of them.

use std::sync::Arc;
use std::time::Duration;

use signet_formats::oci::Descriptor;
use signet_registry::{BlobStream, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::double::{Double, Reply, Request, client};

const LOCATION: &str = "/v2/app/blobs/uploads/1?state=2";
const REFUSED_BY_HEAD: usize = 8 << 20;

/// A registry that begins uploads and answers the content of each with `put`.
async fn registry(put: impl Fn() -> Reply + Send + Sync + 'static) -> Double {
    Double::start(move |request| match request.method.as_str() {
        "POST" => Reply::new(202, "").with("Location", LOCATION),
        "PUT" => put(),
        "DELETE" => Reply::new(204, ""),
        _ => Reply::new(404, ""),
    })
    .await
}

fn cancelled(server: &Double) -> Vec<String> {
    let seen: Vec<Request> = server.seen();
    seen.into_iter().filter(|request| request.method == "DELETE").map(|request| request.target).collect()
}

#[tokio::test]
async fn an_upload_that_fails_is_cancelled_at_the_registry() {
    let server = registry(|| Reply::new(403, "")).await;
    let outcome = client().push_bytes(&server.repository(), "t", bytes(100_000).into()).await;
    assert!(matches!(outcome, Err(Error::Forbidden { .. })), "{outcome:?}");
    assert_eq!(cancelled(&server), [LOCATION]);
}

#[tokio::test]
async fn an_upload_whose_source_fails_is_cancelled_and_one_that_succeeds_is_not() {
    let server = registry(|| Reply::new(201, "")).await;
    let (blob, client) = (Descriptor::of("t", b"content"), client());
    let lost = || async { Err(Error::NotFound { what: "the source".to_owned() }) };
    let outcome = client.push_blob(&server.repository(), &blob, None, lost).await;
    assert!(matches!(outcome, Err(Error::NotFound { .. })), "{outcome:?}");
    assert_eq!(cancelled(&server), [LOCATION]);
    let open = || async { Ok(BlobStream::of_bytes(&blob, "content".into())) };
    client.push_blob(&server.repository(), &blob, None, open).await.unwrap();
    assert_eq!(cancelled(&server).len(), 1);
}

/// As Ctrl-C does it.
#[tokio::test]
async fn an_upload_that_is_dropped_half_way_is_cancelled() {
    let never = Arc::new(Notify::new());
    let server = registry(move || Reply::new(201, "").held(&never)).await;
    let (client, repository) = (client(), server.repository());
    let content = bytes(100_000);
    let pushing = tokio::spawn(async move { client.push_bytes(&repository, "t", content.into()).await });
    until(|| server.seen().iter().any(|request| request.method == "PUT")).await;
    pushing.abort();
    until(|| cancelled(&server) == [LOCATION]).await;
}

/// Of a blob that a full registry refused there was "a broken pipe" to be read, after four times the sending.
#[tokio::test]
async fn a_refusal_that_broke_off_who_sent_is_read_the_next_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let repository = format!("{}/app", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(refuse_in_a_hurry(stream));
        }
    });
    // By the head of the request, and in the midst of the content: that breaks off most, and not all.
    for size in [REFUSED_BY_HEAD, 32 << 20, 32 << 20, 32 << 20] {
        let outcome = client().push_bytes(&repository, "t", bytes(size).into()).await;
        assert!(matches!(&outcome, Err(Error::Server { status: 507, .. })), "{size}: {outcome:?}");
        assert!(outcome.unwrap_err().to_string().ends_with(": the disk is full"));
    }
    server.abort();
}

/// Begins an upload. Of content of this one size it takes nothing, and closes at once on who sends any; of other content
/// it takes some, and closes at once as well.
async fn refuse_in_a_hurry(mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let answer = match head.split_once(' ') {
        Some(("POST", _)) => format!("202 X\r\nLocation: {LOCATION}\r\nContent-Length: 0\r\n\r\n"),
        Some(("PUT", rest)) => {
            if rest.contains(&format!("content-length: {REFUSED_BY_HEAD}\r\n")) {
                if tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await.is_ok() {
                    return;
                }
            } else {
                stream.read_exact(&mut bytes(1 << 20)).await.unwrap();
            }
            let told = r#"{"errors":[{"message":"the disk is full"}]}"#;
            format!("507 X\r\nContent-Length: {}\r\n\r\n{told}", told.len())
        }
        _ => "404 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
}

fn bytes(size: usize) -> Vec<u8> {
    vec![7; size]
}

async fn until(is_so: impl Fn() -> bool) {
    let asking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), asking).await.is_ok(), "it never was so");
}
