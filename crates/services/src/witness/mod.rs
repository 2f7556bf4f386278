//! A witness: it cosigns the checkpoints of the logs that it knows, each only if it appends to the one before
//! (C2SP tlog-witness).
//!
//! What it has cosigned is on disk before anybody gets the cosignature. After a failed sync it cosigns nothing until
//! the next start.
//!
//! On disk: `logs/` (for each log the newest checkpoint that it cosigned), `evidence/` (checkpoints that a log signed and
//! that contradict each other), `unproven/` (those of which nothing tells), `spent/` (of its day's number), `keys/`, `witness.json` (its name and keys).
//! Trusted? Yes: whoever can put an older file in `logs/` makes it cosign a second history. May it be lost? No.

mod allowance;
mod cosigner;
mod home;
mod state;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use signet_crypto::Digest;
use signet_formats::merkle::MerkleError;
use signet_formats::note::{NoteSignature, VerifierKey};
use signet_formats::tlog::AddCheckpoint;
use signet_store::DataDir;
use tokio::sync::Mutex;

use crate::clock::Clock;
pub use cosigner::Cosigner;
pub use home::{HomeOptions, OpenError, fsck, key_of};
use state::LogState;

/// What a witness is opened with.
#[derive(Clone)]
pub struct Config {
    /// The data directory; made if it is absent or empty.
    pub data: PathBuf,
    /// The logs that it cosigns.
    pub logs: Vec<WitnessedLog>,
    /// What its cosignatures take their times from.
    pub clock: Arc<dyn Clock>,
}

/// A log that a witness cosigns.
#[derive(Clone, Debug)]
pub struct WitnessedLog {
    /// The first line of its checkpoints.
    pub origin: String,
    /// Its keys; one of them has to have signed.
    pub keys: Vec<VerifierKey>,
    /// How many checkpoints a day are cosigned at most.
    pub per_day: Option<u64>,
}

/// A running witness. Clones are the same witness.
#[derive(Clone)]
pub struct Witness {
    shared: Arc<Shared>,
}

impl Witness {
    /// Cosigns a checkpoint, if it is its log's and appends to the one before: a line for each of the witness's keys.
    pub async fn add_checkpoint(&self, request: AddCheckpoint) -> Result<Vec<NoteSignature>, Refusal> {
        let shared = Arc::clone(&self.shared);
        // To its end, even if whoever asked goes away meanwhile.
        let done = tokio::spawn(async move { shared.add_checkpoint(request).await }).await;
        let answer = done.unwrap_or_else(|error| Err(Refusal::Failed(error.to_string())));
        let counter = match &answer {
            Ok(_) => &self.shared.counters.cosigned,
            Err(_) => &self.shared.counters.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// The newest checkpoint that was cosigned of a log, by the SHA-256 of its origin; `None` if there is none.
    pub async fn checkpoint(&self, log: &Digest) -> Option<Bytes> {
        let state = self.shared.log(log)?;
        let state = state.lock().await;
        state.newest.as_ref().map(|newest| newest.note().to_string().into())
    }

    /// The witness's public keys, Ed25519 first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.shared.cosigner.keys()
    }

    /// How many logs it knows.
    pub fn logs(&self) -> usize {
        self.shared.logs.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Cosigns this log too, from now on until it is stopped. One that is known already stays as it is known. Reads the disk.
    pub fn know(&self, log: WitnessedLog) -> Result<(), OpenError> {
        let id = id_of(&log.origin);
        let mut logs = self.shared.logs.write().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(place) = logs.entry(id) {
            let state =
                LogState::load(self.shared.dir.path(), log, &self.shared.cosigner, self.shared.clock.read())?;
            place.insert(Arc::new(Mutex::new(state)));
        }
        Ok(())
    }

    /// Whether it can cosign: not after a sync has failed, nor shortly after it could not write.
    pub fn is_cosigning(&self) -> bool {
        let unwritten = *self.shared.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.shared.clock.read().steady;
        let is_past = |since: Duration| now.saturating_sub(since) >= DOUBTED_FOR;
        !self.shared.dir.disk().has_failed() && unwritten.is_none_or(is_past)
    }

    /// What happened since the start.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Checkpoints cosigned.
    pub cosigned: AtomicU64,
    /// Requests refused.
    pub refused: AtomicU64,
    /// Checkpoints of a log that came without the proof that they append.
    pub unproven: AtomicU64,
    /// Times a log contradicted itself, under its own signature.
    pub contradictions: AtomicU64,
}

/// Why a checkpoint was not cosigned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The log cannot append to more than it has.
    #[error("the old size {old} is larger than the checkpoint's size {new}")]
    Backwards {
        /// The old size.
        old: u64,
        /// The checkpoint's.
        new: u64,
    },
    /// The proof is from another size than that of the checkpoint cosigned last.
    #[error("the checkpoint cosigned last is of size {size}")]
    Conflict {
        /// Its size.
        size: u64,
    },
    /// The disk or the signer failed.
    #[error("the witness failed: {0}")]
    Failed(String),
    /// The checkpoint does not append to the one before.
    #[error("the checkpoint does not append to the one before: {0}")]
    Inconsistent(MerkleError),
    /// The log asks for more checkpoints a day than it was given.
    #[error("too many checkpoints for today; try again later")]
    TooMany {
        /// How long to wait.
        wait: Duration,
    },
    /// No log of this origin is known.
    #[error("the log `{0}` is not known here")]
    UnknownLog(String),
    /// No known key of the log has signed it, or a signature of one is wrong.
    #[error("the checkpoint is not signed by a known key of its log")]
    Unsigned,
}

/// By the SHA-256 of their origins.
type Logs = BTreeMap<Digest, Arc<Mutex<LogState>>>;

struct Shared {
    /// Held for its lock.
    dir: DataDir,
    cosigner: Cosigner,
    clock: Arc<dyn Clock>,
    logs: RwLock<Logs>,
    counters: Counters,
    /// When it could not write, by the steady clock, if it has written nothing since.
    unwritten: std::sync::Mutex<Option<Duration>>,
}

impl Shared {
    async fn add_checkpoint(self: &Arc<Self>, request: AddCheckpoint) -> Result<Vec<NoteSignature>, Refusal> {
        let origin = &request.checkpoint.checkpoint().origin;
        let log = self.log(&id_of(origin)).ok_or_else(|| Refusal::UnknownLog(origin.clone()))?;
        // Comparing with what was cosigned last and putting another in its place is one act.
        let mut log = log.lock().await;
        log.add_checkpoint(self, request).await
    }

    fn has_written(&self, done: bool) {
        let unwritten = (!done).then(|| self.clock.read().steady);
        *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = unwritten;
    }

    fn log(&self, id: &Digest) -> Option<Arc<Mutex<LogState>>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

fn id_of(origin: &str) -> Digest {
    Digest::sha256(origin.as_bytes())
}

/// After that it may be asked again: of what is never asked nobody learns that it is well.
const DOUBTED_FOR: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
