//! Directories that released versions wrote are opened by this one, with all that they hold.
//!
//! `golden/v1` was written by `write_golden` below when version 1 was the newest.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::{Descriptor, media_type};
use signet_store::registry::{
    ByteStream, Expect, Finding, FsRegistry, GcOptions, Limits, ManifestPush, MountFrom, RegistryStore,
};
use signet_store::{OpenError, RepositoryName, UploadId};

const CONFIG: &[u8] = b"{}";
const LAYER: &[u8] = b"a layer";
const SIGNATURE: &[u8] = b"a signature";

#[tokio::test]
async fn version_1_is_opened_with_all_that_it_holds() {
    let dir = copy_of_golden("v1");
    let store = FsRegistry::open(dir.path(), Limits::default()).unwrap();
    assert_eq!(store.fsck().await.unwrap().findings, Vec::<Finding>::new());

    let (app, copy) = (name("team/app"), name("copy"));
    let Golden { image, index, signature } = Golden::new();
    let tags = store.tags(&app, None, 10).await.unwrap().unwrap();
    assert_eq!(tags.entries, ["list", "v1"]);
    for (tag, manifest) in [("v1", &image), ("list", &index)] {
        let named = store.resolve_tag(&app, &tag.parse().unwrap()).await.unwrap();
        assert_eq!(named, Some(manifest.digest), "{tag}");
    }
    for manifest in [&image, &index, &signature] {
        let stored = store.manifest(&app, &manifest.digest).await.unwrap().unwrap();
        assert_eq!((&stored.bytes, &stored.media_type), (&manifest.bytes, &manifest.media_type));
    }
    for content in [CONFIG, SIGNATURE] {
        assert_eq!(read(&store, &app, &Digest::sha256(content)).await, content);
    }
    let layer = Digest::of(DigestAlgorithm::Sha512, LAYER);
    assert_eq!(read(&store, &app, &layer).await, LAYER);
    assert_eq!(read(&store, &copy, &layer).await, LAYER);

    let referrers = store.referrers(&app, &image.digest, Some("application/x.test"), None).await.unwrap();
    let [entry] = referrers.entries.as_slice() else { panic!("{referrers:?}") };
    let entry: Descriptor = serde_json::from_slice(entry).unwrap();
    assert_eq!(
        (entry.digest, entry.artifact_type.as_deref()),
        (signature.digest, Some("application/x.test"))
    );
    assert_eq!(store.indexes_of(&app, &image.digest).await.unwrap(), [index.digest]);
}

#[tokio::test]
async fn version_1_is_gone_on_with() {
    let dir = copy_of_golden("v1");
    let store = FsRegistry::open(dir.path(), Limits::default()).unwrap();
    let app = name("team/app");
    let upload: UploadId = UPLOAD.parse().unwrap();
    assert_eq!(store.upload_offset(&app, upload).await.unwrap(), 4);
    store.append_upload(&app, upload, Some(4), body(b"whole")).await.unwrap();
    let whole = Digest::sha256(b"halfwhole");
    store.finish_upload(&app, upload, &whole).await.unwrap();
    assert_eq!(read(&store, &app, &whole).await, b"halfwhole");

    let now =
        GcOptions { grace: Duration::ZERO, uploads: Duration::MAX, without_subject: false, dry_run: false };
    let collected = store.collect_garbage(now).await.unwrap();
    assert_eq!(collected.manifests, []);
    assert_eq!(collected.blobs.len(), 2, "{collected:?}: what was just pushed, and the mounted layer");
    let again = FsRegistry::open(dir.path(), Limits::default());
    assert!(matches!(again, Err(OpenError::InUse { .. })));
}

#[test]
fn a_newer_version_is_refused_and_left_as_it_is() {
    let dir = copy_of_golden("v1");
    let format = dir.path().join("signet.json");
    let text = fs::read_to_string(&format).unwrap();
    fs::write(&format, text.replace("\"version\":1", "\"version\":2")).unwrap();
    let before = tree(dir.path());
    let refused = FsRegistry::open(dir.path(), Limits::default());
    assert!(matches!(refused, Err(OpenError::Newer { found: 2, .. })));
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_directory_whose_format_is_not_said_is_refused_and_left_as_it_is() {
    let dir = copy_of_golden("v1");
    fs::remove_file(dir.path().join("signet.json")).unwrap();
    let before = tree(dir.path());
    assert!(matches!(FsRegistry::open(dir.path(), Limits::default()), Err(OpenError::Foreign { .. })));
    assert_eq!(tree(dir.path()), before);
}

/// Writes the golden directory of the newest version, once, before it is released.
#[tokio::test]
#[ignore = "writes into the source"]
async fn write_golden() {
    let dir = golden("v1");
    let store = FsRegistry::open(&dir, Limits::default()).unwrap();
    let (app, copy) = (name("team/app"), name("copy"));
    let layer = Digest::of(DigestAlgorithm::Sha512, LAYER);
    for (content, digest) in
        [(CONFIG, Digest::sha256(CONFIG)), (LAYER, layer), (SIGNATURE, Digest::sha256(SIGNATURE))]
    {
        let id = store.start_upload(&app, digest.algorithm(), "owner").await.unwrap();
        store.append_upload(&app, id, None, body(content)).await.unwrap();
        store.finish_upload(&app, id, &digest).await.unwrap();
    }
    let Golden { image, index, signature } = Golden::new();
    for (manifest, tag) in [(image, Some("v1")), (index, Some("list")), (signature, None)] {
        let tags = tag.iter().map(|tag| tag.parse().unwrap()).collect();
        store.put_manifest(&app, ManifestPush { tags, ..manifest }).await.unwrap();
    }
    assert!(store.mount_blob(&copy, &layer, MountFrom::Repository(app.clone())).await.unwrap());
    let upload = store.start_upload(&app, DigestAlgorithm::Sha256, "owner").await.unwrap();
    store.append_upload(&app, upload, None, body(b"half")).await.unwrap();
}

/// The manifests of the golden directories.
struct Golden {
    image: ManifestPush,
    index: ManifestPush,
    /// Refers to the image.
    signature: ManifestPush,
}

impl Golden {
    fn new() -> Self {
        let config = descriptor(media_type::OCI_EMPTY, Digest::sha256(CONFIG), CONFIG.len());
        let layer =
            descriptor(media_type::OCI_LAYER_TAR, Digest::of(DigestAlgorithm::Sha512, LAYER), LAYER.len());
        let image = manifest(media_type::OCI_MANIFEST, &format!(r#""config":{config},"layers":[{layer}]"#));
        let named = descriptor(media_type::OCI_MANIFEST, image.digest, image.bytes.len());
        let index = manifest(media_type::OCI_INDEX, &format!(r#""manifests":[{named}]"#));
        let signed = descriptor("application/x.test", Digest::sha256(SIGNATURE), SIGNATURE.len());
        let signature = manifest(
            media_type::OCI_MANIFEST,
            &format!(
                r#""artifactType":"application/x.test","config":{config},"layers":[{signed}],"subject":{named}"#
            ),
        );
        Self { image, index, signature }
    }
}

fn manifest(media_type: &str, rest: &str) -> ManifestPush {
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}",{rest}}}"#);
    let digest = Digest::sha256(text.as_bytes());
    let media_type = media_type.to_owned();
    ManifestPush { bytes: text.into(), digest, media_type, tags: Vec::new(), expect: Expect::Anything }
}

fn descriptor(media_type: &str, digest: Digest, size: usize) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version)
}

/// A copy that may be written to.
fn copy_of_golden(version: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in tree(&golden(version)) {
        let target = dir.path().join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    dir
}

/// Every file below `root` and its bytes, sorted. The lock has none.
fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut files, mut pending) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => pending.push(path),
                false => files.push((path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap())),
            }
        }
    }
    files.sort();
    files
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn body(content: &'static [u8]) -> ByteStream {
    Box::pin(stream::iter([Ok(Bytes::from_static(content))]))
}

async fn read(store: &FsRegistry, repository: &RepositoryName, digest: &Digest) -> Vec<u8> {
    let blob = store.open_blob(repository, digest).await.unwrap().unwrap();
    let whole = 0..blob.size();
    let chunks = blob.read(whole);
    chunks.map(|chunk| chunk.unwrap().to_vec()).concat().await
}

/// The upload that was in progress.
const UPLOAD: &str = "c23322fe-58d5-4db6-9d58-f058a2826dce";
