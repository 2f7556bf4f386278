//! `signet log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Check, export and end a transparency log.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Hash every entry and compare all that was made from them. The log may be running.
    Fsck(LogFsckArgs),
    /// Print the proof that an entry is in the log, as C2SP tlog-proof. The log may be running.
    Proof(LogProofArgs),
    /// Write the log as files that any web server can serve (C2SP tlog-tiles). The log may be running.
    Export(LogExportArgs),
    /// Let the log take no more entries, for good. It can still be served and read.
    Freeze(LogFreezeArgs),
}

/// Hash every entry and compare all that was made from them.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogFsckArgs {
    /// The log's data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// Print the proof that an entry is in the log.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogProofArgs {
    /// The log's data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The entry's index.
    #[arg(long, value_name = "INDEX")]
    pub(crate) index: u64,
}

/// Write the log as files that any web server can serve.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogExportArgs {
    /// The log's data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The directory to write to; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// Let the log take no more entries, for good.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogFreezeArgs {
    /// The log's data directory. The log must not be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}
