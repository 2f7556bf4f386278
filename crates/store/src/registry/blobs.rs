//! Blobs: content that repositories share, and each repository's links to it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use signet_crypto::{Digest, Hasher};
use tokio::task::JoinHandle;

use super::files::Inner;
use super::layout::present;
use super::{ByteStream, MountFrom, StoreError};
use crate::name::RepositoryName;

impl Inner {
    pub(super) fn blob_size(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, StoreError> {
        let _shared = self.shared(repository);
        let link = self.layout.blob_link(repository, digest);
        let Some(marked) = present(fs::metadata(&link))? else { return Ok(None) };
        // Whoever asks is about to push a manifest that names it; collected now, the push would fail.
        if marked.modified()?.elapsed().is_ok_and(|age| age > REMARK_AFTER) {
            File::options().append(true).open(&link)?.set_modified(SystemTime::now())?;
        }
        let content = present(fs::metadata(self.layout.content(digest)))?;
        content.map(|content| content.len()).ok_or(StoreError::Corrupt(*digest)).map(Some)
    }

    pub(super) fn read_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        range: Range<u64>,
    ) -> Result<Option<ByteStream>, StoreError> {
        if !self.has_blob(repository, digest) {
            return Ok(None);
        }
        let file = present(File::open(self.layout.content(digest)))?;
        let mut file = file.ok_or(StoreError::Corrupt(*digest))?;
        file.seek(SeekFrom::Start(range.start))?;
        Ok(Some(read_stream(file, range.end.saturating_sub(range.start))))
    }

    pub(super) fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        let _exclusive = self.exclusive(repository);
        let link = self.layout.blob_link(repository, digest);
        if !link.is_file() {
            return Ok(false);
        }
        Ok(self.disk().remove(&link)?)
    }

    pub(super) fn mount_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: &MountFrom,
    ) -> Result<bool, StoreError> {
        let _shared = self.shared(repository);
        let linked = self.linking(digest, || {
            if !self.layout.content(digest).is_file() || !self.is_held(digest, from)? {
                return Ok(false);
            }
            self.disk().mark(&self.layout.blob_link(repository, digest)).map(|()| true)
        })?;
        Ok(linked)
    }

    /// Moves a synced file to its place as a blob of the repository.
    pub(super) fn adopt_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        file: &Path,
    ) -> Result<(), StoreError> {
        let _shared = self.shared(repository);
        self.linking(digest, || {
            // Also over content that is there already: it may have rotted, this was just checked.
            self.disk().rename(file, &self.layout.content(digest))?;
            self.disk().mark(&self.layout.blob_link(repository, digest))
        })?;
        Ok(())
    }

    pub(super) fn has_blob(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.layout.blob_link(repository, digest).is_file()
    }

    fn is_held(&self, digest: &Digest, from: &MountFrom) -> io::Result<bool> {
        match from {
            MountFrom::Repository(name) => Ok(self.has_blob(name, digest)),
            MountFrom::Any(accepts) => {
                let names = self.layout.repository_names()?;
                Ok(names.iter().any(|name| self.has_blob(name, digest) && accepts(name)))
            }
        }
    }
}

/// The digest of a file's bytes.
pub(super) fn hash_file(file: &mut File, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut total = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(total);
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        total += u64::try_from(read).unwrap_or(0);
    }
}

/// The next `remaining` bytes of `file`, one chunk read ahead. No thread waits for a slow reader.
fn read_stream(file: File, remaining: u64) -> ByteStream {
    let first = (remaining > 0).then(|| read_chunk(file, remaining));
    Box::pin(stream::unfold(first, async |turn| {
        let (file, remaining, chunk) =
            turn?.await.unwrap_or_else(|error| Turn::failed(io::Error::other(error))).into();
        let next = file.filter(|_| remaining > 0).map(|file| read_chunk(file, remaining));
        Some((chunk, next))
    }))
}

struct Turn {
    file: Option<File>,
    remaining: u64,
    chunk: io::Result<Bytes>,
}

impl Turn {
    fn failed(error: io::Error) -> Self {
        Self { file: None, remaining: 0, chunk: Err(error) }
    }
}

impl From<Turn> for (Option<File>, u64, io::Result<Bytes>) {
    fn from(turn: Turn) -> Self {
        (turn.file, turn.remaining, turn.chunk)
    }
}

fn read_chunk(mut file: File, remaining: u64) -> JoinHandle<Turn> {
    tokio::task::spawn_blocking(move || {
        let length = usize::try_from(remaining).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = vec![0; length];
        match file.read_exact(&mut chunk) {
            Ok(()) => {
                let remaining = remaining - u64::try_from(length).unwrap_or(remaining);
                Turn { file: Some(file), remaining, chunk: Ok(chunk.into()) }
            }
            Err(error) => Turn::failed(error),
        }
    })
}

const CHUNK: usize = 128 << 10;
/// A third of the shortest sensible grace of garbage collection.
const REMARK_AFTER: Duration = Duration::from_secs(20 * 60);
