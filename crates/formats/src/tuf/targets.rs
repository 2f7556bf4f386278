//! Targets metadata: what the targets are, and who else may say so (§4.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signet_crypto::Digest;

use super::metadata::{Body, twice};
use super::{Key, MAX_KEYS, MAX_TARGETS_BYTES, PathPattern, Role, RoleKeys, TargetFile, TufError, file_name};

/// The targets of a role, and its delegations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// By target path.
    pub targets: BTreeMap<String, TargetFile>,
    /// Who else may name targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegations: Option<Delegations>,
}

impl Body for Targets {
    const TYPE: &'static str = "targets";
    const MAX_BYTES: usize = MAX_TARGETS_BYTES;

    fn checked(self) -> Result<Self, TufError> {
        if let Some(delegations) = &self.delegations {
            delegations.check()?;
        }
        Ok(self)
    }
}

/// The roles that a role trusts with some of its target paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegations {
    /// The keys of the delegated roles by their ids.
    pub keys: BTreeMap<String, Key>,
    /// The roles, in the order in which they are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<DelegatedRole>>,
    /// In their stead, roles that share all targets among them by hash (TAP 15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succinct_roles: Option<Bins>,
}

impl Delegations {
    /// The roles that may name this target, in the order in which they are asked.
    pub fn covering(&self, target: &str) -> Vec<DelegatedRole> {
        let roles = self.roles.iter().flatten().filter(|role| role.paths.cover(target)).cloned();
        roles.chain(self.succinct_roles.as_ref().map(|bins| bins.role_of(target))).collect()
    }

    fn check(&self) -> Result<(), TufError> {
        if self.keys.len() > MAX_KEYS {
            return Err(TufError::TooMany("keys"));
        }
        match (&self.roles, &self.succinct_roles) {
            (Some(roles), None) => check_roles(roles),
            (None, Some(bins)) => bins.check(),
            _ => Err(TufError::Ambiguous("`roles` and `succinct_roles`")),
        }
    }
}

/// A role that is trusted with some target paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegatedRole {
    /// Its name.
    pub name: String,
    /// Who signs it.
    #[serde(flatten)]
    pub keys: RoleKeys,
    /// Whether no role after it is asked about these paths.
    pub terminating: bool,
    /// Which paths.
    #[serde(flatten)]
    pub paths: Paths,
}

/// The paths of a delegation, in one of two forms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// Patterns of target paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<PathPattern>>,
    /// Beginnings of the hex of the target path's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_hash_prefixes: Option<Vec<String>>,
}

impl Paths {
    /// Whether the target path is among them.
    pub fn cover(&self, target: &str) -> bool {
        let hash = || Digest::sha256(target.as_bytes()).hex();
        self.paths.iter().flatten().any(|pattern| pattern.matches(target))
            || self.path_hash_prefixes.as_ref().is_some_and(|prefixes| {
                let hash = hash();
                prefixes.iter().any(|prefix| hash.starts_with(prefix.as_str()))
            })
    }
}

/// As many roles as there are values of some bits: each has the target paths whose hash begins with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bins {
    /// Who signs all of them.
    #[serde(flatten)]
    pub keys: RoleKeys,
    /// How many bits of the hash number the roles: 1 to 32.
    pub bit_length: u32,
    /// How all their names begin.
    pub name_prefix: String,
}

impl Bins {
    /// The role that this target path belongs to.
    pub fn role_of(&self, target: &str) -> DelegatedRole {
        let hash = Digest::sha256(target.as_bytes());
        let head = hash.as_bytes().iter().take(4).fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
        let bin = head >> 32_u32.saturating_sub(self.bit_length);
        let digits = usize::try_from(self.bit_length.div_ceil(4)).unwrap_or(0);
        DelegatedRole {
            name: format!("{}-{bin:0digits$x}", self.name_prefix),
            keys: self.keys.clone(),
            terminating: true,
            paths: Paths::default(),
        }
    }

    fn check(&self) -> Result<(), TufError> {
        self.keys.check()?;
        match (1..=32).contains(&self.bit_length) {
            true => file_name(&self.role_of("").name).map(drop),
            false => Err(TufError::Zero("bit length, or above 32,")),
        }
    }
}

fn check_roles(roles: &[DelegatedRole]) -> Result<(), TufError> {
    if roles.len() > MAX_KEYS {
        return Err(TufError::TooMany("delegated roles"));
    }
    for role in roles {
        role.keys.check()?;
        file_name(&role.name)?;
        // Its file would take the place of a top-level role's.
        if Role::ALL.iter().any(|top| top.name() == role.name) {
            return Err(TufError::Name(role.name.clone()));
        }
        if role.paths.paths.is_some() == role.paths.path_hash_prefixes.is_some() {
            return Err(TufError::Ambiguous("`paths` and `path_hash_prefixes`"));
        }
    }
    let mut names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    match twice(&mut names) {
        Some(name) => Err(TufError::Duplicate { list: "the delegated roles", value: name.to_owned() }),
        None => Ok(()),
    }
}
