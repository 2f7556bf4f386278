//! What a store promises, on a real disk.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Barrier, Mutex, OnceLock};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use signet_formats::oci::{Descriptor, Manifest, media_type};

use super::*;
use crate::fs::{Disk, Faults, Step};

pub(super) const NOW: GcOptions =
    GcOptions { grace: Duration::ZERO, uploads: Duration::MAX, without_subject: false, dry_run: false };

pub(super) fn open(dir: &Path) -> FsRegistry {
    FsRegistry::open(dir, Limits { blob_bytes: 1 << 20, uploads: 8 }).unwrap()
}

pub(super) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn body(chunks: &[&'static [u8]]) -> ByteStream {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
    Box::pin(stream::iter(chunks))
}

pub(super) async fn push_blob(
    store: &FsRegistry,
    repository: &RepositoryName,
    content: &'static [u8],
) -> Digest {
    let digest = Digest::sha256(content);
    let id = store.start_upload(repository, DigestAlgorithm::Sha256, "owner").await.unwrap();
    store.append_upload(repository, id, None, body(&[content])).await.unwrap();
    store.finish_upload(repository, id, &digest).await.unwrap();
    digest
}

pub(super) async fn push(
    store: &FsRegistry,
    repository: &RepositoryName,
    manifest: Manifest,
    tags: &[&str],
    expect: Expect,
) -> Result<Digest, StoreError> {
    let bytes = Bytes::from(serde_json::to_vec(&manifest).unwrap());
    let digest = Digest::sha256(&bytes);
    let media_type = match manifest.manifests {
        Some(_) => media_type::OCI_INDEX,
        None => media_type::OCI_MANIFEST,
    };
    let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    let push = ManifestPush { bytes, digest, media_type: media_type.to_owned(), tags, expect };
    store.put_manifest(repository, push).await.map(|_| digest)
}

pub(super) fn image(config: Digest, layers: &[Digest], subject: Option<Digest>) -> Manifest {
    let of = |media_type, digest: &Digest| Descriptor::new(media_type, *digest, 1);
    Manifest {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        config: Some(of(media_type::OCI_CONFIG, &config)),
        layers: Some(layers.iter().map(|digest| of(media_type::OCI_LAYER_TAR, digest)).collect()),
        manifests: None,
        subject: subject.map(|digest| of(media_type::OCI_MANIFEST, &digest)),
        annotations: Default::default(),
    }
}

pub(super) fn index(children: &[Digest]) -> Manifest {
    let children = children.iter().map(|digest| Descriptor::new(media_type::OCI_MANIFEST, *digest, 1));
    Manifest {
        config: None,
        layers: None,
        manifests: Some(children.collect()),
        ..image(Digest::sha256(b""), &[], None)
    }
}

async fn read(store: &FsRegistry, repository: &RepositoryName, digest: &Digest) -> Vec<u8> {
    let blob = store.open_blob(repository, digest).await.unwrap().unwrap();
    let whole = 0..blob.size();
    let chunks = blob.read(whole);
    chunks.map(|chunk| chunk.unwrap().to_vec()).concat().await
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, digest) = (name("a/b"), Digest::of(DigestAlgorithm::Sha512, b"one two three"));
    let store = open(dir.path());
    let id = store.start_upload(&repository, DigestAlgorithm::Sha512, "owner").await.unwrap();
    assert_eq!(store.append_upload(&repository, id, Some(0), body(&[b"one ", b"two "])).await.unwrap(), 8);
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.upload_offset(&repository, id).await.unwrap(), 8);
    let early = store.append_upload(&repository, id, Some(4), body(&[b"two "])).await;
    assert!(matches!(early, Err(StoreError::OutOfOrder { offset: 8 })));
    store.append_upload(&repository, id, Some(8), body(&[b"three"])).await.unwrap();
    store.finish_upload(&repository, id, &digest).await.unwrap();
    assert_eq!(read(&store, &repository, &digest).await, b"one two three");
    assert!(matches!(store.upload_offset(&repository, id).await, Err(StoreError::UploadUnknown)));
}

#[tokio::test]
async fn what_a_reader_still_holds_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = FsRegistry::open(dir.path(), Limits::default()).unwrap();
    let repository = name("a");
    let whole: Vec<u8> = (0..4_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = push_blob(&store, &repository, Vec::leak(whole.clone())).await;
    let mut stream = store.open_blob(&repository, &digest).await.unwrap().unwrap().read(3..15_999_999);
    let (mut held, mut read) = (Vec::new(), Vec::new());
    while let Some(piece) = stream.next().await {
        let piece = piece.unwrap();
        read.extend_from_slice(&piece);
        // Of every other piece a part.
        if held.len() % 2 == 0 { held.push(piece.slice(7..)) } else { held.push(Bytes::new()) }
    }
    assert!(held.len() > 4 && read == whole[3..15_999_999], "{} pieces", held.len());
    let mut at = 3;
    for piece in held.iter().filter(|piece| !piece.is_empty()) {
        assert!(whole[at + 7..].starts_with(piece), "the piece at {at}");
        at += 2 * (piece.len() + 7);
    }
}

#[tokio::test]
async fn a_blob_is_read_alike_whether_at_once_or_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    for size in [0_u32, 1, 65_536, 65_537] {
        let whole: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0]).collect();
        let digest = Digest::sha256(&whole);
        store.put_blob(&repository, &digest, whole.clone().into()).await.unwrap();
        assert_eq!(read(&store, &repository, &digest).await, whole);
        let size = u64::from(size);
        let of = async |range| store.open_blob(&repository, &digest).await.unwrap().unwrap().read(range);
        let part: Vec<_> = of(size / 2..size).await.collect().await;
        assert_eq!(
            part.into_iter().map(|piece| piece.unwrap().to_vec()).collect::<Vec<_>>().concat(),
            whole[whole.len() / 2..]
        );
        let beyond: Vec<_> = of(0..size + 1).await.collect().await;
        assert!(beyond.last().unwrap().is_err(), "{size}");
    }
}

#[tokio::test]
async fn a_blob_from_memory_is_checked_and_lasts() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository, digest) = (open(dir.path()), name("a"), Digest::sha256(b"good"));
    let wrong = store.put_blob(&repository, &digest, "evil".into()).await;
    assert!(matches!(wrong, Err(StoreError::DigestMismatch { .. })));
    let large = vec![0; (1 << 20) + 1];
    let over = store.put_blob(&repository, &Digest::sha256(&large), large.into()).await;
    assert!(matches!(over, Err(StoreError::TooLarge { limit: 1048576 })));
    assert_eq!(store.blob_size(&repository, &digest).await.unwrap(), None);
    store.put_blob(&repository, &digest, "good".into()).await.unwrap();
    drop(store);
    assert_eq!(read(&open(dir.path()), &repository, &digest).await, b"good");
}

#[tokio::test]
async fn a_broken_off_upload_keeps_what_came() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let id = store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await.unwrap();
    let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err(io::ErrorKind::ConnectionReset.into())]);
    let appended = store.append_upload(&repository, id, None, Box::pin(broken)).await;
    assert!(matches!(appended, Err(StoreError::BodyBrokeOff(_))));
    assert_eq!(store.append_upload(&repository, id, Some(4), body(&[b"whole"])).await.unwrap(), 9);
    store.finish_upload(&repository, id, &Digest::sha256(b"halfwhole")).await.unwrap();
}

#[tokio::test]
async fn uploads_are_bounded_in_size_number_and_age() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let id = store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await.unwrap();
    static MEBIBYTE: [u8; 1 << 20] = [0; 1 << 20];
    assert_eq!(store.append_upload(&repository, id, None, body(&[&MEBIBYTE])).await.unwrap(), 1 << 20);
    let over = store.append_upload(&repository, id, None, body(&[b"x"])).await;
    assert!(matches!(over, Err(StoreError::TooLarge { limit: 1048576 })));
    for _ in 0..3 {
        store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await.unwrap();
    }
    let fifth = store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await;
    assert!(matches!(fifth, Err(StoreError::TooManyUploads)));
    assert_eq!(store.expire_uploads(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.expire_uploads(Duration::ZERO).await.unwrap(), 4);
    store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await.unwrap();
}

/// 997 bare POSTs of who may push to one repository had stopped all pushes for a day.
#[tokio::test]
async fn one_owners_many_uploads_do_not_keep_others_from_beginning_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let (store, flooded, other) = (open(dir.path()), name("flooded"), name("other"));
    let begin =
        async |repository, owner| store.start_upload(repository, DigestAlgorithm::Sha256, owner).await;
    let mut empty = Vec::new();
    for _ in 0..4 {
        empty.push(begin(&flooded, "another flooder").await.unwrap());
    }
    let first = begin(&flooded, "flooder").await.unwrap();
    store.append_upload(&flooded, first, None, body(&[b"not empty"])).await.unwrap();
    for _ in 0..3 {
        empty.push(begin(&flooded, "flooder").await.unwrap());
    }
    assert!(matches!(begin(&flooded, "flooder").await, Err(StoreError::TooManyUploads)));
    let own = begin(&other, "victim").await.unwrap();
    let mut ended = Vec::new();
    for id in empty {
        let gone = store.upload_offset(&flooded, id).await.is_err();
        ended.extend(gone.then_some(store.append_upload(&flooded, id, None, body(&[b"x"])).await));
    }
    assert!(matches!(ended[..], [Err(StoreError::UploadUnknown)]), "one empty upload has ended");
    assert_eq!(fs::read_dir(store.inner.layout.uploads(&flooded)).unwrap().count(), 7);
    assert!(
        matches!(begin(&flooded, "flooder").await, Err(StoreError::TooManyUploads)),
        "not for who has more"
    );
    store.append_upload(&other, own, None, body(&[b"mine"])).await.unwrap();
    store.finish_upload(&other, own, &Digest::sha256(b"mine")).await.unwrap();
    assert_eq!(store.upload_offset(&flooded, first).await.unwrap(), 9, "what has bytes ends last");
}

#[tokio::test]
async fn stale_uploads_of_the_last_process_go_and_empty_ones_sooner() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let begin = async || store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await.unwrap();
    let (empty, begun, young) = (begin().await, begin().await, begin().await);
    store.append_upload(&repository, begun, None, body(&[b"half"])).await.unwrap();
    let an_hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    for id in [empty, begun] {
        let path = store.inner.layout.upload(&repository, id, DigestAlgorithm::Sha256);
        fs::File::options().append(true).open(path).unwrap().set_modified(an_hour_ago).unwrap();
    }
    drop(store);

    let store = open(dir.path());
    let planned = store.collect_garbage(GcOptions { dry_run: true, ..GcOptions::default() }).await.unwrap();
    assert_eq!(planned.uploads, [(repository.clone(), empty)]);
    assert_eq!(store.collect_garbage(GcOptions::default()).await.unwrap(), planned);
    assert!(store.upload_offset(&repository, empty).await.is_err());
    assert_eq!(store.upload_offset(&repository, begun).await.unwrap(), 4);
    assert_eq!(store.expire_uploads(Duration::from_secs(1800)).await.unwrap(), 1);
    assert!(store.upload_offset(&repository, begun).await.is_err());
    assert_eq!(store.upload_offset(&repository, young).await.unwrap(), 0);
}

#[tokio::test]
async fn content_with_another_digest_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let id = store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await.unwrap();
    store.append_upload(&repository, id, None, body(&[b"evil"])).await.unwrap();
    let wanted = Digest::sha256(b"good");
    let finished = store.finish_upload(&repository, id, &wanted).await;
    assert!(matches!(finished, Err(StoreError::DigestMismatch { .. })));
    assert_eq!(store.blob_size(&repository, &wanted).await.unwrap(), None);
}

#[tokio::test]
async fn a_manifest_needs_its_content_but_not_its_subject() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let config = push_blob(&store, &repository, b"{}").await;
    let absent = Digest::sha256(b"absent");
    let incomplete =
        push(&store, &repository, image(config, &[absent], None), &["v1"], Expect::Anything).await;
    assert!(matches!(incomplete, Err(StoreError::MissingContent(missing)) if missing == [absent]));
    assert_eq!(store.resolve_tag(&repository, &"v1".parse().unwrap()).await.unwrap(), None);
    push(&store, &repository, image(config, &[], Some(absent)), &[], Expect::Anything).await.unwrap();
    let page = store.referrers(&repository, &absent, None, None).await.unwrap();
    assert_eq!(page.entries.len(), 1);
}

#[tokio::test]
async fn of_two_writers_that_saw_the_same_tag_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let config = push_blob(&store, &repository, b"{}").await;
    let other = push_blob(&store, &repository, b"[]").await;
    let first = push(&store, &repository, index(&[]), &["t"], Expect::Absent).await.unwrap();
    let seen = Expect::OneOf(vec![first]);
    push(&store, &repository, image(config, &[], None), &["t"], seen.clone()).await.unwrap();
    let late = push(&store, &repository, image(other, &[], None), &["t"], seen).await;
    assert!(matches!(late, Err(StoreError::ExpectationFailed)));
    let again = push(&store, &repository, index(&[]), &["t"], Expect::Absent).await;
    assert!(matches!(again, Err(StoreError::ExpectationFailed)));
}

#[tokio::test]
async fn signatures_survive_garbage_collection() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let config = push_blob(&store, &repository, b"{}").await;
    let signature = push_blob(&store, &repository, b"signature").await;
    let anything = || Expect::Anything;
    let child = push(&store, &repository, image(config, &[], None), &[], anything()).await.unwrap();
    push(&store, &repository, index(&[child]), &["v1"], anything()).await.unwrap();
    let signed = push(&store, &repository, image(config, &[signature], Some(child)), &[], anything());
    let signed = signed.await.unwrap();
    let countersigned = push(&store, &repository, image(config, &[], Some(signed)), &[], anything());
    let countersigned = countersigned.await.unwrap();
    let orphan = push_blob(&store, &repository, b"orphan").await;
    let untagged = push(&store, &repository, image(config, &[orphan], None), &[], anything()).await.unwrap();

    let kept = store.collect_garbage(GcOptions::default()).await.unwrap();
    assert_eq!(kept, GcReport::default(), "all is younger than the grace");
    let planned = store.collect_garbage(GcOptions { dry_run: true, ..NOW }).await.unwrap();
    assert_eq!(planned, store.collect_garbage(NOW).await.unwrap());
    assert_eq!(planned.manifests, [(repository.clone(), untagged)]);
    assert_eq!(planned.blobs, [(repository.clone(), orphan)]);
    for digest in [child, signed, countersigned] {
        assert!(store.manifest(&repository, &digest).await.unwrap().is_some(), "{digest}");
    }
    assert_eq!(read(&store, &repository, &signature).await, b"signature");
    assert!(store.manifest(&repository, &untagged).await.unwrap().is_none());
    assert_eq!(store.fsck().await.unwrap().findings, []);

    store.delete_tag(&repository, &"v1".parse().unwrap()).await.unwrap();
    let all = store.collect_garbage(NOW).await.unwrap();
    assert_eq!((all.manifests.len(), all.blobs.len()), (4, 2));
    assert_eq!(store.collect_garbage(NOW).await.unwrap(), GcReport::default());
}

/// `COSIGN_REPOSITORY` keeps them so: they went with the first collection, and the image was unsigned.
#[tokio::test]
async fn signatures_kept_in_a_repository_of_their_own_survive_garbage_collection() {
    let dir = tempfile::tempdir().unwrap();
    let (store, app, signatures) = (open(dir.path()), name("team/app"), name("sigs"));
    let config = push_blob(&store, &app, b"{}").await;
    let signature = push_blob(&store, &signatures, b"{}").await;
    let signed = push(&store, &app, image(config, &[], None), &["1"], Expect::Anything).await.unwrap();
    let elsewhere = Digest::sha256(b"an image of another registry");
    let sign = async |subject| {
        let manifest = image(signature, &[], Some(subject));
        push(&store, &signatures, manifest, &[], Expect::Anything).await.unwrap()
    };
    let of_ours = sign(signed).await;
    let countersignature = sign(of_ours).await;
    let of_theirs = sign(elsewhere).await;
    let untagged = push(&store, &signatures, image(signature, &[signature], None), &[], Expect::Anything);
    let untagged = untagged.await.unwrap();

    let report = store.collect_garbage(NOW).await.unwrap();
    assert_eq!(report.manifests, [(signatures.clone(), untagged)]);
    assert_eq!(report.without_subject, [(signatures.clone(), of_theirs)]);
    for digest in [of_ours, countersignature, of_theirs] {
        assert!(store.manifest(&signatures, &digest).await.unwrap().is_some(), "{digest}");
    }
    let all = store.collect_garbage(GcOptions { without_subject: true, ..NOW }).await.unwrap();
    assert_eq!(all.manifests, [(signatures.clone(), of_theirs)]);

    // An image that is only signed elsewhere and not here may live on in another registry.
    store.delete_manifest(&app, &signed).await.unwrap();
    let kept = store.collect_garbage(NOW).await.unwrap();
    assert_eq!((kept.manifests, kept.without_subject), (vec![], vec![(signatures.clone(), of_ours)]));
    let all = store.collect_garbage(GcOptions { without_subject: true, ..NOW }).await.unwrap();
    assert_eq!(all.manifests.len(), 2);
    assert_eq!(store.fsck().await.unwrap().findings, []);
}

#[tokio::test]
async fn signatures_beside_an_image_go_after_it_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let config = push_blob(&store, &repository, b"{}").await;
    let put = async |subject| {
        push(&store, &repository, image(config, &[], subject), &[], Expect::Anything).await.unwrap()
    };
    let subject = put(None).await;
    let signature = put(Some(subject)).await;
    let removed = store.inner.layout.removed(&repository, &subject);
    // By a collection, when the signature is younger than the grace, and by whoever pushes.
    let link = store.inner.layout.manifest_link(&repository, &subject);
    let then = std::time::SystemTime::now() - Duration::from_secs(7200);
    fs::File::options().append(true).open(link).unwrap().set_modified(then).unwrap();
    assert_eq!(
        store.collect_garbage(GcOptions::default()).await.unwrap().manifests,
        [(repository.clone(), subject)]
    );
    assert!(removed.is_file());
    assert_eq!(store.fsck().await.unwrap().findings, []);
    assert_eq!(put(None).await, subject);
    store.delete_manifest(&repository, &subject).await.unwrap();
    let report = store.collect_garbage(NOW).await.unwrap();
    assert_eq!((report.manifests, report.without_subject), (vec![(repository, signature)], vec![]));
    assert!(!removed.exists(), "nothing refers to it any more");
}

#[tokio::test]
async fn content_is_shared_until_the_last_repository_drops_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (a, b) = (name("a"), name("b"));
    let digest = push_blob(&store, &a, b"shared").await;
    let secret = MountFrom::Any(Arc::new(|_: &RepositoryName| false));
    assert!(!store.mount_blob(&b, &digest, secret).await.unwrap());
    assert!(!store.mount_blob(&b, &digest, MountFrom::Repository(name("c"))).await.unwrap());
    let any = MountFrom::Any(Arc::new(|_: &RepositoryName| true));
    assert!(store.mount_blob(&b, &digest, any).await.unwrap());
    assert!(store.delete_blob(&a, &digest).await.unwrap());
    assert_eq!(store.blob_size(&a, &digest).await.unwrap(), None);
    let hour = GcOptions::default();
    assert_eq!(store.collect_garbage(hour).await.unwrap(), GcReport::default());
    assert_eq!(read(&store, &b, &digest).await, b"shared");
    assert!(store.delete_blob(&b, &digest).await.unwrap());
    assert_eq!(store.collect_garbage(hour).await.unwrap().contents, [digest]);
}

#[tokio::test]
async fn what_a_damaged_tag_kept_is_not_collected() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let config = push_blob(&store, &repository, b"{}").await;
    let digest =
        push(&store, &repository, image(config, &[], None), &["v1"], Expect::Anything).await.unwrap();
    drop(store);
    let store = open(dir.path());
    let tag = "v1".parse().unwrap();
    fs::write(store.inner.layout.tag(&repository, &tag), "sha256:12").unwrap();
    assert!(matches!(store.resolve_tag(&repository, &tag).await, Err(StoreError::CorruptTag(_))));
    assert_eq!(store.collect_garbage(NOW).await.unwrap().damaged, vec![repository.clone()]);
    assert!(store.manifest(&repository, &digest).await.unwrap().is_some());
}

#[tokio::test]
async fn damage_is_found_and_a_damaged_manifest_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let repository = name("a");
    let store = open(dir.path());
    let config = push_blob(&store, &repository, b"{}").await;
    let layer = push_blob(&store, &repository, b"layer").await;
    let digest = push(&store, &repository, image(config, &[layer], None), &["v1"], Expect::Anything);
    let digest = digest.await.unwrap();
    let content = |digest| store.inner.layout.content(digest);
    fs::write(content(&digest), "{}").unwrap();
    fs::write(content(&layer), "reyal").unwrap();
    fs::remove_file(content(&config)).unwrap();
    fs::write(store.inner.layout.tag(&repository, &"v2".parse().unwrap()), config.to_string()).unwrap();
    let found = store.fsck().await.unwrap().findings;
    assert!(found.contains(&Finding::CorruptContent { digest }));
    assert!(found.contains(&Finding::CorruptContent { digest: layer }));
    assert!(found.contains(&Finding::MissingContent { repository: repository.clone(), digest: config }));
    assert!(
        found.contains(&Finding::DanglingTag { repository: repository.clone(), tag: "v2".parse().unwrap() })
    );
    assert_eq!(store.collect_garbage(NOW).await.unwrap().damaged, vec![repository.clone()]);
    drop(store);

    let store = open(dir.path());
    let served = store.manifest(&repository, &digest).await;
    assert!(matches!(served, Err(StoreError::Corrupt(corrupt)) if corrupt == digest));
    push_blob(&store, &repository, b"layer").await;
    assert_eq!(read(&store, &repository, &layer).await, b"layer", "pushing it again heals it");
}

#[tokio::test]
async fn a_scrub_sets_damage_aside_and_what_is_pushed_again_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository) = (open(dir.path()), name("a"));
    let config = push_blob(&store, &repository, b"{}").await;
    let layer = push_blob(&store, &repository, b"layer").await;
    let manifest = || image(config, &[layer], None);
    push(&store, &repository, manifest(), &["v1"], Expect::Anything).await.unwrap();
    fs::write(store.inner.layout.content(&layer), "reyal").unwrap();
    let damaged = async || {
        let damaged = Mutex::new(Vec::new());
        store.scrub(0, &|digest| damaged.lock().unwrap().push(digest)).await.unwrap();
        damaged.into_inner().unwrap()
    };
    assert_eq!((damaged().await, damaged().await), (vec![layer], vec![]));
    assert_eq!(fs::read(store.inner.layout.damaged(&layer)).unwrap(), b"reyal");
    let asked = store.blob_size(&repository, &layer).await;
    assert!(matches!(asked, Err(StoreError::Corrupt(digest)) if digest == layer), "{asked:?}");
    let named = push(&store, &repository, manifest(), &["v2"], Expect::Anything).await;
    assert!(matches!(named, Err(StoreError::MissingContent(missing)) if missing == [layer]));
    push_blob(&store, &repository, b"layer").await;
    push(&store, &repository, manifest(), &["v2"], Expect::Anything).await.unwrap();
    assert_eq!(read(&store, &repository, &layer).await, b"layer");
    assert_eq!(store.fsck().await.unwrap().findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn garbage_collection_without_grace_never_breaks_an_acknowledged_push() {
    const ROUNDS: usize = 10;
    const MOST_TRIES: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let collecting = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                store.collect_garbage(NOW).await.unwrap();
            }
        }
    });
    let config = Digest::sha256(b"{}");
    for round in 0..ROUNDS {
        // Two repositories share the content; the one that drops it must not take it from the other.
        let (keeper, dropper) = (name(&format!("keeper{round}")), name("dropper"));
        push_blob(&store, &dropper, b"{}").await;
        let mut pushed = false;
        for _ in 0..MOST_TRIES {
            push_blob(&store, &keeper, b"{}").await;
            match push(&store, &keeper, image(config, &[], None), &["v1"], Expect::Anything).await {
                Ok(_) => pushed = true,
                // Collected between the blob and the manifest, which the grace is for: refused, not broken.
                Err(StoreError::MissingContent(_)) => continue,
                Err(error) => panic!("{error}"),
            }
            break;
        }
        assert!(pushed, "collected at each of {MOST_TRIES} tries");
        store.delete_blob(&dropper, &config).await.unwrap();
    }
    collecting.abort();
    assert!(collecting.await.unwrap_err().is_cancelled(), "the collector ran to the end");
    assert_eq!(store.fsck().await.unwrap().findings, []);
    for round in 0..ROUNDS {
        let keeper = name(&format!("keeper{round}"));
        assert!(store.resolve_tag(&keeper, &"v1".parse().unwrap()).await.unwrap().is_some());
        assert_eq!(read(&store, &keeper, &config).await, b"{}");
    }
}

/// Fails every step from the `n`th on, as a process that was killed does nothing more.
struct DeadAfter(Mutex<usize>);

impl Faults for DeadAfter {
    fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("dead"))?;
        Ok(())
    }
}

/// A signature whose image had gone when the collection was killed stayed for ever, as one of another registry's image.
#[tokio::test]
async fn what_a_killed_collection_left_goes_with_the_next_one() {
    let repository = name("a");
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let config = push_blob(&store, &repository, b"{}").await;
        let subject =
            push(&store, &repository, image(config, &[], None), &[], Expect::Anything).await.unwrap();
        let mut signatures = (0..).map(|layers| image(config, &vec![config; layers], Some(subject)));
        // Manifests go in the order of their digests: the image first.
        let is_later = |manifest: &Manifest| Digest::sha256(&serde_json::to_vec(manifest).unwrap()) > subject;
        let signature = signatures.find(is_later).unwrap();
        let signature = push(&store, &repository, signature, &[], Expect::Anything).await.unwrap();
        drop(store);

        let disk = Disk::with_faults(Arc::new(DeadAfter(Mutex::new(steps))));
        let store = FsRegistry::open_on(disk, dir.path(), Limits::default()).unwrap();
        let killed = store.collect_garbage(NOW).await.is_err();
        drop(store);
        let store = open(dir.path());
        let report = store.collect_garbage(NOW).await.unwrap();
        assert_eq!(report.without_subject, [], "{steps}");
        for digest in [subject, signature] {
            assert!(store.manifest(&repository, &digest).await.unwrap().is_none(), "{steps}");
        }
        assert!(!store.inner.layout.removed(&repository, &subject).exists(), "{steps}");
        if !killed {
            assert!(steps > 4, "it was killed at each of its steps");
            break;
        }
    }
}

/// Holds a push between its content and its link until a collection is under way.
struct Between {
    inner: OnceLock<Arc<super::files::Inner>>,
    placed: Barrier,
}

impl Faults for Between {
    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        let is_content = path.components().any(|part| part.as_os_str() == "blobs");
        if let (Step::SyncDir, true, Some(inner)) = (step, is_content && path.is_file(), self.inner.get()) {
            self.placed.wait();
            // One that waits for this push, as it should, does not begin in this time, nor ever.
            let begun = || inner.newly_linked.lock().unwrap().is_some();
            (0..50).take_while(|_| !begun()).for_each(|_| std::thread::sleep(Duration::from_millis(10)));
        }
        Ok(())
    }
}

/// The repository is new, so that no list of repositories has it and nobody waits for its lock.
#[tokio::test]
async fn a_collection_that_begins_between_content_and_link_loses_no_blob() {
    let dir = tempfile::tempdir().unwrap();
    let between = Arc::new(Between { inner: OnceLock::new(), placed: Barrier::new(2) });
    let disk = Disk::with_faults(Arc::clone(&between) as Arc<dyn Faults>);
    let store = FsRegistry::open_on(disk, dir.path(), Limits::default()).unwrap();
    assert!(between.inner.set(Arc::clone(&store.inner)).is_ok());
    let (repository, digest) = (name("new"), Digest::sha256(b"content"));
    let pushed = tokio::spawn({
        let (store, repository) = (store.clone(), repository.clone());
        async move { store.put_blob(&repository, &digest, Bytes::from_static(b"content")).await }
    });
    let placed = Arc::clone(&between);
    tokio::task::spawn_blocking(move || placed.placed.wait()).await.unwrap();
    let report = store.collect_garbage(GcOptions::default()).await.unwrap();
    pushed.await.unwrap().unwrap();
    assert_eq!(report.contents, []);
    assert_eq!(read(&store, &repository, &digest).await, b"content");
}

/// A push of a signed, tagged image; whether each part was acknowledged.
async fn push_image(store: &FsRegistry) -> Result<(), StoreError> {
    let repository = name("a/b");
    let id = store.start_upload(&repository, DigestAlgorithm::Sha256, "owner").await?;
    store.append_upload(&repository, id, None, body(&[b"{}"])).await?;
    let config = Digest::sha256(b"{}");
    store.finish_upload(&repository, id, &config).await?;
    let image_digest = push(store, &repository, image(config, &[], None), &["v1"], Expect::Anything).await?;
    push(store, &repository, image(config, &[], Some(image_digest)), &[], Expect::Anything).await?;
    Ok(())
}

/// Pushes with all steps after the first `steps` failing, then looks at what is left and pushes again.
/// Whether the first push was whole.
async fn push_and_die(steps: usize) -> bool {
    let dir = tempfile::tempdir().unwrap();
    // Made before, so that what dies is the push.
    drop(open(dir.path()));
    let disk = Disk::with_faults(Arc::new(DeadAfter(Mutex::new(steps))));
    let store = FsRegistry::open_on(disk, dir.path(), Limits::default()).unwrap();
    let whole = push_image(&store).await.is_ok();
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.fsck().await.unwrap().findings, [], "after {steps} steps");
    if !whole {
        push_image(&store).await.unwrap();
    }
    let digest = store.resolve_tag(&name("a/b"), &"v1".parse().unwrap()).await.unwrap().unwrap();
    let page = store.referrers(&name("a/b"), &digest, None, None).await.unwrap();
    assert_eq!(page.entries.len(), 1, "after {steps} steps");
    whole
}

#[tokio::test]
async fn whatever_step_is_the_last_the_store_is_sound_and_the_push_can_be_repeated() {
    let runs = (0..120).map(|steps| tokio::spawn(push_and_die(steps)));
    let mut whole = 0;
    for run in runs.collect::<Vec<_>>() {
        whole += usize::from(run.await.unwrap());
    }
    assert!((1..100).contains(&whole), "{whole} of 120 pushes were whole");
}

/// Fails one sync of a file, the `n`th.
struct FailedSync(Mutex<usize>);

impl Faults for FailedSync {
    fn before(&self, step: Step<'_>, _: &Path) -> io::Result<()> {
        let mut left = self.0.lock().unwrap();
        if step != Step::SyncFile {
            return Ok(());
        }
        *left = left.wrapping_sub(1);
        if *left == 0 { Err(io::Error::other("the disk failed")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_until_the_next_start() {
    let mut failed = 0;
    for syncs in 1.. {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let disk = Disk::with_faults(Arc::new(FailedSync(Mutex::new(syncs))));
        let store = FsRegistry::open_on(disk, dir.path(), Limits::default()).unwrap();
        if push_image(&store).await.is_ok() {
            break;
        }
        failed += 1;
        assert!(push_image(&store).await.is_err(), "acknowledged after sync {syncs} failed");
        drop(store);
        push_image(&open(dir.path())).await.unwrap();
    }
    assert!(failed >= 5, "only {failed} syncs");
}

#[tokio::test]
async fn ten_thousand_referrers_are_listed_in_pages_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let (store, repository, subject) = (open(dir.path()), name("a"), Digest::sha256(b"subject"));
    let entries = store.inner.layout.referrers(&repository, &subject);
    fs::create_dir_all(&entries).unwrap();
    fs::create_dir_all(store.inner.layout.manifest_link(&repository, &subject).parent().unwrap()).unwrap();
    for i in 0..10_050_u32 {
        let digest = Digest::sha256(&i.to_be_bytes());
        fs::write(store.inner.layout.manifest_link(&repository, &digest), media_type::OCI_MANIFEST).unwrap();
        let entry = serde_json::to_vec(&Descriptor::new(media_type::OCI_MANIFEST, digest, 1)).unwrap();
        fs::write(entries.join(layout::file_name(&digest)), entry).unwrap();
    }
    let first = store.referrers(&repository, &subject, None, None).await.unwrap();
    let after = first.next.as_ref().unwrap().parse().unwrap();
    let second = store.referrers(&repository, &subject, None, Some(&after)).await.unwrap();
    assert_eq!((first.entries.len(), second.entries.len(), second.next), (10_000, 50, None));
    let all: std::collections::HashSet<_> = first.entries.iter().chain(&second.entries).collect();
    assert_eq!(all.len(), 10_050);
    let none = store.referrers(&repository, &subject, Some("x/y"), None).await.unwrap();
    assert_eq!((none.entries.len(), none.next.is_some()), (0, true), "a page ends after so many looked at");
}
