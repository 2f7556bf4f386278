//! OCI image layouts (image-spec, image-layout.md).
//!
//! Not trusted: whoever can write the directory can replace content, which is found out by its
//! digest, and hide or repoint what `index.json` lists. It may be lost if its source is kept.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::StreamExt;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, MAX_MANIFEST_BYTES, Manifest, ManifestKind, Tag, media_type};

use super::{file_chunks, read_bounded};
use crate::client::{BlobPush, ManifestName, Referrers, ReferrersVia, Resolved};
use crate::store::ImageStore;
use crate::stream::BlobStream;
use crate::{Attached, Error, Limits, Result};

/// A directory that is an image layout. Referrers are listed in `index.json`, as oras does it.
pub struct Layout {
    root: PathBuf,
    limits: Limits,
}

impl Layout {
    /// A layout that is there.
    pub fn open(root: &Path, limits: &Limits) -> Result<Self> {
        let marker = root.join("oci-layout");
        let bytes = read_bounded(&marker, limits.small_bytes)?;
        let version: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match version.get("imageLayoutVersion").and_then(|v| v.as_str()) {
            Some("1.0.0") => Ok(Self { root: root.to_owned(), limits: limits.clone() }),
            _ => Err(Error::malformed(format!("`{}`", marker.display()), "it is not a layout of version 1.0.0")),
        }
    }

    /// A layout that is there, or a new empty one.
    pub fn create(root: &Path, limits: &Limits) -> Result<Self> {
        if root.join("oci-layout").exists() {
            return Self::open(root, limits);
        }
        let layout = Self { root: root.to_owned(), limits: limits.clone() };
        std::fs::create_dir_all(root.join("blobs")).map_err(|error| Error::io(root, &error))?;
        if !root.join("index.json").exists() {
            layout.write_index(&empty_index())?;
        }
        replace(&root.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(layout)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().to_string()).join(digest.hex())
    }

    fn index(&self) -> Result<Manifest> {
        let path = self.root.join("index.json");
        parse_index(&path, &read_bounded(&path, self.limits.page_bytes)?)
    }

    /// Changes `index.json` under a lock on the layout, so that writers at once lose nothing.
    fn change_index(&self, change: impl FnOnce(&mut Vec<Descriptor>)) -> Result<()> {
        let marker = self.root.join("oci-layout");
        let failed = |error: std::io::Error| Error::io(&marker, &error);
        let lock = File::open(&marker).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut index = self.index()?;
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
        let bytes = serde_json::to_vec(index)
            .map_err(|error| Error::malformed("index.json", error.to_string()))?;
        replace(&path, &bytes)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Resolved> {
        let bytes = read_bounded(&self.blob_path(&descriptor.digest), MAX_MANIFEST_BYTES)?;
        let actual = Digest::of(descriptor.digest.algorithm(), &bytes);
        if actual != descriptor.digest {
            return Err(Error::DigestMismatch { expected: descriptor.digest, actual });
        }
        let what = format!("manifest {}", descriptor.digest);
        Resolved::new(&what, bytes.into(), Some(&descriptor.media_type), actual)
    }

    async fn store_blob(&self, blob: &Descriptor, mut content: BlobStream) -> Result<()> {
        let path = self.blob_path(&blob.digest);
        let directory = path.parent().unwrap_or(&self.root).to_owned();
        let failed = |error: std::io::Error| Error::io(&path, &error);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let staged = tempfile::NamedTempFile::new_in(&directory).map_err(failed)?;
        let mut file = tokio::fs::File::from_std(staged.reopen().map_err(failed)?);
        while let Some(chunk) = content.next().await {
            tokio::io::AsyncWriteExt::write_all(&mut file, &chunk?).await.map_err(failed)?;
        }
        tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        publish(staged, &path)
    }
}

#[async_trait]
impl ImageStore for Layout {
    async fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        let what = |name: &dyn std::fmt::Display| format!("`{}`: {name}", self.root.display());
        let index = self.index()?;
        match name {
            Some(ManifestName::Digest(digest)) => {
                let listed = index.manifests().iter().find(|entry| entry.digest == *digest).cloned();
                self.manifest(&listed.unwrap_or_else(|| Descriptor::new(media_type::OCI_MANIFEST, *digest, 0)))
            }
            Some(ManifestName::Tag(tag)) => match index.manifests().iter().find(|entry| is_named(entry, tag)) {
                Some(entry) => self.manifest(entry),
                None => Err(Error::NotFound { what: what(tag) }),
            },
            None => match only_image(index.manifests(), |entry| self.manifest(entry))? {
                Some(entry) => self.manifest(&entry),
                None => Err(Error::NotFound { what: what(&"a single image; name it by its tag") }),
            },
        }
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream> {
        let path = self.blob_path(&blob.digest);
        if !path.is_file() {
            return Err(Error::NotFound { what: format!("`{}`", path.display()) });
        }
        // One byte more than stated, so that a longer file is noticed.
        Ok(BlobStream::new(blob, file_chunks(path, 0, blob.size.saturating_add(1)).await?))
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        let mut descriptors = Vec::new();
        let mut incomplete = None;
        for entry in self.index()?.manifests() {
            match self.manifest(entry) {
                Ok(resolved) if refers_to(&resolved.manifest, subject) => descriptors.push(entry.clone()),
                Ok(_) => {}
                Err(error) => incomplete = Some(error),
            }
        }
        descriptors.sort_by_key(|descriptor| descriptor.digest);
        descriptors.dedup_by_key(|descriptor| descriptor.digest);
        if descriptors.len() > self.limits.referrers {
            let limit = self.limits.referrers;
            descriptors.truncate(limit);
            let what = format!("referrers of {subject}");
            incomplete = Some(Error::LimitHit { what, limit: limit as u64 });
        }
        Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete })
    }

    async fn has_manifest(&self, digest: &Digest) -> Result<bool> {
        Ok(self.blob_path(digest).is_file())
    }

    async fn put_blob(&self, blob: &Descriptor, source: &dyn ImageStore) -> Result<BlobPush> {
        // A name under `blobs` appears only with its whole content, which was checked.
        if self.blob_path(&blob.digest).is_file() {
            return Ok(BlobPush::Present);
        }
        self.store_blob(blob, source.blob(blob).await?).await?;
        Ok(BlobPush::Sent)
    }

    async fn put_manifest(&self, manifest: &Resolved) -> Result<()> {
        let content = BlobStream::of_bytes(&manifest.descriptor, manifest.bytes.clone());
        match self.blob_path(&manifest.digest()).is_file() {
            true => Ok(()),
            false => self.store_blob(&manifest.descriptor, content).await,
        }
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
        &self.limits
    }
}

pub(super) fn parse_index(path: &Path, bytes: &[u8]) -> Result<Manifest> {
    let what = || format!("`{}`", path.display());
    let index = Manifest::parse(bytes).map_err(|error| Error::malformed(what(), error.to_string()))?;
    match index.kind() {
        ManifestKind::Index => Ok(index),
        ManifestKind::Image => Err(Error::malformed(what(), "it is not an index")),
    }
}

pub(super) fn is_named(entry: &Descriptor, tag: &Tag) -> bool {
    entry.annotations.get(REF_NAME).is_some_and(|name| name == tag.as_str())
}

pub(super) fn refers_to(manifest: &Manifest, subject: &Digest) -> bool {
    manifest.subject.as_ref().is_some_and(|stated| stated.digest == *subject)
}

/// The image, where an index lists just one besides what refers to others and cosign's attachments.
pub(super) fn only_image(
    entries: &[Descriptor],
    read: impl Fn(&Descriptor) -> Result<Resolved>,
) -> Result<Option<Descriptor>> {
    let mut found: Option<Descriptor> = None;
    for entry in entries {
        let attached = entry.annotations.get(REF_NAME).is_some_and(|name| name.starts_with("sha256-"));
        if attached || read(entry)?.manifest.subject.is_some() {
            continue;
        }
        if found.as_ref().is_some_and(|other| other.digest != entry.digest) {
            return Ok(None);
        }
        found = Some(entry.clone());
    }
    Ok(found)
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

/// Writes a file so that it is seen whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(path, &error);
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut staged = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    staged.write_all(bytes).map_err(failed)?;
    staged.as_file().sync_all().map_err(failed)?;
    publish(staged, path)
}

/// Gives a staged, synced file its name and syncs the name. Others may read it, unlike a private file.
fn publish(staged: tempfile::NamedTempFile, path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(path, &error);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        staged.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    }
    staged.persist(path).map_err(|error| failed(error.error))?;
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    }
    Ok(())
}

const REF_NAME: &str = "org.opencontainers.image.ref.name";
