//! Layouts and archives that were tampered with, and writers at once.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too, which clippy does not see")]

use std::path::Path;

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Tag};
use signet_registry::{BlobPush, Error, ImageStore, Layout, Limits, ManifestName, OciArchive, Resolved};

fn image(note: usize) -> Resolved {
    let empty = Descriptor::of("application/vnd.oci.empty.v1+json", b"{}");
    let json = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": empty, "layers": [empty], "annotations": { "note": note.to_string() },
    });
    let bytes = serde_json::to_vec(&json).unwrap();
    let digest = Digest::sha256(&bytes);
    Resolved::new("an image", bytes.into(), None, digest).unwrap()
}

fn layout(root: &Path) -> Layout {
    Layout::create(root, &Limits::default()).unwrap()
}

#[tokio::test]
async fn writers_at_once_lose_no_tag() {
    let directory = tempfile::tempdir().unwrap();
    layout(directory.path());
    let writers = (0..8).map(|i| {
        let root = directory.path().to_owned();
        tokio::task::spawn_blocking(move || {
            let tag: Tag = format!("v{i}").parse().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(layout(&root).tag(&image(i), &tag)).unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for i in 0..8 {
        let name = ManifestName::Tag(format!("v{i}").parse().unwrap());
        let found = layout(directory.path()).resolve(Some(&name)).await.unwrap();
        assert_eq!(found.digest(), image(i).digest());
    }
    let unnamed = layout(directory.path()).resolve(None).await.map(|found| found.digest());
    assert!(unnamed.is_err_and(|error| error.is_not_found()), "none of eight is the only one");
}

#[tokio::test]
async fn content_that_was_changed_on_disk_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (store, image) = (layout(directory.path()), image(1));
    store.tag(&image, &"v1".parse().unwrap()).await.unwrap();
    let path = directory.path().join("blobs/sha256").join(image.digest().hex());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.reverse();
    std::fs::write(&path, &bytes).unwrap();
    let found = store.resolve(None).await.map(|found| found.digest());
    assert!(matches!(found, Err(Error::DigestMismatch { .. })), "{found:?}");
    let read = store.blob(&image.descriptor).await.unwrap().collect_bytes(1 << 20).await;
    assert!(matches!(read, Err(Error::DigestMismatch { .. })), "{read:?}");
    bytes.push(b'!');
    std::fs::write(&path, &bytes).unwrap();
    let read = store.blob(&image.descriptor).await.unwrap().collect_bytes(1 << 20).await;
    assert!(matches!(read, Err(Error::SizeMismatch { .. })), "{read:?}");
}

/// A copy had said "sent 0" and left the damage.
#[tokio::test]
async fn what_is_damaged_in_a_layout_is_put_there_again() {
    let [good, bad] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (source, target, image) = (layout(good.path()), layout(bad.path()), image(1));
    let blob = source.put_bytes("t", "a blob".into()).await.unwrap();
    for damage in [&b"a blab"[..], b"a blo", b"a blob, and more", b""] {
        target.put_blob(&blob, &source).await.unwrap();
        target.put_manifest(&image).await.unwrap();
        for digest in [blob.digest, image.digest()] {
            std::fs::write(bad.path().join("blobs/sha256").join(digest.hex()), damage).unwrap();
        }
        assert_eq!(target.has_manifest(&image.digest()).await, Ok(false));
        assert_eq!(target.put_blob(&blob, &source).await, Ok(BlobPush::Sent));
        target.put_manifest(&image).await.unwrap();
        let read = target.blob(&blob).await.unwrap().collect_bytes(100).await;
        assert_eq!(read, Ok("a blob".into()));
        assert_eq!(target.put_blob(&blob, &source).await, Ok(BlobPush::Present));
        assert_eq!(target.has_manifest(&image.digest()).await, Ok(true));
    }
}

/// A copy had said "sent 0" and left the damage.
#[tokio::test]
async fn what_is_damaged_in_a_layout_is_put_there_again() {
    let [good, bad] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (source, target, image) = (layout(good.path()), layout(bad.path()), image(1));
    let blob = source.put_bytes("t", "a blob".into()).await.unwrap();
    for damage in [&b"a blab"[..], b"a blo", b"a blob, and more", b""] {
        target.put_blob(&blob, &source).await.unwrap();
        target.put_manifest(&image).await.unwrap();
        for digest in [blob.digest, image.digest()] {
            std::fs::write(bad.path().join("blobs/sha256").join(digest.hex()), damage).unwrap();
        }
        assert_eq!(target.has_manifest(&image.digest()).await, Ok(false));
        assert_eq!(target.put_blob(&blob, &source).await, Ok(BlobPush::Sent));
        target.put_manifest(&image).await.unwrap();
        let read = target.blob(&blob).await.unwrap().collect_bytes(100).await;
        assert_eq!(read, Ok("a blob".into()));
        assert_eq!(target.put_blob(&blob, &source).await, Ok(BlobPush::Present));
        assert_eq!(target.has_manifest(&image.digest()).await, Ok(true));
    }
}

#[tokio::test]
async fn a_tag_moves_and_the_other_image_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (store, tag) = (layout(directory.path()), "v1".parse::<Tag>().unwrap());
    for i in [1, 2, 2] {
        store.tag(&image(i), &tag).await.unwrap();
    }
    let found = store.resolve(Some(&ManifestName::Tag(tag))).await.unwrap();
    assert_eq!(found.digest(), image(2).digest());
    assert_eq!(store.has_manifest(&image(1).digest()).await, Ok(true));
}

#[test]
fn an_archive_with_an_entry_twice_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut tar = tar::Builder::new(file.reopen().unwrap());
    for content in ["one", "two"] {
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        tar.append_data(&mut header, "index.json", content.as_bytes()).unwrap();
    }
    tar.finish().unwrap();
    let opened = OciArchive::open(file.path(), &Limits::default()).map(|_| ());
    assert!(matches!(opened, Err(Error::Damaged { .. })), "{opened:?}");
}

#[test]
fn what_is_no_layout_is_told_from_what_is_absent() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| Layout::open(path, &Limits::default()).map(|_| ());
    assert!(open(&directory.path().join("absent")).is_err_and(|error| error.is_not_found()));
    std::fs::write(directory.path().join("oci-layout"), r#"{"imageLayoutVersion":"9"}"#).unwrap();
    assert!(matches!(open(directory.path()), Err(Error::Damaged { .. })));
}
