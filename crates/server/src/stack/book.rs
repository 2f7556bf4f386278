//! The shards of the log, as `stack.json` has them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use signet_services::clock::Clock;
use signet_services::log::{Log, OpenError, Place};
use signet_services::trust::{PublisherError, Watch};
use signet_services::witness::{Witness, WitnessedLog};
use signet_store::DataDir;
use tokio::task::spawn_blocking;

use super::client::Clients;
use super::names::{FILE, Names, Shard};
use crate::rekor;

/// The names of a stack that runs, and who has to know when they change.
pub(super) struct Book {
    shared: Arc<Shared>,
    /// Where the shards are, and where a rotation is asked for.
    dir: PathBuf,
    clock: Arc<dyn Clock>,
}

struct Shared {
    root: Arc<DataDir>,
    names: Mutex<Names>,
    told: OnceLock<Told>,
}

/// Who has to know of a new shard before it is used.
pub(super) struct Told {
    /// Clients, by the files for them.
    pub(super) clients: Clients,
    /// The stack's own witness, if it is to cosign the stack's own log.
    pub(super) witness: Option<Witness>,
}

impl Book {
    pub(super) fn new(root: Arc<DataDir>, names: Names, clock: Arc<dyn Clock>) -> Self {
        let dir = root.path().join("log");
        let shared = Shared { root, names: Mutex::new(names), told: OnceLock::new() };
        Self { shared: Arc::new(shared), dir, clock }
    }

    /// The directory in which the log of the stack in `data` is asked to rotate.
    pub(super) fn requests(data: &Path) -> PathBuf {
        data.join("log")
    }

    /// Writes what clients are given: something in it has changed.
    pub(super) fn tell_clients(&self) {
        if let Err(error) = self.shared.write_clients() {
            tracing::error!(error, "what clients are given is not up to date");
        }
    }

    /// Where the names are kept.
    pub(super) fn names_file(&self) -> PathBuf {
        self.shared.root.path().join(FILE)
    }

    /// Notes what was begun, so that it is not begun again if it is lost. Reads and writes the disk.
    pub(super) fn note_begun(&self) -> io::Result<()> {
        self.shared.note_begun()
    }

    /// From now on these are told. Once.
    pub(super) fn tell(&self, told: Told) {
        // A second time nobody calls it.
        let _ = self.shared.told.set(told);
    }
}

impl Shared {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, shard: &Shard) -> PathBuf {
        Names::dir(&self.root, "log", shard)
    }

    fn note_begun(&self) -> io::Result<()> {
        let mut names = self.names();
        let noted = names.noting(self.root.path());
        if noted != *names {
            noted.keep(&self.root)?;
            *names = noted;
        }
        Ok(())
    }

    /// Writes what clients are given.
    fn write_clients(&self) -> Result<(), String> {
        let Some(told) = self.told.get() else { return Ok(()) };
        told.clients.write(&self.names()).map(drop).map_err(|error| error.to_string())
    }

    fn introduce(&self, log: &WitnessedLog) -> Result<(), String> {
        // First: from then on somebody knows its key.
        self.note_begun().map_err(|error| error.to_string())?;
        if let Some(witness) = self.told.get().and_then(|told| told.witness.as_ref()) {
            witness.know(log.clone()).map_err(|error| error.to_string())?;
        }
        self.write_clients()
    }
}

#[async_trait]
impl signet_services::log::Book for Book {
    fn root(&self) -> &Path {
        &self.dir
    }

    fn shards(&self) -> Result<Vec<Place>, OpenError> {
        let place =
            |shard: &Shard| Place { data: self.shared.place(shard), origin: Some(shard.origin.clone()) };
        Ok(self.shared.names().log.iter().map(place).collect())
    }

    fn next(&self, origin: Option<String>) -> Result<Place, OpenError> {
        let mut names = self.shared.names();
        let next = match names.next.clone() {
            Some(next) => next,
            None => {
                let shard = Shard::named(origin.clone(), "log", self.clock.seconds());
                let changed = Names { next: Some(shard.clone()), ..names.clone() };
                if !changed.is_whole() {
                    let why = format!("`{}` cannot be the name of a shard of a stack", shard.origin);
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, why).into());
                }
                changed.keep(&self.shared.root)?;
                *names = changed;
                shard
            }
        };
        Ok(Place { data: self.shared.place(&next), origin: Some(origin.unwrap_or(next.origin)) })
    }

    fn turn(&self) -> io::Result<()> {
        let mut names = self.shared.names();
        let changed = names.turned(self.clock.seconds());
        changed.keep(&self.shared.root)?;
        *names = changed;
        drop(names);
        // They know the new shard already; what is new is that the old one has ended.
        self.tell_clients();
        Ok(())
    }

    async fn introduce(&self, next: &Log) -> Result<(), String> {
        let (shared, log) = (Arc::clone(&self.shared), witnessed(next));
        let done = spawn_blocking(move || shared.introduce(&log)).await;
        done.map_err(|error| error.to_string())??;
        match self.shared.told.get().and_then(|told| told.clients.trust.as_ref()) {
            Some(trust) => published(trust).await,
            None => Ok(()),
        }
    }

    async fn begin(&self, next: &Log) -> Result<(), String> {
        rekor::begin(next).await.map_err(|error| error.to_string())
    }
}

/// Those who follow the repository of trust are to see it before anybody shows them an entry.
async fn published(trust: &Watch) -> Result<(), String> {
    match trust.look().await {
        Ok(_) | Err(PublisherError::NoRoot) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The log as a witness has to know it.
pub(super) fn witnessed(log: &Log) -> WitnessedLog {
    let signer = log.signer();
    WitnessedLog { origin: signer.origin().to_owned(), keys: signer.keys().cloned().collect(), per_day: None }
}
