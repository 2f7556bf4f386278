//! The one task that writes.

mod pace;
mod publish;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};
use std::vec;

use bytes::Bytes;
use signet_formats::merkle::Hash;
use signet_formats::tlog::{TILE_HEIGHT, tree_root};
use signet_store::fs::Disk;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::chunk::{CHUNK_WIDTH, Content};
use super::filing::Filing;
use super::index::{Index, Runs};
use super::tree::Tree;
use super::wal::{self, Frame};
use super::{AddError, Added, OpenError, ReadError, Shared};
pub use pace::LONG_PAUSE;
use pace::Pace;
pub(super) use publish::Prover;

/// What the writer is told.
pub(super) enum Message {
    /// Add an entry.
    Add(Submission),
    /// Write what came before, then end.
    Close,
    /// Write what came before, then nothing any more; then say so.
    Freeze(oneshot::Sender<()>),
}

/// An entry that somebody waits for.
pub(super) struct Submission {
    pub(super) entry: Bytes,
    pub(super) leaf: Hash,
    pub(super) done: Done,
}

/// Tells who waits. Dropped, it says that the log has ended.
pub(super) type Done = Box<dyn FnOnce(Result<Added, AddError>) + Send>;

/// What the writer begins with.
pub(super) struct Start {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Receiver<Message>,
    pub(super) wal: wal::Writer,
    pub(super) index: Option<Index>,
    pub(super) runs: Runs,
    /// How many chunks are on disk.
    pub(super) chunks: u64,
    /// How old a published checkpoint may get.
    pub(super) refresh: Option<Duration>,
    /// Whether the log was just made: nobody has seen anything of it.
    pub(super) is_new: bool,
}

/// Starts the writer on a thread of its own. It ends with the last handle of the log, on
/// [`Message::Close`], or when the disk fails; `ended` is dropped when it has let go of everything.
pub(super) fn start(start: Start, runtime: Handle, ended: watch::Sender<()>) -> io::Result<()> {
    let Start { shared, queue, wal, index, runs, chunks, refresh, is_new } = start;
    let filing = Filing::start(Arc::clone(&shared), runs)?;
    let published = Instant::now();
    let is_final = shared.frozen.load(Ordering::Acquire);
    let doubt = shared.witnesses.as_ref().filter(|_| !is_new).map(|_| "they were not asked yet".to_owned());
    let (pace, unpublished) = (Pace::new(shared.limits.interval), None);
    let writer = Writer {
        shared,
        queue,
        wal,
        index,
        filing,
        chunks,
        runtime,
        pace,
        refresh,
        published,
        is_final,
        doubt,
        unpublished,
    };
    writer.show_doubt();
    let builder = thread::Builder::new().name("log-writer".to_owned());
    let spawned = builder.spawn(move || {
        writer.run();
        drop(ended);
    });
    spawned.map(drop)
}

struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Message>,
    wal: wal::Writer,
    /// Which entries are there already; `None` for a form that does not ask.
    index: Option<Index>,
    filing: Filing,
    /// How many chunks were given to be filed.
    chunks: u64,
    runtime: Handle,
    pace: Pace,
    /// How old a published checkpoint may get.
    refresh: Option<Duration>,
    /// When the last checkpoint was published.
    published: Instant,
    /// Whether nothing is written any more: it is frozen, and what waited then is written.
    is_final: bool,
    /// Why nothing new may be signed: the witnesses have to say first that they have seen nothing newer.
    doubt: Option<String>,
    /// Why the last head was not cosigned.
    unpublished: Option<String>,
}

/// Those who wait for a batch.
type Waiting = Vec<(Done, u64, bool)>;

impl Writer {
    fn run(mut self) {
        if self.commit(Vec::new()).is_ok() {
            self.run_on();
        }
        // What still waits is told that the log has ended.
        drop(self.queue);
        self.filing.end();
    }

    fn run_on(&mut self) {
        while let Some(first) = self.wait() {
            let shared = &self.shared;
            self.pace.wait(|| shared.counters.queued_bytes.load(Ordering::Acquire), || shared.is_closing());
            let (batch, after) = first.map_or_else(Default::default, |first| self.collect(first));
            if self.commit(batch).is_err() {
                return;
            }
            match after {
                Some(Message::Freeze(reached)) => {
                    self.is_final = true;
                    // Whoever asked may have gone away.
                    let _ = reached.send(());
                }
                Some(_) => return,
                None => {}
            }
        }
    }

    /// The next message; without one, as soon as it is time to publish again: what was not witnessed, or a checkpoint that has
    /// grown old. `None` at the end.
    fn wait(&self) -> Option<Option<Message>> {
        self.show_doubt();
        let again = match self.shared.behind.load(Ordering::Acquire) || self.is_in_doubt() {
            true => Some(PUBLISH_AGAIN_AFTER),
            false => self.until_refresh(),
        };
        let Some(again) = again else { return self.queue.recv().ok().map(Some) };
        match self.queue.recv_timeout(again) {
            Ok(message) => Some(Some(message)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// How long the published checkpoint is young yet. What a frozen log says last needs no other date.
    fn until_refresh(&self) -> Option<Duration> {
        let refresh = self.refresh.filter(|_| !self.shared.frozen.load(Ordering::Acquire))?;
        Some(refresh.saturating_sub(self.published.elapsed()))
    }

    /// Whether the witnesses are to be asked yet. Of a log that is over nothing is signed any more.
    fn is_in_doubt(&self) -> bool {
        let is_over = self.is_final && !self.shared.behind.load(Ordering::Acquire);
        self.doubt.is_some() && !is_over
    }

    fn show_doubt(&self) {
        self.shared.doubted.store(self.is_in_doubt(), Ordering::Release);
    }

    /// The entries that wait, and what else the log is told after them.
    fn collect(&self, first: Message) -> (Vec<Submission>, Option<Message>) {
        let (mut batch, mut bytes, mut next) = (Vec::new(), 0, Some(first));
        while let Some(message) = next {
            match message {
                Message::Add(submission) => {
                    bytes += submission.entry.len();
                    batch.push(submission);
                }
                other => return (batch, Some(other)),
            }
            let more = batch.len() < BATCH_ENTRIES && bytes < BATCH_BYTES;
            next = more.then(|| self.queue.try_recv().ok()).flatten();
        }
        (batch, None)
    }

    fn commit(&mut self, batch: Vec<Submission>) -> Result<(), Ended> {
        let bytes = batch.iter().map(|submission| submission.entry.len()).sum();
        self.shared.counters.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.pace.follow(batch.len());
        let (mut batch, mut waiting) = (batch.into_iter(), Waiting::new());
        let done = self.add_all(&mut batch, &mut waiting);
        // Said before those who wait are dropped, so that they learn why.
        done.map_err(|error| {
            self.shared.fail(error.to_string());
            Ended
        })
    }

    fn add_all(
        &mut self,
        batch: &mut vec::IntoIter<Submission>,
        waiting: &mut Waiting,
    ) -> Result<(), Failure> {
        self.ask_witnesses()?;
        self.show_doubt();
        let fresh = self.stage(batch, waiting)?;
        let (added, all) = (fresh.len(), waiting.len());
        self.write(&fresh)?;
        let is_old = self.until_refresh().is_some_and(|left| left.is_zero());
        let is_behind =
            self.shared.behind.load(Ordering::Acquire) || self.size() > self.shared.head().checkpoint.size;
        let published = match is_old || is_behind {
            true => self.try_to_publish(!fresh.is_empty())?,
            false => Ok(()),
        };
        self.shared.behind.store(published.is_err(), Ordering::Release);
        let head = self.shared.head();
        for (done, index, duplicate) in waiting.drain(..) {
            done(match &published {
                Err(why) if index >= head.checkpoint.size => Err(AddError::Unwitnessed(why.clone())),
                _ => Ok(Added { index, duplicate, head: Arc::clone(&head) }),
            });
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.shared.counters.added.fetch_add(count(added), Ordering::Relaxed);
        self.shared.counters.duplicates.fetch_add(count(all - added), Ordering::Relaxed);
        self.file_chunks()?;
        Ok(())
    }

    /// Finds out which entries are new, and gives them their indices.
    fn stage(
        &mut self,
        batch: &mut vec::IntoIter<Submission>,
        waiting: &mut Waiting,
    ) -> io::Result<Vec<(Hash, Bytes)>> {
        let mut next = self.size();
        let mut fresh = Vec::new();
        for Submission { entry, leaf, done } in batch {
            let known = self.index.as_ref().map(|index| index.find(&self.shared.layout, &leaf));
            match known.transpose().map(Option::flatten) {
                Err(error) => {
                    waiting.push((done, next, false));
                    return Err(error);
                }
                Ok(Some(index)) => waiting.push((done, index, true)),
                Ok(None) if self.is_final => done(Err(AddError::Frozen)),
                Ok(None) if self.doubt.is_some() => {
                    done(Err(AddError::Unwitnessed(self.doubt.clone().unwrap_or_default())));
                }
                Ok(None) => {
                    self.index.iter_mut().for_each(|index| index.insert(leaf, next));
                    waiting.push((done, next, false));
                    fresh.push(self.shared.form.placed(entry, leaf, next)?);
                    next += 1;
                }
            }
        }
        Ok(fresh)
    }

    /// Makes new entries durable. No batch on disk reaches over the end of a chunk.
    fn write(&mut self, mut fresh: &[(Hash, Bytes)]) -> Result<(), ReadError> {
        while !fresh.is_empty() {
            let first = self.size();
            let room = usize::try_from(CHUNK_WIDTH - first % CHUNK_WIDTH).unwrap_or(usize::MAX);
            let (part, rest) = fresh.split_at(room.min(fresh.len()));
            self.write_part(first, part)?;
            fresh = rest;
        }
        Ok(())
    }

    fn write_part(&mut self, first: u64, part: &[(Hash, Bytes)]) -> Result<(), ReadError> {
        let mut tree = self.tree_mut();
        part.iter().for_each(|(leaf, _)| tree.push(*leaf));
        drop(tree);
        let written = self.append(first, part);
        if written.is_err() {
            // What is not durable is not counted as if it were.
            self.tree_mut().truncate(first);
        }
        written
    }

    fn append(&mut self, first: u64, part: &[(Hash, Bytes)]) -> Result<(), ReadError> {
        let root = tree_root(&self.shared.nodes(), self.size())?;
        let count = u32::try_from(part.len()).map_err(io::Error::other)?;
        if self.wal.is_large() {
            self.wal = wal::Writer::begin(self.disk(), &self.shared.layout, first)?;
            let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
            *segments = segments.clone().with(&self.wal);
        }
        let entries = part.iter().map(|(_, entry)| entry);
        let places = self.wal.append(&Frame { first, count, root }, entries)?;
        self.shared.places.write().unwrap_or_else(PoisonError::into_inner).extend(places);
        self.shared.counters.batches.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Gives the chunks that are complete to be filed. Waits if the one before is not filed yet.
    fn file_chunks(&mut self) -> io::Result<()> {
        while self.size() / CHUNK_WIDTH > self.chunks {
            let number = self.chunks;
            let tree = self.shared.tree.read().unwrap_or_else(PoisonError::into_inner);
            let nodes = |level, count| tree.nodes(level, number * count, count).map(<[Hash]>::to_vec);
            let (leaves, tiles) = (nodes(0, CHUNK_WIDTH), nodes(TILE_HEIGHT, CHUNK_WIDTH >> TILE_HEIGHT));
            let places = self.shared.places.read().unwrap_or_else(PoisonError::into_inner).of_chunk(number);
            drop(tree);
            let missing = || io::Error::other("a chunk is not in memory");
            let (leaves, tiles) = leaves.zip(tiles).ok_or_else(missing)?;
            self.filing.file(Content { number, leaves, tiles, places })?;
            self.chunks += 1;
        }
        Ok(())
    }

    fn tree_mut(&self) -> RwLockWriteGuard<'_, Tree> {
        self.shared.tree.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn size(&self) -> u64 {
        self.shared.tree.read().unwrap_or_else(PoisonError::into_inner).size()
    }

    fn disk(&self) -> &Disk {
        self.shared.dir.disk()
    }
}

/// Why nothing is written any more.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] ReadError),
    /// Others have seen what the log does not have.
    #[error(transparent)]
    History(#[from] OpenError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Disk(error.into())
    }
}

/// The writer has ended; why is said elsewhere.
struct Ended;

/// The most entries, and about the most bytes, of a batch.
const BATCH_ENTRIES: usize = 8192;
const BATCH_BYTES: usize = 8 << 20;
const PUBLISH_AGAIN_AFTER: Duration = Duration::from_secs(1);
