//! Uploads: blobs on their way, resumable also after a restart.

mod room;
mod writer;

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::blobs::hash_file;
use super::files::{FsRegistry, Inner};
use super::layout::{Layout, entry_names};
use super::{ByteStream, StoreError, is_full};
use crate::name::{RepositoryName, UploadId};

impl FsRegistry {
    pub(super) async fn append(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        at: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, StoreError> {
        let upload = self.inner.uploads.find(repository, id)?;
        let mut progress = upload.begin()?;
        let offset = upload.offset();
        if at.is_some_and(|at| at != offset) {
            return Err(StoreError::OutOfOrder { offset });
        }
        let inner = Arc::clone(&self.inner);
        // On its own task: a caller that goes away must not leave a write running without its lock.
        let appended = tokio::spawn(async move {
            let failed_before = inner.disk().has_failed();
            let appended = writer::append(&inner, &upload, &mut progress, body).await;
            upload.touch();
            // What came of it would keep the disk full for a day.
            let has_no_room = matches!(&appended, Err(StoreError::Io(error)) if is_full(error));
            if has_no_room || (appended.is_err() && inner.disk().has_failed() && !failed_before) {
                inner.give_up(id, &upload, &mut progress);
            }
            appended
        });
        appended.await.map_err(|error| StoreError::Io(io::Error::other(error)))?
    }
}

impl Inner {
    pub(super) fn start_upload(
        &self,
        repository: &RepositoryName,
        algorithm: DigestAlgorithm,
        owner: &str,
    ) -> Result<UploadId, StoreError> {
        let id = UploadId::random();
        let path = self.layout.upload(repository, id, algorithm);
        let owner = owner.to_owned();
        let upload = Upload::new(repository.clone(), owner, algorithm, path.clone());
        if let Some(displaced) = self.uploads.add(id, upload, self.limits.uploads)? {
            self.disk().discard(&displaced.path);
        }
        let created = self.disk().create(&path).and_then(|_| self.disk().sync_parent(&path));
        if let Err(error) = created {
            self.uploads.forget(id);
            self.disk().discard(&path);
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
        let failed_before = self.disk().has_failed();
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
        if !progress.durable
            && let Err(error) = self.disk().sync(&file, &upload.path)
        {
            if !failed_before {
                self.give_up(id, &upload, &mut progress);
            }
            return Err(error.into());
        }
        let adopted = self.adopt_blob(repository, digest, &upload.path);
        // Its old name too: an upload that came back after a power cut could be written to as a blob.
        let adopted = adopted.and_then(|()| Ok(self.disk().sync_parent(&upload.path)?));
        // Also if the file was moved but not yet linked: then it has to be pushed again.
        if adopted.is_ok() || !upload.path.is_file() {
            progress.ended = true;
            self.uploads.forget(id);
        }
        adopted
    }

    pub(super) fn cancel_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), StoreError> {
        let upload = self.uploads.find(repository, id)?;
        let mut progress = upload.begin()?;
        self.discard(id, &upload, &mut progress)
    }

    pub(super) fn expire_uploads(&self, age: Duration) -> usize {
        let stale = self.stale_uploads(age).into_iter();
        stale.filter(|(repository, id)| self.cancel_upload(repository, *id).is_ok()).count()
    }

    /// The uploads that nobody added to for `age`, or for a short while if they never had a byte.
    pub(super) fn stale_uploads(&self, age: Duration) -> Vec<(RepositoryName, UploadId)> {
        let is_stale = |upload: &Upload| {
            let allowed = if upload.offset() == 0 { age.min(EMPTY_UPLOADS_FOR) } else { age };
            upload.idle() >= allowed
        };
        let uploads = self.uploads.all().into_iter().filter(|(_, upload)| is_stale(upload));
        uploads.map(|(id, upload)| (upload.repository.clone(), id)).collect()
    }

    /// Ends an upload whose sync failed: its bytes may be gone, and nothing would say so again. Or one without room.
    fn give_up(&self, id: UploadId, upload: &Upload, progress: &mut Progress) {
        self.disk().discard(&upload.path);
        progress.ended = true;
        self.uploads.forget(id);
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
                by_id.insert(id, Arc::new(Upload::recovered(repository.clone(), algorithm, path)?));
            }
        }
        Ok(Self { by_id: Mutex::new(by_id) })
    }

    pub(super) fn find(&self, repository: &RepositoryName, id: UploadId) -> Result<Arc<Upload>, StoreError> {
        let upload = self.locked().get(&id).cloned();
        upload.filter(|upload| upload.repository == *repository).ok_or(StoreError::UploadUnknown)
    }

    /// Adds an upload; where that makes too many, another one ends for it and is returned.
    fn add(&self, id: UploadId, upload: Upload, limit: usize) -> Result<Option<Arc<Upload>>, StoreError> {
        let mut uploads = self.locked();
        let displaced = room::make(&uploads, &upload.owner, limit)?;
        let displaced = displaced.and_then(|displaced| uploads.remove(&displaced));
        uploads.insert(id, Arc::new(upload));
        Ok(displaced)
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
    /// Whose uploads it is counted with: who began it, or its repository if nobody knows any more.
    owner: String,
    algorithm: DigestAlgorithm,
    path: PathBuf,
    offset: AtomicU64,
    /// When it was begun or added to last.
    touched: Mutex<SystemTime>,
    progress: Arc<AsyncMutex<Progress>>,
}

impl Upload {
    /// One that begins.
    fn new(repository: RepositoryName, owner: String, algorithm: DigestAlgorithm, path: PathBuf) -> Self {
        let progress = Progress { hasher: Some(Hasher::new(algorithm)), durable: false, ended: false };
        let progress = Arc::new(AsyncMutex::new(progress));
        let (offset, touched) = (AtomicU64::new(0), Mutex::new(SystemTime::now()));
        Self { repository, owner, algorithm, path, offset, touched, progress }
    }

    /// One that the last process left.
    fn recovered(repository: RepositoryName, algorithm: DigestAlgorithm, path: PathBuf) -> io::Result<Self> {
        let file = fs::metadata(&path)?;
        let owner = repository.to_string();
        let begun = Self::new(repository, owner, algorithm, path);
        let hasher = (file.len() == 0).then(|| Hasher::new(algorithm));
        Ok(Self {
            offset: AtomicU64::new(file.len()),
            touched: Mutex::new(file.modified()?),
            progress: Arc::new(AsyncMutex::new(Progress { hasher, durable: false, ended: false })),
            ..begun
        })
    }

    /// How many bytes the file has.
    pub(super) fn offset(&self) -> u64 {
        self.offset.load(Ordering::Acquire)
    }

    /// For how long nobody has added to it; not at all if the clock was set back.
    fn idle(&self) -> Duration {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed().unwrap_or_default()
    }

    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = SystemTime::now();
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
    /// Whether this process has synced the file since its last byte was written.
    durable: bool,
    /// Finished, cancelled or given up.
    ended: bool,
}

fn parse_file_name(name: &str) -> Option<(UploadId, DigestAlgorithm)> {
    let (id, algorithm) = name.split_once('.')?;
    Some((id.parse().ok()?, algorithm.parse().ok()?))
}

/// An upload that was begun and not gone on with for this long has been forgotten by who began it.
pub const EMPTY_UPLOADS_FOR: Duration = Duration::from_secs(15 * 60);
