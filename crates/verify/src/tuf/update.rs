//! The top-level roles, one after another (§5.3 to §5.6).

use signet_formats::time;
use signet_formats::tuf::{
    Body, MAX_ROOT_BYTES, MAX_SNAPSHOT_BYTES, MAX_TARGETS_BYTES, MAX_TIMESTAMP_BYTES, MetaFile, Metadata,
    Role, Root, Snapshot, Targets, Timestamp, versioned,
};

use super::search::Search;
use super::signed::signed_by_root;
use super::{Refusal, Why};

/// How many new roots are followed in one update.
pub const MAX_ROTATIONS: usize = 256;

/// The member of a timestamp that says when it was signed; TUF has none. Signet's own repositories write it.
pub const SIGNED_AT: &str = "x-signet-signed-at";

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

    // --- root (§5.3) ---

    fn next_root(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let wanted = self.root.version.saturating_add(1);
        let file = format!("{wanted}.root.json");
        if self.rotations == MAX_ROTATIONS {
            return Err(Refusal::new(&file, Why::Limit { what: "new roots", limit: MAX_ROTATIONS }));
        }
        let root: Metadata<Root> = read(&file, bytes)?;
        signed_by_root(&file, &root, &self.root.body, Role::Root)?;
        signed_by_root(&file, &root, &root.body, Role::Root)?;
        is_version(&file, &root, wanted)?;
        let recovers = lost_keys(&self.root.body, &root.body);
        self.root = root;
        self.rotations += 1;
        let forget = [Role::Timestamp, Role::Snapshot].map(|role| Change::Remove(format!("{role}.json")));
        // First forgotten, then replaced: a crash in between must not keep what the new root disowns.
        let forgotten = forget.into_iter().filter(|_| recovers);
        Ok(forgotten.chain([store(Role::Root, bytes)]).collect())
    }

    /// §5.3.10: only the last root must not have expired.
    fn root_is_last(&mut self) -> Result<(), Refusal> {
        self.fresh("root.json", &self.root)?;
        self.stage = Stage::OwnTimestamp;
        Ok(())
    }

    fn rooted(mut self) -> Result<Self, Refusal> {
        self.root_is_last().map(|()| self)
    }

    // --- timestamp (§5.4) ---

    fn own_timestamp(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        self.timestamp = self.own(Role::Timestamp, file)?;
        self.stage = Stage::Timestamp;
        if self.source == Source::Store {
            self.current_timestamp()?;
        }
        Ok(Vec::new())
    }

    fn new_timestamp(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let file = "timestamp.json";
        let new: Metadata<Timestamp> = read(file, bytes)?;
        signed_by_root(file, &new, &self.root.body, Role::Timestamp)?;
        if let Some(old) = &self.timestamp {
            if new.version == old.version {
                // §5.4.3.1: what is known already is kept, whatever else the other one says.
                return self.current_timestamp().map(|()| Vec::new());
            }
            no_rollback(file, file, old.version, new.version)?;
            let (seen, found) = (stated(file, old)?.version, stated(file, &new)?.version);
            no_rollback(file, "snapshot.json", seen, found)?;
        }
        self.fresh_timestamp(&new)?;
        self.timestamp = Some(new);
        self.stage = Stage::OwnSnapshot;
        Ok(vec![store(Role::Timestamp, bytes)])
    }

    fn current_timestamp(&mut self) -> Result<(), Refusal> {
        match &self.timestamp {
            Some(timestamp) => self.fresh_timestamp(timestamp)?,
            None => return Err(Refusal::new("timestamp.json", Why::Missing)),
        }
        self.stage = Stage::OwnSnapshot;
        Ok(())
    }

    fn fresh_timestamp(&self, timestamp: &Metadata<Timestamp>) -> Result<(), Refusal> {
        match self.freshness {
            Freshness::Expiry => self.fresh(TIMESTAMP, timestamp),
            Freshness::MaxAge(max_age) => self.young(timestamp, max_age),
            Freshness::Within(max_age) => {
                self.fresh(TIMESTAMP, timestamp).and_then(|()| self.young(timestamp, max_age))
            }
        }
    }

    fn young(&self, timestamp: &Metadata<Timestamp>, max_age: i64) -> Result<(), Refusal> {
        let signed = timestamp.extension(SIGNED_AT).and_then(|text| time::parse(text).ok());
        let signed = signed.ok_or_else(|| Refusal::new(TIMESTAMP, Why::Undated))?;
        match self.at.saturating_sub(signed) <= max_age {
            true => Ok(()),
            false => Err(Refusal::new(TIMESTAMP, Why::TooOld { signed, at: self.at, max_age })),
        }
    }

    fn stated_snapshot(&self) -> Result<&MetaFile, Refusal> {
        let file = "timestamp.json";
        stated(file, self.timestamp.as_ref().ok_or_else(|| Refusal::new(file, Why::Missing))?)
    }

    // --- snapshot (§5.5) ---

    fn own_snapshot(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        self.snapshot = self.own(Role::Snapshot, file)?;
        let current = match (&self.snapshot, file) {
            (Some(own), Some(bytes)) => self.current_snapshot(own, bytes),
            _ => Err(Refusal::new("snapshot.json", Why::Missing)),
        };
        self.stage = match (current, self.source) {
            (Ok(()), _) => Stage::OwnTargets,
            (Err(_), Source::Repository) => Stage::Snapshot,
            (Err(refusal), Source::Store) => return Err(refusal),
        };
        Ok(Vec::new())
    }

    fn new_snapshot(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let file = "snapshot.json";
        fits(file, self.stated_snapshot()?, bytes, "timestamp")?;
        let new: Metadata<Snapshot> = read(file, bytes)?;
        signed_by_root(file, &new, &self.root.body, Role::Snapshot)?;
        if let Some(old) = &self.snapshot {
            no_rollback(file, file, old.version, new.version)?;
            nothing_goes_back(&old.body, &new.body)?;
        }
        self.current_snapshot(&new, bytes)?;
        self.snapshot = Some(new);
        self.stage = Stage::OwnTargets;
        Ok(vec![store(Role::Snapshot, bytes)])
    }

    fn current_snapshot(&self, snapshot: &Metadata<Snapshot>, bytes: &[u8]) -> Result<(), Refusal> {
        let file = "snapshot.json";
        let stated = self.stated_snapshot()?;
        fits(file, stated, bytes, "timestamp")?;
        is_version(file, snapshot, stated.version)?;
        match self.freshness {
            Freshness::Expiry | Freshness::Within(_) => self.fresh(file, snapshot),
            // The timestamp, which is young enough, vouches for it.
            Freshness::MaxAge(_) => Ok(()),
        }
    }

    fn stated_targets(&self) -> Result<&MetaFile, Refusal> {
        let snapshot = self.snapshot.as_ref().ok_or_else(|| Refusal::new("snapshot.json", Why::Missing))?;
        snapshot.body.role(Role::Targets.name()).ok_or_else(|| Refusal::new("targets.json", Why::Unlisted))
    }

    // --- targets (§5.6) ---

    fn own_targets(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        let own: Option<Metadata<Targets>> = self.own(Role::Targets, file)?;
        let current = match (&own, file) {
            (Some(own), Some(bytes)) => self.current_targets(own, bytes),
            _ => Err(Refusal::new("targets.json", Why::Missing)),
        };
        self.stage = match (current, self.source) {
            (Ok(()), _) => Stage::Done,
            (Err(_), Source::Repository) => Stage::Targets,
            (Err(refusal), Source::Store) => return Err(refusal),
        };
        self.targets = own.filter(|_| self.stage == Stage::Done);
        Ok(Vec::new())
    }

    fn new_targets(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let file = "targets.json";
        fits(file, self.stated_targets()?, bytes, "snapshot")?;
        let new: Metadata<Targets> = read(file, bytes)?;
        signed_by_root(file, &new, &self.root.body, Role::Targets)?;
        self.current_targets(&new, bytes)?;
        self.targets = Some(new);
        self.stage = Stage::Done;
        Ok(vec![store(Role::Targets, bytes)])
    }

    fn current_targets(&self, targets: &Metadata<Targets>, bytes: &[u8]) -> Result<(), Refusal> {
        let file = "targets.json";
        let stated = self.stated_targets()?;
        fits(file, stated, bytes, "snapshot")?;
        is_version(file, targets, stated.version)?;
        self.fresh(file, targets)
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

/// What is wanted of whoever does the I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The file of this name in the client's own store, or that it is not there.
    Read(String),
    /// A file of the repository.
    Fetch(Wanted),
    /// Nothing more: the update is done.
    Done,
}

/// A file of the repository that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name below the metadata's URL, ready to stand in one.
    pub name: String,
    /// The most bytes that it may have; of a larger one nothing is to be taken.
    pub max_bytes: usize,
    /// Whether that it is not there is an answer too.
    pub optional: bool,
}

/// What is to be changed in the client's own store, whole and durably, before the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file has this content from now on.
    Store {
        /// Its name.
        name: String,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The file is not there any more.
    Remove(String),
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

/// §5.3.11: whether a key of timestamp or snapshot was taken away, as after a compromise; versions that it may have
/// signed then say nothing. A key that is only added leaves them standing.
fn lost_keys(old: &Root, new: &Root) -> bool {
    [Role::Timestamp, Role::Snapshot].into_iter().any(|role| {
        let ids = |root: &Root| root.role(role).map(|keys| keys.keyids.clone()).unwrap_or_default();
        let kept = ids(new);
        ids(old).iter().any(|id| !kept.contains(id))
    })
}

/// §5.5.5: no targets metadata disappears, or goes back.
fn nothing_goes_back(old: &Snapshot, new: &Snapshot) -> Result<(), Refusal> {
    let file = "snapshot.json";
    old.meta.iter().try_for_each(|(name, seen)| match new.meta.get(name) {
        Some(now) => no_rollback(file, name, seen.version, now.version),
        None => Err(Refusal::new(file, Why::Removed(name.clone()))),
    })
}

fn no_rollback(file: &str, what: &str, seen: u64, found: u64) -> Result<(), Refusal> {
    match found >= seen {
        true => Ok(()),
        false => Err(Refusal::new(file, Why::Rollback { what: what.to_owned(), seen, found })),
    }
}

fn stated<'a>(file: &str, timestamp: &'a Metadata<Timestamp>) -> Result<&'a MetaFile, Refusal> {
    timestamp.body.snapshot().map_err(|error| Refusal::new(file, error))
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

const TIMESTAMP: &str = "timestamp.json";
