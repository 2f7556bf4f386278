use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use signet_crypto::Digest;
use signet_server::registry::GarbageCollection;

use crate::harness::{Registry, code, image, until};

fn content(registry: &Registry, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    registry.data.path().join("data/blobs/sha256").join(&hex[..2]).join(hex)
}

#[tokio::test]
async fn a_lost_blob_is_asked_for_by_who_pushes_and_reported_to_who_pulls() {
    let registry = Registry::start().await;
    let digest = registry.push_blob("a", b"layer").await;
    let path = format!("/v2/a/blobs/{digest}");
    std::fs::remove_file(content(&registry, &digest)).unwrap();
    assert_eq!(registry.send(Method::HEAD, &path).await.status(), StatusCode::NOT_FOUND);
    let pulled = registry.get(&path).await;
    assert_eq!(pulled.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(pulled.text().await.unwrap().contains("is damaged"));
    registry.push_blob("a", b"layer").await;
    assert_eq!(registry.get(&path).await.text().await.unwrap(), "layer");
}

#[tokio::test]
async fn a_damaged_manifest_is_not_served_and_not_called_absent() {
    let mut registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let digest = registry.push_manifest("a", &image(&[], None)).await;
    registry.stop().await;
    let other = image(&[], Some(digest)).to_string();
    std::fs::write(content(&registry, &digest), other).unwrap();

    let data = registry.data.path().join("data");
    let again = Registry::start_with(|config, _| config.data = data).await;
    let pulled = again.get(&format!("/v2/a/manifests/{digest}")).await;
    assert_eq!(
        (pulled.status(), code(pulled).await),
        (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN".to_owned())
    );
    again.push_manifest("a", &image(&[], None)).await;
    assert_eq!(again.get(&format!("/v2/a/manifests/{digest}")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn garbage_is_collected_while_it_runs() {
    let often = GarbageCollection { every: Duration::from_millis(20), grace: Duration::ZERO };
    let registry = Registry::start_with(|config, _| config.garbage = Some(often)).await;
    let orphan = registry.push_blob("a", b"orphan").await;
    registry.until(&format!("/v2/a/blobs/{orphan}"), StatusCode::NOT_FOUND).await;
    until("the orphan's content is removed", async || !content(&registry, &orphan).exists()).await;
    // Collected between its blob and its manifest it is refused, not broken; then it stays.
    let pushed = async || {
        registry.push_blob("a", b"{}").await;
        registry.put_manifest("a", "v1", &image(&[], None)).await.status() == StatusCode::CREATED
    };
    until("a push comes between two collections", pushed).await;
    let later = registry.push_blob("a", b"a later orphan").await;
    registry.until(&format!("/v2/a/blobs/{later}"), StatusCode::NOT_FOUND).await;
    assert_eq!(registry.get("/v2/a/manifests/v1").await.status(), StatusCode::OK);
    let config = Digest::sha256(b"{}");
    assert_eq!(registry.get(&format!("/v2/a/blobs/{config}")).await.text().await.unwrap(), "{}");
}
