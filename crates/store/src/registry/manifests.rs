//! Manifests: stored whole, rechecked at each read from the disk.

use std::path::PathBuf;
use std::sync::Arc;

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, ManifestError, ManifestKind};

use super::backlinks::{MAX_TRACKED_CHILDREN, descriptor_of};
use super::files::Inner;
use super::layout::{entry_names, file_name, read_if_present};
use super::{Expect, ManifestPush, PushedManifest, StoreError, StoredManifest};
use crate::name::RepositoryName;

impl Inner {
    pub(super) fn load_manifest(
        &self,
        key: (RepositoryName, Digest),
    ) -> Result<Option<Arc<StoredManifest>>, StoreError> {
        // Held until the cache has it, so that no later change is covered by what is read now.
        let _shared = self.shared(&key.0);
        let Some(manifest) = self.read_manifest(&key.0, &key.1)? else { return Ok(None) };
        let (weight, manifest) = (manifest.bytes.len() + ENTRY_BYTES, Arc::new(manifest));
        self.manifests.insert(key, Arc::clone(&manifest), weight);
        Ok(Some(manifest))
    }

    /// Reads a manifest from the disk and checks it. The caller holds the repository's lock.
    pub(super) fn read_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, StoreError> {
        let link = read_if_present(&self.layout.manifest_link(repository, digest))?;
        let Some(media_type) = link else { return Ok(None) };
        let media_type = String::from_utf8(media_type).map_err(|_| StoreError::Corrupt(*digest))?;
        let bytes = self.intact_manifest(digest)?.ok_or(StoreError::Corrupt(*digest))?;
        Ok(Some(StoredManifest { bytes: bytes.into(), digest: *digest, media_type }))
    }

    /// The bytes of a manifest, if they are there and have its digest.
    pub(super) fn intact_manifest(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = read_if_present(&self.layout.content(digest))?;
        Ok(bytes.filter(|bytes| Digest::of(digest.algorithm(), bytes) == *digest))
    }

    pub(super) fn put_manifest(
        &self,
        repository: &RepositoryName,
        push: &ManifestPush,
    ) -> Result<PushedManifest, StoreError> {
        let manifest = push.parse()?;
        let _exclusive = self.exclusive(repository);
        if let Some(tag) = push.tags.first()
            // A push that expects nothing heals a damaged tag.
            && push.expect != Expect::Anything
            && !push.expect.accepts(self.read_tag(repository, tag)?)
        {
            return Err(StoreError::ExpectationFailed);
        }
        let missing = self.missing_content(repository, &manifest);
        if !missing.is_empty() {
            return Err(StoreError::MissingContent(missing));
        }
        self.place_manifest(repository, push, &manifest)?;
        for tag in &push.tags {
            self.write_tag(repository, tag, &push.digest)?;
        }
        Ok(PushedManifest { subject: manifest.subject.map(|subject| subject.digest) })
    }

    pub(super) fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        let _exclusive = self.exclusive(repository);
        if !self.has_manifest(repository, digest) {
            return Ok(false);
        }
        for (tag, named) in self.all_tags(repository)? {
            if named == Some(*digest) {
                self.remove_tag(repository, &tag)?;
            }
        }
        self.remove_manifest(repository, digest)?;
        Ok(true)
    }

    /// Removes a manifest that no tag names. The caller holds the repository's lock.
    pub(super) fn remove_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        if !entry_names(&self.layout.referrers(repository, digest))?.is_empty() {
            // Says that its signatures are not those of an image of another registry: garbage from here on.
            self.disk().mark(&self.layout.removed(repository, digest))?;
        }
        let manifest = self.read_manifest(repository, digest);
        self.manifests.remove(&(repository.clone(), *digest));
        self.disk().remove(&self.layout.manifest_link(repository, digest))?;
        // A damaged manifest does not say what it referred to; a list skips entries without a manifest.
        if let Ok(Some(stored)) = manifest
            && let Ok(manifest) = Manifest::parse(&stored.bytes)
        {
            for backlink in self.backlinks(repository, digest, &manifest) {
                self.disk().remove(&backlink)?;
                backlink.parent().into_iter().for_each(|dir| self.disk().remove_empty_dir(dir));
            }
        }
        Ok(())
    }

    pub(super) fn has_manifest(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.layout.manifest_link(repository, digest).is_file()
    }

    /// Content first, then what finds it from elsewhere, then the link that makes it exist: a crash
    /// leaves nothing that can be seen, or all of it.
    fn place_manifest(
        &self,
        repository: &RepositoryName,
        push: &ManifestPush,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        let scratch = self.layout.scratch();
        let link = self.layout.manifest_link(repository, &push.digest);
        self.linking(&push.digest, || {
            self.disk().put(&scratch, &self.layout.content(&push.digest), &push.bytes)?;
            self.write_backlinks(repository, push, manifest)?;
            self.disk().put(&scratch, &link, push.media_type.as_bytes())
        })?;
        Ok(())
    }

    fn missing_content(&self, repository: &RepositoryName, manifest: &Manifest) -> Vec<Digest> {
        // What was set aside as damaged is missing too: so it is pushed again.
        let is_there = |digest: &Digest| self.layout.content(digest).is_file();
        let has_blob = |digest: &Digest| self.has_blob(repository, digest) && is_there(digest);
        let has_manifest = |digest: &Digest| self.has_manifest(repository, digest) && is_there(digest);
        let blobs = blobs_of(manifest).map(|d| d.digest).filter(|digest| !has_blob(digest));
        let children = manifest.manifests().iter().map(|d| d.digest);
        let children = children.filter(|digest| !has_manifest(digest) && !has_blob(digest));
        blobs.chain(children).take(MAX_MISSING_NAMED).collect()
    }

    /// The entries that other manifests' lists have for this one.
    fn backlinks(&self, repository: &RepositoryName, digest: &Digest, manifest: &Manifest) -> Vec<PathBuf> {
        let name = file_name(digest);
        let subject = manifest.subject.iter().map(|d| self.layout.referrers(repository, &d.digest));
        let children = manifest.manifests().iter().take(MAX_TRACKED_CHILDREN);
        let children = children.map(|d| self.layout.indexes(repository, &d.digest));
        subject.chain(children).map(|dir| dir.join(&name)).collect()
    }
}

impl ManifestPush {
    /// Reads the manifest, which must be what its `Content-Type` says: two readings of the same bytes are an attack
    /// (CVE-2021-41190).
    pub fn parse(&self) -> Result<Manifest, StoreError> {
        let manifest = Manifest::parse(&self.bytes)?;
        let unknown =
            || ManifestError::Malformed("its `Content-Type` is none of a manifest or an index".to_owned());
        ManifestKind::of_media_type(&self.media_type).ok_or_else(unknown)?;
        match fits(&self.media_type, &manifest) {
            true => Ok(manifest),
            false => Err(ManifestError::Ambiguous.into()),
        }
    }

    /// The manifest's entry in the list of its subject's referrers (distribution-spec, "Listing Referrers").
    pub fn referrer(&self, manifest: &Manifest) -> Descriptor {
        let size = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        descriptor_of(&self.media_type, self.digest, size, manifest)
    }
}

/// The blobs that must be there for a manifest to be complete.
pub fn blobs_of(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    let layers = manifest.layers().iter().filter(|layer| !layer.is_foreign_layer());
    manifest.config.iter().chain(layers)
}

/// Whether a manifest can have this media type: the one it states, if it states one, and of its kind.
pub(super) fn fits(media_type: &str, manifest: &Manifest) -> bool {
    let is_stated = manifest.media_type.as_deref().is_none_or(|stated| stated == media_type);
    is_stated && ManifestKind::of_media_type(media_type) == Some(manifest.kind())
}

/// What an entry of a cache weighs beside its bytes.
pub(super) const ENTRY_BYTES: usize = 512;
const MAX_MISSING_NAMED: usize = 16;
