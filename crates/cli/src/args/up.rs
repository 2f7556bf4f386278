//! `signet up`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Write the state of a signing stack, which may be running, to one file.
///
/// The file holds every private key of the stack, unencrypted, and is readable by its owner only.
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupArgs {
    /// The data directory of `signet up`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The file to write: a tar archive.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Make a signing stack from a backup.
///
/// Its logs may have published more than the backup has, so they are frozen and new ones begin beside them; clients need the
/// trusted root that the next `signet up` writes. `--head` proves of a log that nothing newer exists: then it goes on.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// The data directory to make; absent or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The newest checkpoint of a log that a witness, mirror or monitor has seen.
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Vec<PathBuf>,
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
    #[arg(long, value_name = "ADDRESS")]
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
