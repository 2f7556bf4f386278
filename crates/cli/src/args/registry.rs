//! `signet registry` and `signet fsck`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::deferred::Deferred;
use super::shared::duration;

/// Maintain a registry's data directory.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Remove what nothing refers to. Signatures of what is kept are kept.
    Gc(Deferred<GcArgs>),
}

/// Remove what nothing refers to. Signatures of what is kept are kept, also those in a repository of their own.
///
/// What is young is kept too, for whoever is about to push what will refer to it. Uploads go that were begun and left: empty
/// ones after a quarter of an hour, others after a day.
#[derive(Clone, Debug, Args)]
pub(crate) struct GcArgs {
    /// The registry's data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Remove only what is older, such as `24h`. Longer than any push takes.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h")]
    pub(crate) older_than: Duration,
    /// Remove also signatures and other attachments of images that no repository here has. Without it they are kept:
    /// their images may be in another registry.
    #[arg(long)]
    pub(crate) absent_subjects: bool,
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
    /// Mend what can be mended without a copy, in a registry's directory: lists of referrers and indexes are made to say
    /// what the manifests say, and damaged content is set aside, so that whoever has it can push it again.
    #[arg(long)]
    pub(crate) repair: bool,
}
