//! Watches logs: that each keeps to one history, that its witnesses cosign it, and who signs in it.
//!
//! Every entry is read and hashed, so that what the log shows is proven by the entries themselves and none is missed. Kept
//! on disk is how far each log was read, with its checkpoint; when a log shows a second history both checkpoints are kept.
//!
//! Trusted? Yes: whoever can put an older state in its place hides what came between. May it be lost? Then it begins again.

mod config;
mod follow;
mod judge;
mod range;
mod rekor_v1;
mod state;
mod tiles;
mod told;
mod tree;
mod untold;
mod vantages;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::Serialize;
use signet_formats::note::VerifierKey;
use signet_formats::rekor::EntryFacts;
use signet_formats::tlog::WitnessPolicy;
use signet_store::OpenError;

use crate::clock::Clock;
pub use config::{ConfigError, FollowedLog, MonitorConfig, Watch, WatchText};
use follow::Look;
use state::StateDir;
use told::Told;
use untold::Untold;
use vantages::Vantages;

/// What a log is read with.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// The resource at a path below the log's URL, of at most `limit` bytes; `None` if it is not there. An error in words.
    async fn read(&self, url: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String>;

    /// What is answered to a JSON document that is posted there, as [`LogReader::read`].
    async fn ask(
        &self,
        url: &str,
        path: &str,
        question: Vec<u8>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, String>;
}

/// A log that is followed.
#[derive(Clone)]
pub struct Source {
    /// Where its checkpoint and tiles are; of a Rekor v1 its API, which ends in `/api/v1`.
    pub url: String,
    /// Its name; its key's unless it says otherwise.
    pub origin: String,
    /// Its key.
    pub key: VerifierKey,
    /// Who has to have cosigned.
    pub witnesses: Option<WitnessPolicy>,
    /// How long ago at most they may have; unset, as long as it likes.
    pub max_age: Option<Duration>,
    /// Whether its entries are none of Rekor's: then no watch is for them.
    pub is_opaque: bool,
}

/// Follows logs, a round at a time.
pub struct Monitor {
    logs: Vec<Vantages>,
    watches: Vec<Watch>,
    state: StateDir,
    told: Told,
    untold: Untold,
    heartbeat: Option<PathBuf>,
    clock: Arc<dyn Clock>,
}

impl Monitor {
    /// A monitor that keeps how far it came in `state`. A log that it does not know yet is read from its first entry on, or
    /// with `from_now` from its newest. Refused while another monitor has that directory.
    pub fn open(
        state: PathBuf,
        sources: Vec<Source>,
        watches: Vec<Watch>,
        reader: &Arc<dyn LogReader>,
        clock: Arc<dyn Clock>,
        from_now: bool,
    ) -> Result<Self, OpenError> {
        let unreadable = |error| OpenError::Io { path: state.clone(), error };
        let dir = StateDir::open(state.clone())?;
        let logs = Vantages::of(sources, reader, &dir, from_now).map_err(unreadable)?;
        let told = Told::load(&dir).map_err(unreadable)?;
        let untold = Untold::load(&dir).map_err(unreadable)?;
        Ok(Self { logs, watches, state: dir, told, untold, heartbeat: None, clock })
    }

    /// Says in a file, whenever it keeps how far it came, that it lives. Its directory has to be there, and to stay.
    pub fn with_heartbeat(self, file: Option<PathBuf>) -> io::Result<Self> {
        let heartbeat = file.map(std::path::absolute).transpose()?;
        heartbeat.as_deref().map_or(Ok(()), demand_dir_of)?;
        Ok(Self { heartbeat, ..self })
    }

    /// Looks at every log once, and reads a bounded part of what is new in it. What is found is found once; but until
    /// [`Monitor::keep`] a restart finds it again.
    pub async fn round(&mut self) -> io::Result<Vec<Finding>> {
        let until = Instant::now() + ROUND_WITHIN;
        let at = Look { watches: &self.watches, state: &self.state, now: self.clock.seconds(), until };
        // At once: a log that answers slowly keeps nobody from hearing of the others.
        let rounds = join_all(self.logs.iter_mut().map(|log| log.round(&at))).await;
        let findings = rounds.into_iter().collect::<io::Result<Vec<_>>>()?;
        Ok(findings.into_iter().flatten().collect())
    }

    /// Puts in line, of what a round found, what is to be told to those who are not beside it: an alarm that lasts once, and again
    /// after a day. How many found no room in the line.
    pub fn put_in_line(&mut self, findings: &[Finding]) -> u64 {
        let is_all = !self.is_behind();
        let news = self.told.news(findings, self.clock.seconds(), is_all);
        self.untold.put(news)
    }

    /// The oldest finding that is to be told.
    pub fn first_in_line(&self) -> Option<&Finding> {
        self.untold.first()
    }

    /// The oldest was told.
    pub fn told_first(&mut self) {
        self.untold.took_first();
    }

    /// Whether there was more to read than a round reads: another one is due at once.
    pub fn is_behind(&self) -> bool {
        self.logs.iter().any(Vantages::is_behind)
    }

    /// Keeps how far it came, once those who are to know have been told, and says that it lives.
    pub fn keep(&mut self, is_well: bool) -> io::Result<()> {
        for log in &mut self.logs {
            log.keep(&self.state)?;
        }
        self.told.keep(&self.state)?;
        self.untold.keep(&self.state)?;
        if let Some(file) = &self.heartbeat {
            demand_dir_of(file)?;
            let logs = self.logs.iter().map(|log| log.progress(self.untold.dropped(log.origin()))).collect();
            state::write_whole(file, &Heartbeat { time: self.clock.seconds(), well: is_well, logs })?;
        }
        Ok(())
    }
}

/// Nothing is written where a directory is to be mounted that is not: whoever looks into it would not see it.
fn demand_dir_of(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(dir) if !dir.is_dir() => {
            let why = format!("the directory of the heartbeat, `{}`, is not there", dir.display());
            Err(io::Error::new(io::ErrorKind::NotFound, why))
        }
        _ => Ok(()),
    }
}

/// That a monitor lives.
#[derive(Debug, Serialize)]
struct Heartbeat {
    /// When it was written, in seconds since 1970.
    time: i64,
    /// Whether nothing was wrong in it.
    well: bool,
    logs: Vec<Progress>,
}

/// How far a log was read.
#[derive(Debug, Serialize)]
pub(crate) struct Progress {
    origin: String,
    size: u64,
    /// How many entries it showed last; nothing, if it could not be read then.
    shown: Option<u64>,
    /// How many of those were not read yet.
    behind: Option<u64>,
    /// How many entries say something that could not be read, of all that were.
    unread: u64,
    /// How many findings were dropped because they could not be told for too long, ever.
    dropped: u64,
}

/// Something to tell about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The log's name.
    pub origin: String,
    /// What it is.
    pub what: What,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// An entry that a watch is for.
    Entry {
        /// The watch's name.
        watch: String,
        /// The entry's index.
        index: u64,
        /// What it says.
        facts: Box<EntryFacts>,
    },
    /// The log has shown two histories. Both checkpoints are in this file.
    Fork {
        /// The file.
        evidence: PathBuf,
        /// What contradicts what.
        why: String,
    },
    /// The log shows less than it did, of the same history.
    Stale {
        /// The size that it shows.
        size: u64,
        /// The size that it showed.
        known: u64,
    },
    /// The log shows less than it did, and nothing tells whether that is of the same history. Its checkpoint is in this file,
    /// until it is proven.
    Unproven {
        /// The size that it shows.
        size: u64,
        /// The size that it showed.
        known: u64,
        /// The file.
        kept: PathBuf,
    },
    /// Entries that say something which could not be read: what is watched for may be in them.
    Unread {
        /// The index of the first of them.
        first: u64,
        /// How many there are.
        count: u64,
    },
    /// No quorum of the witnesses has cosigned it lately: what is shown may be old.
    Old {
        /// The size that it shows.
        size: u64,
    },
    /// The log cannot be read, or is not signed as it should be. In words.
    Unreadable(String),
    /// Findings that could not be told for so long that there was no room for them any more.
    Dropped {
        /// How many there were.
        count: u64,
    },
}

impl What {
    /// Whether something is wrong; an entry that was found is not.
    pub fn is_alarm(&self) -> bool {
        !matches!(self, Self::Entry { .. })
    }

    /// Whether the log is to blame, for good.
    pub fn is_fork(&self) -> bool {
        matches!(self, Self::Fork { .. })
    }
}

/// For how long a round reads on in a log.
const ROUND_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
