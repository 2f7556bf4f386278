//! Writing an upload's bytes while the next ones arrive.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::StreamExt;
use signet_crypto::Hasher;
use tokio::task::{JoinHandle, spawn_blocking};

use super::super::blobs::hash_file;
use super::super::files::Inner;
use super::super::transfers::Transfer;
use super::super::{ByteStream, StoreError};
use super::{Progress, Upload};
use crate::fs::Disk;

/// Adds `body` to the upload's file and makes it durable.
pub(super) async fn append(
    inner: &Inner,
    upload: &Arc<Upload>,
    progress: &mut Progress,
    body: ByteStream,
) -> Result<u64, StoreError> {
    let (disk, limit) = (inner.disk().clone(), inner.limits.blob_bytes);
    let (hasher, opened) = (progress.hasher.take(), Arc::clone(upload));
    progress.durable = false;
    let writer = joined(spawn_blocking(move || Writer::open(disk, limit, &opened, hasher)).await)?;
    let (mut writer, written) = write_all(writer, upload, body, inner.transfers.begin()).await?;
    // Also if the body broke off or was too large: what came of it is kept.
    writer.settle().await?;
    progress.durable = true;
    progress.hasher = writer.hasher;
    written.map(|()| writer.offset)
}

/// Writes one batch to the disk while the next one arrives.
async fn write_all(
    writer: Writer,
    upload: &Arc<Upload>,
    mut body: ByteStream,
    transfer: Transfer,
) -> Result<(Writer, Result<(), StoreError>), StoreError> {
    let mut turn = tokio::spawn(std::future::ready((writer, Ok(()))));
    loop {
        let (batch, end) = next_batch(&mut body, transfer.piece()).await;
        let (mut writer, mut written) = turn.await.map_err(io::Error::other)?;
        if written.is_ok() {
            written = writer.flush_early().await;
        }
        if written.is_err() {
            return Ok((writer, written));
        }
        let upload = Arc::clone(upload);
        turn = spawn_blocking(move || {
            let written = writer.write(&batch, &upload);
            (writer, written)
        });
        let Some(broke_off) = end else { continue };
        let (writer, written) = turn.await.map_err(io::Error::other)?;
        return Ok((writer, written.and(broke_off.map_or(Ok(()), |why| Err(StoreError::BodyBrokeOff(why))))));
    }
}

/// The next `wanted` bytes of the body or a few more, and at its end whether it broke off.
async fn next_batch(body: &mut ByteStream, wanted: usize) -> (Vec<Bytes>, Option<Option<io::Error>>) {
    let (mut batch, mut size) = (Vec::new(), 0);
    while size < wanted {
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
    /// None after a failed write, of which part may be in the file.
    hasher: Option<Hasher>,
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
        Ok(Self { disk, limit, path, file, hasher: Some(hasher), offset, unflushed: 0, flush: None })
    }

    fn write(&mut self, batch: &[Bytes], upload: &Upload) -> Result<(), StoreError> {
        let size = batch.iter().map(Bytes::len).sum::<usize>();
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        if self.offset.saturating_add(size) > self.limit {
            return Err(StoreError::TooLarge { limit: self.limit });
        }
        for bytes in batch {
            if let Err(error) = self.disk.write(&mut self.file, &self.path, bytes) {
                self.hasher = None;
                upload.offset.store(self.file.metadata()?.len(), Ordering::Release);
                return Err(error.into());
            }
            self.hasher.iter_mut().for_each(|hasher| hasher.update(bytes));
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

    /// Makes all that was written durable. The file's name has been so since the upload began.
    async fn settle(&mut self) -> Result<(), StoreError> {
        self.flushed().await?;
        let (disk, path, file) = (self.disk.clone(), self.path.clone(), self.file.try_clone()?);
        joined(spawn_blocking(move || Ok(disk.sync(&file, &path)?)).await)
    }
}

fn joined<T>(result: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Result<T, StoreError> {
    result.map_err(|error| StoreError::Io(io::Error::other(error)))?
}

const FLUSH_EVERY: u64 = 32 << 20;
