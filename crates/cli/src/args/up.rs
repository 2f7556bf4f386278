//! `signet up`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::shared::{address, time};

/// Write the state of a signing stack, which may be running, to one file.
///
/// The file holds every private key of the stack, unencrypted, and is readable by its owner only.
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupArgs {
    /// The data directory of `signet up`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The file to write: a tar archive; `-` for standard output, where another program encrypts it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Move the stack, which must not be running: it never starts in its directory again, so that its logs can go on where the
    /// archive is restored. Restore such an archive once.
    #[arg(long = "move")]
    pub(crate) moves: bool,
}

/// Make a signing stack from a backup.
///
/// Its logs may have published more than the backup has, so they are frozen and new ones begin beside them; clients need the
/// trusted root that the next `signet up` writes. A log goes on only if nothing newer of it can exist: from a backup by
/// `signet backup --move`, or if so many of its witnesses say now that they have seen nothing newer that the others are no quorum.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// The data directory to make; absent or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A checkpoint of a log that a witness, mirror or monitor has seen. One that is not of what the backup has freezes the log.
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Vec<PathBuf>,
    /// The policy (C2SP tlog-policy) that the log published under to its end: its witnesses are asked whether they have seen
    /// anything newer. Unset: nobody can say it, and the log is frozen.
    #[arg(long, value_name = "FILE")]
    pub(crate) witness_policy: Option<PathBuf>,
    /// When the stack stopped for good, as `2026-11-21T12:00:00Z`. Cosignatures in `--head` that are five minutes later
    /// count as well.
    #[arg(long, value_name = "TIME", requires = "head", value_parser = time)]
    pub(crate) stopped: Option<i64>,
}

/// Run a whole signing stack in one process.
///
/// Registry, transparency log, timestamp authority and certificate authority, at one address and from one directory, which
/// the first start makes. It writes what clients need to `client/trusted_root.json` and `client/signing_config.json` in there.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["config", "print_config"])]
    pub(crate) data: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one. Unset: 127.0.0.1:7446.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// The URL that clients reach it by. Unset: where it listens.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// For development: an issuer whose tokens `signet dev-token` mints, and timestamps by this machine's clock. On
    /// loopback only.
    #[arg(long)]
    pub(crate) dev: bool,
    /// The configuration, as YAML; options count before it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the configuration as it counts, with what every key means, and start nothing.
    #[arg(long)]
    pub(crate) print_config: bool,
}
