use reqwest::{Method, StatusCode};
use serde_json::Value;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::media_type;

use crate::harness::{Registry, code, header, image, index, json_of};

#[tokio::test]
async fn a_manifest_is_served_as_it_was_pushed() {
    let registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let manifest = image(&[], None);
    let digest = Digest::sha256(manifest.to_string().as_bytes());
    let pushed = registry.put_manifest("a", "v1", &manifest).await;
    assert_eq!(
        (pushed.status(), header(&pushed, "location")),
        (StatusCode::CREATED, format!("/v2/a/manifests/{digest}"))
    );
    for reference in ["v1", &digest.to_string()] {
        let path = format!("/v2/a/manifests/{reference}");
        let head = registry.send(Method::HEAD, &path).await;
        assert_eq!(header(&head, "content-length"), manifest.to_string().len().to_string());
        let pulled = registry.get(&path).await;
        assert_eq!(header(&pulled, "docker-content-digest"), digest.to_string());
        assert_eq!(header(&pulled, "content-type"), media_type::OCI_MANIFEST);
        assert_eq!(header(&pulled, "docker-distribution-api-version"), "registry/2.0");
        let etag = header(&pulled, "etag");
        assert_eq!(pulled.text().await.unwrap(), manifest.to_string());
        let again = registry.request(Method::GET, &path).header("if-none-match", etag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
    let absent = registry.get("/v2/a/manifests/v2").await;
    assert_eq!((absent.status(), code(absent).await), (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn a_manifest_whose_blobs_are_missing_is_refused() {
    let registry = Registry::start().await;
    let refused = registry.put_manifest("a", "v1", &image(&[], None)).await;
    assert_eq!(
        (refused.status(), code(refused).await),
        (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN".to_owned())
    );
    let refused = registry.put_manifest("a", "v1", &index(&[Digest::sha256(b"x")])).await;
    assert_eq!(code(refused).await, "MANIFEST_BLOB_UNKNOWN");
}

/// CVE-2021-41190: the same bytes must not be an image to one client and an index to another.
#[tokio::test]
async fn cve_2021_41190_a_manifest_is_what_its_content_type_says() {
    let registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let mut both = image(&[], None);
    both["manifests"] = Value::Array(Vec::new());
    assert_eq!(code(registry.put_manifest("a", "v1", &both).await).await, "MANIFEST_INVALID");
    let request =
        registry.request(Method::PUT, "/v2/a/manifests/v1").header("content-type", media_type::OCI_INDEX);
    let refused = request.body(image(&[], None).to_string()).send().await.unwrap();
    assert_eq!(code(refused).await, "MANIFEST_INVALID");
}

#[tokio::test]
async fn a_manifest_of_more_than_4_mib_is_refused() {
    let registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let mut manifest = image(&[], None);
    let padding = (4 << 20) - manifest.to_string().len() - r#","annotations":{"p":""}"#.len();
    manifest["annotations"] = serde_json::json!({ "p": "x".repeat(padding) });
    assert_eq!(manifest.to_string().len(), 4 << 20);
    assert_eq!(registry.put_manifest("a", "v1", &manifest).await.status(), StatusCode::CREATED);
    manifest["annotations"] = serde_json::json!({ "p": "x".repeat(padding + 1) });
    assert_eq!(registry.put_manifest("a", "v1", &manifest).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_tag_moves_only_from_where_its_writer_saw_it() {
    let registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let conditional = async |name: &'static str, value: &str, manifest: Value| {
        let request = registry.request(Method::PUT, "/v2/a/manifests/t").header(name, value);
        let request = request.header("content-type", manifest["mediaType"].as_str().unwrap());
        request.body(manifest.to_string()).send().await.unwrap().status()
    };
    assert_eq!(conditional("if-match", "*", index(&[])).await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(conditional("if-none-match", "*", index(&[])).await, StatusCode::CREATED);
    assert_eq!(conditional("if-none-match", "*", index(&[])).await, StatusCode::PRECONDITION_FAILED);
    let etag = header(&registry.get("/v2/a/manifests/t").await, "etag");
    assert_eq!(conditional("if-match", "\"\u{e9}\"", image(&[], None)).await, StatusCode::BAD_REQUEST);
    assert_eq!(conditional("if-match", &etag, image(&[], None)).await, StatusCode::CREATED);
    assert_eq!(conditional("if-match", &etag, index(&[])).await, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn several_tags_and_sha512_are_pushed_at_once() {
    let registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let manifest = image(&[], None);
    let digest = Digest::of(DigestAlgorithm::Sha512, manifest.to_string().as_bytes());
    let pushed = registry.put_manifest("a", &format!("{digest}?tag=1&tag=1.2"), &manifest).await;
    assert_eq!((pushed.status(), header(&pushed, "oci-tag")), (StatusCode::CREATED, "1, 1.2".to_owned()));
    assert_eq!(
        header(&registry.get("/v2/a/manifests/1.2").await, "docker-content-digest"),
        digest.to_string()
    );
    let wrong = Digest::sha256(b"other");
    let refused = registry.put_manifest("a", &wrong.to_string(), &manifest).await;
    assert_eq!(code(refused).await, "DIGEST_INVALID");
}

#[tokio::test]
async fn tags_are_listed_in_pages_and_go_with_their_manifest() {
    let registry = Registry::start().await;
    assert_eq!(code(registry.get("/v2/a/tags/list").await).await, "NAME_UNKNOWN");
    for tag in ["b", "a", "C"] {
        registry.put_manifest("a", tag, &index(&[])).await;
    }
    let list = async |path: &str| {
        let response = registry.get(path).await;
        let link = header(&response, "link");
        (json_of(response).await["tags"].clone(), link)
    };
    assert_eq!(list("/v2/a/tags/list").await, (serde_json::json!(["C", "a", "b"]), String::new()));
    let (first, link) = list("/v2/a/tags/list?n=2").await;
    assert_eq!(
        (first, link.as_str()),
        (serde_json::json!(["C", "a"]), "</v2/a/tags/list?n=2&last=a>; rel=\"next\"")
    );
    assert_eq!(list("/v2/a/tags/list?n=2&last=a").await, (serde_json::json!(["b"]), String::new()));
    assert_eq!(list("/v2/a/tags/list?n=0").await, (serde_json::json!([]), String::new()));

    assert_eq!(registry.send(Method::DELETE, "/v2/a/manifests/b").await.status(), StatusCode::ACCEPTED);
    assert_eq!(list("/v2/a/tags/list").await.0, serde_json::json!(["C", "a"]));
    let path = format!("/v2/a/manifests/{}", Digest::sha256(index(&[]).to_string().as_bytes()));
    assert_eq!(registry.send(Method::DELETE, &path).await.status(), StatusCode::ACCEPTED);
    assert_eq!(list("/v2/a/tags/list").await.0, serde_json::json!([]));
    assert_eq!(registry.send(Method::DELETE, &path).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(registry.get("/v2/a/manifests/a").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn referrers_are_listed_before_and_after_their_subject_and_filtered() {
    let registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let subject = Digest::sha256(index(&[]).to_string().as_bytes());
    let mut signature = image(&[], Some(subject));
    signature["artifactType"] = "application/x.signature+json".into();
    signature["annotations"] = serde_json::json!({"by": "me"});
    let digest = Digest::sha256(signature.to_string().as_bytes());
    let pushed = registry.put_manifest("a", &digest.to_string(), &signature).await;
    assert_eq!(header(&pushed, "oci-subject"), subject.to_string());
    let plain = registry.push_manifest("a", &image(&[], Some(subject))).await;
    registry.push_manifest("a", &index(&[])).await;

    let list = async |query: &str| {
        let response = registry.get(&format!("/v2/a/referrers/{subject}{query}")).await;
        assert_eq!(header(&response, "content-type"), media_type::OCI_INDEX);
        let filters = header(&response, "oci-filters-applied");
        (json_of(response).await["manifests"].as_array().unwrap().clone(), filters)
    };
    assert_eq!(list("").await.0.len(), 2);
    for encoded in ["application/x.signature+json", "application%2Fx.signature%2Bjson"] {
        let (found, filters) = list(&format!("?artifactType={encoded}")).await;
        assert_eq!((found.len(), filters.as_str()), (1, "artifactType"));
        assert_eq!(found[0]["digest"], digest.to_string());
        assert_eq!(found[0]["annotations"]["by"], "me");
    }
    let (by_config, _) = list(&format!("?artifactType={}", media_type::OCI_EMPTY)).await;
    assert_eq!(by_config[0]["digest"], plain.to_string());

    registry.send(Method::DELETE, &format!("/v2/a/manifests/{digest}")).await;
    assert_eq!(list("").await.0.len(), 1);
    assert_eq!(registry.get("/v2/a/referrers/sha256:zz").await.status(), StatusCode::BAD_REQUEST);
}
