//! Many who sign the same image at once: nobody's signature is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Repository};
use signet_registry::{
    Attached, Client, CopyOptions, Error, Location, ManifestName, Options, ReferrersVia, copy, parallel,
};

use crate::double::{Double, Reply, client, manifest};
use crate::served::Served;
use crate::shelf::Shelf;

const SIGNERS: usize = 16;
const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A small manifest that refers to `subject`; its content is that of [`empty`].
pub(crate) fn referrer(subject: &Digest, note: usize) -> Vec<u8> {
    let empty = Descriptor::of("application/vnd.oci.empty.v1+json", b"{}");
    let subject = Descriptor::new(MEDIA_TYPE, *subject, 2);
    let json = serde_json::json!({
        "schemaVersion": 2, "mediaType": MEDIA_TYPE, "artifactType": "application/x-test",
        "config": empty, "layers": [empty], "subject": subject,
        "annotations": { "note": note.to_string() },
    });
    serde_json::to_vec(&json).unwrap()
}

/// Sixteen machines attach one referrer each; answers how each was stored.
async fn sign_at_once(repository: &Repository, subject: &Digest) -> Vec<Attached> {
    let sign = |note| async move {
        let client = Client::new(Options::default());
        client.push_bytes(repository, "application/vnd.oci.empty.v1+json", "{}".into()).await.unwrap();
        client.attach(repository, subject, MEDIA_TYPE, referrer(subject, note).into()).await.unwrap()
    };
    parallel((0..SIGNERS).collect(), SIGNERS, sign).await
}

async fn listed(repository: &Repository, subject: &Digest, via: ReferrersVia) -> BTreeSet<String> {
    let found = Client::new(Options::default()).referrers(repository, subject).await.unwrap();
    assert_eq!(found.via, via);
    found.into_complete().unwrap().iter().map(|entry| entry.digest.to_string()).collect()
}

fn all(subject: &Digest) -> BTreeSet<String> {
    (0..SIGNERS).map(|note| Digest::sha256(&referrer(subject, note)).to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_with_referrers_loses_nothing() {
    let registry = Served::start().await;
    let repository: Repository = format!("{}/app", registry.host).parse().unwrap();
    let subject = Digest::sha256(b"an image that need not be there");
    let attached = sign_at_once(&repository, &subject).await;
    assert!(attached.iter().all(|how| matches!(how, Attached::Api { .. })), "{attached:?}");
    assert_eq!(listed(&repository, &subject, ReferrersVia::Api).await, all(&subject));
    registry.stop().await;
}

/// The referrer is stored, and the error says that it is not listed.
#[tokio::test]
async fn a_list_that_others_write_for_ever() {
    let shelf = Shelf::default();
    let server = Double::start(move |request| {
        let is_list = request.target.contains("/manifests/sha256-");
        match is_list && request.method == "PUT" {
            true => Reply::new(412, ""),
            false => shelf.answer(request),
        }
    })
    .await;
    let subject = Digest::sha256(b"subject");
    let content = referrer(&subject, 0);
    let stored = Digest::sha256(&content);
    let client = Client::new(Options::default());
    let attached = client.attach(&server.repository(), &subject, MEDIA_TYPE, content.into()).await;
    assert!(
        matches!(&attached, Err(Error::Conflict { detail, .. }) if detail.contains(&stored.to_string())),
        "{attached:?}"
    );
    assert_eq!(client.has_manifest(&server.repository(), &stored).await, Ok(true));
    let rounds = server.seen().iter().filter(|request| request.target.contains("/manifests/sha256-")).count();
    assert_eq!(rounds, 2 * 32, "each reads and writes once");
}

/// Between our reading and our writing another one writes: only the precondition tells us.
#[tokio::test]
async fn an_entry_written_meanwhile_is_kept() {
    let subject = Digest::sha256(b"subject");
    let shelf = Arc::new(Shelf { etags: true, ..Shelf::default() });
    let (kept, armed) = (Arc::clone(&shelf), Arc::new(AtomicBool::new(false)));
    let meanwhile = Arc::clone(&armed);
    let server = Double::start(move |request| {
        let writes_list = request.method == "PUT" && request.target.contains("/manifests/sha256-");
        if writes_list && meanwhile.swap(false, Ordering::SeqCst) {
            kept.add_to_list(&subject, &Descriptor::of(MEDIA_TYPE, &referrer(&subject, 2)));
        }
        kept.answer(request)
    })
    .await;
    let client = Client::new(Options::default());
    for (note, rounds) in [(0, 0), (1, 1)] {
        armed.store(note == 1, Ordering::SeqCst);
        let content = referrer(&subject, note).into();
        let attached = client.attach(&server.repository(), &subject, MEDIA_TYPE, content).await;
        assert!(
            matches!(attached, Ok(Attached::FallbackTag { rounds: r, .. }) if r == rounds),
            "{attached:?}"
        );
    }
    let listed = listed(&server.repository(), &subject, ReferrersVia::Tag).await;
    let all = (0..3).map(|note| Digest::sha256(&referrer(&subject, note)).to_string());
    assert_eq!(listed, all.collect());
    assert_eq!(shelf.conflicts.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_honours_if_match_loses_nothing() {
    let shelf = Arc::new(Shelf { etags: true, ..Shelf::default() });
    let (kept, reads) = (Arc::clone(&shelf), AtomicUsize::new(0));
    let server = Double::start(move |request| {
        let reads_list = request.method == "GET" && request.target.contains("/manifests/sha256-");
        // All read before anyone writes: each finds nothing.
        match reads_list && reads.fetch_add(1, Ordering::SeqCst) < SIGNERS {
            true => Reply::new(404, ""),
            false => kept.answer(request),
        }
    })
    .await;
    let subject = Digest::sha256(b"subject");
    let attached = sign_at_once(&server.repository(), &subject).await;
    assert!(attached.iter().all(|how| matches!(how, Attached::FallbackTag { .. })), "{attached:?}");
    assert_eq!(listed(&server.repository(), &subject, ReferrersVia::Tag).await, all(&subject));
    let refused = shelf.conflicts.load(Ordering::SeqCst);
    assert!(refused >= SIGNERS - 1, "one wrote first, the others were told: {refused}");
}

/// docker-registry 2.8 meets links that another writer has not filled yet, and calls the digest invalid.
#[tokio::test]
async fn what_a_registry_read_half_written_is_sent_again_and_not_for_ever() {
    const TORN: &str = r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}"#;
    for (torn, well) in [(2, true), (usize::MAX, false)] {
        let seen = AtomicUsize::new(0);
        let server = Double::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) < torn {
            true => Reply::new(400, TORN),
            false => Reply::new(201, ""),
        })
        .await;
        let (media_type, content) = ("application/vnd.oci.image.manifest.v1+json", manifest());
        let name = ManifestName::Digest(Digest::sha256(&content));
        let pushed =
            client().push_manifest(&server.repository(), &name, media_type, content.into(), None).await;
        assert_eq!(pushed.is_ok(), well, "{pushed:?}");
        assert!(well || matches!(pushed, Err(Error::Refused { status: 400, .. })), "{pushed:?}");
        assert!((3..=8).contains(&server.seen().len()), "{} requests", server.seen().len());
    }
}

/// docker-registry 2.8 refuses an index that lists what it does not have, so that one deleted signature had made
/// signing impossible.
#[tokio::test]
async fn a_deleted_referrer_is_dropped_from_the_list_that_a_registry_refuses_with_it() {
    let shelf = Arc::new(Shelf { checks_indexes: true, ..Shelf::default() });
    let server = Double::start({
        let shelf = Arc::clone(&shelf);
        move |request| shelf.answer(request)
    })
    .await;
    let (repository, subject) = (server.repository(), Digest::sha256(b"an image"));
    let attach = async |note| {
        client().attach(&repository, &subject, MEDIA_TYPE, referrer(&subject, note).into()).await.unwrap()
    };
    let [first, second] = [attach(1).await.digest(), attach(2).await.digest()];
    shelf.manifests.lock().unwrap().remove(&("app".to_owned(), first.to_string()));
    let third = attach(3).await.digest();
    let found = listed(&repository, &subject, ReferrersVia::Tag).await;
    assert_eq!(found, BTreeSet::from([second, third].map(|digest| digest.to_string())));
}

#[tokio::test]
async fn a_copy_names_the_referrers_that_are_listed_and_gone() {
    let shelf = Arc::new(Shelf::default());
    let server = Double::start({
        let shelf = Arc::clone(&shelf);
        move |request| shelf.answer(request)
    })
    .await;
    let (client, repository) = (client(), server.repository());
    let empty =
        client.push_bytes(&repository, "application/vnd.oci.empty.v1+json", "{}".into()).await.unwrap();
    assert_eq!(empty.size, 2);
    let name = ManifestName::Tag("v1".parse().unwrap());
    let image = client.push_manifest(&repository, &name, MEDIA_TYPE, manifest().into(), None).await.unwrap();
    let mut attached = Vec::new();
    for note in [1, 2] {
        let bytes = referrer(&image.digest, note);
        attached.push(
            client.attach(&repository, &image.digest, MEDIA_TYPE, bytes.into()).await.unwrap().digest(),
        );
    }
    shelf.manifests.lock().unwrap().remove(&("app".to_owned(), attached[0].to_string()));
    let directory = tempfile::tempdir().unwrap();
    let target = format!("oci:{}:v1", directory.path().display()).parse::<Location>().unwrap();
    let source = Location::Registry(server.reference()).source(&client).unwrap();
    let target = target.target(&client).unwrap();
    let report = copy(&source, &target, &CopyOptions::default(), &|_| ()).await.unwrap();
    assert_eq!((report.missing, report.referrers), (vec![attached[0]], 1));
}
