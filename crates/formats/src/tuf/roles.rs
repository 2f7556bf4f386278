//! The top-level roles but targets: root, timestamp, snapshot.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::metadata::{Body, twice};
use super::{Key, MAX_KEYS, MAX_ROOT_BYTES, MAX_SNAPSHOT_BYTES, MAX_TIMESTAMP_BYTES, MetaFile, TufError};

/// A top-level role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Says who all others are.
    Root,
    /// Says which snapshot is the newest.
    Timestamp,
    /// Says which versions of targets metadata belong together.
    Snapshot,
    /// Says what the targets are.
    Targets,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Root, Self::Timestamp, Self::Snapshot, Self::Targets];

    /// The name in metadata and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who signs a role, and how many of them must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// The ids of the keys, each once.
    pub keyids: Vec<String>,
    /// How many distinct keys must have signed; at least 1. More than there are keys can never be met.
    pub threshold: u64,
}

impl RoleKeys {
    pub(super) fn check(&self) -> Result<(), TufError> {
        if self.keyids.len() > MAX_KEYS {
            return Err(TufError::TooMany("key ids"));
        }
        let mut ids: Vec<&str> = self.keyids.iter().map(String::as_str).collect();
        if let Some(id) = twice(&mut ids) {
            return Err(TufError::Duplicate { list: "the key ids of a role", value: id.to_owned() });
        }
        match self.threshold {
            0 => Err(TufError::Zero("threshold")),
            _ => Ok(()),
        }
    }
}

/// Root: the keys of all top-level roles (§4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Whether files bear their version, and targets their hash, in their names.
    #[serde(default)]
    pub consistent_snapshot: bool,
    /// The keys by their ids.
    pub keys: BTreeMap<String, Key>,
    /// Who signs which role.
    pub roles: BTreeMap<String, RoleKeys>,
}

impl Root {
    /// Who signs a role. Root was not read if it does not say so.
    pub fn role(&self, role: Role) -> Result<&RoleKeys, TufError> {
        self.roles.get(role.name()).ok_or(TufError::MissingRole(role))
    }
}

impl Body for Root {
    const TYPE: &'static str = "root";
    const MAX_BYTES: usize = MAX_ROOT_BYTES;

    fn checked(self) -> Result<Self, TufError> {
        if self.keys.len() > MAX_KEYS {
            return Err(TufError::TooMany("keys"));
        }
        self.roles.values().try_for_each(RoleKeys::check)?;
        Role::ALL.into_iter().try_for_each(|role| self.role(role).map(drop))?;
        Ok(self)
    }
}

/// Timestamp: the newest snapshot (§4.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    meta: BTreeMap<String, MetaFile>,
}

impl Timestamp {
    /// The timestamp of a snapshot.
    pub fn of(snapshot: MetaFile) -> Self {
        Self { meta: BTreeMap::from([(SNAPSHOT_FILE.to_owned(), snapshot)]) }
    }

    /// The snapshot's version, and its length and hashes if they are stated.
    pub fn snapshot(&self) -> Result<&MetaFile, TufError> {
        self.meta.get(SNAPSHOT_FILE).ok_or_else(|| TufError::MissingFile(SNAPSHOT_FILE.to_owned()))
    }
}

impl Body for Timestamp {
    const TYPE: &'static str = "timestamp";
    const MAX_BYTES: usize = MAX_TIMESTAMP_BYTES;

    fn checked(self) -> Result<Self, TufError> {
        self.snapshot()?;
        self.meta.values().try_for_each(MetaFile::check)?;
        Ok(self)
    }
}

/// Snapshot: the versions of all targets metadata that belong together (§4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// By file name, `targets.json` among them.
    pub meta: BTreeMap<String, MetaFile>,
}

impl Snapshot {
    /// What is stated of the metadata of a targets role.
    pub fn role(&self, role: &str) -> Option<&MetaFile> {
        self.meta.get(&format!("{role}.json"))
    }
}

impl Body for Snapshot {
    const TYPE: &'static str = "snapshot";
    const MAX_BYTES: usize = MAX_SNAPSHOT_BYTES;

    fn checked(self) -> Result<Self, TufError> {
        self.meta.values().try_for_each(MetaFile::check)?;
        match self.role(Role::Targets.name()) {
            Some(_) => Ok(self),
            None => Err(TufError::MissingFile("targets.json".to_owned())),
        }
    }
}

const SNAPSHOT_FILE: &str = "snapshot.json";
