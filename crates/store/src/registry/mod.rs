//! What the registry serves: blobs, manifests, tags, referrers and uploads.
//!
//! [`RegistryStore`] is the interface; [`FsRegistry`] keeps all in a [`DataDir`](crate::DataDir).
//!
//! Trusted? No: content is addressed by its digest, clients recheck it, and so do we: manifests at each
//! read from the disk, blobs by [`FsRegistry::scrub`] and [`FsRegistry::fsck`]. Which digest a tag names is trusted; whoever
//! relies on it verifies signatures. What an attacker who can write the directory gains: to move and
//! remove tags, hide signatures and deny service; not to change an image that is pulled by digest or
//! verified. May it be lost? No: it may be the only copy; back it up by copying the directory while
//! the service is stopped. The lists of referrers and indexes only find manifests, which say themselves what they refer to.

mod backlinks;
mod blobs;
mod cache;
mod error;
mod files;
mod fsck;
mod gc;
mod layout;
mod manifests;
mod tags;
mod transfers;
mod uploads;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::Tag;

pub use blobs::OpenBlob;
pub use error::{StoreError, is_full};
pub use files::{FsRegistry, Limits};
pub use fsck::{Finding, FsckReport};
pub use gc::{GcOptions, GcReport};
pub use manifests::blobs_of;
pub use uploads::EMPTY_UPLOADS_FOR;

use crate::name::{RepositoryName, UploadId};

/// Bytes that arrive piece by piece.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Where a registry keeps what it serves: [`FsRegistry`], or whatever else keeps bytes under names.
///
/// Whatever a method acknowledges with `Ok` is durable. Dropping a returned future stops nothing half-way.
#[async_trait]
pub trait RegistryStore: Send + Sync + 'static {
    /// The size of a blob of the repository, if it has it.
    async fn blob_size(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, StoreError>;

    /// A blob of the repository, if it has it, to be read.
    async fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<OpenBlob>, StoreError>;

    /// Gives the repository a blob that is in memory, if its digest is that one.
    async fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), StoreError>;

    /// Takes a blob out of the repository; whether it was there. Other repositories keep it.
    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError>;

    /// Gives the repository a blob that another one has; whether one was found.
    async fn mount_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: MountFrom,
    ) -> Result<bool, StoreError>;

    /// Begins an upload whose digest will be of `algorithm`, as far as is known. Where that makes too many, one of
    /// those ends whose `owner` has more.
    async fn start_upload(
        &self,
        repository: &RepositoryName,
        algorithm: DigestAlgorithm,
        owner: &str,
    ) -> Result<UploadId, StoreError>;

    /// How many bytes an upload has.
    async fn upload_offset(&self, repository: &RepositoryName, id: UploadId) -> Result<u64, StoreError>;

    /// Adds `body` to an upload, which must have `at` bytes if that is given; how many it has then.
    /// If the body breaks off, what came of it is kept.
    async fn append_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        at: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, StoreError>;

    /// Makes an upload a blob of the repository if it has that digest; forgets it otherwise.
    async fn finish_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        digest: &Digest,
    ) -> Result<(), StoreError>;

    /// Forgets an upload.
    async fn cancel_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), StoreError>;

    /// The digest that a tag names.
    async fn resolve_tag(&self, repository: &RepositoryName, tag: &Tag)
    -> Result<Option<Digest>, StoreError>;

    /// A manifest of the repository.
    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Arc<StoredManifest>>, StoreError>;

    /// Stores a manifest and moves `tags` to it. All that it names, but its subject, must be there.
    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        push: ManifestPush,
    ) -> Result<PushedManifest, StoreError>;

    /// Removes a manifest and every tag that names it; whether it was there.
    async fn delete_manifest(&self, repository: &RepositoryName, digest: &Digest)
    -> Result<bool, StoreError>;

    /// Removes a tag; whether it was there.
    async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError>;

    /// At most `limit` tags that come after `after`, in byte order; `None` if there is no such repository.
    async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<String>>, StoreError>;

    /// Descriptors (as JSON) of manifests whose subject is `subject`, with that artifact type if one
    /// is given, that come after the digest `after`.
    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<Page<Bytes>, StoreError>;

    /// Indexes of the repository that list `digest`; of very many, some.
    async fn indexes_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Digest>, StoreError>;

    /// Forgets uploads that nobody added to for `age`, and much earlier those that never had a byte; how many.
    async fn expire_uploads(&self, age: Duration) -> Result<usize, StoreError>;

    /// Removes what nothing keeps any more, or only reports what that is.
    async fn collect_garbage(&self, options: GcOptions) -> Result<GcReport, StoreError>;

    /// Reads all content once, in slices, resting `rest` times as long as each took, and sets aside what
    /// does not have its digest, which `damaged` is called for: who pushes it again is asked for it, and heals it.
    async fn scrub(&self, rest: u32, damaged: &(dyn Fn(Digest) + Sync)) -> Result<(), StoreError>;
}

/// Which repositories a blob may be mounted from.
#[derive(Clone)]
pub enum MountFrom {
    /// Any that the function accepts.
    Any(Arc<dyn Fn(&RepositoryName) -> bool + Send + Sync>),
    /// That one.
    Repository(RepositoryName),
}

/// A manifest as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its exact bytes, which have the digest.
    pub bytes: Bytes,
    /// The digest it was asked by.
    pub digest: Digest,
    /// The media type it was pushed with.
    pub media_type: String,
}

/// A manifest to be stored.
#[derive(Clone, Debug)]
pub struct ManifestPush {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its digest, already checked to be of `bytes`.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// The tags to move to it, all or none.
    pub tags: Vec<Tag>,
    /// What the first tag must name now.
    pub expect: Expect,
}

/// What a tag must name for a push to happen (HTTP `If-Match` and `If-None-Match`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing is asked.
    Anything,
    /// It exists.
    Existing,
    /// It does not exist.
    Absent,
    /// It names one of these.
    OneOf(Vec<Digest>),
}

impl Expect {
    /// Whether a tag that names `current` is as expected.
    pub fn accepts(&self, current: Option<Digest>) -> bool {
        match self {
            Self::Anything => true,
            Self::Existing => current.is_some(),
            Self::Absent => current.is_none(),
            Self::OneOf(digests) => current.is_some_and(|digest| digests.contains(&digest)),
        }
    }
}

/// What became of a pushed manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedManifest {
    /// The manifest that it is about, which the referrers list of now has it.
    pub subject: Option<Digest>,
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The name of the last entry looked at, if there may be more after it.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests;
