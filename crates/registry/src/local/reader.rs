//! Reading an image layout, be it a directory or a tar.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, MAX_MANIFEST_BYTES, Manifest, ManifestKind, Tag, media_type};

use super::listed::{Kinds, Listed, REF_NAME};
use super::tarball::Tarball;
use super::{file_chunks, read_bounded};
use crate::client::{ManifestName, Referrers, ReferrersVia, Resolved};
use crate::stream::BlobStream;
use crate::{Error, Limits, Result};

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
    listed: Mutex<Option<Arc<Listed>>>,
}

impl Reader {
    pub(super) fn new(tree: Tree, limits: &Limits) -> Self {
        Self { tree, limits: limits.clone(), listed: Mutex::default() }
    }

    /// What `index.json` lists now.
    pub(super) fn index(&self) -> Result<Arc<Listed>> {
        let bytes = self.tree.bytes("index.json", self.limits.page_bytes)?;
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = listed.as_ref().filter(|known| known.bytes == bytes) {
            return Ok(Arc::clone(known));
        }
        let index = self.parse_index(&bytes)?;
        Ok(Arc::clone(listed.insert(Arc::new(Listed::new(bytes, index)))))
    }

    fn parse_index(&self, bytes: &[u8]) -> Result<Manifest> {
        let damaged =
            |reason: &dyn Display| Error::damaged(self.tree.path(), format_args!("index.json: {reason}"));
        let index = Manifest::parse(bytes).map_err(|error| damaged(&error))?;
        match index.kind() {
            ManifestKind::Index => Ok(index),
            ManifestKind::Image => Err(damaged(&"it is not an index")),
        }
    }

    pub(super) fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        match name {
            Some(ManifestName::Digest(digest)) => self.by_digest(digest),
            Some(ManifestName::Tag(tag)) => self.by_tag(tag),
            None => {
                let listed = self.index()?;
                self.manifest(self.kinds(&listed).only_image(&self.tree.shown())?)
            }
        }
    }

    pub(super) fn called(&self, name: &str) -> Result<Digest> {
        self.index()?.called(name, &self.tree.shown())
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
        let listed = self.index()?;
        let (mut descriptors, mut incomplete) = self.kinds(&listed).referrers(subject);
        let limit = self.limits.referrers;
        if descriptors.len() > limit {
            descriptors.truncate(limit);
            incomplete =
                Some(Error::LimitHit { what: format!("referrers of {subject}"), limit: limit as u64 });
        }
        Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete })
    }

    /// Most manifests say of what media type they are; of others the list does.
    fn by_digest(&self, digest: &Digest) -> Result<Resolved> {
        let found = self.manifest(&Descriptor::new(media_type::OCI_MANIFEST, *digest, 0))?;
        if found.manifest.media_type.is_some() {
            return Ok(found);
        }
        let listed = self.index()?;
        match listed.index.manifests().iter().find(|entry| entry.digest == *digest) {
            Some(entry) => self.manifest(entry),
            None => Ok(found),
        }
    }

    fn by_tag(&self, tag: &Tag) -> Result<Resolved> {
        let listed = self.index()?;
        let entry = listed.index.manifests().iter().find(|entry| is_named(entry, tag));
        let entry = entry.or_else(|| listed.saved_by_cosign(tag));
        let missing = || Error::NotFound { what: format!("{}: {tag}", self.tree.shown()) };
        self.manifest(entry.ok_or_else(missing)?)
    }

    pub(super) fn manifest(&self, descriptor: &Descriptor) -> Result<Resolved> {
        self.manifest_of(descriptor, self.content(&descriptor.digest)?)
    }

    /// What the listed manifests are, as far as they may be opened.
    fn kinds<'a>(&self, listed: &'a Listed) -> &'a Kinds {
        let limit = self.limits.listed_bytes;
        let mut room = limit;
        listed.kinds(|entry| {
            if room == 0 {
                let what = format!("bytes of manifests that {} lists", self.tree.shown());
                return Err(Error::LimitHit { what, limit: limit as u64 });
            }
            let content = self.content(&entry.digest);
            room = room.saturating_sub(match &content {
                Ok(bytes) => bytes.len(),
                Err(Error::TooLarge { .. }) => MAX_MANIFEST_BYTES,
                Err(_) => 0,
            });
            let resolved = self.manifest_of(entry, content?)?;
            Ok(resolved.manifest.subject.map(|subject| subject.digest))
        })
    }

    fn content(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.tree.bytes(&blob_name(digest), MAX_MANIFEST_BYTES)
    }

    fn manifest_of(&self, descriptor: &Descriptor, bytes: Vec<u8>) -> Result<Resolved> {
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
}

/// Where a layout keeps content.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// Whether an entry of `index.json` has this name.
pub(super) fn is_named(entry: &Descriptor, tag: &Tag) -> bool {
    entry.annotations.get(REF_NAME).is_some_and(|name| name == tag.as_str())
}
