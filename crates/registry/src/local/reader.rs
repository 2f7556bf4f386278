//! Reading an image layout, be it a directory or a tar.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, MAX_MANIFEST_BYTES, Manifest, ManifestKind, Tag, media_type};

use super::tarball::Tarball;
use super::{file_chunks, read_bounded};
use crate::client::{ManifestName, Referrers, ReferrersVia, Resolved};
use crate::stream::BlobStream;
use crate::{Error, Limits, Result};

/// The annotation that names an entry of `index.json`.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Files under names, such as `blobs/sha256/…`.
pub(super) enum Tree {
    Directory(PathBuf),
    Tar(Tarball),
}

impl Tree {
    fn bytes(&self, name: &str, most: usize) -> Result<Vec<u8>> {
        match self {
            Self::Directory(root) => read_bounded(&root.join(name), most),
            Self::Tar(tarball) => tarball.bytes(name, most),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Directory(root) => root,
            Self::Tar(tarball) => tarball.path(),
        }
    }

    fn shown(&self) -> String {
        format!("`{}`", self.path().display())
    }
}

/// The reading half of a store.
pub(super) struct Reader {
    pub(super) tree: Tree,
    pub(super) limits: Limits,
}

impl Reader {
    /// What `index.json` lists.
    pub(super) fn index(&self) -> Result<Manifest> {
        let bytes = self.tree.bytes("index.json", self.limits.page_bytes)?;
        let damaged =
            |reason: &dyn Display| Error::damaged(self.tree.path(), format_args!("index.json: {reason}"));
        let index = Manifest::parse(&bytes).map_err(|error| damaged(&error))?;
        match index.kind() {
            ManifestKind::Index => Ok(index),
            ManifestKind::Image => Err(damaged(&"it is not an index")),
        }
    }

    pub(super) fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        let index = self.index()?;
        let entries = index.manifests();
        let missing = |name: &str| Error::NotFound { what: format!("{}: {name}", self.tree.shown()) };
        let entry = match name {
            Some(ManifestName::Digest(digest)) => {
                let listed = entries.iter().find(|entry| entry.digest == *digest).cloned();
                listed.unwrap_or_else(|| Descriptor::new(media_type::OCI_MANIFEST, *digest, 0))
            }
            Some(ManifestName::Tag(tag)) => {
                let listed = entries.iter().find(|entry| is_named(entry, tag)).cloned();
                listed.ok_or_else(|| missing(tag.as_str()))?
            }
            None => {
                self.only_image(entries)?.ok_or_else(|| missing("a single image (name it by its tag)"))?
            }
        };
        self.manifest(&entry)
    }

    pub(super) async fn blob(&self, blob: &Descriptor) -> Result<BlobStream> {
        let name = blob_name(&blob.digest);
        match &self.tree {
            Tree::Directory(root) => {
                let path = root.join(&name);
                if !path.is_file() {
                    return Err(Error::NotFound { what: format!("`{}`", path.display()) });
                }
                // One byte more than stated, so that a longer file is noticed.
                Ok(BlobStream::new(blob, file_chunks(path, 0, blob.size.saturating_add(1)).await?))
            }
            Tree::Tar(tarball) => Ok(BlobStream::new(blob, tarball.chunks(&name).await?)),
        }
    }

    pub(super) fn referrers(&self, subject: &Digest) -> Result<Referrers> {
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
        let limit = self.limits.referrers;
        if descriptors.len() > limit {
            descriptors.truncate(limit);
            incomplete =
                Some(Error::LimitHit { what: format!("referrers of {subject}"), limit: limit as u64 });
        }
        Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete })
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Resolved> {
        let bytes = self.tree.bytes(&blob_name(&descriptor.digest), MAX_MANIFEST_BYTES)?;
        let actual = Digest::of(descriptor.digest.algorithm(), &bytes);
        if actual != descriptor.digest {
            return Err(Error::digest_mismatch(descriptor.digest, actual));
        }
        let damaged = |reason: &dyn Display| {
            Error::damaged(self.tree.path(), format_args!("manifest {}: {reason}", descriptor.digest))
        };
        let manifest = Manifest::parse(&bytes).map_err(|error| damaged(&error))?;
        Ok(Resolved::of(manifest, bytes.into(), Some(&descriptor.media_type), actual))
    }

    /// The image, where there is one besides what refers to others and cosign's attachments.
    fn only_image(&self, entries: &[Descriptor]) -> Result<Option<Descriptor>> {
        let mut found: Option<Descriptor> = None;
        for entry in entries {
            let attached = entry.annotations.get(REF_NAME).is_some_and(|name| name.starts_with("sha256-"));
            if attached || self.manifest(entry)?.manifest.subject.is_some() {
                continue;
            }
            if found.as_ref().is_some_and(|other| other.digest != entry.digest) {
                return Ok(None);
            }
            found = Some(entry.clone());
        }
        Ok(found)
    }
}

/// Where a layout keeps content.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// Whether an entry of `index.json` has this name.
pub(super) fn is_named(entry: &Descriptor, tag: &Tag) -> bool {
    entry.annotations.get(REF_NAME).is_some_and(|name| name == tag.as_str())
}

fn refers_to(manifest: &Manifest, subject: &Digest) -> bool {
    manifest.subject.as_ref().is_some_and(|stated| stated.digest == *subject)
}
