//! Why a repository was not read or changed.

use std::io;
use std::path::PathBuf;

use signet_formats::tuf::TufError;
use signet_keys::{FileError, KeyUnavailable};
use signet_store::OpenError;
use signet_verify::tuf::Refusal;

use crate::trust::ceremony::CeremonyError;

/// Why the repository was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublisherError {
    /// The root was not made, signed or taken.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The data directory was not opened.
    #[error(transparent)]
    Dir(#[from] OpenError),
    /// The root to be published has expired.
    #[error("the root has expired")]
    Expired,
    /// A file of the repository is malformed.
    #[error("the repository cannot be used: {0}")]
    Form(#[from] TufError),
    /// The disk failed.
    #[error("the repository: {0}")]
    Io(#[from] io::Error),
    /// A key could not be made.
    #[error(transparent)]
    Key(signet_keys::Error),
    /// A key file is unusable.
    #[error(transparent)]
    KeyFile(#[from] FileError),
    /// A key that is named cannot be had.
    #[error(transparent)]
    KeyUnavailable(#[from] KeyUnavailable),
    /// There is no root yet.
    #[error("no root is published yet")]
    NoRoot,
    /// The online key that the root names is not in the directory.
    #[error("the directory does not have the online key that the root names")]
    NoOnlineKey,
    /// It is the repository of a stack.
    #[error("the stack in `{}` says by itself what it publishes", stack.display())]
    OfStack {
        /// The stack's directory.
        stack: PathBuf,
    },
    /// A root is being signed already.
    #[error("`{}` is being signed: {signatures} have signed it here", path.display())]
    Staged {
        /// The draft.
        path: PathBuf,
        /// How many signatures it has here.
        signatures: usize,
    },
    /// A file was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
