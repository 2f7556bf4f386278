//! The Update Framework's metadata (TUF 1.0.34 §4): the files that a repository of trust consists of.
//!
//! [`Metadata`] reads one file and keeps what was signed; nothing here says whether a signature is good or who had
//! to make it, which is `signet-verify`'s. Unknown members are kept, because signatures cover them.

pub mod canonical;
mod hashes;
mod key;
mod metadata;
mod name;
mod pattern;
mod roles;
mod targets;

use std::fmt;

pub use hashes::{Hashes, MetaFile, TargetFile};
pub use key::{Key, KeyValue, Signature};
pub use metadata::{Body, Draft, Metadata};
pub use name::{MAX_FILE_NAME, file_name, target_url, versioned};
pub use pattern::{ClassInPattern, PathPattern};
pub use roles::{Role, RoleKeys, Root, Snapshot, Timestamp};
pub use targets::{Bins, DelegatedRole, Delegations, Paths, Targets};

use crate::json::JsonError;

/// The largest root that is read, in bytes.
pub const MAX_ROOT_BYTES: usize = 512_000;
/// The largest timestamp that is read, in bytes.
pub const MAX_TIMESTAMP_BYTES: usize = 16_384;
/// The largest snapshot that is read, in bytes.
pub const MAX_SNAPSHOT_BYTES: usize = 2_000_000;
/// The largest metadata of a targets role that is read, in bytes.
pub const MAX_TARGETS_BYTES: usize = 5_000_000;
/// The most signatures of one file, and the most keys that one role or document may list.
pub const MAX_KEYS: usize = 1_024;

/// Why a file is no metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TufError {
    /// One key has signed twice, which the specification forbids.
    DuplicateSignature(String),
    /// A list names the same thing twice.
    Duplicate {
        /// Which list.
        list: &'static str,
        /// What stands twice.
        value: String,
    },
    /// A time is not RFC 3339.
    Expires(String),
    /// A delegation names both or neither of two things that exclude each other.
    Ambiguous(&'static str),
    /// It is not JSON of the shape of this kind of metadata.
    Json(JsonError),
    /// A list is longer than it may be.
    TooMany(&'static str),
    /// A number is not an integer, so that nobody could sign it.
    NotAnInteger,
    /// A name that a file cannot have or a delegated role must not have.
    Name(String),
    /// It is another kind of metadata.
    Type {
        /// What it should be.
        wanted: &'static str,
        /// What it says it is.
        found: String,
    },
    /// It was written for another specification than 1.x.
    SpecVersion(String),
    /// A version or threshold of zero.
    Zero(&'static str),
    /// Root does not say who signs this role.
    MissingRole(Role),
    /// It lists no file of that name.
    MissingFile(String),
}

impl fmt::Display for TufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateSignature(id) => write!(f, "the key `{id}` has signed twice"),
            Self::Duplicate { list, value } => write!(f, "`{value}` stands twice in {list}"),
            Self::Expires(text) => write!(f, "`{text}` is not a time"),
            Self::Ambiguous(what) => write!(f, "a delegation must have exactly one of {what}"),
            Self::Json(error) => error.fmt(f),
            Self::TooMany(what) => write!(f, "it has too many {what}"),
            Self::NotAnInteger => f.write_str("a number in it is not an integer"),
            Self::Name(name) => write!(f, "`{name}` cannot be the name of a role or target here"),
            Self::Type { wanted, found } => write!(f, "it is `{found}` metadata, not `{wanted}`"),
            Self::SpecVersion(version) => {
                write!(f, "it follows version `{version}` of the specification, and only 1.x is understood")
            }
            Self::Zero(what) => write!(f, "its {what} is zero"),
            Self::MissingRole(role) => write!(f, "it does not say who signs `{role}`"),
            Self::MissingFile(name) => write!(f, "it does not list `{name}`"),
        }
    }
}

impl std::error::Error for TufError {}

impl From<JsonError> for TufError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}
