//! cosign's tags: whoever adds to one loses nothing of the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Repository, Tag, media_type};
use signet_registry::{
    Client, CopyOptions, CopyReport, Endpoint, ImageStore, Location, ManifestName, Options, Resolved, copy,
    parallel,
};

use crate::double::{Double, client};
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
    put_image(store, signatures, &Tag::cosign_attachment(&image, "sig")).await;
    put_image(store, &[sbom], &Tag::cosign_attachment(&image, "sbom")).await;
    image
}

async fn layers(place: &Endpoint, image: &Digest, suffix: &str) -> Vec<Descriptor> {
    let name = ManifestName::Tag(Tag::cosign_attachment(image, suffix));
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
    let place = |text: &str| text.parse::<Location>().unwrap().target(&client()).unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signers_of_one_tag_at_once_lose_no_signature() {
    let served = Served::start().await;
    let repository: Repository = format!("{}/app", served.host).parse().unwrap();
    let tag = Tag::cosign_attachment(&Digest::sha256(b"an image"), "sig");
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
    let tag = Tag::cosign_attachment(&Digest::sha256(b"an image"), "sig");
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
