use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use signet_crypto::Digest;
use signet_server::registry::GarbageCollection;

use crate::harness::{Registry, code, image, json_of, until};

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
    let told = json_of(pulled).await;
    let error = &told["errors"][0];
    assert!(error["message"].as_str().unwrap().contains("is damaged"), "{told}");
    assert_eq!(error["detail"]["code"], "SGN-4004");
    assert!(error["detail"]["hint"].as_str().unwrap().contains("push it again"), "{told}");
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

/// A damaged `.sig` tag had been answered 404, so what was signed passed for unsigned.
#[tokio::test]
async fn a_damaged_tag_is_not_called_absent_and_a_push_heals_it() {
    let mut registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let manifest = image(&[], None);
    for tag in ["sha256-0.sig", "v1"] {
        assert_eq!(registry.put_manifest("a", tag, &manifest).await.status(), StatusCode::CREATED);
    }
    registry.stop().await;
    let data = registry.data.path().join("data");
    std::fs::write(data.join("repositories/a/_tags/sha256-0.sig"), "sha256:44136f").unwrap();

    let again = Registry::start_with(|config, _| config.data = data).await;
    let path = "/v2/a/manifests/sha256-0.sig";
    let pulled = again.get(path).await;
    assert_eq!(pulled.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(json_of(pulled).await["errors"][0]["detail"]["code"], "SGN-4004");
    assert_eq!(again.get("/v2/a/manifests/v1").await.status(), StatusCode::OK);
    assert_eq!(again.put_manifest("a", "sha256-0.sig", &manifest).await.status(), StatusCode::CREATED);
    assert_eq!(again.get(path).await.status(), StatusCode::OK);
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
