//! Why trust metadata was refused.

use std::fmt;

use signet_formats::time;
use signet_formats::tuf::TufError;

use crate::Code;

/// A file that was refused, and why. Nothing of it is to be used or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file, by its name in the repository.
    pub file: String,
    /// The reason.
    pub why: Why,
}

impl Refusal {
    pub(super) fn new(file: &str, why: impl Into<Why>) -> Self {
        Self { file: file.to_owned(), why: why.into() }
    }

    /// The stable code of the reason.
    pub fn code(&self) -> Code {
        match self.why {
            Why::Expired { .. } | Why::TooOld { .. } | Why::Undated => Code::TrustExpired,
            Why::Signatures { .. } => Code::TrustSignatures,
            Why::Rollback { .. } | Why::Removed(_) => Code::TrustRollback,
            Why::Other { .. } | Why::Version { .. } | Why::Unlisted => Code::TrustMismatch,
            Why::Malformed(_) | Why::Limit { .. } => Code::TrustMalformed,
            Why::Missing => Code::TrustMissing,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.file, self.why)
    }
}

impl std::error::Error for Refusal {}

/// The reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It may not be used any more.
    Expired {
        /// Since when, in Unix time.
        expires: i64,
        /// The time of the check.
        at: i64,
    },
    /// It was signed longer ago than is accepted offline.
    TooOld {
        /// When, in Unix time.
        signed: i64,
        /// The time of the check.
        at: i64,
        /// How many seconds are accepted.
        max_age: i64,
    },
    /// It has expired, and does not say when it was signed, so that its age is not known.
    Undated,
    /// Too few of the role's keys have signed it.
    Signatures {
        /// How many distinct keys have.
        found: u64,
        /// How many must.
        wanted: u64,
        /// Whose keys: the file that names them.
        role: String,
    },
    /// It is older than what was seen before.
    Rollback {
        /// What is rolled back: the file or one that it lists.
        what: String,
        /// The version that was seen before.
        seen: u64,
        /// The version now.
        found: u64,
    },
    /// It does not list a file any more that it listed before.
    Removed(String),
    /// Its length or hash is not the one stated of it.
    Other {
        /// By which file.
        stated_by: &'static str,
    },
    /// It has another version than was asked for.
    Version {
        /// What was asked for.
        wanted: u64,
        /// What came.
        found: u64,
    },
    /// The snapshot does not list it.
    Unlisted,
    /// It is no metadata of its kind.
    Malformed(TufError),
    /// There is more of something than is followed.
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are followed.
        limit: usize,
    },
    /// It is not there.
    Missing,
}

impl From<TufError> for Why {
    fn from(error: TufError) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { expires, at } => {
                write!(f, "it expired at {}, and it is {} now", moment(*expires), moment(*at))
            }
            Self::TooOld { signed, at, max_age } => write!(
                f,
                "it was signed at {}, it is {} now, and at most {max_age} seconds are accepted",
                moment(*signed),
                moment(*at)
            ),
            Self::Undated => f.write_str("it has expired and does not say when it was signed"),
            Self::Signatures { found, wanted, role } => {
                write!(f, "{found} of the keys that `{role}` names have signed it, and {wanted} must")
            }
            Self::Rollback { what, seen, found } => {
                write!(f, "`{what}` was seen in version {seen} and is now stated in version {found}")
            }
            Self::Removed(what) => write!(f, "it does not list `{what}` any more"),
            Self::Other { stated_by } => write!(f, "its length or hash is not what the {stated_by} states"),
            Self::Version { wanted, found } => write!(f, "it is version {found}, not {wanted}"),
            Self::Unlisted => f.write_str("the snapshot does not list it"),
            Self::Malformed(error) => error.fmt(f),
            Self::Limit { what, limit } => write!(f, "more than {limit} {what}"),
            Self::Missing => f.write_str("it is not there"),
        }
    }
}

/// A time as text; as a number where it lies outside the years that have one.
fn moment(at: i64) -> String {
    time::format(at).unwrap_or_else(|_| at.to_string())
}
