//! cosign's tags: whoever adds to one loses nothing of the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::{Descriptor, Repository, Tag, media_type};
use signet_registry::{
    Client, CopyOptions, CopyReport, Endpoint, Error, ImageStore, Location, ManifestName, Options, Resolved,
    copy, parallel,
};

use crate::double::{Double, Reply, client};
use crate::served::Served;
use crate::shelf::Shelf;

/// An image without layers of its own, or of attachments with the contents `layers`.
async fn put_image(store: &dyn ImageStore, layers: &[&str], tag: &Tag) -> Resolved {
    let config = store.put_bytes(media_type::OCI_CONFIG, "{}".into()).await.unwrap();
    let mut descriptors = Vec::new();
    for layer in layers {
        let content = (*layer).to_owned().into();
        descriptors.push(store.put_bytes(media_type::SIMPLE_SIGNING, content).await.unwrap());
    }
    let json = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": descriptors,
    });
    let bytes = serde_json::to_vec(&json).unwrap();
    let digest = Digest::sha256(&bytes);
    let image = Resolved::new("an image", bytes.into(), None, digest).unwrap();
    store.put_manifest(&image).await.unwrap();
    store.tag(&image, tag).await.unwrap();
    image
}

/// Puts an image with signatures and a bill of materials of these contents.
async fn put_signed(place: &Endpoint, signatures: &[&str], sbom: &str) -> Digest {
    let store = place.store.as_ref();
    let image = put_image(store, &[], &"v1".parse().unwrap()).await.digest();
    put_image(store, signatures, &attachment_tag(&image, "sig")).await;
    put_image(store, &[sbom], &attachment_tag(&image, "sbom")).await;
    image
}

fn attachment_tag(image: &Digest, suffix: &str) -> Tag {
    Tag::cosign_attachment(image, suffix).unwrap()
}

/// Puts a manifest of these members, by its digest.
async fn put_json(
    store: &dyn ImageStore,
    algorithm: DigestAlgorithm,
    members: serde_json::Value,
) -> Resolved {
    let mut json = serde_json::json!({"schemaVersion": 2});
    json.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let bytes = serde_json::to_vec(&json).unwrap();
    let digest = Digest::of(algorithm, &bytes);
    let manifest = Resolved::new("a manifest", bytes.into(), None, digest).unwrap();
    match &manifest.manifest.subject {
        Some(subject) => store.put_referrer(&manifest, &subject.digest).await.map(|_| ()).unwrap(),
        None => store.put_manifest(&manifest).await.unwrap(),
    }
    manifest
}

async fn put_config(store: &dyn ImageStore) -> Descriptor {
    store.put_bytes(media_type::OCI_CONFIG, "{}".into()).await.unwrap()
}

async fn referrers(place: &Endpoint, subject: &Digest) -> Vec<Digest> {
    let listed = place.store.referrers(subject).await.unwrap().into_complete().unwrap();
    listed.into_iter().map(|listed| listed.digest).collect()
}

fn place(text: &str) -> Endpoint {
    text.parse::<Location>().unwrap().target(&client()).unwrap()
}

async fn layers(place: &Endpoint, image: &Digest, suffix: &str) -> Vec<Descriptor> {
    let name = ManifestName::Tag(attachment_tag(image, suffix));
    let found = place.store.resolve(Some(&name)).await.unwrap();
    for layer in found.manifest.layers().iter().chain(&found.manifest.config) {
        place.store.blob(layer).await.unwrap().collect_bytes(1_000).await.unwrap();
    }
    found.manifest.layers().to_vec()
}

fn signatures(contents: &[&str]) -> Vec<Descriptor> {
    contents.iter().map(|text| Descriptor::of(media_type::SIMPLE_SIGNING, text.as_bytes())).collect()
}

async fn copied(source: &Endpoint, target: &Endpoint) -> CopyReport {
    copy(source, target, &CopyOptions::default(), &|_| ()).await.unwrap()
}

/// The tag had been moved to the source's signatures: the mirror's own were gone, without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_keeps_the_targets_own_legacy_signatures() {
    let directory = tempfile::tempdir().unwrap();
    let layout = |name: &str| place(&format!("oci:{}:v1", directory.path().join(name).display()));
    let (served, shelf) = (Served::start().await, Shelf::default());
    let double = Double::start(move |request| shelf.answer(request)).await;
    let source = layout("source");
    let image = put_signed(&source, &["ours", "both"], "sbom").await;
    let registries = [format!("{}/mirror:v1", served.host), format!("{}:v1", double.repository())];
    for target in [layout("mirror"), place(&registries[0]), place(&registries[1])] {
        assert_eq!(put_signed(&target, &["theirs", "both"], "older").await, image);
        let report = copied(&source, &target).await;
        assert_eq!((report.digest, report.attachments), (image, 2));
        assert_eq!(layers(&target, &image, "sig").await, signatures(&["theirs", "both", "ours"]));
        assert_eq!(layers(&target, &image, "sbom").await, signatures(&["sbom"]), "there is one");
        let again = copied(&source, &target).await;
        assert_eq!((again.manifests_sent, again.blobs_sent), (0, 0));
        assert_eq!(layers(&target, &image, "sig").await.len(), 3);
    }
    let fresh = layout("fresh");
    copied(&source, &fresh).await;
    assert_eq!(layers(&fresh, &image, "sig").await, signatures(&["ours", "both"]));
    served.stop().await;
}

/// What BuildKit writes: the attestation is part of the index and refers to the image beside it. On registries without
/// the referrers API it was stored and listed nowhere.
#[tokio::test]
async fn a_referrer_that_is_also_a_child_stays_a_referrer() {
    let directory = tempfile::tempdir().unwrap();
    let layout = |name: &str| place(&format!("oci:{}:v1", directory.path().join(name).display()));
    let shelf = Shelf::default();
    let double = Double::start(move |request| shelf.answer(request)).await;
    let source = layout("source");
    let (store, sha256) = (source.store.as_ref(), DigestAlgorithm::Sha256);
    let config = put_config(store).await;
    let image = put_json(store, sha256, serde_json::json!({"config": config})).await;
    let attestation = serde_json::json!({"config": config, "subject": image.descriptor});
    let attestation = put_json(store, sha256, attestation).await;
    // The root refers to something, too, which is not carried.
    let index = serde_json::json!({
        "manifests": [image.descriptor, attestation.descriptor], "subject": Descriptor::of("a/b", b"a base"),
    });
    let index = put_json(store, sha256, index).await;
    store.tag(&index, &"v1".parse().unwrap()).await.unwrap();
    for target in [layout("target"), place(&format!("{}:v1", double.repository()))] {
        let report = copied(&source, &target).await;
        assert_eq!((report.referrers, report.manifests_sent), (1, 3), "counted once");
        assert_eq!(referrers(&target, &image.digest()).await, [attestation.digest()]);
        assert_eq!(referrers(&target, &Digest::sha256(b"a base")).await, [index.digest()]);
    }
}

/// A registry that demands signatures kept a signed image from everybody who copies it, for a bill of materials that
/// nobody had signed.
#[tokio::test]
async fn what_the_source_does_not_let_one_have_is_named_and_the_image_is_copied() {
    let shelf = Arc::new(Shelf::default());
    let double = {
        let shelf = Arc::clone(&shelf);
        let is_sbom = |name: &str| name.ends_with(".sbom");
        Double::start(move |request| match request.target.rsplit_once('/') {
            Some((_, name)) if is_sbom(name) && request.method == "GET" && shelf.has_manifest(name) => {
                Reply::new(403, r#"{"errors":[{"code":"DENIED","message":"not signed"}]}"#)
            }
            _ => shelf.answer(request),
        })
        .await
    };
    let source = place(&format!("{}:v1", double.repository()));
    let image = put_signed(&source, &["signature"], "sbom").await;
    let directory = tempfile::tempdir().unwrap();
    let target = place(&format!("oci:{}:v1", directory.path().display()));
    let report = copied(&source, &target).await;
    assert_eq!((report.digest, report.attachments), (image, 1));
    assert_eq!(report.refused, [ManifestName::Tag(attachment_tag(&image, "sbom"))]);
    assert_eq!(layers(&target, &image, "sig").await, signatures(&["signature"]));
}

/// With `COSIGN_REPOSITORY` the copy had "0 signatures", and said no more.
#[tokio::test]
async fn what_is_kept_apart_from_the_image_is_copied_too() {
    let directory = tempfile::tempdir().unwrap();
    let layout = |name: &str| place(&format!("oci:{}:v1", directory.path().join(name).display()));
    let (images, apart, target) = (layout("images"), layout("apart"), layout("target"));
    let image = put_image(images.store.as_ref(), &[], &"v1".parse().unwrap()).await;
    put_image(apart.store.as_ref(), &["signature"], &attachment_tag(&image.digest(), "sig")).await;
    let config = put_config(apart.store.as_ref()).await;
    let bundle = serde_json::json!({"config": config, "subject": image.descriptor});
    let bundle = put_json(apart.store.as_ref(), DigestAlgorithm::Sha256, bundle).await;
    let source = Endpoint { apart: Some(apart.store.clone()), ..images };
    let report = copied(&source, &target).await;
    assert_eq!((report.referrers, report.attachments), (1, 1));
    assert_eq!(referrers(&target, &image.digest()).await, [bundle.digest()]);
    assert_eq!(layers(&target, &image.digest(), "sig").await, signatures(&["signature"]));
}

/// A manifest that is pushed under a tag is a sha256 one to registries: the tag named an image without signatures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_names_the_sha512_image_that_was_signed() {
    let directory = tempfile::tempdir().unwrap();
    let source = place(&format!("oci:{}:v1", directory.path().display()));
    let (store, sha512) = (source.store.as_ref(), DigestAlgorithm::Sha512);
    let config = put_config(store).await;
    let image = put_json(store, sha512, serde_json::json!({"config": config})).await;
    store.tag(&image, &"v1".parse().unwrap()).await.unwrap();
    let signature = serde_json::json!({"config": config, "subject": image.descriptor});
    let signature = put_json(store, sha512, signature).await;
    let served = Served::start().await;
    let target = place(&format!("{}/mirror:v1", served.host));
    let report = copied(&source, &target).await;
    assert_eq!((report.digest, report.referrers), (image.digest(), 1));
    let named = target.store.resolve(target.name.as_ref()).await.unwrap();
    assert_eq!(named.digest(), image.digest());
    assert_eq!(referrers(&target, &image.digest()).await, [signature.digest()]);
    served.stop().await;

    let shelf = Shelf::default();
    let double = Double::start(move |request| shelf.answer(request)).await;
    let target = place(&format!("{}:v1", double.repository()));
    let refused = copy(&source, &target, &CopyOptions::default(), &|_| ()).await;
    assert!(matches!(refused, Err(Error::TagNotSet { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signers_of_one_tag_at_once_lose_no_signature() {
    let served = Served::start().await;
    let repository: Repository = format!("{}/app", served.host).parse().unwrap();
    let tag = attachment_tag(&Digest::sha256(b"an image"), "sig");
    let sign = |signer: usize| {
        let (repository, tag) = (repository.clone(), tag.clone());
        async move {
            let client = Client::new(Options::default());
            let content = format!("signer {signer}").into();
            let layer = client.push_bytes(&repository, media_type::SIMPLE_SIGNING, content).await.unwrap();
            assert_eq!(client.add_layer(&repository, &tag, &layer).await, Ok(false), "no race");
        }
    };
    parallel((0..8).collect(), 8, sign).await;
    let found = client().named(&repository, &ManifestName::Tag(tag)).await.unwrap();
    assert_eq!(found.manifest.layers().len(), 8);
    served.stop().await;
}

/// A registry that checks no conditions: the other writer's change is seen by reading again.
#[tokio::test]
async fn a_signature_that_another_writer_removed_is_added_again() {
    let (shelf, armed) = (Arc::new(Shelf::default()), Arc::new(AtomicBool::new(false)));
    let (kept, meanwhile) = (Arc::clone(&shelf), Arc::clone(&armed));
    let server = Double::start(move |request| {
        let writes = request.method == "PUT" && request.target.contains("/manifests/sha256-");
        let key = ("app".to_owned(), request.target.rsplit('/').next().unwrap_or_default().to_owned());
        let before = kept.manifests.lock().unwrap().get(&key).cloned();
        let reply = kept.answer(request);
        // Theirs, which was read before ours came, is written after it.
        if let (true, Some(before)) = (writes && meanwhile.swap(false, Ordering::SeqCst), before) {
            kept.manifests.lock().unwrap().insert(key, before);
        }
        reply
    })
    .await;
    let (repository, client) = (server.repository(), client());
    let tag = attachment_tag(&Digest::sha256(b"an image"), "sig");
    for (content, armed_now) in [("first", false), ("second", true)] {
        armed.store(armed_now, Ordering::SeqCst);
        let layer = client.push_bytes(&repository, media_type::SIMPLE_SIGNING, content.into()).await.unwrap();
        assert_eq!(
            client.add_layer(&repository, &tag, &layer).await,
            Ok(true),
            "{content}: a race is possible"
        );
    }
    let found = client.named(&repository, &ManifestName::Tag(tag)).await.unwrap();
    assert_eq!(found.manifest.layers(), signatures(&["first", "second"]));
}
