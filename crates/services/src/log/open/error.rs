//! Why a log was not opened.

use std::io;
use std::path::PathBuf;

use signet_keys::SignError;

use crate::log::{Kind, ReadError};

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Acknowledged entries are damaged or missing.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The directory cannot be used.
    #[error(transparent)]
    Dir(#[from] signet_store::OpenError),
    /// The log has other entries than a checkpoint that was published: two histories under one name.
    #[error("the log has other entries than its checkpoint of size {size} says")]
    Forked {
        /// The size of that checkpoint.
        size: u64,
    },
    /// The disk failed.
    #[error("the log cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// The log has no such entry.
    #[error("there is no entry {index}: the log has published {size}")]
    NoEntry {
        /// The index asked for.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// A file is there that is not of this log.
    #[error("`{}` is not of this log: {why}", file.display())]
    NotOurs {
        /// The file.
        file: PathBuf,
        /// In words.
        why: String,
    },
    /// The log takes something else.
    #[error("the log takes {found}, not {wanted}")]
    OtherKind {
        /// What it takes.
        found: Kind,
        /// What it was to take.
        wanted: Kind,
    },
    /// The witness policy was written for other logs.
    #[error("the witness policy names logs, but not this one: {}", keys.join(" "))]
    PolicyOfOthers {
        /// The keys of this one.
        keys: Vec<String>,
    },
    /// The first checkpoint could not be signed.
    #[error("the checkpoint cannot be signed: {0}")]
    Sign(SignError),
    /// The log has this entry, and no checkpoint covers it.
    #[error("entry {index} is not published yet: the checkpoint on the disk has {size} entries")]
    Unpublished {
        /// The index asked for.
        index: u64,
        /// How many are published.
        size: u64,
    },
    /// The log has less than was published.
    #[error("the log has {found} entries, but a checkpoint of {published} was published")]
    WentBack {
        /// How many it has.
        found: u64,
        /// How many it had.
        published: u64,
    },
    /// The directory is the log of other keys.
    #[error("the log was made with other keys: `{found}`")]
    WrongKey {
        /// The key that it was made with.
        found: String,
    },
    /// The directory is the log of another name.
    #[error("this is the log `{found}`, not `{wanted}`")]
    WrongOrigin {
        /// Its name.
        found: String,
        /// The name asked for.
        wanted: String,
    },
    /// Witnesses have to cosign what this log publishes, and it was opened without any.
    #[error(
        "the log has a witness policy, and nothing of it is signed without: give it again, or one of `quorum none`"
    )]
    Witnessed,
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Io(error),
            ReadError::Merkle(error) => Self::Damaged(error.to_string()),
        }
    }
}
