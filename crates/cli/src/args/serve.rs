//! `signet serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::shared::duration;

/// Run a service.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Serve a transparency log from a directory.
    Log(ServeLogArgs),
    /// Serve an OCI registry from a directory.
    Registry(ServeRegistryArgs),
}

/// Serve a transparency log from a directory.
///
/// Clients of Rekor v2 write to it and read it. Its private keys are made at the first start and stay in the directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeLogArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,
    /// The log's name, fixed at the first start. Unset: a name made from its key.
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// Sign checkpoints with ML-DSA-44 as well. A log that has begun to goes on.
    #[arg(long)]
    pub(crate) ml_dsa: bool,
    /// Take any bytes at `POST /add`, for other logs than Sigstore's; it is read at the root.
    #[arg(long)]
    pub(crate) opaque: bool,
}

/// Serve an OCI registry from a directory.
///
/// Without authentication it listens on loopback only.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeRegistryArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub(crate) listen: SocketAddr,
    /// Collect garbage so often while it runs, such as `24h`; what is younger than an hour is kept. Unset:
    /// only `signet registry gc` does.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) gc_interval: Option<Duration>,
    /// Write a line for each request to standard error.
    #[arg(long)]
    pub(crate) log_requests: bool,
    /// Users and their bcrypt passwords, as `htpasswd -B` writes them.
    #[arg(long, value_name = "FILE")]
    pub(crate) htpasswd: Option<PathBuf>,
    /// Who may pull and push where, as JSON. Unset: every user may do both everywhere.
    #[arg(long, value_name = "FILE", requires = "htpasswd")]
    pub(crate) access: Option<PathBuf>,
    /// The PEM certificate chain to serve TLS with.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The PEM key of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Serve only what this policy permits.
    #[arg(long, value_name = "POLICY", requires = "htpasswd")]
    pub(crate) require_signed: Option<PathBuf>,
    /// The key of a principal that the policy names by id.
    #[arg(long, value_name = "FILE", requires = "require_signed")]
    pub(crate) key: Vec<PathBuf>,
    /// A witness of logs that the policy counts: its verifier key, or a file with one on each line.
    #[arg(long, value_name = "VKEY", requires = "require_signed")]
    pub(crate) witness: Vec<String>,
    /// The Sigstore `trusted_root.json` that the policy is decided with.
    #[arg(long, value_name = "FILE", requires = "require_signed")]
    pub(crate) trusted_root: Option<PathBuf>,
}
