//! OCI image layouts (image-spec, image-layout.md).
//!
//! Not trusted: whoever can write the directory can replace content, which is found out by its
//! digest, and hide or repoint what `index.json` lists. It may be lost if its source is kept.

use std::fs::File;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, Tag, media_type};
use signet_platform::{Access, Existing, Staged, write_whole};

use super::read_bounded;
use super::reader::{REF_NAME, Reader, Tree, blob_name, is_named};
use crate::client::{BlobPush, ManifestName, Referrers, Resolved};
use crate::store::ImageStore;
use crate::stream::BlobStream;
use crate::{Attached, Error, Limits, Result};

/// A directory that is an image layout. Referrers are listed in `index.json`, as oras does it.
pub struct Layout {
    root: PathBuf,
    reader: Reader,
}

impl Layout {
    /// A layout that is there.
    pub fn open(root: &Path, limits: &Limits) -> Result<Self> {
        let marker = root.join("oci-layout");
        let bytes = read_bounded(&marker, limits.small_bytes)?;
        let version: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match version.get("imageLayoutVersion").and_then(|v| v.as_str()) {
            Some("1.0.0") => Ok(Self::at(root, limits)),
            _ => Err(Error::damaged(&marker, "it is not a layout of version 1.0.0")),
        }
    }

    /// A layout that is there, or a new empty one.
    pub fn create(root: &Path, limits: &Limits) -> Result<Self> {
        if root.join("oci-layout").exists() {
            return Self::open(root, limits);
        }
        let layout = Self::at(root, limits);
        std::fs::create_dir_all(root.join("blobs")).map_err(|error| Error::io(root, &error))?;
        if !root.join("index.json").exists() {
            layout.write_index(&empty_index())?;
        }
        replace(&root.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(layout)
    }

    fn at(root: &Path, limits: &Limits) -> Self {
        let reader = Reader { tree: Tree::Directory(root.to_owned()), limits: limits.clone() };
        Self { root: root.to_owned(), reader }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join(blob_name(digest))
    }

    /// Lists an image without a name.
    pub(super) fn list(&self, manifest: &Resolved) -> Result<()> {
        let entry = manifest.descriptor.clone();
        self.change_index(|entries| {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        })
    }

    /// Changes `index.json` under a lock on the layout, so that writers at once lose nothing.
    fn change_index(&self, change: impl FnOnce(&mut Vec<Descriptor>)) -> Result<()> {
        let marker = self.root.join("oci-layout");
        let failed = |error: std::io::Error| Error::io(&marker, &error);
        let lock = File::open(&marker).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut index = self.reader.index()?;
        let mut entries = index.manifests.take().unwrap_or_default();
        let before = entries.clone();
        change(&mut entries);
        if entries == before {
            return Ok(());
        }
        index.manifests = Some(entries);
        self.write_index(&index)
    }

    fn write_index(&self, index: &Manifest) -> Result<()> {
        let path = self.root.join("index.json");
        let bytes =
            serde_json::to_vec(index).map_err(|error| Error::malformed("index.json", error.to_string()))?;
        replace(&path, &bytes)
    }

    /// Whether the content is there and right. A name alone does not tell: files rot and are cut off, and what is put
    /// here would be taken for sent.
    async fn holds(&self, blob: &Descriptor) -> Result<bool> {
        let read = async { self.reader.blob(blob).await?.check().await };
        match read.await {
            Ok(()) => Ok(true),
            Err(error) if is_not_it(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_whole(&self, blob: &Descriptor, bytes: Bytes) -> Result<()> {
        match self.holds(blob).await? {
            true => Ok(()),
            false => self.store_blob(blob, BlobStream::of_bytes(blob, bytes)).await,
        }
    }

    async fn store_blob(&self, blob: &Descriptor, mut content: BlobStream) -> Result<()> {
        let path = self.blob_path(&blob.digest);
        let directory = path.parent().unwrap_or(&self.root).to_owned();
        let failed = |error: std::io::Error| Error::io(&path, &error);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let mut staged = Staged::beside(&path, Access::Public).map_err(failed)?;
        let mut file = tokio::fs::File::from_std(staged.file().try_clone().map_err(failed)?);
        while let Some(chunk) = content.next().await {
            tokio::io::AsyncWriteExt::write_all(&mut file, &chunk?).await.map_err(failed)?;
        }
        tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(failed)?;
        // Here it blocks no other work; when it is published there is nothing left to sync.
        file.sync_all().await.map_err(failed)?;
        staged.publish().map_err(failed)
    }
}

#[async_trait]
impl ImageStore for Layout {
    async fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        self.reader.resolve(name)
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream> {
        self.reader.blob(blob).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        self.reader.referrers(subject)
    }

    async fn has_manifest(&self, digest: &Digest) -> Result<bool> {
        match self.reader.resolve(Some(&ManifestName::Digest(*digest))) {
            Ok(_) => Ok(true),
            Err(error) if is_not_it(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_blob(&self, blob: &Descriptor, source: &dyn ImageStore) -> Result<BlobPush> {
        if self.holds(blob).await? {
            return Ok(BlobPush::Present);
        }
        self.store_blob(blob, source.blob(blob).await?).await?;
        Ok(BlobPush::Sent)
    }

    async fn put_bytes(&self, media_type: &str, bytes: Bytes) -> Result<Descriptor> {
        let blob = Descriptor::of(media_type, &bytes);
        self.put_whole(&blob, bytes).await?;
        Ok(blob)
    }

    async fn put_manifest(&self, manifest: &Resolved) -> Result<()> {
        self.put_whole(&manifest.descriptor, manifest.bytes.clone()).await
    }

    async fn put_referrer(&self, manifest: &Resolved, _subject: &Digest) -> Result<Attached> {
        self.put_manifest(manifest).await?;
        let entry = crate::client::referrer(manifest);
        let digest = entry.digest;
        self.change_index(|entries| {
            if !entries.iter().any(|listed| listed.digest == digest) {
                entries.push(entry);
            }
        })?;
        Ok(Attached::Api { digest })
    }

    async fn tag(&self, manifest: &Resolved, tag: &Tag) -> Result<()> {
        self.put_manifest(manifest).await?;
        let mut entry = manifest.descriptor.clone();
        entry.annotations.insert(REF_NAME.to_owned(), tag.to_string());
        self.change_index(|entries| {
            entries.retain(|listed| !is_named(listed, tag) || listed.digest == entry.digest);
            if !entries.iter().any(|listed| is_named(listed, tag)) {
                entries.push(entry);
            }
        })
    }

    async fn finish(&self) -> Result<()> {
        Ok(())
    }

    fn limits(&self) -> &Limits {
        &self.reader.limits
    }
}

/// Nothing is there, or something else.
fn is_not_it(error: &Error) -> bool {
    let other =
        matches!(error, Error::DigestMismatch { .. } | Error::SizeMismatch { .. } | Error::TooLarge { .. });
    other || error.is_not_found()
}

fn empty_index() -> Manifest {
    Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_INDEX.to_owned()),
        artifact_type: None,
        config: None,
        layers: None,
        manifests: Some(Vec::new()),
        subject: None,
        annotations: Default::default(),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, bytes, Access::Public, Existing::Replace).map_err(|error| Error::io(path, &error))
}
