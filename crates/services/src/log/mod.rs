//! A transparency log: entries go in, signed checkpoints and tiles come out (C2SP tlog-tiles).
//!
//! The order of a batch: its entries and the new root are written and synced (`wal`); only then is the new
//! checkpoint signed, so that nothing is ever signed that a crash can take back; then witnesses cosign it, where a policy
//! wants them; then it is published, and only then are those who added told. One task writes; it holds the directory's lock. After a failed write or sync it ends for good,
//! and the log can be read only until somebody has looked and started it again.
//!
//! What is on disk: `entries/` (the log itself), `hashes/` and `index/` (made from it, and again if lost), `checkpoint`
//! (the newest that was published, at most a second old: a start that finds less than it says is refused), `log.json` (the
//! name and keys); with a search, `search/`, made from the entries too. What is in memory: the newest chunk's nodes, the roots of the others, a filter of the index.

mod ahead;
mod archive;
mod chunk;
mod config;
mod export;
mod filing;
mod filter;
mod form;
mod fsck;
mod home;
mod identity;
mod index;
mod kind;
mod newest;
mod numbered;
mod open;
mod policy;
mod read;
mod requests;
mod run;
mod seal;
mod search;
mod searches;
mod segments;
mod shards;
mod shared;
mod sign;
mod tiles;
mod tree;
mod wal;
mod witnessing;
mod writer;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::tlog::MAX_ENTRY_BYTES;
use tokio::sync::{oneshot, watch};

pub use config::{Config, Limits, MAX_INTERVAL, MAX_QUEUE, REFRESH};
pub use export::{export, prove};
pub use form::Form;
pub use fsck::{FsckReport, fsck, fsck_shards, verify_head};
pub(crate) use home::refuse_half;
pub use home::{HomeError, HomeOptions, freeze_at, fsck_keys, keys_of, make_dirs, origin_of};
pub use kind::Kind;
pub use newest::{Doubt, Evidence, is_newest};
pub use open::OpenError;
pub use policy::policy_of;
pub use read::{Pieces, ReadError};
pub use requests::{Answer, Request, Rotation, is_request, request};
pub use search::{Hit, MAX_HITS, Next, Page, Query};
pub use searches::{SearchError, Searches, search};
pub use shards::{Book, Opener, Place, RotateError, Shards, places_of};
pub use sign::LogSigner;
pub use tiles::fsck_tiles;
pub use witnessing::{MAX_WITNESS_WITHIN, WitnessAnswer, WitnessClient, WitnessStatus, Witnesses};
pub use writer::LONG_PAUSE;

use shared::Shared;
use writer::{Message, Prover, Submission};

/// A running log. Clones are the same log.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    queue: SyncSender<Message>,
    /// Closed when the writer has let go of everything.
    ended: watch::Receiver<()>,
}

impl Log {
    /// Adds an entry, unless the log has it: then where it is. Returns once the entry is durable and a published
    /// checkpoint has it.
    pub async fn add(&self, entry: Bytes) -> Result<Added, AddError> {
        let (reply, answer) = oneshot::channel();
        // Whoever has gone away finds the entry when it asks again.
        self.submit(entry, move |added| drop(reply.send(added)));
        answer.await.unwrap_or_else(|_| Err(self.ended()))
    }

    /// The same for who does not wait. `done` is called once it is known, by the thread that writes, so it has to be
    /// quick. If it is dropped instead, the log has [`Log::ended`].
    pub fn submit(&self, entry: Bytes, done: impl FnOnce(Result<Added, AddError>) + Send + 'static) {
        let leaf = self
            .shared
            .admit(&entry)
            .and_then(|()| self.shared.form.leaf_of_new(&entry).ok_or(AddError::Malformed));
        let leaf = match leaf {
            Ok(leaf) => leaf,
            Err(refused) => return done(Err(refused)),
        };
        let bytes = entry.len();
        self.shared.counters.queued_bytes.fetch_add(bytes, Ordering::AcqRel);
        let submission = Message::Add(Submission { entry, leaf, done: Box::new(done) });
        if let Err(refused) = self.queue.try_send(submission) {
            self.shared.counters.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
            let (why, message) = match refused {
                TrySendError::Full(message) => (self.shared.busy(), message),
                TrySendError::Disconnected(message) => (self.ended(), message),
            };
            if let Message::Add(submission) = message {
                (submission.done)(Err(why));
            }
        }
    }

    /// What those learn who still wait when nothing is written any more.
    pub fn ended(&self) -> AddError {
        self.shared.ended()
    }

    /// The newest published checkpoint.
    pub fn head(&self) -> Arc<Head> {
        self.shared.head()
    }

    /// What it takes; `None` if nobody has said it yet.
    pub fn kind(&self) -> Option<Kind> {
        self.shared.identity.kind
    }

    /// The log's name and keys.
    pub fn signer(&self) -> &LogSigner {
        &self.shared.signer
    }

    /// What happened since the start.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Why nothing can be added any more, if that is so.
    pub fn failure(&self) -> Option<&str> {
        self.shared.failure.get().map(String::as_str)
    }

    /// How the witnesses are doing; none without a policy.
    pub fn witnesses(&self) -> Vec<WitnessStatus> {
        self.shared.witnesses.as_ref().map(|witnesses| witnesses.status()).unwrap_or_default()
    }

    /// Has the newest checkpoint cosigned, only to see whether the witnesses do that. Well without a policy.
    pub async fn ask_witnesses(&self) -> Result<(), String> {
        let Some(witnesses) = &self.shared.witnesses else { return Ok(()) };
        let signed = SignedCheckpoint::parse(&self.head().note).map_err(|error| error.to_string())?;
        let cosigned = witnesses.cosign(&signed, Arc::new(Prover(Arc::clone(&self.shared)))).await;
        cosigned.map(drop)
    }

    /// Whether all that is durable is published: false while the witnesses are no quorum.
    pub fn is_published(&self) -> bool {
        !self.shared.behind.load(Ordering::Acquire)
    }

    /// Whether its witnesses have said that they have seen nothing newer: before that it takes nothing new.
    pub fn is_confirmed(&self) -> bool {
        !self.shared.doubted.load(Ordering::Acquire)
    }

    /// Whether there is somebody to write: false after a failure, a defect, or [`Log::close`].
    pub fn is_writing(&self) -> bool {
        self.failure().is_none() && self.ended.has_changed().is_ok()
    }

    /// Whether it takes no more entries for good.
    pub fn is_frozen(&self) -> bool {
        self.shared.frozen.load(Ordering::Acquire)
    }

    /// How many entries are durable: with witnesses, more than are published while those are no quorum.
    pub fn durable(&self) -> u64 {
        self.shared.tree.read().unwrap_or_else(PoisonError::into_inner).size()
    }

    /// Takes no more entries, from now on and after every start. What waits is still written: once this returns, the log has
    /// all that it will ever have. After an error the next start takes entries again.
    pub async fn freeze(&self) -> io::Result<()> {
        self.shared.frozen.store(true, Ordering::Release);
        let (shared, queue) = (Arc::clone(&self.shared), self.queue.clone());
        let (reached, ended) = oneshot::channel();
        let freeze = move || {
            let kept = shared.identity.freeze(shared.dir.disk(), &shared.layout);
            // An error says that it has ended: nothing more is written anyway.
            drop(queue.send(Message::Freeze(reached)));
            kept
        };
        let kept = tokio::task::spawn_blocking(freeze).await.map_err(io::Error::other)?;
        drop(ended.await);
        kept
    }

    /// Ends the writing, after what waits was written. Reading goes on.
    pub async fn close(&self) {
        self.shared.closing.send_replace(true);
        let queue = self.queue.clone();
        // The queue may be full; the writer makes room. An error says that it has ended.
        let _ = tokio::task::spawn_blocking(move || queue.send(Message::Close)).await;
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

/// What adding an entry gave.
#[derive(Clone, Debug)]
pub struct Added {
    /// The entry's index.
    pub index: u64,
    /// Whether the log had it before.
    pub duplicate: bool,
    /// A checkpoint that has it.
    pub head: Arc<Head>,
}

/// A published checkpoint.
#[derive(Debug)]
pub struct Head {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: Bytes,
}

/// What happened since the start, and what is under way.
#[derive(Debug, Default)]
pub struct Counters {
    /// Entries added.
    pub added: AtomicU64,
    /// Entries that were there already.
    pub duplicates: AtomicU64,
    /// Entries refused because too many waited.
    pub refused: AtomicU64,
    /// Batches written.
    pub batches: AtomicU64,
    /// Checkpoints that could not be signed at once.
    pub signing_failures: AtomicU64,
    /// Checkpoints that were not published because too few witnesses cosigned.
    pub unwitnessed: AtomicU64,
    /// The bytes of entries that wait.
    pub queued_bytes: AtomicUsize,
}

/// Why an entry was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// Too many wait: try again later.
    #[error("too many entries are waiting; try again later")]
    Busy,
    /// The log is being shut down.
    #[error("the log is being shut down")]
    Closed,
    /// Entries have at least a byte.
    #[error("the entry is empty")]
    Empty,
    /// The disk failed; nothing can be added until the next start.
    #[error("the log has stopped writing: {0}")]
    Failed(String),
    /// The log takes no more entries.
    #[error("the log is frozen")]
    Frozen,
    /// It is no entry of this log's form.
    #[error("it is no entry of such a log")]
    Malformed,
    /// It is longer than a bundle has room for.
    #[error("the entry has {bytes} bytes, more than the {MAX_ENTRY_BYTES} that a log takes")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Too few witnesses cosigned, or say that there is nothing newer. If the entry is kept, adding it again finds it once they do.
    #[error("the log is not witnessed: {0}")]
    Unwitnessed(String),
}

#[cfg(test)]
mod tests;
