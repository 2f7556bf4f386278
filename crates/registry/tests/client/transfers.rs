//! Blobs that break off on their way from a registry.

use std::time::Duration;

use signet_formats::oci::Descriptor;
use signet_registry::Error;

use crate::double::{Double, Reply, client};

/// The content broke off twice on its way: what had come was not asked for again, by registries that know parts and by
/// those that do not.
#[tokio::test]
async fn a_blob_whose_transfer_breaks_off_goes_on_where_it_was() {
    const CONTENT: &str = "0123456789";
    for knows_parts in [true, false] {
        let server = Double::start(move |request| {
            let stated = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
            let start = stated.filter(|_| knows_parts).map_or(0, |start| start.parse::<usize>().unwrap());
            let end = if stated == Some("6") { 10 } else { stated.map_or(3, |_| 6) };
            let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {start}-9/10\r\nConnection: close\r\n\r\n",
                10 - start
            );
            Reply::wire(head + &CONTENT[start..end], "", Duration::ZERO)
        })
        .await;
        let blob = Descriptor::of("t", CONTENT.as_bytes());
        let stream = client().blob_stream(&server.repository(), &blob).await.unwrap();
        assert_eq!(stream.collect_bytes(100).await, Ok(CONTENT.into()), "{knows_parts}");
        let asked: Vec<_> =
            server.seen().iter().map(|request| request.header("range").map(str::to_owned)).collect();
        assert_eq!(asked, [None, Some("bytes=3-".to_owned()), Some("bytes=6-".to_owned())]);
    }
}

#[tokio::test]
async fn another_part_than_was_asked_for_is_refused() {
    let server = Double::start(|request| {
        let status = if request.header("range").is_some() { "206 X" } else { "200 X" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: 10\r\nContent-Range: bytes 2-9/10\r\nConnection: close\r\n\r\n"
        );
        Reply::wire(head + "012", "", Duration::ZERO)
    })
    .await;
    let blob = Descriptor::of("t", b"0123456789");
    let stream = client().blob_stream(&server.repository(), &blob).await.unwrap();
    let read = stream.collect_bytes(100).await;
    assert!(matches!(read, Err(Error::Malformed { .. })), "{read:?}");
}
