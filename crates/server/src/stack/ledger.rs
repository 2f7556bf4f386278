//! Which logs a stack has, as `stack.json` says it, and who has to know when that changes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use signet_services::clock::Clock;
use signet_services::trust::PublisherError;
use signet_services::witness::{Witness, WitnessedLog};
use signet_store::DataDir;

use super::client::Clients;
use super::names::{FILE, Line, Names, Shard};

/// The names of a stack that is open.
pub(super) struct Ledger {
    root: Arc<DataDir>,
    names: Mutex<Names>,
    /// Its services have this ledger, so the ledger does not have them.
    told: OnceLock<Weak<Told>>,
    clock: Arc<dyn Clock>,
}

/// Who has to know of a new shard before it is used.
pub(super) struct Told {
    /// Clients, by the files for them.
    pub(super) clients: Clients,
    /// The stack's own witness, if it is to cosign the stack's own log.
    pub(super) witness: Option<Witness>,
}

impl Ledger {
    pub(super) fn new(root: Arc<DataDir>, names: Names, clock: Arc<dyn Clock>) -> Self {
        Self { root, names: Mutex::new(names), told: OnceLock::new(), clock }
    }

    /// From now on these are told, as long as there is a stack. Once.
    pub(super) fn tell(&self, told: &Arc<Told>) {
        // A second time nobody calls it.
        let _ = self.told.set(Arc::downgrade(told));
    }

    /// Writes what clients are given: something in it has changed.
    pub(super) fn tell_clients(&self) {
        if let Err(error) = self.write_clients() {
            tracing::error!(error, "what clients are given is not up to date");
        }
    }

    /// Has the stack's own witness know a log.
    pub(super) fn tell_witness(&self, log: WitnessedLog) -> Result<(), String> {
        let witness = self.told().and_then(|told| told.witness.clone());
        witness.map_or(Ok(()), |witness| witness.know(log)).map_err(|error| error.to_string())
    }

    /// Writes what clients are given.
    pub(super) fn write_clients(&self) -> Result<(), String> {
        let Some(told) = self.told() else { return Ok(()) };
        told.clients.write(&self.names()).map(drop).map_err(|error| error.to_string())
    }

    /// Those who follow the repository of trust are to see it before anybody shows them an entry.
    pub(super) async fn publish(&self) -> Result<(), String> {
        let Some(trust) = self.told().and_then(|told| told.clients.trust.clone()) else { return Ok(()) };
        match trust.look().await {
            Ok(_) | Err(PublisherError::NoRoot) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Notes what was begun, so that it is not begun again if it is lost. Reads and writes the disk.
    pub(super) fn note_begun(&self) -> io::Result<()> {
        self.change(|names| Ok(names.noting(self.root.path())))
    }

    /// The logs of a line, the oldest first.
    pub(super) fn shards(&self, line: Line) -> Vec<Shard> {
        self.names().shards(line).to_vec()
    }

    /// The log of a line that is to come: the one that is prepared, or one that is named now.
    pub(super) fn next(&self, line: Line, origin: Option<String>) -> io::Result<Shard> {
        let refused = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let kept = self.names().next(line).cloned();
        if let Some(next) = kept {
            return match origin.is_none_or(|origin| origin == next.origin) {
                true => Ok(next),
                false => Err(refused(format!("the shard `{}` is prepared already", next.origin))),
            };
        }
        let next = Shard::named(origin, line, self.clock.seconds());
        self.change(|names| {
            let changed = names.with_next(line, next.clone());
            match changed.is_whole() {
                true => Ok(changed),
                false => Err(refused(format!("`{}` cannot be the name of a shard of a stack", next.origin))),
            }
        })?;
        Ok(next)
    }

    /// From now on the next log of a line is the one that is written.
    pub(super) fn turn(&self, line: Line) -> io::Result<()> {
        self.change(|names| Ok(names.turned(line, self.clock.seconds())))
    }

    /// Where a log is.
    pub(super) fn place(&self, line: Line, shard: &Shard) -> PathBuf {
        Names::dir(&self.root, line, shard)
    }

    /// Where the logs of a line are.
    pub(super) fn dir(&self, line: Line) -> PathBuf {
        self.root.path().join(line.dir())
    }

    /// Where the names are kept.
    pub(super) fn file(&self) -> PathBuf {
        self.root.path().join(FILE)
    }

    fn told(&self) -> Option<Arc<Told>> {
        self.told.get().and_then(Weak::upgrade)
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Durable when it returns.
    fn change(&self, change: impl FnOnce(&Names) -> io::Result<Names>) -> io::Result<()> {
        let mut names = self.names();
        let changed = change(&names)?;
        if changed != *names {
            changed.keep(&self.root)?;
            *names = changed;
        }
        Ok(())
    }
}
