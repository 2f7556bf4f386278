//! From a directory to a running log: what is there is proven before anything is signed.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, RwLock, mpsc};

use serde::{Deserialize, Serialize};
use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::merkle::leaf_hash;
use signet_formats::tlog::{Nodes, TILE_WIDTH, tree_root};
use signet_keys::SignError;
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};
use tokio::runtime::Handle;

use super::chunk::{self, CHUNK_WIDTH, Layout, Summary};
use super::index::{Index, Runs};
use super::read::Places;
use super::run::{Record, Run, RunName};
use super::tree::Tree;
use super::wal::{self, Item, Place, Reader, Segments};
use super::writer::{self, Start};
use super::{Config, Counters, Head, Log, LogSigner, ReadError, Shared};

impl Log {
    /// Opens the log in `config.data`, making it if the directory is absent or empty, and starts its writer.
    pub async fn open(config: Config, signer: LogSigner) -> Result<Self, OpenError> {
        Self::open_on(Disk::default(), config, signer).await
    }

    /// The same, on a disk that may inject faults.
    pub async fn open_on(disk: Disk, config: Config, signer: LogSigner) -> Result<Self, OpenError> {
        let path = config.data.clone();
        let dir = blocking(move || Ok(DataDir::open_on(disk, &path, Kind::Log)?)).await?;
        Self::open_in(dir, config, signer).await
    }

    /// The same, in a directory that is open already: its keys may be in it.
    pub async fn open_in(dir: DataDir, config: Config, signer: LogSigner) -> Result<Self, OpenError> {
        let identity = Identity::of(&signer);
        let loaded = blocking(move || Loaded::load(dir, &identity)).await?;
        let size = loaded.tree.size();
        let root = tree_root(&loaded, size)?;
        let origin = signer.origin().to_owned();
        let checkpoint = Checkpoint { origin, size, root, extensions: Vec::new() };
        loaded.refuse_less_than(config.floor.as_ref(), &checkpoint)?;
        let note = signer.sign(&checkpoint).await.map_err(OpenError::Sign)?.to_string().into();
        let head = Head { checkpoint, note };
        blocking(move || loaded.start(config, signer, head, Handle::current())).await
    }
}

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Acknowledged entries are damaged or missing.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The directory cannot be used.
    #[error(transparent)]
    Dir(#[from] signet_store::OpenError),
    /// The log has other entries than a checkpoint that was published: two histories under one name.
    #[error("the log has other entries than its checkpoint of size {size} says")]
    Forked {
        /// The size of that checkpoint.
        size: u64,
    },
    /// The disk failed.
    #[error("the log cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// The first checkpoint could not be signed.
    #[error("the checkpoint cannot be signed: {0}")]
    Sign(SignError),
    /// The log has less than was published.
    #[error("the log has {found} entries, but a checkpoint of {published} was published")]
    WentBack {
        /// How many it has.
        found: u64,
        /// How many it had.
        published: u64,
    },
    /// The directory is the log of other keys.
    #[error("the log was made with other keys: `{found}`")]
    WrongKey {
        /// The key that it was made with.
        found: String,
    },
    /// The directory is the log of another name.
    #[error("this is the log `{found}`, not `{wanted}`")]
    WrongOrigin {
        /// Its name.
        found: String,
        /// The name asked for.
        wanted: String,
    },
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Io(error),
            ReadError::Merkle(error) => Self::Damaged(error.to_string()),
        }
    }
}

/// Whose log a directory is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) origin: String,
    pub(super) keys: Vec<String>,
}

impl Identity {
    fn of(signer: &LogSigner) -> Self {
        Self { origin: signer.origin().to_owned(), keys: signer.keys().map(ToString::to_string).collect() }
    }

    /// Whose log is in this directory; `None` in a new one.
    pub(super) fn read(root: &Path) -> Result<Option<Self>, OpenError> {
        let malformed = |error: serde_json::Error| OpenError::Damaged(format!("`{IDENTITY_FILE}`: {error}"));
        match fs::read(root.join(IDENTITY_FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(malformed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses another log's directory. Keys may be added, not taken away.
    fn settle(&self, disk: &Disk, layout: &Layout) -> Result<(), OpenError> {
        let path = layout.root.join(IDENTITY_FILE);
        let found = match Self::read(&layout.root)? {
            Some(found) => found,
            None if fs::read_dir(&layout.entries)?.next().is_some() => {
                return Err(OpenError::Damaged(format!("`{IDENTITY_FILE}` is missing")));
            }
            None => Self { origin: self.origin.clone(), keys: Vec::new() },
        };
        if found.origin != self.origin {
            return Err(OpenError::WrongOrigin { found: found.origin, wanted: self.origin.clone() });
        }
        if let Some(other) = found.keys.iter().find(|key| !self.keys.contains(key)) {
            return Err(OpenError::WrongKey { found: other.clone() });
        }
        if found != *self {
            let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
            disk.put(&layout.scratch, &path, &text)?;
        }
        Ok(())
    }
}

/// What the directory has.
struct Loaded {
    dir: DataDir,
    layout: Layout,
    tree: Tree,
    chunks: u64,
    places: Vec<Place>,
    segments: Segments,
    runs: Runs,
}

impl Loaded {
    fn load(dir: DataDir, identity: &Identity) -> Result<Self, OpenError> {
        let layout = Layout::new(dir.path());
        layout.make(dir.disk())?;
        identity.settle(dir.disk(), &layout)?;
        let (tree, chunks, last) = load_chunks(&layout)?;
        let segments = Segments::open(&layout.entries)?;
        let runs = Runs::open(&layout)?;
        let mut loaded = Self { dir, layout, tree, chunks, places: Vec::new(), segments, runs };
        loaded.replay(last)?;
        loaded.index_chunks()?;
        Ok(loaded)
    }

    /// Reads the entries after the last chunk. What an interrupted write left at the very end is not counted.
    fn replay(&mut self, last: Option<Place>) -> Result<(), OpenError> {
        let Some(mut reader) = self.first_reader(last)? else { return Ok(()) };
        loop {
            let begin = reader.place;
            if self.read_batch(&mut reader)? {
                continue;
            }
            match self.segments.after(begin.segment) {
                Some(next) if next == self.tree.size() => {
                    reader = self.segments.reader(Place { segment: next, offset: 0 })?;
                }
                Some(next) => {
                    let size = self.tree.size();
                    return Err(OpenError::Damaged(format!("after entry {size} comes entry {next}")));
                }
                None => return self.check_end(begin),
            }
        }
    }

    /// At the first entry after the last chunk.
    fn first_reader(&self, last: Option<Place>) -> Result<Option<Reader>, OpenError> {
        let Some(last) = last else {
            return Ok(match self.segments.last() {
                Some(_) => Some(self.segments.reader(Place::default())?),
                None => None,
            });
        };
        let (size, mut reader) = (self.tree.size(), self.segments.reader(last)?);
        let mut index = size - TILE_WIDTH;
        while index < size {
            if self.segments.after(reader.place.segment) == Some(index) {
                reader = self.segments.reader(Place { segment: index, offset: 0 })?;
            }
            match reader.next()? {
                Some(Item::Entry(_)) => index += 1,
                Some(Item::Frame(_)) => {}
                None => return Err(OpenError::Damaged(format!("entry {index} is missing"))),
            }
        }
        Ok(Some(reader))
    }

    /// Reads one batch; `false`, and nothing of it counted, if there is no whole one.
    fn read_batch(&mut self, reader: &mut Reader) -> Result<bool, OpenError> {
        let size = self.tree.size();
        let Some(Item::Frame(frame)) = reader.next()? else { return Ok(false) };
        if frame.first != size {
            return Ok(false);
        }
        let places = self.places.len();
        for index in size..frame.end() {
            let place = reader.place;
            let Some(Item::Entry(entry)) = reader.next()? else { break };
            if index % TILE_WIDTH == 0 {
                self.places.push(place);
            }
            self.tree.push(leaf_hash(&entry));
        }
        let whole = self.tree.size() == frame.end() && tree_root(self, frame.end())? == frame.root;
        if !whole {
            self.tree.truncate(size);
            self.places.truncate(places);
        }
        Ok(whole)
    }

    /// Whether the entries end here, as after a write that was cut off: nothing whole may follow.
    fn check_end(&self, end: Place) -> Result<(), OpenError> {
        let mut rest = self.segments.reader(Place { offset: end.offset + 1, ..end })?;
        match rest.has_frame_ahead()? {
            true => Err(OpenError::Damaged(format!("entry {} is damaged", self.tree.size()))),
            false => Ok(()),
        }
    }

    /// Makes the part of the index that is missing.
    fn index_chunks(&self) -> io::Result<()> {
        for number in self.runs.end() / CHUNK_WIDTH..self.chunks {
            let name = RunName { from: number * CHUNK_WIDTH, to: (number + 1) * CHUNK_WIDTH };
            let leaves = chunk::leaves(&self.layout, name.from, CHUNK_WIDTH)?;
            let records = (name.from..).zip(&leaves).map(|(index, leaf)| Record::new(leaf, index)).collect();
            self.runs.push(Run::write(&self.layout, self.dir.disk(), name, records)?);
        }
        Ok(())
    }

    /// Refuses to go on from less than was published, or from something else.
    fn refuse_less_than(&self, floor: Option<&Checkpoint>, ours: &Checkpoint) -> Result<(), OpenError> {
        let kept = match fs::read(self.layout.checkpoint()) {
            Ok(bytes) => Some(SignedCheckpoint::parse(&bytes).map_err(|e| OpenError::Damaged(e.to_string()))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        for published in kept.as_ref().map(SignedCheckpoint::checkpoint).into_iter().chain(floor) {
            if published.origin != ours.origin {
                let (found, wanted) = (published.origin.clone(), ours.origin.clone());
                return Err(OpenError::WrongOrigin { found, wanted });
            }
            if published.size > ours.size {
                return Err(OpenError::WentBack { found: ours.size, published: published.size });
            }
            if tree_root(self, published.size)? != published.root {
                return Err(OpenError::Forked { size: published.size });
            }
        }
        Ok(())
    }

    fn start(mut self, config: Config, signer: LogSigner, head: Head, runtime: Handle) -> Result<Log, OpenError> {
        let size = self.tree.size();
        let mut index = Index::new(self.runs.clone());
        for leaf in self.runs.end()..size {
            index.insert(self.node(0, leaf)?, leaf);
        }
        // A segment in which no whole batch stands would have the name of the next.
        if self.segments.last() == Some(size) {
            self.dir.disk().remove(&self.layout.entries.join(wal::segment_name(size)))?;
            self.segments.forget(size);
        }
        let wal = wal::Writer::begin(self.dir.disk(), &self.layout.entries, size)?;
        self.segments.add(wal.segment()?);
        let frozen = self.layout.frozen().is_file();
        let shared = Arc::new(Shared {
            places: RwLock::new(Places::new(self.chunks * TILE_WIDTH, self.places)),
            dir: self.dir,
            layout: self.layout,
            limits: config.limits,
            signer,
            tree: RwLock::new(self.tree),
            segments: RwLock::new(self.segments),
            head: RwLock::new(Arc::new(head)),
            frozen: AtomicBool::new(frozen),
            closing: AtomicBool::new(false),
            failure: OnceLock::new(),
            counters: Counters::default(),
        });
        let (queue, messages) = mpsc::sync_channel(config.limits.queue);
        let (runs, chunks) = (self.runs, self.chunks);
        let start = Start { shared: Arc::clone(&shared), queue: messages, wal, index, runs, chunks };
        writer::start(start, runtime)?;
        Ok(Log { shared, queue })
    }
}

impl Nodes for Loaded {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<[u8; 32], ReadError> {
        match self.tree.node(level, index) {
            Some(node) => Ok(node),
            None => Ok(chunk::node(&self.layout, level, index)?),
        }
    }
}

/// The tree over the chunks, how many they are, and where the last bundle of them begins.
fn load_chunks(layout: &Layout) -> Result<(Tree, u64, Option<Place>), OpenError> {
    let chunks = chunk::count(layout).map_err(|error| OpenError::Damaged(error.to_string()))?;
    let (mut roots, mut last) = (Vec::new(), None);
    for number in 0..chunks {
        let unreadable = |error| OpenError::Damaged(format!("hashes of chunk {number}: {error}"));
        let summary = Summary::read(layout, number).map_err(unreadable)?;
        roots.push(summary.root());
        last = summary.places.last().copied();
    }
    Ok((Tree::of_chunks(roots), chunks, last))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| OpenError::Io(io::Error::other(error)))?
}

const IDENTITY_FILE: &str = "log.json";
