//! Uploads: blobs on their way, resumable also after a restart.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::task::{JoinHandle, spawn_blocking};

use super::blobs::hash_file;
use super::files::{FsRegistry, Inner};
use super::layout::{Layout, entry_names};
use super::{ByteStream, StoreError};
use crate::fs::Disk;
use crate::name::{RepositoryName, UploadId};

impl FsRegistry {
    /// Forgets uploads that nobody added to for `age`; how many.
    pub async fn expire_uploads(&self, age: Duration) -> Result<usize, StoreError> {
        self.blocking(move |inner| {
            let mut expired = 0;
            for (id, upload) in inner.uploads.all() {
                let idle = fs::metadata(&upload.path).and_then(|m| m.modified()).ok();
                if idle.and_then(|modified| modified.elapsed().ok()).is_some_and(|idle| idle >= age) {
                    expired += usize::from(inner.cancel_upload(&upload.repository, id).is_ok());
                }
            }
            Ok(expired)
        })
        .await
    }

    pub(super) async fn append(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        at: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, StoreError> {
        let upload = self.inner.uploads.find(repository, id)?;
        let progress = upload.begin()?;
        let offset = upload.offset();
        if at.is_some_and(|at| at != offset) {
            return Err(StoreError::OutOfOrder { offset });
        }
        let (disk, limit) = (self.inner.disk().clone(), self.inner.limits.blob_bytes);
        // On its own task: a caller that goes away must not leave a write running without its lock.
        let appended = tokio::spawn(append(disk, limit, upload, progress, body)).await;
        appended.map_err(|error| StoreError::Io(io::Error::other(error)))?
    }
}

impl Inner {
    pub(super) fn start_upload(
        &self,
        repository: &RepositoryName,
        algorithm: DigestAlgorithm,
    ) -> Result<UploadId, StoreError> {
        let id = UploadId::random();
        let path = self.layout.upload(repository, id, algorithm);
        let upload = Upload::new(repository.clone(), algorithm, path.clone(), 0);
        self.uploads.add(id, upload, self.limits.uploads)?;
        if let Err(error) = self.disk().create(&path) {
            self.uploads.forget(id);
            return Err(error.into());
        }
        Ok(id)
    }

    pub(super) fn finish_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let upload = self.uploads.find(repository, id)?;
        let mut progress = upload.begin()?;
        let mut file = OpenOptions::new().read(true).append(true).open(&upload.path)?;
        let hasher = match progress.hasher.clone() {
            Some(hasher) if digest.algorithm() == upload.algorithm => hasher,
            _ => {
                let mut hasher = Hasher::new(digest.algorithm());
                hash_file(&mut file, &mut hasher)?;
                hasher
            }
        };
        let found = hasher.finish();
        if found != *digest {
            self.discard(id, &upload, &mut progress)?;
            return Err(StoreError::DigestMismatch { found });
        }
        self.disk().sync(&file, &upload.path)?;
        self.adopt_blob(repository, digest, &upload.path)?;
        progress.ended = true;
        self.uploads.forget(id);
        Ok(())
    }

    pub(super) fn cancel_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), StoreError> {
        let upload = self.uploads.find(repository, id)?;
        let mut progress = upload.begin()?;
        self.discard(id, &upload, &mut progress)
    }

    fn discard(&self, id: UploadId, upload: &Upload, progress: &mut Progress) -> Result<(), StoreError> {
        self.disk().remove(&upload.path)?;
        progress.ended = true;
        self.uploads.forget(id);
        Ok(())
    }
}

/// The uploads in progress.
pub(super) struct Uploads {
    by_id: Mutex<HashMap<UploadId, Arc<Upload>>>,
}

impl Uploads {
    /// Finds the uploads that the last process left.
    pub(super) fn recover(layout: &Layout) -> io::Result<Self> {
        let mut by_id = HashMap::new();
        for repository in layout.repository_names()? {
            let dir = layout.uploads(&repository);
            for name in entry_names(&dir)? {
                let Some((id, algorithm)) = parse_file_name(&name) else { continue };
                let path = dir.join(&name);
                let offset = fs::metadata(&path)?.len();
                by_id.insert(id, Arc::new(Upload::new(repository.clone(), algorithm, path, offset)));
            }
        }
        Ok(Self { by_id: Mutex::new(by_id) })
    }

    pub(super) fn find(&self, repository: &RepositoryName, id: UploadId) -> Result<Arc<Upload>, StoreError> {
        let upload = self.locked().get(&id).cloned();
        upload.filter(|upload| upload.repository == *repository).ok_or(StoreError::UploadUnknown)
    }

    fn add(&self, id: UploadId, upload: Upload, limit: usize) -> Result<(), StoreError> {
        let mut uploads = self.locked();
        if uploads.len() >= limit {
            return Err(StoreError::TooManyUploads);
        }
        uploads.insert(id, Arc::new(upload));
        Ok(())
    }

    fn all(&self) -> Vec<(UploadId, Arc<Upload>)> {
        self.locked().iter().map(|(id, upload)| (*id, Arc::clone(upload))).collect()
    }

    fn forget(&self, id: UploadId) {
        self.locked().remove(&id);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<Upload>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One upload in progress.
pub(super) struct Upload {
    repository: RepositoryName,
    algorithm: DigestAlgorithm,
    path: PathBuf,
    offset: AtomicU64,
    progress: Arc<AsyncMutex<Progress>>,
}

impl Upload {
    fn new(repository: RepositoryName, algorithm: DigestAlgorithm, path: PathBuf, offset: u64) -> Self {
        let hasher = (offset == 0).then(|| Hasher::new(algorithm));
        let progress = Progress { hasher, ended: false };
        let progress = Arc::new(AsyncMutex::new(progress));
        Self { repository, algorithm, path, offset: AtomicU64::new(offset), progress }
    }

    /// How many bytes the file has.
    pub(super) fn offset(&self) -> u64 {
        self.offset.load(Ordering::Acquire)
    }

    /// Takes the upload for one request.
    fn begin(&self) -> Result<OwnedMutexGuard<Progress>, StoreError> {
        let progress = Arc::clone(&self.progress).try_lock_owned().map_err(|_| StoreError::UploadBusy)?;
        match progress.ended {
            true => Err(StoreError::UploadUnknown),
            false => Ok(progress),
        }
    }
}

struct Progress {
    /// What the file's bytes hash to; unknown after a restart or a failed write.
    hasher: Option<Hasher>,
    /// Finished or cancelled.
    ended: bool,
}

/// Writes one batch to the disk while the next one arrives.
async fn append(
    disk: Disk,
    limit: u64,
    upload: Arc<Upload>,
    mut progress: OwnedMutexGuard<Progress>,
    mut body: ByteStream,
) -> Result<u64, StoreError> {
    let (hasher, opened) = (progress.hasher.take(), Arc::clone(&upload));
    let mut turn = spawn_blocking(move || Writer::open(disk, limit, &opened, hasher));
    loop {
        let (batch, end) = next_batch(&mut body).await;
        let mut writer = joined(turn.await)?;
        writer.flush_early().await?;
        let upload = Arc::clone(&upload);
        turn = spawn_blocking(move || writer.write(&batch, &upload).map(|()| writer));
        let Some(broke_off) = end else { continue };
        let mut writer = joined(turn.await)?;
        writer.settle().await?;
        progress.hasher = Some(writer.hasher);
        return broke_off.map_or(Ok(writer.offset), |error| Err(StoreError::BodyBrokeOff(error)));
    }
}

/// The next bytes of the body, and at its end whether it broke off.
async fn next_batch(body: &mut ByteStream) -> (Vec<Bytes>, Option<Option<io::Error>>) {
    let (mut batch, mut size) = (Vec::new(), 0);
    while size < BATCH {
        match body.next().await {
            Some(Ok(bytes)) => {
                size += bytes.len();
                batch.push(bytes);
            }
            Some(Err(error)) => return (batch, Some(Some(error))),
            None => return (batch, Some(None)),
        }
    }
    (batch, None)
}

/// An upload's file being added to.
struct Writer {
    disk: Disk,
    limit: u64,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    offset: u64,
    unflushed: u64,
    flush: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    fn open(disk: Disk, limit: u64, upload: &Upload, hasher: Option<Hasher>) -> Result<Self, StoreError> {
        let path = upload.path.clone();
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let (hasher, offset) = match hasher {
            Some(hasher) => (hasher, file.seek(SeekFrom::End(0))?),
            None => {
                let mut hasher = Hasher::new(upload.algorithm);
                let offset = hash_file(&mut file, &mut hasher)?;
                (hasher, offset)
            }
        };
        Ok(Self { disk, limit, path, file, hasher, offset, unflushed: 0, flush: None })
    }

    fn write(&mut self, batch: &[Bytes], upload: &Upload) -> Result<(), StoreError> {
        let size = batch.iter().map(Bytes::len).sum::<usize>();
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        if self.offset.saturating_add(size) > self.limit {
            return Err(StoreError::TooLarge { limit: self.limit });
        }
        for bytes in batch {
            if let Err(error) = self.disk.write(&mut self.file, &self.path, bytes) {
                upload.offset.store(self.file.metadata()?.len(), Ordering::Release);
                return Err(error.into());
            }
            self.hasher.update(bytes);
        }
        self.offset += size;
        self.unflushed += size;
        upload.offset.store(self.offset, Ordering::Release);
        Ok(())
    }

    /// Lets the disk write while bytes still come, so that the last sync is short.
    async fn flush_early(&mut self) -> Result<(), StoreError> {
        let flushing = self.flush.as_ref().is_some_and(|flush| !flush.is_finished());
        if self.unflushed < FLUSH_EVERY || flushing {
            return Ok(());
        }
        self.flushed().await?;
        let (disk, path, file) = (self.disk.clone(), self.path.clone(), self.file.try_clone()?);
        self.unflushed = 0;
        self.flush = Some(spawn_blocking(move || disk.sync(&file, &path)));
        Ok(())
    }

    /// Waits for the early flush. Linux reports a failed write-back once: whoever asked must hear it.
    async fn flushed(&mut self) -> Result<(), StoreError> {
        match self.flush.take() {
            Some(flush) => joined(flush.await.map(|flushed| flushed.map_err(StoreError::Io))),
            None => Ok(()),
        }
    }

    /// Makes all that was written durable.
    async fn settle(&mut self) -> Result<(), StoreError> {
        self.flushed().await?;
        let (disk, path, file) = (self.disk.clone(), self.path.clone(), self.file.try_clone()?);
        joined(spawn_blocking(move || sync_upload(&disk, &file, &path)).await)
    }
}

fn sync_upload(disk: &Disk, file: &File, path: &Path) -> Result<(), StoreError> {
    disk.sync(file, path)?;
    Ok(disk.sync_parent(path)?)
}

fn joined<T>(result: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Result<T, StoreError> {
    result.map_err(|error| StoreError::Io(io::Error::other(error)))?
}

fn parse_file_name(name: &str) -> Option<(UploadId, DigestAlgorithm)> {
    let (id, algorithm) = name.split_once('.')?;
    Some((id.parse().ok()?, algorithm.parse().ok()?))
}

const BATCH: usize = 256 << 10;
const FLUSH_EVERY: u64 = 32 << 20;
