//! Tags that may not be moved.

use std::sync::Arc;

use signet_crypto::Digest;
use signet_registry::{Attached, Error, ManifestName};

use crate::double::{Double, client, manifest};
use crate::shelf::Shelf;
use crate::signers::referrer;

const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What registries of the field answer: status and words differ, and some say nothing at all.
const ANSWERS: [(u16, &str); 6] = [
    (400, "cannot update tag v1. The repository has enabled tag immutability"),
    (400, "The image tag 'v1' already exists and cannot be overwritten because the repository is immutable"),
    (403, "overwriting is not allowed"),
    (405, "tag is immutable"),
    (409, ""),
    (412, "tag v1 configured as immutable"),
];

async fn registry(shelf: Shelf) -> Double {
    Double::start(move |request| shelf.answer(request)).await
}

#[tokio::test]
async fn a_tag_that_may_not_be_moved_is_told_and_the_same_content_is_well() {
    for immutable in ANSWERS {
        let server = registry(Shelf { immutable: Some(immutable), ..Shelf::default() }).await;
        let push = async |content: Vec<u8>| {
            let name = ManifestName::Tag("v1".parse().unwrap());
            client().push_manifest(&server.repository(), &name, MEDIA_TYPE, content.into(), None).await
        };
        push(manifest()).await.unwrap();
        let again = push(manifest()).await;
        assert!(again.is_ok_and(|pushed| pushed.digest == Digest::sha256(&manifest())), "{immutable:?}");
        let other = push(referrer(&Digest::sha256(b""), 1)).await;
        assert!(matches!(other, Err(Error::TagImmutable { .. })), "{immutable:?}: {other:?}");
    }
}

#[tokio::test]
async fn a_manifest_refused_for_itself_is_no_tag_that_may_not_be_moved() {
    let server = registry(Shelf { immutable: Some((400, "manifest invalid")), ..Shelf::default() }).await;
    let name = ManifestName::Tag("v1".parse().unwrap());
    for (content, well) in [(manifest(), true), (referrer(&Digest::sha256(b""), 1), false)] {
        let pushed =
            client().push_manifest(&server.repository(), &name, MEDIA_TYPE, content.into(), None).await;
        assert!(
            well == pushed.is_ok() && (well || matches!(pushed, Err(Error::Refused { .. }))),
            "{pushed:?}"
        );
    }
}

#[tokio::test]
async fn signatures_as_referrers_need_no_tag() {
    let subject = Digest::sha256(b"subject");
    let immutable = Some((409, "tag is immutable"));
    let server = registry(Shelf { immutable, subjects: true, ..Shelf::default() }).await;
    for i in 0..3 {
        let content = referrer(&subject, i).into();
        let attached = client().attach(&server.repository(), &subject, MEDIA_TYPE, content).await;
        assert!(matches!(attached, Ok(Attached::Api { .. })), "{attached:?}");
    }
    let tagged = server.seen().iter().any(|request| request.target.contains("manifests/sha256-"));
    assert!(!tagged, "no fallback tag is written");
}

/// Without the referrers API the list is a tag: the second signature cannot be listed, and that is said.
#[tokio::test]
async fn a_fallback_tag_that_may_not_be_moved_is_told_at_once() {
    let subject = Digest::sha256(b"subject");
    let shelf = Arc::new(Shelf { immutable: Some((409, "tag is immutable")), ..Shelf::default() });
    let server = Double::start(move |request| shelf.answer(request)).await;
    let attach = async |i| {
        let content = referrer(&subject, i).into();
        client().attach(&server.repository(), &subject, MEDIA_TYPE, content).await
    };
    assert!(attach(1).await.is_ok());
    let second = attach(2).await;
    assert!(matches!(second, Err(Error::TagImmutable { .. })), "{second:?}");
}
