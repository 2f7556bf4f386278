//! One trait over every place that images are kept in.

use async_trait::async_trait;
use bytes::Bytes;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::{Descriptor, Manifest, Repository, Tag};

use crate::attachment::Added;
use crate::client::{BlobPush, Client, ManifestName, Referrers, Resolved};
use crate::stream::BlobStream;
use crate::{Attached, Error, Limits, Result};

/// A place that keeps manifests, blobs and tags: a repository on a registry, a layout, an archive.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// The manifest with this name; without one, the only image there is.
    async fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved>;

    /// A blob's content.
    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream>;

    /// What refers to `subject`.
    async fn referrers(&self, subject: &Digest) -> Result<Referrers>;

    /// Refuses an image that cannot be kept here whole; asked before anything of it is put.
    fn takes(&self, _image: &Manifest) -> Result<()> {
        Ok(())
    }

    /// Whether the store has this manifest and, with it, all that it names.
    async fn has_manifest(&self, digest: &Digest) -> Result<bool>;

    /// Takes a blob from `source`, unless it is there.
    async fn put_blob(&self, blob: &Descriptor, source: &dyn ImageStore) -> Result<BlobPush>;

    /// Takes bytes as a blob, unless it is there.
    async fn put_bytes(&self, media_type: &str, bytes: Bytes) -> Result<Descriptor>;

    /// Takes bytes that are surely new as a blob; where asking first would cost a request, it is not asked.
    async fn put_new_bytes(&self, media_type: &str, bytes: Bytes) -> Result<Descriptor> {
        self.put_bytes(media_type, bytes).await
    }

    /// Takes a manifest, all of whose blobs and manifests it has been given.
    async fn put_manifest(&self, manifest: &Resolved) -> Result<()>;

    /// Takes a manifest that refers to `subject`, so that it is found from there, at the latest when it is finished.
    async fn put_referrer(&self, manifest: &Resolved, subject: &Digest) -> Result<Attached>;

    /// Points a tag at a manifest that the store has.
    async fn tag(&self, manifest: &Resolved, tag: &Tag) -> Result<()>;

    /// Finds an image that the store has under one of cosign's tags for attachments, and all that is found there already.
    /// Whether a concurrent writer could still remove it unseen.
    async fn put_attachment(&self, image: &Resolved, tag: &Tag) -> Result<bool>;

    /// Lists an image that gets no tag, where only what is listed is found again.
    async fn list(&self, _image: &Resolved) -> Result<()> {
        Ok(())
    }

    /// Makes what was put there permanent. Nothing may be put into an archive afterwards.
    async fn finish(&self) -> Result<()>;

    /// The repository, where the store is one: blobs may be mounted from it.
    fn repository(&self) -> Option<&Repository> {
        None
    }

    /// The bounds that reading from it keeps to.
    fn limits(&self) -> &Limits;
}

/// A repository on a registry.
pub struct RegistryStore {
    client: Client,
    repository: Repository,
}

impl RegistryStore {
    /// The repository as a store, reached by `client`.
    pub fn new(client: Client, repository: Repository) -> Self {
        Self { client, repository }
    }
}

#[async_trait]
impl ImageStore for RegistryStore {
    async fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        match name {
            Some(name) => self.client.named(&self.repository, name).await,
            None => Err(Error::NotFound { what: format!("an unnamed manifest of {}", self.repository) }),
        }
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream> {
        self.client.blob_stream(&self.repository, blob).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        self.client.referrers(&self.repository, subject).await
    }

    async fn has_manifest(&self, digest: &Digest) -> Result<bool> {
        self.client.has_manifest(&self.repository, digest).await
    }

    async fn put_blob(&self, blob: &Descriptor, source: &dyn ImageStore) -> Result<BlobPush> {
        let open = || source.blob(blob);
        self.client.push_blob(&self.repository, blob, source.repository(), open).await
    }

    async fn put_bytes(&self, media_type: &str, bytes: Bytes) -> Result<Descriptor> {
        self.client.push_bytes(&self.repository, media_type, bytes).await
    }

    async fn put_new_bytes(&self, media_type: &str, bytes: Bytes) -> Result<Descriptor> {
        self.client.push_new_bytes(&self.repository, media_type, bytes).await
    }

    async fn put_manifest(&self, manifest: &Resolved) -> Result<()> {
        self.push(manifest, &ManifestName::Digest(manifest.digest())).await
    }

    async fn put_referrer(&self, manifest: &Resolved, subject: &Digest) -> Result<Attached> {
        self.client.attach_resolved(&self.repository, subject, manifest).await
    }

    async fn tag(&self, manifest: &Resolved, tag: &Tag) -> Result<()> {
        match manifest.digest().algorithm() {
            DigestAlgorithm::Sha256 => self.push(manifest, &ManifestName::Tag(tag.clone())).await,
            // Pushed under its tag it would be another manifest to the registry, without what refers to this one.
            _ => self.client.tag_by_digest(&self.repository, manifest, tag).await,
        }
    }

    async fn put_attachment(&self, image: &Resolved, tag: &Tag) -> Result<bool> {
        self.client.add_to_tag(&self.repository, tag, Added::Image(image)).await
    }

    async fn finish(&self) -> Result<()> {
        Ok(())
    }

    fn repository(&self) -> Option<&Repository> {
        Some(&self.repository)
    }

    fn limits(&self) -> &Limits {
        self.client.limits()
    }
}

impl RegistryStore {
    async fn push(&self, manifest: &Resolved, name: &ManifestName) -> Result<()> {
        let media_type = &manifest.descriptor.media_type;
        let pushed =
            self.client.push_manifest(&self.repository, name, media_type, manifest.bytes.clone(), None);
        pushed.await.map(|_| ())
    }
}
