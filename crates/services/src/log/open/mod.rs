//! From a directory to a running log: what is there is proven before anything is signed.

mod error;
mod published;

use std::fs;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, RwLock, mpsc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use signet_formats::checkpoint::Checkpoint;
use signet_formats::merkle;
use signet_formats::note::NoteError;
use signet_formats::tlog::{Nodes, TILE_WIDTH, tree_root};
use signet_store::DataDir;
use signet_store::fs::Disk;
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use error::OpenError;

use super::archive::Archive;
use super::chunk::{self, CHUNK_WIDTH, Layout};
use super::identity::Identity;
use super::index::{Index, Runs};
use super::read::Places;
use super::run::Run;
use super::wal;
use super::writer::{self, Start};
use super::{Config, Counters, Head, Kind, Log, LogSigner, ReadError, Shared, Witnesses};

impl Log {
    /// Opens the log in `config.data`, making it if the directory is absent or empty, and starts its writer.
    pub async fn open(config: Config, signer: LogSigner) -> Result<Self, OpenError> {
        Self::open_on(Disk::default(), config, signer).await
    }

    /// The same, on a disk that may inject faults.
    pub async fn open_on(disk: Disk, config: Config, signer: LogSigner) -> Result<Self, OpenError> {
        let path = config.data.clone();
        let dir = blocking(move || Ok(DataDir::open_on(disk, &path, signet_store::Kind::Log)?)).await?;
        Self::open_in(dir, config, signer).await
    }

    /// The same, in a directory that is open already: its keys may be in it.
    pub fn open_in(
        dir: DataDir,
        config: Config,
        signer: LogSigner,
    ) -> BoxFuture<'static, Result<Self, OpenError>> {
        Box::pin(Self::opened(dir, config, signer))
    }

    async fn opened(dir: DataDir, config: Config, signer: LogSigner) -> Result<Self, OpenError> {
        let identity = Identity::of(&signer, config.kind);
        let mut loaded = blocking(move || Loaded::load(dir, identity)).await?.begun(&signer).await?;
        let size = loaded.archive.tree.size();
        let root = tree_root(&loaded.archive, size)?;
        let origin = signer.origin().to_owned();
        let checkpoint = Checkpoint { origin, size, root, extensions: Vec::new() };
        loaded.refuse_less_than(config.floor.as_ref(), &checkpoint)?;
        loaded.settle_policy(&signer, config.witnesses.as_deref().map(Witnesses::policy))?;
        let head = match (&config.witnesses, loaded.said_last(&signer, size)) {
            (Some(_), _) => loaded.published(&signer)?,
            (None, Some(last)) => last,
            (None, None) => sign(&signer, checkpoint).await?,
        };
        blocking(move || loaded.start(config, signer, head, Handle::current())).await
    }
}

/// What the directory has, and the lock on it.
struct Loaded {
    dir: DataDir,
    identity: Identity,
    /// What stood there of it; `None` in a new log.
    found: Option<Identity>,
    archive: Archive,
    runs: Runs,
}

impl Loaded {
    fn load(dir: DataDir, identity: Identity) -> Result<Self, OpenError> {
        let layout = Layout::new(dir.path());
        layout.make(dir.disk())?;
        let found = identity.check(&layout)?;
        let runs = Runs::open(&layout)?;
        let mut loaded = Self { archive: Archive::load(layout, identity.form)?, dir, identity, found, runs };
        loaded.tell_of_torn();
        loaded.settle_kind()?;
        loaded.settle_rest();
        if loaded.archive.form.is_found_by_hash() {
            loaded.index_chunks()?;
        }
        Ok(loaded)
    }

    /// Refuses a log of another kind. One from before it was kept is told by what it has, or is what it is asked to be.
    fn settle_kind(&mut self) -> Result<(), OpenError> {
        let kept = self.found.as_ref().and_then(|found| found.kind);
        let Some(wanted) = self.identity.kind else {
            self.identity.kind = kept;
            return Ok(());
        };
        let known = kept.map_or_else(|| Kind::told_by(&self.archive), |kept| Ok(Some(kept)))?;
        match known {
            Some(found) if found != wanted => Err(OpenError::OtherKind { found, wanted }),
            _ => Ok(()),
        }
    }

    /// What was once so stays so.
    fn settle_rest(&mut self) {
        let found = self.found.as_ref();
        self.identity.policy = found.and_then(|found| found.policy.clone());
        self.identity.frozen =
            found.is_some_and(|found| found.frozen) || self.archive.layout.frozen().is_file();
    }

    /// Where a write was cut off nobody was told that it was done; damage of what was looks the same from here.
    fn tell_of_torn(&self) {
        let (origin, entries, bytes) = (&self.identity.origin, self.archive.tree.size(), self.archive.torn);
        if bytes > 0 {
            tracing::warn!(
                log = origin,
                entries,
                bytes,
                "after the last whole entry stands part of a write that was cut off; the log goes on without it. If it did not \
                 stop in the middle of a write, compare its checkpoint with one that somebody else has (`--at-least`)"
            );
        }
    }

    /// Writes whose log it is. A new one has its first checkpoint before that: where there is none later, it was lost.
    async fn begun(self, signer: &LogSigner) -> Result<Self, OpenError> {
        let (origin, root) = (signer.origin().to_owned(), merkle::root(&[]));
        let empty = Checkpoint { origin, size: 0, root, extensions: Vec::new() };
        let written = match &self.found {
            None => Some(sign(signer, empty).await?.note),
            Some(found) if found.keys != self.identity.keys => self.signed_by_all(found, signer).await?,
            Some(_) => None,
        };
        blocking(move || {
            let (disk, layout) = (self.dir.disk(), &self.archive.layout);
            written.map_or(Ok(()), |note| disk.put(&layout.scratch, &layout.checkpoint(), &note))?;
            if self.found.as_ref() != Some(&self.identity) {
                self.identity.write(disk, layout)?;
            }
            Ok(self)
        })
        .await
    }

    /// The kept checkpoint, signed by the keys too that the log has not had before: it says no more than it did.
    async fn signed_by_all(&self, found: &Identity, signer: &LogSigner) -> Result<Option<Bytes>, OpenError> {
        let Some(kept) = self.archive.layout.kept()? else { return Ok(None) };
        let signed = signer.sign(kept.checkpoint()).await.map_err(OpenError::Sign)?;
        let mut note = kept.note().clone();
        let added = signer.keys().filter(|key| !found.keys.contains(&key.to_string()));
        let lines = added.flat_map(|key| signed.signatures_by(key).cloned());
        let damaged = |error: NoteError| OpenError::Damaged(format!("`checkpoint`: {error}"));
        lines.into_iter().try_for_each(|line| note.push(line)).map_err(damaged)?;
        Ok(Some(note.to_string().into()))
    }

    /// Makes the part of the index that is missing.
    fn index_chunks(&self) -> io::Result<()> {
        let layout = &self.archive.layout;
        for number in self.runs.end() / CHUNK_WIDTH..self.archive.chunks {
            let leaves = chunk::leaves(layout, number * CHUNK_WIDTH, CHUNK_WIDTH)?;
            self.runs.push(Run::of_chunk(layout, self.dir.disk(), number, &leaves)?);
        }
        Ok(())
    }

    fn start(
        mut self,
        config: Config,
        signer: LogSigner,
        head: Head,
        runtime: Handle,
    ) -> Result<Log, OpenError> {
        let is_behind = self.is_behind(&config, &head)?;
        // From here on there are segments that earlier versions cannot read.
        self.dir.upgrade()?;
        let (index, wal, segments) = (self.index()?, self.writer()?, self.archive.segments.clone());
        let Self { dir, identity, found, archive, runs } = self;
        let (limits, chunks) = (config.limits, archive.chunks);
        let shared = Arc::new(Shared {
            dir,
            limits,
            form: archive.form,
            signer,
            places: RwLock::new(Places::new(chunks * TILE_WIDTH, archive.places)),
            layout: archive.layout,
            behind: AtomicBool::new(is_behind),
            doubted: AtomicBool::new(false),
            witnesses: config.witnesses,
            tree: RwLock::new(archive.tree),
            segments: RwLock::new(segments.with(&wal)),
            head: RwLock::new(Arc::new(head)),
            frozen: AtomicBool::new(identity.frozen),
            identity,
            closing: watch::Sender::new(false),
            failure: OnceLock::new(),
            counters: Counters::default(),
        });
        let (queue, messages) = mpsc::sync_channel(limits.queue);
        let refresh = config.refresh;
        let start = Start {
            shared: Arc::clone(&shared),
            queue: messages,
            wal,
            index,
            runs,
            chunks,
            refresh,
            is_new: found.is_none(),
        };
        let (ending, ended) = watch::channel(());
        writer::start(start, runtime, ending)?;
        Ok(Log { shared, queue, ended })
    }

    fn index(&self) -> Result<Option<Index>, ReadError> {
        if !self.archive.form.is_found_by_hash() {
            return Ok(None);
        }
        let mut index = Index::new(self.runs.clone());
        for leaf in self.runs.end()..self.archive.tree.size() {
            index.insert(self.archive.node(0, leaf)?, leaf);
        }
        Ok(Some(index))
    }

    /// Goes on in the last segment, or in another if its end is torn.
    fn writer(&self) -> io::Result<wal::Writer> {
        let Archive { layout, segments, tree, torn, .. } = &self.archive;
        let (disk, size) = (self.dir.disk(), tree.size());
        let resumed = if *torn == 0 { segments.resume(disk)? } else { None };
        if let Some(writer) = resumed {
            return Ok(writer);
        }
        // Whoever wrote it may have died before it was durable.
        if let Some(last) = segments.last().and_then(|last| segments.path(last)) {
            disk.sync(&fs::File::open(last)?, last)?;
        }
        // A segment in which no whole batch stands has the name of the next. What is torn in it is laid aside.
        if let Some(path) = segments.path(size) {
            match torn {
                0 => drop(disk.remove(path)?),
                _ => disk.rename(path, &layout.torn(size))?,
            }
        }
        wal::Writer::begin(disk, layout, size)
    }
}

async fn sign(signer: &LogSigner, checkpoint: Checkpoint) -> Result<Head, OpenError> {
    let note = signer.sign(&checkpoint).await.map_err(OpenError::Sign)?.to_string().into();
    Ok(Head { checkpoint, note })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| OpenError::Io(io::Error::other(error)))?
}
