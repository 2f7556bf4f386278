//! Memory: what is carried is not held, and what is endless is not read.

use std::time::Duration;

use signet_crypto::{DigestAlgorithm, Hasher};
use signet_formats::oci::{Descriptor, media_type};
use signet_registry::{Client, CopyOptions, Location, Options, copy};

use crate::child;
use crate::double::{Double, Reply, client};
use crate::served::Served;

/// What a process of this test may hold; the test binary itself takes about 10 MiB.
const MOST: u64 = 32 << 20;

fn assert_bounded(told: &str) {
    let (outcome, peak) = told.split_once(" peak ").unwrap();
    assert_eq!(outcome, "as it should be");
    match peak.parse::<u64>() {
        Ok(peak) => assert!(peak < MOST, "{peak} bytes"),
        Err(_) => println!("skipped: needs /proc"),
    }
}

fn tell(outcome: &str) {
    let peak = child::peak_memory().map_or("unknown".to_owned(), |peak| peak.to_string());
    child::tell(&format!("{outcome} peak {peak}"));
}

#[tokio::test]
async fn a_large_blob_is_carried_in_little_memory() {
    const NAME: &str = "memory::a_large_blob_is_carried_in_little_memory";
    const SIZE: usize = 256 << 20;
    if let Some(argument) = child::argument() {
        let client = Client::new(Options::default());
        let places: Vec<Location> = argument.split(' ').map(|place| place.parse().unwrap()).collect();
        for hop in places.windows(2) {
            let (source, target) = (hop[0].source(&client).unwrap(), hop[1].target(&client).unwrap());
            let report = copy(&source, &target, &CopyOptions::default(), &|_| {}).await.unwrap();
            assert_eq!(report.bytes_sent, SIZE as u64 + 2);
        }
        return tell("as it should be");
    }
    let piece = vec![0xA5; 1 << 20];
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    (0..SIZE / piece.len()).for_each(|_| hasher.update(&piece));
    let layer = Descriptor::new("application/vnd.oci.image.layer.v1.tar", hasher.finish(), SIZE as u64);
    let config = Descriptor::of(media_type::OCI_EMPTY, b"{}");
    let image = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": [layer],
    });
    let (layer, config) = (layer.digest.to_string(), config.digest.to_string());
    let server = Double::start(move |request| {
        let name = request.target.rsplit_once('/').unwrap().1;
        match name {
            "v1" => Reply::new(200, image.to_string()),
            _ if name == config => Reply::new(200, "{}"),
            // It has no end of its own: the client stops where the descriptor says.
            _ if name == layer => {
                let head = format!("HTTP/1.1 200 X\r\nContent-Length: {SIZE}\r\n\r\n");
                Reply::wire(head, piece.clone(), Duration::ZERO)
            }
            _ => Reply::new(404, ""),
        }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let (layout, registry) = (directory.path().join("layout"), Served::start().await);
    let argument = format!("{}/app:v1 oci:{}:v1 {}/app:v1", server.host, layout.display(), registry.host);
    assert_bounded(&child::run(NAME, &argument, &[]).await);
    registry.stop().await;
}

/// What each of these hosts sends has no end; see the table in `limits.rs`.
#[tokio::test]
async fn what_is_endless_is_refused_in_little_memory() {
    const NAME: &str = "memory::what_is_endless_is_refused_in_little_memory";
    if let Some(argument) = child::argument() {
        for host in argument.split(' ') {
            let (repository, client) = (format!("{host}/app").parse().unwrap(), client());
            let blob = Descriptor::of("t", &[0; 4096]);
            let read = client.blob_bytes(&repository, &blob, 1 << 20).await.map(|_| ());
            let resolved = client.resolve(&format!("{host}/app:v1").parse().unwrap()).await.map(|_| ());
            let listed = client.referrers(&repository, &blob.digest).await.map(|_| ());
            if [&read, &resolved, &listed].iter().any(|outcome| outcome.is_ok()) {
                return tell(&format!("{host}: {read:?} {resolved:?} {listed:?}"));
            }
        }
        return tell("as it should be");
    }
    let zeros = || vec![0; 1 << 16];
    let endless = [
        Double::start(|_| Reply::endless()).await,
        Double::start(|_| Reply::endless_with(403)).await,
        Double::start(|_| Reply::endless_with(500)).await,
        Double::start(move |_| {
            let head = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n";
            Reply::wire(head, zeros(), Duration::ZERO)
        })
        .await,
        Double::start(|_| Reply::wire("HTTP/1.1 200 X\r\n", b"X-Flood: 1\r\n".repeat(4096), Duration::ZERO))
            .await,
        Double::start(|_| Reply::wire("HTTP/1.1 200 X\r\nX-Flood: ", vec![b'x'; 1 << 16], Duration::ZERO))
            .await,
    ];
    let hosts: Vec<_> = endless.iter().map(|server| server.host.clone()).collect();
    assert_bounded(&child::run(NAME, &hosts.join(" "), &[]).await);
}
