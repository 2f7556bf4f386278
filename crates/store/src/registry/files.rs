//! The registry's store in a data directory.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::Tag;

use super::cache::Cache;
use super::error::StoreError;
use super::layout::Layout;
use super::transfers::Transfers;
use super::uploads::Uploads;
use super::{
    ByteStream, GcOptions, GcReport, ManifestPush, MountFrom, OpenBlob, Page, PushedManifest, RegistryStore,
    StoredManifest,
};
use crate::data_dir::{DataDir, Kind, OpenError, kind_of};
use crate::fs::Disk;
use crate::name::{RepositoryName, UploadId};

/// A registry's store in a data directory. Clones share it.
#[derive(Clone)]
pub struct FsRegistry {
    pub(super) inner: Arc<Inner>,
}

impl FsRegistry {
    /// Opens or makes the data directory at `path`.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, OpenError> {
        Self::open_on(Disk::default(), path, limits)
    }

    /// The same, on a disk that may inject faults.
    pub fn open_on(disk: Disk, path: &Path, limits: Limits) -> Result<Self, OpenError> {
        let dir = DataDir::open_on(disk, path, Kind::Registry)?;
        let layout = Layout::new(dir.path());
        let io = |error| OpenError::Io { path: path.to_owned(), error };
        empty_scratch(&layout).map_err(io)?;
        let uploads = Uploads::recover(&layout).map_err(io)?;
        let inner = Inner {
            layout,
            limits,
            repositories: std::array::from_fn(|_| RwLock::new(())),
            contents: RwLock::new(()),
            newly_linked: Mutex::new(None),
            uploads,
            transfers: Transfers::default(),
            manifests: Cache::new(MANIFEST_CACHE_BYTES),
            tags: Cache::new(TAG_CACHE_BYTES),
            dir,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether it can be written to: its directory is still where it was, and no sync has failed.
    pub fn is_writing(&self) -> bool {
        let dir = &self.inner.dir;
        !dir.disk().has_failed() && kind_of(dir.path()) == Some(Kind::Registry)
    }

    /// Runs `work` where it may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|error| StoreError::Io(io::Error::other(error)))?
    }
}

/// What a store accepts at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest blob in bytes.
    pub blob_bytes: u64,
    /// How many uploads may be in progress.
    pub uploads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { blob_bytes: 64 << 30, uploads: 1_000 }
    }
}

/// What the clones of a store share. Its methods block; they are in the modules of what they are about.
///
/// Locks are taken in the order of the fields: a repository's, then `contents`.
pub(super) struct Inner {
    pub(super) layout: Layout,
    pub(super) limits: Limits,
    /// One lock for many repositories: written when a manifest or tag changes and while the repository's
    /// garbage is collected, read when blobs are added and when the disk is read into a cache.
    repositories: [RwLock<()>; REPOSITORY_LOCKS],
    /// Read from before content is put in its place until a link to it is durable, written when a collection of
    /// garbage begins and while content without links is removed.
    pub(super) contents: RwLock<()>,
    /// While garbage is collected, what was linked since it began.
    pub(super) newly_linked: Mutex<Option<HashSet<Digest>>>,
    pub(super) uploads: Uploads,
    pub(super) transfers: Transfers,
    pub(super) manifests: Cache<(RepositoryName, Digest), Arc<StoredManifest>>,
    pub(super) tags: Cache<(RepositoryName, Tag), Digest>,
    pub(super) dir: DataDir,
}

impl Inner {
    pub(super) fn disk(&self) -> &Disk {
        self.dir.disk()
    }

    pub(super) fn shared(&self, repository: &RepositoryName) -> RwLockReadGuard<'_, ()> {
        self.repository_lock(repository).read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn exclusive(&self, repository: &RepositoryName) -> RwLockWriteGuard<'_, ()> {
        self.repository_lock(repository).write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `place`, which puts content and a link to it on the disk, with garbage collection held off.
    pub(super) fn linking<T>(&self, digest: &Digest, place: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let _held = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        let mut newly_linked = self.newly_linked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digests) = newly_linked.as_mut() {
            digests.insert(*digest);
        }
        drop(newly_linked);
        place()
    }

    fn repository_lock(&self, repository: &RepositoryName) -> &RwLock<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(repository);
        let [first, ..] = &self.repositories;
        let index = usize::try_from(hash % u64::try_from(REPOSITORY_LOCKS).unwrap_or(1)).unwrap_or(0);
        self.repositories.get(index).unwrap_or(first)
    }
}

#[async_trait]
impl RegistryStore for FsRegistry {
    async fn blob_size(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.blob_size(&repository, &digest)).await
    }

    async fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<OpenBlob>, StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.open_blob(&repository, &digest)).await
    }

    async fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.put_blob(&repository, &digest, &bytes)).await
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.delete_blob(&repository, &digest)).await
    }

    async fn mount_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: MountFrom,
    ) -> Result<bool, StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.mount_blob(&repository, &digest, &from)).await
    }

    async fn start_upload(
        &self,
        repository: &RepositoryName,
        algorithm: DigestAlgorithm,
        owner: &str,
    ) -> Result<UploadId, StoreError> {
        let (repository, owner) = (repository.clone(), owner.to_owned());
        self.blocking(move |inner| inner.start_upload(&repository, algorithm, &owner)).await
    }

    async fn upload_offset(&self, repository: &RepositoryName, id: UploadId) -> Result<u64, StoreError> {
        Ok(self.inner.uploads.find(repository, id)?.offset())
    }

    async fn append_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        at: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, StoreError> {
        self.append(repository, id, at, body).await
    }

    async fn finish_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.finish_upload(&repository, id, &digest)).await
    }

    async fn cancel_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), StoreError> {
        let repository = repository.clone();
        self.blocking(move |inner| inner.cancel_upload(&repository, id)).await
    }

    async fn resolve_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<Digest>, StoreError> {
        let key = (repository.clone(), tag.clone());
        match self.inner.tags.lookup(&key) {
            Some(digest) => Ok(Some(digest)),
            None => self.blocking(move |inner| inner.load_tag(key)).await,
        }
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Arc<StoredManifest>>, StoreError> {
        let key = (repository.clone(), *digest);
        match self.inner.manifests.lookup(&key) {
            Some(manifest) => Ok(Some(manifest)),
            None => self.blocking(move |inner| inner.load_manifest(key)).await,
        }
    }

    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        push: ManifestPush,
    ) -> Result<PushedManifest, StoreError> {
        let repository = repository.clone();
        self.blocking(move |inner| inner.put_manifest(&repository, &push)).await
    }

    async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.delete_manifest(&repository, &digest)).await
    }

    async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.blocking(move |inner| inner.delete_tag(&repository, &tag)).await
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<String>>, StoreError> {
        let (repository, after) = (repository.clone(), after.map(str::to_owned));
        self.blocking(move |inner| inner.tags_page(&repository, after.as_deref(), limit)).await
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<Page<Bytes>, StoreError> {
        let (repository, subject) = (repository.clone(), *subject);
        let (artifact_type, after) = (artifact_type.map(str::to_owned), after.copied());
        self.blocking(move |inner| {
            inner.referrers_page(&repository, &subject, artifact_type.as_deref(), after.as_ref())
        })
        .await
    }

    async fn indexes_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Digest>, StoreError> {
        let (repository, digest) = (repository.clone(), *digest);
        self.blocking(move |inner| inner.indexes_of(&repository, &digest)).await
    }

    async fn expire_uploads(&self, age: Duration) -> Result<usize, StoreError> {
        self.blocking(move |inner| Ok(inner.expire_uploads(age))).await
    }

    async fn collect_garbage(&self, options: GcOptions) -> Result<GcReport, StoreError> {
        self.blocking(move |inner| inner.collect_garbage(options)).await
    }

    async fn scrub(&self, rest: u32, damaged: &(dyn Fn(Digest) + Sync)) -> Result<(), StoreError> {
        self.scrub_all(rest, damaged).await
    }
}

/// Files that were on their way when the last process ended go nowhere any more.
fn empty_scratch(layout: &Layout) -> io::Result<()> {
    match std::fs::remove_dir_all(layout.scratch()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const MANIFEST_CACHE_BYTES: usize = 16 << 20;
const REPOSITORY_LOCKS: usize = 64;
const TAG_CACHE_BYTES: usize = 4 << 20;
