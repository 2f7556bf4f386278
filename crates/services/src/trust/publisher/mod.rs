//! The repository that clients follow: made, signed again before it expires, and changed.
//!
//! Its data directory: `repository/` is what is served, `keys/` holds the online keys (0600) or says where they are, `staged/` a root
//! that is being signed, `root.key` in development the only key that signs roots. Trusted? Who can read `keys/` can say what the targets are until the root names another key;
//! who can write `repository/` can only withhold. May it be lost? Keys and roots no: clients follow the chain of
//! roots; the rest is made again.
//!
//! Nothing is held open: whoever changes the directory locks it for that moment, so that an operator publishes while the
//! repository is being served.

mod error;
mod fsck;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use signet_crypto::Digest;
use signet_formats::tuf::{
    MAX_ROOT_BYTES, MAX_SNAPSHOT_BYTES, MAX_TARGETS_BYTES, Metadata, Role, Root, Snapshot, TargetFile,
    Timestamp, TufError, target_url, versioned,
};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind, OpenError, kind_of};

pub use error::PublisherError;

use super::Store;
use super::ceremony::acceptable;
use super::turn::in_turn;
use super::writer::{Renew, Signed, State, Writer};
use crate::clock::Clock;

/// How long what is signed may be used, and how soon it is signed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// Seconds that a timestamp may be used: how long an outage of the publisher may last, and for how long a
    /// mirror can hold newer trust back.
    pub timestamp: i64,
    /// Seconds after which the timestamp is signed again.
    pub renew: i64,
    /// Seconds that snapshot and targets may be used; signed again when half of it is over.
    pub others: i64,
}

impl Default for Periods {
    fn default() -> Self {
        Self { timestamp: 4 * DAY, renew: 3_600, others: 90 * DAY }
    }
}

/// A repository of trust, by its data directory.
#[derive(Clone)]
pub struct Publisher {
    dir: PathBuf,
    disk: Disk,
    periods: Periods,
    clock: Arc<dyn Clock>,
}

impl Publisher {
    /// The publisher of this data directory; nothing is opened yet.
    pub fn new(dir: &Path, periods: Periods, clock: Arc<dyn Clock>) -> Result<Self, PublisherError> {
        Ok(Self { dir: std::path::absolute(dir)?, disk: Disk::default(), periods, clock })
    }

    /// The same, on a disk that may inject faults.
    #[must_use]
    pub fn on(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }

    /// The data directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The newest root that is published.
    pub fn root(&self) -> Result<Option<Metadata<Root>>, PublisherError> {
        let repository = self.repository(&Disk::default());
        let mut newest = None;
        for version in 1..=MAX_ROOTS {
            let name = versioned(Role::Root.name(), Some(version))?;
            let Some(bytes) = repository.read(&name, MAX_ROOT_BYTES)? else { break };
            newest = Some(Metadata::parse(&bytes)?);
        }
        Ok(newest)
    }

    /// A file of the repository, for whoever serves it: `path` is relative, of names as `signet_formats::tuf` makes them.
    pub fn file(&self, path: &str) -> Result<Option<Vec<u8>>, PublisherError> {
        let plain = |name: &str| {
            let served = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            name.contains('.') && !name.starts_with('.') && name.bytes().all(served)
        };
        let name = path.strip_prefix("targets/").unwrap_or(path);
        match plain(name) {
            true => Ok(self.repository(&Disk::default()).read(path, MAX_TARGET_BYTES)?),
            false => Ok(None),
        }
    }

    /// Checks what [`Self::publish`] would do, and does nothing: the root and the targets that would be published.
    pub fn rehearse(&self, root: Option<&[u8]>, targets: &[Target]) -> Result<Published, PublisherError> {
        self.takes(targets)?;
        let current = self.root()?;
        let root = match root {
            Some(bytes) => self.next_root(bytes, current.as_ref())?,
            None => current.ok_or(PublisherError::NoRoot)?,
        };
        let targets = targets.iter().map(|(name, _)| name.clone()).collect();
        Ok(Published { roles: vec![(Role::Root, root.version, root.expires)], targets })
    }

    /// Publishes a new root, if one is given, and targets, which take the place of those of the same name. What is
    /// not named stays. Clients see all of it or nothing of it, but for a root, which they see first.
    ///
    /// The targets of a stack's repository follow from what it runs: others would be taken back at its next look.
    pub async fn publish(
        &self,
        root: Option<&[u8]>,
        targets: &[Target],
    ) -> Result<Published, PublisherError> {
        self.takes(targets)?;
        self.publish_all(root, targets).await
    }

    /// The same, for whoever keeps the repository.
    pub(super) async fn publish_all(
        &self,
        root: Option<&[u8]>,
        targets: &[Target],
    ) -> Result<Published, PublisherError> {
        let dir = in_turn(|| self.open()).await?;
        let repository = self.repository(dir.disk());
        let current = self.root()?;
        let (root, new) = match (root, current) {
            // An earlier publication was cut off after it.
            (Some(bytes), Some(current)) if is_same(bytes, &current) => (current, None),
            (Some(bytes), current) => (self.next_root(bytes, current.as_ref())?, Some(bytes)),
            (None, Some(current)) => (current, None),
            (None, None) => return Err(PublisherError::NoRoot),
        };
        let files = put_targets(&repository, targets)?;
        let published = self.write(&repository, (&root, new), Renew::Everything, files).await?;
        self.drop_draft(&dir, &root)?;
        Ok(published)
    }

    /// Signs again what is due, if anything is, and publishes those of the targets that have changed.
    pub async fn keep(&self, targets: &[Target]) -> Result<Published, PublisherError> {
        let dir = in_turn(|| self.open()).await?;
        let root = self.root()?.ok_or(PublisherError::NoRoot)?;
        let repository = self.repository(dir.disk());
        let known = self.state(&repository)?.targets.map(|it| it.metadata.body.targets).unwrap_or_default();
        let is_new = |(name, bytes): &&Target| known.get(name) != Some(&TargetFile::of(bytes));
        let changed: Vec<Target> = targets.iter().filter(is_new).cloned().collect();
        let files = put_targets(&repository, &changed)?;
        let renew = if files.is_empty() { Renew::Due } else { Renew::Everything };
        self.write(&repository, (&root, None), renew, files).await
    }

    /// What is published now.
    pub fn published(&self) -> Result<Published, PublisherError> {
        let root = self.root()?.ok_or(PublisherError::NoRoot)?;
        let state = self.state(&self.repository(&Disk::default()))?;
        Ok(Published::of(&root, &state))
    }

    pub(super) fn open(&self) -> Result<DataDir, OpenError> {
        DataDir::open_on(self.disk.clone(), &self.dir, Kind::Trust)
    }

    /// The time by the publisher's clock.
    pub(super) fn now(&self) -> i64 {
        self.clock.seconds()
    }

    /// Refuses targets of whoever does not keep the repository, where something keeps it.
    fn takes(&self, targets: &[Target]) -> Result<(), PublisherError> {
        match self.dir.parent().filter(|above| kind_of(above) == Some(Kind::Stack)) {
            Some(stack) if !targets.is_empty() => Err(PublisherError::OfStack { stack: stack.to_owned() }),
            _ => Ok(()),
        }
    }

    fn repository(&self, disk: &Disk) -> Store {
        Store::new(disk.clone(), self.dir.join(REPOSITORY)).scratch(self.dir.clone())
    }

    /// A root that may follow the current one, and names an online key that is here.
    pub(super) fn next_root(
        &self,
        bytes: &[u8],
        current: Option<&Metadata<Root>>,
    ) -> Result<Metadata<Root>, PublisherError> {
        let new: Metadata<Root> = Metadata::parse(bytes)?;
        acceptable(&new, current)?;
        if new.expires <= self.clock.seconds() {
            return Err(PublisherError::Expired);
        }
        self.online_key(&new.body).map(|_| new)
    }

    /// Writes what `root` leads to, and before clients can see any of it the root itself, where these bytes of a new one are given.
    fn write<'a>(
        &'a self,
        repository: &'a Store,
        root: (&'a Metadata<Root>, Option<&'a [u8]>),
        renew: Renew,
        files: BTreeMap<String, TargetFile>,
    ) -> BoxFuture<'a, Result<Published, PublisherError>> {
        Box::pin(self.write_all(repository, root, renew, files))
    }

    async fn write_all(
        &self,
        repository: &Store,
        (root, new): (&Metadata<Root>, Option<&[u8]>),
        renew: Renew,
        files: BTreeMap<String, TargetFile>,
    ) -> Result<Published, PublisherError> {
        let (id, key) = self.online_key(&root.body)?;
        let (state, was_restored) = (self.state(repository)?, self.dir.join(RESTORED).is_file());
        // The key was changed, and what it replaces is not believed any more.
        let foreign = |timestamp: &Metadata<Timestamp>| timestamp.signatures.iter().all(|it| it.keyid != id);
        let now = self.clock.seconds();
        let mut writer = Writer {
            repository,
            all: renew == Renew::Everything || was_restored || state.timestamp.as_ref().is_some_and(foreign),
            least: if was_restored { version_at(now) } else { 0 },
            id,
            key: &*key,
            now,
            periods: self.periods,
            state,
        };
        writer.targets(files).await?;
        writer.snapshot().await?;
        let timestamp = writer.timestamp().await?;
        // Not before all is signed: clients that have a root refuse what only the one before it led to.
        if let Some(bytes) = new {
            repository.put(&versioned(Role::Root.name(), Some(root.version))?, bytes)?;
        }
        timestamp.map(|timestamp| writer.publish(timestamp)).transpose()?;
        if was_restored {
            // Not before: cut off, it jumps again.
            self.disk.remove(&self.dir.join(RESTORED))?;
        }
        Ok(Published::of(root, &writer.state))
    }

    /// What the published timestamp leads to. What it does not lead to was never published.
    fn state(&self, repository: &Store) -> Result<State, PublisherError> {
        let Some(bytes) = repository.read("timestamp.json", MAX_TARGETS_BYTES)? else {
            return Ok(State::default());
        };
        let timestamp: Metadata<Timestamp> = Metadata::parse(&bytes)?;
        let stated = timestamp.body.snapshot()?;
        let snapshot: Signed<Snapshot> =
            Signed::read(repository, Role::Snapshot, stated.version, MAX_SNAPSHOT_BYTES)?;
        let stated = snapshot.metadata.body.role(Role::Targets.name());
        let version = stated.ok_or(TufError::MissingFile("targets.json".to_owned()))?.version;
        let targets = Signed::read(repository, Role::Targets, version, MAX_TARGETS_BYTES)?;
        Ok(State { timestamp: Some(timestamp), snapshot: Some(snapshot), targets: Some(targets) })
    }
}

/// The digest of the first root that was published in this data directory: every later one follows from it. As far as it can
/// be read.
pub fn first_root(dir: &Path) -> Option<Digest> {
    let name = versioned(Role::Root.name(), Some(1)).ok()?;
    let bytes = Store::new(Disk::default(), dir.join(REPOSITORY)).read(&name, MAX_ROOT_BYTES).ok()??;
    Some(Digest::sha256(&bytes))
}

/// Marks the data directory of a publisher that came out of a backup: clients may have seen newer versions than it has, so that
/// the next ones jump ahead.
pub fn mark_restored(dir: &Path) -> io::Result<()> {
    match dir.is_dir() {
        true => Disk::default().put(dir, &dir.join(RESTORED), b""),
        false => Ok(()),
    }
}

/// A target: its path, and its content.
pub type Target = (String, Vec<u8>);

/// Writes targets under the names that clients ask for; what the metadata says of them.
fn put_targets(
    repository: &Store,
    targets: &[Target],
) -> Result<BTreeMap<String, TargetFile>, PublisherError> {
    let mut files = BTreeMap::new();
    for (name, bytes) in targets {
        let file = TargetFile::of(bytes);
        let hash = file.hashes.known().into_iter().next();
        repository.put(&format!("targets/{}", target_url(name, hash.as_ref())?), bytes)?;
        files.insert(name.clone(), file);
    }
    Ok(files)
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Every top-level role, with its version and from which second on it may not be used any more.
    pub roles: Vec<(Role, u64, i64)>,
    /// The target paths.
    pub targets: Vec<String>,
}

impl Published {
    fn of(root: &Metadata<Root>, state: &State) -> Self {
        let mut roles = vec![(Role::Root, root.version, root.expires)];
        roles.extend(state.timestamp.iter().map(|it| (Role::Timestamp, it.version, it.expires)));
        let snapshot = state.snapshot.iter().map(|it| &it.metadata);
        roles.extend(snapshot.map(|it| (Role::Snapshot, it.version, it.expires)));
        let targets = state.targets.iter().map(|it| &it.metadata);
        roles.extend(targets.clone().map(|it| (Role::Targets, it.version, it.expires)));
        Self { roles, targets: targets.flat_map(|it| it.body.targets.keys().cloned()).collect() }
    }
}

/// Beyond all versions of before: a repository gets less than one a second. So two restores of one backup do not meet, either.
fn version_at(now: i64) -> u64 {
    u64::try_from(now).unwrap_or(0)
}

fn is_same(bytes: &[u8], root: &Metadata<Root>) -> bool {
    Metadata::<Root>::parse(bytes).is_ok_and(|other| other.canonical() == root.canonical())
}

const DAY: i64 = 24 * 3_600;
const REPOSITORY: &str = "repository";
const RESTORED: &str = "restored";
/// A root a week for forty years.
const MAX_ROOTS: u64 = 2_048;
/// The largest target that is served.
const MAX_TARGET_BYTES: usize = 16 * 1024 * 1024;
