//! The search for a target through the delegations (§5.6.7): pre-order, depth first, no role twice.

use std::collections::{BTreeMap, BTreeSet};

use signet_crypto::Digest;
use signet_formats::tuf::{
    Body, DelegatedRole, MAX_TARGETS_BYTES, MetaFile, Metadata, Role, Snapshot, TargetFile, Targets,
    TufError, file_name, target_url, versioned,
};

use super::update::{fits, is_version, limit_of, read};
use super::{Change, Refusal, Source, Updater, Wanted, Why, signed};

/// How many delegated roles one search visits.
pub const MAX_ROLES: usize = 32;

/// Looks for one target. Every delegated role is checked against the role that this search came from: that
/// another one vouched for it before counts for nothing.
#[derive(Debug)]
pub struct Search<'a> {
    updater: &'a Updater,
    snapshot: &'a Metadata<Snapshot>,
    target: String,
    found: Option<TargetFile>,
    /// The roles still to be visited, the next one last.
    pending: Vec<Visit>,
    visited: BTreeSet<String>,
    /// The metadata of this search's roles, checked.
    loaded: BTreeMap<String, Metadata<Targets>>,
    /// Whether the own store was asked for the next role's file, and had none that serves.
    fetching: bool,
}

#[derive(Debug)]
struct Visit {
    role: DelegatedRole,
    delegator: String,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        updater: &'a Updater,
        snapshot: &'a Metadata<Snapshot>,
        targets: &Metadata<Targets>,
        target: &str,
    ) -> Self {
        let mut search = Self {
            updater,
            snapshot,
            target: target.to_owned(),
            found: None,
            pending: Vec::new(),
            visited: BTreeSet::new(),
            loaded: BTreeMap::new(),
            fetching: false,
        };
        search.look_into(Role::Targets.name(), targets.clone());
        search
    }

    /// What it wants next.
    pub fn step(&self) -> Result<SearchStep, Refusal> {
        let Some(visit) = self.pending.last() else { return self.end() };
        let (name, stated) = (&visit.role.name, self.stated(&visit.role.name)?);
        let named = |version| versioned(name, version).map_err(|error| Refusal::new(name, error));
        Ok(match self.fetching {
            false => SearchStep::Read(named(None)?),
            true => SearchStep::Fetch(Wanted {
                name: named(self.updater.version_in_name(stated))?,
                max_bytes: limit_of(stated, MAX_TARGETS_BYTES),
                optional: false,
            }),
        })
    }

    /// Takes what [`Self::step`] wanted, `None` if it is not there, and says what is to be stored before the
    /// next step.
    pub fn take(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        let Some(visit) = self.pending.last() else { return Ok(Vec::new()) };
        let name = visit.role.name.clone();
        let checked = match file {
            Some(bytes) => self.check(visit, bytes),
            None => Err(Refusal::new(&format!("{name}.json"), Why::Missing)),
        };
        match checked {
            Err(_) if !self.fetching && self.updater.source() == Source::Repository => {
                self.fetching = true;
                return Ok(Vec::new());
            }
            Err(refusal) => return Err(refusal),
            Ok(metadata) => self.enter(metadata)?,
        }
        let stored = std::mem::take(&mut self.fetching);
        let own = versioned(&name, None).map_err(|error| Refusal::new(&name, error))?;
        let change = file.filter(|_| stored).map(|bytes| Change::Store { name: own, bytes: bytes.to_vec() });
        Ok(change.into_iter().collect())
    }

    fn end(&self) -> Result<SearchStep, Refusal> {
        let Some(file) = &self.found else { return Ok(SearchStep::Done(None)) };
        let refused = |error: TufError| Refusal::new(&self.target, error);
        let consistent = self.updater.root().body.consistent_snapshot;
        let hashes = file.hashes.known();
        let hash = hashes.first().ok_or_else(|| {
            Refusal::new(&self.target, Why::Other { stated_by: "targets metadata, of an unknown algorithm," })
        })?;
        let url = target_url(&self.target, consistent.then_some(hash)).map_err(refused)?;
        let name = file_name(&self.target).map_err(refused)?;
        Ok(SearchStep::Done(Some(Found { name, url, file: file.clone(), hash: *hash })))
    }

    /// The next role was read: it is looked into, and the roles that it delegates to come before all others.
    fn enter(&mut self, metadata: Metadata<Targets>) -> Result<(), Refusal> {
        let Some(visit) = self.pending.pop() else { return Ok(()) };
        if self.visited.len() == MAX_ROLES {
            let why = Why::Limit { what: "delegated roles in one search", limit: MAX_ROLES };
            return Err(Refusal::new(&self.target, why));
        }
        self.visited.insert(visit.role.name.clone());
        self.look_into(&visit.role.name, metadata);
        Ok(())
    }

    fn look_into(&mut self, name: &str, metadata: Metadata<Targets>) {
        self.found = metadata.body.targets.get(&self.target).cloned();
        if self.found.is_some() {
            self.pending.clear();
            return;
        }
        let covering =
            metadata.body.delegations.as_ref().map(|delegations| delegations.covering(&self.target));
        self.delegate(name, covering.unwrap_or_default());
        self.loaded.insert(name.to_owned(), metadata);
        let visited = &self.visited;
        self.pending.retain(|visit| !visited.contains(&visit.role.name));
    }

    /// Puts roles before all that are pending; a terminating one takes the place of all after it
    /// (CVE-2025-2886).
    fn delegate(&mut self, delegator: &str, roles: Vec<DelegatedRole>) {
        let last = roles.iter().position(|role| role.terminating);
        if last.is_some() {
            self.pending.clear();
        }
        let asked = last.map_or(roles.len(), |last| last + 1);
        let visits =
            roles.into_iter().take(asked).map(|role| Visit { role, delegator: delegator.to_owned() });
        let mut visits: Vec<_> = visits.collect();
        visits.reverse();
        self.pending.extend(visits);
    }

    /// What the snapshot states of a role (CVE-2026-6967: of every delegated one too).
    fn stated(&self, name: &str) -> Result<&'a MetaFile, Refusal> {
        self.snapshot.body.role(name).ok_or_else(|| Refusal::new(&format!("{name}.json"), Why::Unlisted))
    }

    fn check(&self, visit: &Visit, bytes: &[u8]) -> Result<Metadata<Targets>, Refusal> {
        let file = format!("{}.json", visit.role.name);
        let stated = self.stated(&visit.role.name)?;
        fits(&file, stated, bytes, "snapshot")?;
        let metadata: Metadata<Targets> = read(&file, bytes)?;
        self.signed_by_delegator(&file, &metadata, visit)?;
        is_version(&file, &metadata, stated.version)?;
        self.updater.fresh(&file, &metadata)?;
        Ok(metadata)
    }

    fn signed_by_delegator<B: Body>(
        &self,
        file: &str,
        metadata: &Metadata<B>,
        visit: &Visit,
    ) -> Result<(), Refusal> {
        let delegator = self.loaded.get(&visit.delegator);
        let delegations = delegator.and_then(|delegator| delegator.body.delegations.as_ref());
        let delegations = delegations.ok_or_else(|| Refusal::new(file, Why::Missing))?;
        signed::check(file, metadata, &delegations.keys, &visit.role.keys, &visit.delegator)
    }
}

/// What a search wants of whoever does the I/O.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchStep {
    /// The file of this name in the client's own store, or that it is not there.
    Read(String),
    /// A file of the repository.
    Fetch(Wanted),
    /// Nothing more: the target, if there is one of that path.
    Done(Option<Found>),
}

/// A target that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its path as a file name.
    pub name: String,
    /// Where it is below the targets' URL.
    pub url: String,
    /// Its length and hashes. Bytes that do not fit them are not the target.
    pub file: TargetFile,
    /// The hash that names it.
    pub hash: Digest,
}
