use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use signet_crypto::Digest;
use signet_formats::oci::{MAX_EVIDENCE_BYTES, media_type};
use signet_server::registry::{Principal, PullGate, Refusal};
use signet_store::RepositoryName;

use crate::harness::{Registry, code, header, image, index, json_of};

/// What a registry may take for a signature.
const SIGNATURE: &[u8] = b"{\"mediaType\": \"of a signature\"}";

/// Permits one manifest.
pub(crate) struct Only(pub(crate) Digest);

#[async_trait]
impl PullGate for Only {
    async fn permit(&self, _: &RepositoryName, manifest: &Digest, _: &Principal) -> Result<(), Refusal> {
        let text = |text: &str| text.to_owned();
        let refusal =
            Refusal { code: text("SGN-0001"), message: text("it is not signed"), hint: text("sign it") };
        if *manifest == self.0 { Ok(()) } else { Err(refusal) }
    }
}

#[tokio::test]
async fn a_gate_refuses_images_but_serves_evidence_and_the_children_of_what_it_permits() {
    let (layer, signature) = (Digest::sha256(b"layer"), Digest::sha256(SIGNATURE));
    let child = image(&[(media_type::OCI_LAYER_TAR, layer)], None);
    let child_digest = Digest::sha256(child.to_string().as_bytes());
    let permitted = Digest::sha256(index(&[child_digest]).to_string().as_bytes());
    let mut registry = Registry::gated(Only(permitted)).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    registry.push_blob("team/app", b"layer").await;
    registry.push_blob("team/app", SIGNATURE).await;
    registry.push_manifest("team/app", &child).await;
    registry.push_manifest("team/app", &index(&[child_digest])).await;
    let evidence = image(&[(media_type::SIGSTORE_BUNDLE, signature)], Some(permitted));
    let evidence = registry.push_manifest("team/app", &evidence).await;
    // An image does not become evidence by having a subject, or by standing beside evidence.
    let disguised = image(&[(media_type::OCI_LAYER_TAR_GZIP, layer)], Some(permitted));
    let disguised = registry.push_manifest("team/app", &disguised).await;
    let mixed = registry.push_manifest("team/app", &index(&[evidence, disguised])).await;
    let listed = registry.push_manifest("team/app", &index(&[evidence])).await;
    let nested = registry.push_manifest("team/app", &index(&[evidence, listed])).await;
    let empty = registry.push_manifest("team/app", &index(&[])).await;
    let hollow = registry.push_manifest("team/app", &index(&[evidence, empty])).await;
    let hidden = registry.push_manifest("team/app", &index(&[listed, mixed])).await;

    let pull = async |registry: &Registry, digest: Digest| {
        registry.get(&format!("/v2/team/app/manifests/{digest}")).await
    };
    for digest in [permitted, child_digest, evidence, disguised, mixed, listed, nested, hollow, hidden] {
        assert_eq!(pull(&registry, digest).await.status(), StatusCode::OK, "who may push may read");
    }
    registry.log_in("dev", "dev-password");
    for digest in [permitted, child_digest, evidence, listed, nested] {
        assert_eq!(pull(&registry, digest).await.status(), StatusCode::OK, "{digest}");
    }
    for digest in [disguised, mixed, hollow, hidden] {
        let refused = pull(&registry, digest).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        let error = json_of(refused).await["errors"][0].clone();
        assert_eq!(error["code"], "DENIED");
        assert_eq!(error["detail"], serde_json::json!({"code": "SGN-0001", "hint": "sign it"}));
    }
}

/// Engines unpack a layer of a type that they do not know: podman ran an image from a layer called an envelope.
#[tokio::test]
async fn an_image_whose_layers_are_called_evidence_is_refused() {
    let mut registry = Registry::gated(Only(Digest::sha256(b"none"))).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    let gzip = registry.push_blob("team/app", b"\x1f\x8b\x08 a layer").await;
    let signature = registry.push_blob("team/app", SIGNATURE).await;
    let mut refused = Vec::new();
    let types =
        [media_type::DSSE_ENVELOPE, media_type::SIGSTORE_BUNDLE, "application/jose+json", "application/cose"];
    for disguise in types {
        let layers = [(media_type::SIGSTORE_BUNDLE, signature), (disguise, gzip)];
        refused.push(registry.push_manifest("team/app", &image(&layers, None)).await);
        refused.push(registry.push_manifest("team/app", &image(&[(disguise, gzip)], None)).await);
    }
    let evidence = registry.push_manifest("team/app", &image(&[(types[0], signature)], None)).await;
    refused.push(registry.push_manifest("team/app", &index(&[evidence, refused[0]])).await);
    registry.log_in("dev", "dev-password");
    let served = registry.get(&format!("/v2/team/app/manifests/{evidence}")).await;
    assert_eq!(served.status(), StatusCode::OK);
    for digest in refused {
        refuses_saying(registry.get(&format!("/v2/team/app/manifests/{digest}")).await, "not signed").await;
    }
}

/// The engine that ran it had read `Layers`, the gate `layers`.
#[tokio::test]
async fn a_manifest_with_two_meanings_is_not_taken() {
    let registry = Registry::start().await;
    registry.push_blob("a", b"{}").await;
    let layer = registry.push_blob("a", b"a layer").await;
    let signature = registry.push_blob("a", SIGNATURE).await;
    let mut manifest = image(&[(media_type::DSSE_ENVELOPE, signature)], None);
    manifest["Layers"] = image(&[(media_type::OCI_LAYER_TAR, layer)], None)["layers"].clone();
    let pushed = registry.put_manifest("a", "1", &manifest).await;
    assert_eq!(
        (pushed.status(), code(pushed).await),
        (StatusCode::BAD_REQUEST, "MANIFEST_INVALID".to_owned())
    );
}

/// A tar whose first name begins like an envelope. Go reads its checksum, other readers of tar do not.
fn tar_called_envelope() -> Vec<u8> {
    let mut tar = vec![0; 1_536];
    tar[..12].copy_from_slice(b"{\"payload\":\"");
    tar[100..148].copy_from_slice(b"0000755\x000000000\x000000000\x0000000000000\x0000000000000\0");
    tar[148..156].fill(b' ');
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0x").as_bytes());
    tar
}

/// Alice, who may pull, ran unsigned code with podman. So did who wrote the header of an old tar into the text itself.
#[tokio::test]
async fn a_layer_is_evidence_wholly_or_not_at_all() {
    let mut registry = Registry::gated(Only(Digest::sha256(b"none"))).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    let long = format!("{{\"payload\": \"{}\"}}", "A".repeat(200_000));
    let contents = [
        (tar_called_envelope(), StatusCode::FORBIDDEN),
        ([SIGNATURE, &[0]].concat(), StatusCode::FORBIDDEN),
        ([long.as_bytes(), b"{"].concat(), StatusCode::FORBIDDEN),
        (long.into_bytes(), StatusCode::OK),
    ];
    for (content, status) in contents {
        registry.log_in("ci", "ci-password");
        let layer = registry.push_blob("team/app", &content).await;
        let manifest =
            registry.push_manifest("team/app", &image(&[(media_type::DSSE_ENVELOPE, layer)], None)).await;
        registry.log_in("dev", "dev-password");
        for _ in 0..2 {
            let pulled = registry.get(&format!("/v2/team/app/manifests/{manifest}")).await;
            assert_eq!(pulled.status(), status, "{}", content.len());
        }
    }
}

#[tokio::test]
async fn the_bytes_of_a_signature_that_is_served_undecided_are_bounded() {
    let mut registry = Registry::gated(Only(Digest::sha256(b"none"))).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    let document = |size: usize| format!("{{\"a\":\"{}\"}}", "A".repeat(size - 8));
    let largest = registry.push_blob("team/app", document(MAX_EVIDENCE_BYTES).as_bytes()).await;
    let larger = registry.push_blob("team/app", document(MAX_EVIDENCE_BYTES + 1).as_bytes()).await;
    for (layer, count, status) in [
        (largest, 4, StatusCode::OK),
        (largest, 5, StatusCode::FORBIDDEN),
        (larger, 1, StatusCode::FORBIDDEN),
    ] {
        registry.log_in("ci", "ci-password");
        let layers = vec![(media_type::SIGSTORE_BUNDLE, layer); count];
        let manifest = registry.push_manifest("team/app", &image(&layers, None)).await;
        registry.log_in("dev", "dev-password");
        let pulled = registry.get(&format!("/v2/team/app/manifests/{manifest}")).await;
        assert_eq!(pulled.status(), status, "{count} layers");
    }
}

#[tokio::test]
async fn a_signature_of_too_many_layers_is_decided_like_an_image() {
    let mut registry = Registry::gated(Only(Digest::sha256(b"none"))).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    let signature = registry.push_blob("team/app", SIGNATURE).await;
    for (count, status) in [(4_096, StatusCode::OK), (4_097, StatusCode::FORBIDDEN)] {
        registry.log_in("ci", "ci-password");
        let layers = vec![(media_type::SIMPLE_SIGNING, signature); count];
        let manifest = registry.push_manifest("team/app", &image(&layers, None)).await;
        registry.log_in("dev", "dev-password");
        let pulled = registry.get(&format!("/v2/team/app/manifests/{manifest}")).await;
        assert_eq!(pulled.status(), status, "{count} layers");
    }
}

/// Indexes of an index …, each of the one before, above an image; the image first.
async fn push_tower(registry: &Registry, height: usize) -> Vec<Digest> {
    registry.push_blob("team/app", b"{}").await;
    let mut tower = vec![registry.push_manifest("team/app", &image(&[], None)).await];
    for below in 0..height {
        tower.push(registry.push_manifest("team/app", &index(&[tower[below]])).await);
    }
    tower
}

/// The digests of a tower above the same image, which needs no registry.
fn tower_digest(height: usize) -> Digest {
    let digest = |manifest: serde_json::Value| Digest::sha256(manifest.to_string().as_bytes());
    (0..height).fold(digest(image(&[], None)), |below, _| digest(index(&[below])))
}

#[tokio::test]
async fn what_a_permitted_index_holds_through_others_is_served_to_a_bound() {
    let mut registry = Registry::gated(Only(tower_digest(17))).await;
    registry.log_in("ci", "ci-password");
    let tower = push_tower(&registry, 18).await;
    registry.log_in("dev", "dev-password");
    for digest in &tower[1..=17] {
        let pulled = registry.get(&format!("/v2/team/app/manifests/{digest}")).await;
        assert_eq!(pulled.status(), StatusCode::OK, "{digest}");
    }
    let above = registry.get(&format!("/v2/team/app/manifests/{}", tower[18])).await;
    assert_eq!(
        above.status(),
        StatusCode::FORBIDDEN,
        "what holds something permitted is not permitted by it"
    );
    let too_deep = registry.get(&format!("/v2/team/app/manifests/{}", tower[0])).await;
    refuses_saying(too_deep, "manifests within manifests: more than 16").await;
}

/// Who can write the data directory gains nothing by saying that a permitted index holds an image.
#[tokio::test]
async fn what_an_index_holds_is_read_in_the_index() {
    let permitted = Digest::sha256(index(&[]).to_string().as_bytes());
    let mut registry = Registry::gated(Only(permitted)).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    let unsigned = registry.push_manifest("team/app", &image(&[], None)).await;
    registry.push_manifest("team/app", &index(&[])).await;
    let file = |digest: Digest| digest.to_string().replace(':', "-");
    let list = registry.data.path().join("data/repositories/team/app/_indexes").join(file(unsigned));
    std::fs::create_dir_all(&list).unwrap();
    std::fs::write(list.join(file(permitted)), "").unwrap();
    registry.log_in("dev", "dev-password");
    let pulled = registry.get(&format!("/v2/team/app/manifests/{unsigned}")).await;
    refuses_saying(pulled, "it is not signed").await;
}

#[tokio::test]
async fn a_permitted_index_is_looked_for_among_a_hundred() {
    let mut registry = Registry::gated(Only(Digest::sha256(b"none"))).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    let held = registry.push_manifest("team/app", &image(&[], None)).await;
    let path = format!("/v2/team/app/manifests/{held}");
    for (count, said) in [(100, "it is not signed"), (101, "more than 100")] {
        registry.log_in("ci", "ci-password");
        for number in 0..count {
            let mut holder = index(&[held]);
            holder["annotations"] = serde_json::json!({"number": number.to_string()});
            registry.push_manifest("team/app", &holder).await;
        }
        registry.log_in("dev", "dev-password");
        refuses_saying(registry.get(&path).await, said).await;
    }
}

async fn refuses_saying(response: reqwest::Response, words: &str) {
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let error = json_of(response).await["errors"][0].clone();
    assert_eq!(error["detail"]["code"], "SGN-0001", "{error}");
    assert!(error["message"].as_str().unwrap().contains(words), "{error}");
}

/// The content of a refused image can be fetched by whoever knows its digests (docs/decisions/0006), the
/// image itself cannot: there is no other way to its manifest.
#[tokio::test]
async fn a_refused_manifest_is_not_had_another_way() {
    let mut registry = Registry::gated(Only(Digest::sha256(b"none"))).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    let refused = image(&[], None);
    let digest = registry.push_manifest("team/app", &refused).await;
    assert_eq!(registry.put_manifest("team/app", "v1", &refused).await.status(), StatusCode::CREATED);
    registry.log_in("dev", "dev-password");
    for reference in ["v1", &digest.to_string()] {
        let path = format!("/v2/team/app/manifests/{reference}");
        for method in [Method::GET, Method::HEAD] {
            let asked = registry.send(method, &path).await;
            assert_eq!(asked.status(), StatusCode::FORBIDDEN, "{path}");
            assert_eq!(header(&asked, "docker-content-digest"), "", "{path}");
        }
        let known = registry.request(Method::GET, &path).header("if-none-match", format!("\"{digest}\""));
        assert_eq!(known.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{path}");
    }
    let as_a_blob = registry.get(&format!("/v2/team/app/blobs/{digest}")).await;
    assert_eq!(as_a_blob.status(), StatusCode::NOT_FOUND);
    for query in [format!("mount={digest}"), format!("mount={digest}&from=team/app")] {
        let mounted = registry.send(Method::POST, &format!("/v2/dev/blobs/uploads/?{query}")).await;
        assert_eq!(mounted.status(), StatusCode::ACCEPTED, "an upload, not a mount");
    }
}

/// Refuses until it is told otherwise.
struct Later(Arc<AtomicBool>);

#[async_trait]
impl PullGate for Later {
    async fn permit(&self, _: &RepositoryName, _: &Digest, user: &Principal) -> Result<(), Refusal> {
        assert_eq!(*user, Principal::User("dev".to_owned()), "who may push is not asked about");
        let text = |text: &str| text.to_owned();
        match self.0.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(Refusal { code: text("SGN-4006"), message: text("not yet"), hint: text("sign it") }),
        }
    }
}

#[tokio::test]
async fn a_manifest_is_decided_anew_at_each_pull() {
    let permitted = Arc::new(AtomicBool::new(false));
    let mut registry = Registry::gated(Later(Arc::clone(&permitted))).await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    registry.put_manifest("team/app", "v1", &image(&[], None)).await;
    assert_eq!(registry.get("/v2/team/app/manifests/v1").await.status(), StatusCode::OK);
    registry.log_in("dev", "dev-password");
    for (now, status) in
        [(false, StatusCode::FORBIDDEN), (true, StatusCode::OK), (false, StatusCode::FORBIDDEN)]
    {
        permitted.store(now, Ordering::Release);
        assert_eq!(registry.get("/v2/team/app/manifests/v1").await.status(), status);
    }
}
