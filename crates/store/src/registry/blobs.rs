//! Blobs: content that repositories share, and each repository's links to it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use signet_crypto::{Digest, Hasher};
use tokio::task::JoinHandle;

use super::files::Inner;
use super::layout::present;
use super::transfers::Transfer;
use super::{ByteStream, MountFrom, StoreError};
use crate::name::RepositoryName;

impl Inner {
    pub(super) fn blob_size(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, StoreError> {
        let _shared = self.shared(repository);
        if !self.touch_link(repository, digest)? {
            return Ok(None);
        }
        let content = present(fs::metadata(self.layout.content(digest)))?;
        content.map(|content| content.len()).ok_or(StoreError::Corrupt(*digest)).map(Some)
    }

    pub(super) fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<OpenBlob>, StoreError> {
        let _shared = self.shared(repository);
        if !self.touch_link(repository, digest)? {
            return Ok(None);
        }
        let file = present(File::open(self.layout.content(digest)))?;
        let mut file = file.ok_or(StoreError::Corrupt(*digest))?;
        let size = file.metadata()?.len();
        if size > AT_ONCE {
            let transfer = self.transfers.begin();
            return Ok(Some(OpenBlob::new(size, move |range| read_file(file, range, transfer))));
        }
        // To hand a small one from thread to thread costs more than to read it here.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(OpenBlob::whole(bytes.into())))
    }

    /// Stores a blob that is in memory.
    pub(super) fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let limit = self.limits.blob_bytes;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(StoreError::TooLarge { limit });
        }
        let found = Digest::of(digest.algorithm(), bytes);
        if found != *digest {
            return Err(StoreError::DigestMismatch { found });
        }
        self.place_blob(repository, digest, |content| self.disk().put(&self.layout.scratch(), content, bytes))
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
        self.place_blob(repository, digest, |content| self.disk().rename(file, content))
    }

    pub(super) fn has_blob(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.layout.blob_link(repository, digest).is_file()
    }

    /// Puts content in its place and links it to the repository. Also over content that is there already:
    /// it may have rotted, and what is put there was just checked.
    fn place_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        place: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let _shared = self.shared(repository);
        self.linking(digest, || {
            place(&self.layout.content(digest))?;
            self.disk().mark(&self.layout.blob_link(repository, digest))
        })?;
        Ok(())
    }

    /// Whether the repository has the blob. Whoever asks may be about to push a manifest that names it, which
    /// would fail if it were collected now: a link that is no longer new becomes so again.
    fn touch_link(&self, repository: &RepositoryName, digest: &Digest) -> io::Result<bool> {
        let link = self.layout.blob_link(repository, digest);
        let Some(marked) = present(fs::metadata(&link))? else { return Ok(false) };
        if marked.modified()?.elapsed().is_ok_and(|age| age > REMARK_AFTER) {
            File::options().append(true).open(&link)?.set_modified(SystemTime::now())?;
        }
        Ok(true)
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

/// A blob to be read.
pub struct OpenBlob {
    size: u64,
    read: Box<dyn FnOnce(Range<u64>) -> ByteStream + Send>,
}

impl OpenBlob {
    /// A blob of `size` bytes, of which `read` gives those of a range.
    pub fn new(size: u64, read: impl FnOnce(Range<u64>) -> ByteStream + Send + 'static) -> Self {
        Self { size, read: Box::new(read) }
    }

    /// One that is in memory.
    pub fn whole(bytes: Bytes) -> Self {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self::new(size, move |range| Box::pin(stream::iter([part(&bytes, range)])))
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes that are in `range`.
    pub fn read(self, range: Range<u64>) -> ByteStream {
        (self.read)(range)
    }
}

fn part(bytes: &Bytes, range: Range<u64>) -> io::Result<Bytes> {
    let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    let part = bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(bytes.slice_ref(part))
}

/// Hashes a file's bytes to its end; how many.
pub(super) fn hash_file(file: &mut impl Read, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; HASHED_AT_ONCE];
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

fn read_file(mut file: File, range: Range<u64>, transfer: Transfer) -> ByteStream {
    let remaining = range.end.saturating_sub(range.start);
    match file.seek(SeekFrom::Start(range.start)) {
        Ok(_) => read_stream(Reader { file, remaining, transfer, given: VecDeque::new() }),
        Err(error) => Box::pin(stream::iter([Err(error)])),
    }
}

/// The bytes that `reader` still has to give, one piece read ahead. No thread waits for a slow receiver.
fn read_stream(reader: Reader) -> ByteStream {
    let first = (reader.remaining > 0).then(|| reader.read());
    Box::pin(stream::unfold(first, async |reading| {
        let read = reading?.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        Some(match read {
            Ok((reader, piece)) => (Ok(piece), (reader.remaining > 0).then(|| reader.read())),
            Err(error) => (Err(error), None),
        })
    }))
}

/// Part of a file on its way out.
struct Reader {
    file: File,
    remaining: u64,
    transfer: Transfer,
    /// The last pieces, oldest first: the memory of one that was sent is used again.
    given: VecDeque<Bytes>,
}

impl Reader {
    fn read(mut self) -> JoinHandle<io::Result<(Self, Bytes)>> {
        tokio::task::spawn_blocking(move || {
            let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(self.transfer.piece());
            let mut piece = self.recycled();
            piece.resize(length, 0);
            self.file.read_exact(&mut piece)?;
            self.remaining -= u64::try_from(length).unwrap_or(self.remaining);
            let piece = piece.freeze();
            self.given.push_back(piece.clone());
            Ok((self, piece))
        })
    }

    fn recycled(&mut self) -> BytesMut {
        let oldest = if self.given.len() < PIECES_ON_THE_WAY { None } else { self.given.pop_front() };
        oldest.and_then(|piece| piece.try_into_mut().ok()).unwrap_or_default()
    }
}

/// A blob of this many bytes is read at once.
const AT_ONCE: u64 = 64 << 10;
const HASHED_AT_ONCE: usize = 128 << 10;
/// A connection asks for the next piece while it still has part of the last one, not more.
const PIECES_ON_THE_WAY: usize = 3;
/// A third of the shortest sensible grace of garbage collection.
const REMARK_AFTER: Duration = Duration::from_secs(20 * 60);
