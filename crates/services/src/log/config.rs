//! What a log is opened with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signet_formats::checkpoint::Checkpoint;

use super::{Kind, Witnesses};

/// What a log is opened with.
#[derive(Clone)]
pub struct Config {
    /// The data directory; made if it is absent or empty.
    pub data: PathBuf,
    /// The least that the log must have: a checkpoint that somebody else kept. A start with less, or
    /// with other entries, is refused; of a log in shards, it is of the one that it names.
    pub floor: Option<Checkpoint>,
    /// What it is to take; unset, what it takes already. A log that takes something else is not opened.
    pub kind: Option<Kind>,
    /// Bounds and pace.
    pub limits: Limits,
    /// Who has to cosign what is published; unset, nobody.
    pub witnesses: Option<Arc<Witnesses>>,
    /// How old a published checkpoint may get before it is signed again, where what signs it says when. Unset, as old as it
    /// likes.
    pub refresh: Option<Duration>,
}

impl Config {
    /// A log in this directory.
    pub fn new(data: PathBuf) -> Self {
        Self { data, floor: None, kind: None, limits: Limits::default(), witnesses: None, refresh: None }
    }
}

/// How old a checkpoint may get that says when it was signed: monitors take a log for gone that has been silent for long.
pub const REFRESH: Duration = Duration::from_secs(600);

/// Bounds on what waits, and how often checkpoints are made.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many entries may wait; more are refused as [`AddError::Busy`](super::AddError::Busy).
    pub queue: usize,
    /// How many bytes of entries may wait.
    pub queue_bytes: usize,
    /// The least time between the beginnings of two batches, up to [`LONG_PAUSE`](super::LONG_PAUSE) where many entries come. An
    /// entry that comes later than that does not wait.
    pub interval: Duration,
}

/// The most entries that may be let wait: there is room for them from the start.
pub const MAX_QUEUE: usize = 1 << 20;

/// The longest that an entry may be let wait for others.
pub const MAX_INTERVAL: Duration = Duration::from_secs(60);

impl Default for Limits {
    fn default() -> Self {
        Self { queue: 8192, queue_bytes: 32 << 20, interval: Duration::from_millis(10) }
    }
}
