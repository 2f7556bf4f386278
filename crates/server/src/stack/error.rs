//! Why there is no stack.

use std::io;
use std::path::PathBuf;

use signet_services::ca::CaError;
use signet_services::log::HomeError;
use signet_services::oidc::ConfigError;
use signet_services::oidc::dev::DevError;
use signet_services::trust::PublisherError;
use signet_services::tsa::TsaError;
use signet_services::witness;
use signet_store::OpenError;

use crate::exposure::ReachError;
use crate::host::HostError;
use crate::registry::BuildError;

/// Why a stack was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// The certificate authority.
    #[error("the certificate authority: {0}")]
    Ca(#[from] CaError),
    /// What clients need could not be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Client {
        /// The file.
        path: PathBuf,
        /// What the system, or the format, said.
        error: io::Error,
    },
    /// The development issuer.
    #[error("the development issuer: {0}")]
    Dev(#[from] DevError),
    /// The stack's own directory.
    #[error(transparent)]
    Dir(#[from] OpenError),
    /// The log did not take its first entry.
    #[error("the log does not take its first entry: {0}")]
    FirstEntry(io::Error),
    /// The address.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The issuers of identity tokens.
    #[error(transparent)]
    Issuers(#[from] ConfigError),
    /// The transparency log.
    #[error("the log: {0}")]
    Log(#[from] HomeError),
    /// Something that was begun is not there as it was: it is not begun anew, with other keys.
    #[error("{0}")]
    Lost(String),
    /// It is for development, or is not, and the other was asked for.
    #[error("the stack in this directory was {}begun for development", if *dev { "" } else { "not " })]
    Mode {
        /// Whether it is for development.
        dev: bool,
    },
    /// It went on elsewhere: here it would be a second one.
    #[error("the stack in `{}` has moved: what it was is in the archive that `signet backup --move` wrote", path.display())]
    Moved {
        /// Its directory.
        path: PathBuf,
    },
    /// The names of the logs.
    #[error("`{}` is unusable: {why}", path.display())]
    Names {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Where it listens, and what clients are told.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The registry.
    #[error("the registry: {0}")]
    Registry(#[from] BuildError),
    /// The repository of trust.
    #[error("the repository of trust: {0}")]
    Trust(#[from] PublisherError),
    /// The witness.
    #[error("the witness: {0}")]
    Witness(#[from] witness::OpenError),
    /// A task ended by itself.
    #[error("a service did not start: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// No threads could be started.
    #[error("no threads can be started: {0}")]
    Threads(io::Error),
    /// The timestamp authority.
    #[error("the timestamp authority: {0}")]
    Tsa(#[from] TsaError),
}
