//! The top-level roles, one after another (§5.3 to §5.6).

mod root;
mod snapshot;
mod targets;
mod timestamp;

use signet_formats::tuf::{
    Body, MAX_ROOT_BYTES, MAX_SNAPSHOT_BYTES, MAX_TARGETS_BYTES, MAX_TIMESTAMP_BYTES, MetaFile, Metadata,
    Role, Root, Snapshot, Targets, Timestamp, versioned,
};

use super::search::Search;
use super::signed::signed_by_root;
use super::step::{Change, Step, Wanted};
use super::{Refusal, Why};

pub use root::MAX_ROTATIONS;
pub use timestamp::SIGNED_AT;

/// Where metadata comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the repository; what is stored is used where it is still current.
    Repository,
    /// From the client's own store alone.
    Store,
}

/// How old metadata may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As its expiry says.
    Expiry,
    /// As its expiry says, and the timestamp was signed no more than so many seconds ago.
    Within(i64),
    /// Timestamp and snapshot may have expired, if the timestamp was signed no more than so many seconds ago. This
    /// lengthens how long an attacker can withhold news, so only the verifier itself may say it.
    MaxAge(i64),
}

/// Follows a repository from a trusted root to its newest targets metadata, at one fixed time.
#[derive(Debug)]
pub struct Updater {
    at: i64,
    source: Source,
    freshness: Freshness,
    root: Metadata<Root>,
    rotations: usize,
    stage: Stage,
    timestamp: Option<Metadata<Timestamp>>,
    snapshot: Option<Metadata<Snapshot>>,
    targets: Option<Metadata<Targets>>,
}

impl Updater {
    /// Begins with a trusted root, which must be signed as it says itself.
    pub fn new(root: &[u8], at: i64, source: Source, freshness: Freshness) -> Result<Self, Refusal> {
        let file = "root.json";
        let root: Metadata<Root> = read(file, root)?;
        signed_by_root(file, &root, &root.body, Role::Root)?;
        let updater = Self {
            at,
            source,
            freshness,
            root,
            rotations: 0,
            stage: Stage::Root,
            timestamp: None,
            snapshot: None,
            targets: None,
        };
        match source {
            Source::Repository => Ok(updater),
            Source::Store => updater.rooted(),
        }
    }

    /// What it wants next.
    pub fn step(&self) -> Result<Step, Refusal> {
        let own = |role: Role| Step::Read(format!("{role}.json"));
        Ok(match self.stage {
            Stage::Root => self.fetch(Role::Root, self.root.version.checked_add(1), MAX_ROOT_BYTES, true)?,
            Stage::OwnTimestamp => own(Role::Timestamp),
            Stage::Timestamp => self.fetch(Role::Timestamp, None, MAX_TIMESTAMP_BYTES, false)?,
            Stage::OwnSnapshot => own(Role::Snapshot),
            Stage::Snapshot => {
                self.fetch_listed(Role::Snapshot, self.stated_snapshot()?, MAX_SNAPSHOT_BYTES)?
            }
            Stage::OwnTargets => own(Role::Targets),
            Stage::Targets => self.fetch_listed(Role::Targets, self.stated_targets()?, MAX_TARGETS_BYTES)?,
            Stage::Done => Step::Done,
        })
    }

    /// Takes what [`Self::step`] wanted, `None` if it is not there, and says what is to be changed in the store
    /// before the next step. After a refusal nothing more is to be asked.
    pub fn take(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        match (self.stage, file) {
            (Stage::Root, None) => self.root_is_last().map(|()| Vec::new()),
            (Stage::Root, Some(bytes)) => self.next_root(bytes),
            (Stage::OwnTimestamp, file) => self.own_timestamp(file),
            (Stage::Timestamp, Some(bytes)) => self.new_timestamp(bytes),
            (Stage::OwnSnapshot, file) => self.own_snapshot(file),
            (Stage::Snapshot, Some(bytes)) => self.new_snapshot(bytes),
            (Stage::OwnTargets, file) => self.own_targets(file),
            (Stage::Targets, Some(bytes)) => self.new_targets(bytes),
            (Stage::Timestamp | Stage::Snapshot | Stage::Targets, None) => {
                Err(Refusal::new(self.stage.file(), Why::Missing))
            }
            (Stage::Done, _) => Ok(Vec::new()),
        }
    }

    /// The root that is trusted now.
    pub fn root(&self) -> &Metadata<Root> {
        &self.root
    }

    /// The timestamp that is trusted now.
    pub fn timestamp(&self) -> Option<&Metadata<Timestamp>> {
        self.timestamp.as_ref()
    }

    /// The snapshot that is trusted now.
    pub fn snapshot(&self) -> Option<&Metadata<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// The top-level targets that are trusted now.
    pub fn targets(&self) -> Option<&Metadata<Targets>> {
        self.targets.as_ref()
    }

    /// Looks for a target, once the update is done.
    pub fn search(&self, target: &str) -> Result<Search<'_>, Refusal> {
        match (&self.snapshot, &self.targets) {
            (Some(snapshot), Some(targets)) => Ok(Search::new(self, snapshot, targets, target)),
            _ => Err(Refusal::new("targets.json", Why::Missing)),
        }
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }

    pub(super) fn fetch_listed(&self, role: Role, meta: &MetaFile, limit: usize) -> Result<Step, Refusal> {
        self.fetch(role, self.version_in_name(meta), limit_of(meta, limit), false)
    }

    /// The version as a part of the file's name, if the repository has it there (§6.2).
    pub(super) fn version_in_name(&self, meta: &MetaFile) -> Option<u64> {
        self.root.body.consistent_snapshot.then_some(meta.version)
    }

    /// Refuses what has expired.
    pub(super) fn fresh<B: Body>(&self, file: &str, metadata: &Metadata<B>) -> Result<(), Refusal> {
        match self.at < metadata.expires {
            true => Ok(()),
            false => Err(Refusal::new(file, Why::Expired { expires: metadata.expires, at: self.at })),
        }
    }

    fn fetch(
        &self,
        role: Role,
        version: Option<u64>,
        max_bytes: usize,
        optional: bool,
    ) -> Result<Step, Refusal> {
        let name = versioned(role.name(), version).map_err(|error| Refusal::new(role.name(), error))?;
        Ok(Step::Fetch(Wanted { name, max_bytes, optional }))
    }

    /// A file of the own store, if the root that is trusted now still names enough of its signers. One that it
    /// does not is as good as absent, but not where the store is all there is.
    fn own<B: Body>(&self, role: Role, file: Option<&[u8]>) -> Result<Option<Metadata<B>>, Refusal> {
        let Some(bytes) = file else { return Ok(None) };
        let name = format!("{role}.json");
        let metadata = read(&name, bytes)
            .and_then(|metadata| signed_by_root(&name, &metadata, &self.root.body, role).map(|()| metadata));
        match (metadata, self.source) {
            (Ok(metadata), _) => Ok(Some(metadata)),
            (Err(_), Source::Repository) => Ok(None),
            (Err(refusal), Source::Store) => Err(refusal),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Root,
    OwnTimestamp,
    Timestamp,
    OwnSnapshot,
    Snapshot,
    OwnTargets,
    Targets,
    Done,
}

impl Stage {
    fn file(self) -> &'static str {
        match self {
            Self::Root => "root.json",
            Self::OwnTimestamp | Self::Timestamp => "timestamp.json",
            Self::OwnSnapshot | Self::Snapshot => "snapshot.json",
            Self::OwnTargets | Self::Targets | Self::Done => "targets.json",
        }
    }
}

fn no_rollback(file: &str, what: &str, seen: u64, found: u64) -> Result<(), Refusal> {
    match found >= seen {
        true => Ok(()),
        false => Err(Refusal::new(file, Why::Rollback { what: what.to_owned(), seen, found })),
    }
}

pub(super) fn read<B: Body>(file: &str, bytes: &[u8]) -> Result<Metadata<B>, Refusal> {
    Metadata::parse(bytes).map_err(|error| Refusal::new(file, error))
}

pub(super) fn fits(
    file: &str,
    meta: &MetaFile,
    bytes: &[u8],
    stated_by: &'static str,
) -> Result<(), Refusal> {
    match meta.fits(bytes) {
        true => Ok(()),
        false => Err(Refusal::new(file, Why::Other { stated_by })),
    }
}

pub(super) fn is_version<B: Body>(file: &str, metadata: &Metadata<B>, wanted: u64) -> Result<(), Refusal> {
    match metadata.version == wanted {
        true => Ok(()),
        false => Err(Refusal::new(file, Why::Version { wanted, found: metadata.version })),
    }
}

/// The stated length, if it is one that is read at all.
pub(super) fn limit_of(meta: &MetaFile, limit: usize) -> usize {
    let stated = meta.length.and_then(|length| usize::try_from(length).ok());
    stated.map_or(limit, |length| length.min(limit))
}

fn store(role: Role, bytes: &[u8]) -> Change {
    Change::Store { name: format!("{role}.json"), bytes: bytes.to_vec() }
}
