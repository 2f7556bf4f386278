//! A log that goes on in another when it is large enough: shards, each a log with a name and keys of its own, one of which
//! takes entries.
//!
//! The first is the data directory itself, the others are in `shards/<number>`. `active` says which one takes entries: that it
//! is written is the moment of a rotation. Earlier shards are frozen, at the latest at the next start; a later one is
//! prepared only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use signet_store::fs::Disk;

use super::{Config, HomeError, HomeOptions, Log, OpenError, Witnesses};

/// The shards of one data directory.
pub struct Shards {
    disk: Disk,
    pub(super) config: Config,
    options: HomeOptions,
    /// By their numbers; the last takes entries.
    logs: RwLock<Vec<Log>>,
    /// Held by who rotates.
    rotating: tokio::sync::Mutex<()>,
}

impl Shards {
    /// Opens all of them. `options` are for the first; the others have the names that they were given.
    pub async fn open(disk: Disk, config: Config, options: HomeOptions) -> Result<Self, HomeError> {
        let data = std::path::absolute(&config.data).map_err(OpenError::Io)?;
        let config = Config { data, ..config };
        let active = read_active(&config.data)?;
        let mut logs = Vec::new();
        for number in 0..=active {
            let options = match number {
                0 => options.clone(),
                _ => HomeOptions { origin: None, ..options.clone() },
            };
            let log = Log::open_home(disk.clone(), config_of(&config, number), options).await?;
            if number < active {
                log.freeze().await.map_err(OpenError::Io)?;
            }
            logs.push(log);
        }
        Ok(Self { disk, config, options, logs: RwLock::new(logs), rotating: tokio::sync::Mutex::default() })
    }

    /// The one that takes entries.
    pub fn active(&self) -> Option<Log> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Vec<Log> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets a new shard take the entries, and freezes the one that did. Without a name one is made from its key.
    ///
    /// With a witness policy, its witnesses have to cosign the new shard first: until they know its key nothing
    /// changes, and another call goes on with the same shard.
    pub async fn rotate(&self, origin: Option<String>) -> Result<Log, RotateError> {
        let _alone = self.rotating.lock().await;
        let logs = self.all();
        if origin.as_ref().is_some_and(|origin| logs.iter().any(|log| log.signer().origin() == origin)) {
            return Err(RotateError::SameName);
        }
        let number = logs.len();
        let prepared = config_of(&self.config, number);
        let options = HomeOptions { origin, ..self.options.clone() };
        let next = Log::open_home(self.disk.clone(), prepared, options).await?;
        if let Err(why) = next.ask_witnesses().await {
            let keys = next.signer().keys().map(ToString::to_string).collect();
            next.close().await;
            return Err(RotateError::Unwitnessed { why, keys });
        }
        self.write_active(number).await?;
        self.logs.write().unwrap_or_else(PoisonError::into_inner).push(next.clone());
        // Whoever has just asked which shard takes entries may add one to it yet.
        tokio::time::sleep(GRACE).await;
        if let Some(last) = logs.last() {
            last.freeze().await.map_err(OpenError::Io).map_err(HomeError::Open)?;
        }
        Ok(next)
    }

    /// Ends the writing of all.
    pub async fn close(&self) {
        for log in self.all() {
            log.close().await;
        }
    }

    async fn write_active(&self, number: usize) -> Result<(), HomeError> {
        let (disk, root) = (self.disk.clone(), self.config.data.clone());
        let put = move || disk.put(&root.join("tmp"), &root.join(ACTIVE), number.to_string().as_bytes());
        let done = tokio::task::spawn_blocking(put).await.map_err(io::Error::other);
        done.flatten().map_err(|error| HomeError::Open(OpenError::Io(error)))
    }
}

/// Why a log was not rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// The new shard could not be opened.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Each shard has a name of its own.
    #[error("a shard has this name already")]
    SameName,
    /// The witnesses do not cosign the new shard.
    #[error("the witnesses do not cosign the new shard yet; give them its key {}: {why}", keys.join(" "))]
    Unwitnessed {
        /// What they said.
        why: String,
        /// The new shard's keys.
        keys: Vec<String>,
    },
}

/// What shard `number` is opened with.
fn config_of(config: &Config, number: usize) -> Config {
    let data = match number {
        0 => config.data.clone(),
        _ => directory(&config.data, number),
    };
    // The floor is of one log, and so is what witnesses know.
    let floor = config.floor.clone().filter(|_| number == 0);
    let witnesses = config.witnesses.as_ref().map(|witnesses| Arc::new(Witnesses::again(witnesses)));
    Config { data, floor, witnesses, limits: config.limits }
}

/// Where shard `number` is.
fn directory(root: &Path, number: usize) -> PathBuf {
    root.join("shards").join(format!("{number:04}"))
}

fn read_active(root: &Path) -> Result<usize, OpenError> {
    match fs::read_to_string(root.join(ACTIVE)) {
        Ok(text) => text
            .parse()
            .ok()
            .filter(|number| *number < MAX_SHARDS)
            .ok_or_else(|| OpenError::Damaged(format!("`{ACTIVE}` is no number of a shard"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

const ACTIVE: &str = "active";
const GRACE: Duration = Duration::from_millis(100);
const MAX_SHARDS: usize = 1_000;
