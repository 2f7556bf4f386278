//! OCI image layouts (image-spec, image-layout.md).
//!
//! Not trusted: whoever can write the directory can replace content, which is found out by its
//! digest, and hide or repoint what `index.json` lists. It may be lost if its source is kept.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, Tag, media_type};
use signet_platform::{Access, Existing, Staged, write_whole};

use super::leftovers;
use super::listed::REF_NAME;
use super::read_bounded;
use super::reader::{Reader, Tree, blob_name, is_named};
use crate::attachment::{Added, Joined, config_of, image_of};
use crate::client::{BlobPush, ManifestName, Referrers, Resolved};
use crate::store::ImageStore;
use crate::stream::BlobStream;
use crate::{Attached, Error, Limits, Result};

/// A directory that is an image layout. Referrers are listed in `index.json`, as oras does it.
pub struct Layout {
    root: PathBuf,
    reader: Reader,
    /// What is put there and gets its entry in `index.json` with the next change of it: that file is written whole.
    unlisted: Mutex<Vec<Descriptor>>,
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
            leftovers::remove_unfinished_blobs(root);
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
        let reader = Reader::new(Tree::Directory(root.to_owned()), limits);
        Self { root: root.to_owned(), reader, unlisted: Mutex::default() }
    }

    /// The image that is called so: by its whole name, or by a tag that is one image's only.
    pub fn called(&self, name: &str) -> Result<Digest> {
        self.reader.called(name)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join(blob_name(digest))
    }

    /// Changes `index.json` under a lock on the layout, so that writers at once lose nothing.
    fn change_index(&self, change: impl FnOnce(&mut Vec<Descriptor>)) -> Result<()> {
        let marker = self.root.join("oci-layout");
        let failed = |error: std::io::Error| Error::io(&marker, &error);
        let lock = File::open(&marker).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut index = self.reader.index()?.index.clone();
        let mut entries = index.manifests.take().unwrap_or_default();
        let before = entries.clone();
        let mut listed: HashSet<Digest> = entries.iter().map(|entry| entry.digest).collect();
        entries.extend(self.unlisted().drain(..).filter(|entry| listed.insert(entry.digest)));
        change(&mut entries);
        if entries == before {
            return Ok(());
        }
        index.manifests = Some(entries);
        self.write_index(&index)
    }

    /// Gives all that was put there its entry.
    fn list_all(&self) -> Result<()> {
        let is_all = self.unlisted().is_empty();
        if is_all { Ok(()) } else { self.change_index(|_| ()) }
    }

    fn unlisted(&self) -> MutexGuard<'_, Vec<Descriptor>> {
        self.unlisted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Points a tag at a manifest if `is_right` of what it names; whether that was so.
    fn name_if(
        &self,
        manifest: &Resolved,
        tag: &Tag,
        is_right: impl FnOnce(Option<Digest>) -> bool,
    ) -> Result<bool> {
        let mut entry = manifest.descriptor.clone();
        entry.annotations.insert(REF_NAME.to_owned(), tag.to_string());
        let mut done = false;
        self.change_index(|entries| {
            done = is_right(entries.iter().find(|listed| is_named(listed, tag)).map(|listed| listed.digest));
            if !done {
                return;
            }
            entries.retain(|listed| !is_named(listed, tag) || listed.digest == entry.digest);
            if !entries.iter().any(|listed| is_named(listed, tag)) {
                entries.push(entry);
            }
        })?;
        Ok(done)
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
        // So that it is not taken for a leftover. Where there are no locks, nothing is.
        let _ = staged.file().lock();
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
        self.list_all()?;
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
        self.unlisted().push(crate::client::referrer(manifest));
        Ok(Attached::Api { digest: manifest.digest() })
    }

    async fn tag(&self, manifest: &Resolved, tag: &Tag) -> Result<()> {
        self.put_manifest(manifest).await?;
        self.name_if(manifest, tag, |_| true).map(|_| ())
    }

    async fn put_attachment(&self, image: &Resolved, tag: &Tag) -> Result<bool> {
        for _ in 0..self.reader.limits.fallback_rounds {
            let listed = self.reader.index()?;
            let named = listed.index.manifests().iter().find(|entry| is_named(entry, tag));
            let current = match named.map(|entry| self.reader.manifest(entry)).transpose() {
                Err(error) if is_not_it(&error) => None,
                other => other?,
            };
            let joined = match Added::Image(image).joined_to(current.as_ref()) {
                Joined::Same => return Ok(false),
                Joined::Image(image) => *image,
                Joined::Layers(layers) => {
                    let config = self.put_bytes(media_type::OCI_CONFIG, config_of(&layers)?).await?;
                    image_of(config, layers, current.as_ref())?
                }
            };
            self.put_manifest(&joined).await?;
            let before = named.map(|entry| entry.digest);
            if self.name_if(&joined, tag, |now| now == before)? {
                return Ok(false);
            }
        }
        Err(Error::Conflict { what: format!("writers of {tag} at once"), detail: String::new() })
    }

    async fn list(&self, image: &Resolved) -> Result<()> {
        self.unlisted().push(image.descriptor.clone());
        self.list_all()
    }

    async fn finish(&self) -> Result<()> {
        self.list_all()
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
