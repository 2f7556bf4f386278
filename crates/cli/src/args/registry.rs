//! `signet registry` and `signet fsck`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::deferred::Deferred;

/// Maintain a registry's data directory.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Remove what nothing refers to. Signatures of what is kept are kept.
    Gc(Deferred<GcArgs>),
}

/// Remove what nothing refers to. Signatures of what is kept are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct GcArgs {
    /// The registry's data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Say what would be removed and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Check a data directory for damage.
#[derive(Clone, Debug, Args)]
pub(crate) struct FsckArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}
