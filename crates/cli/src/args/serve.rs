//! `signet serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use signet_server::host::{Address, TlsFiles};
use signet_server::rekor::Identities;
use signet_services::log::{MAX_INTERVAL, MAX_WITNESS_WITHIN};

use super::deferred::Deferred;
use super::shared::{address, duration};
use crate::error::CliError;
use crate::stack::LogFormat;

/// Run a service.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Serve a transparency log from a directory.
    Log(Deferred<ServeLogArgs>),
    /// Serve an OCI registry from a directory.
    Registry(Deferred<ServeRegistryArgs>),
    /// Serve a timestamp authority (RFC 3161).
    Tsa(Deferred<ServeTsaArgs>),
    /// Serve a certificate authority for identities (Fulcio's API).
    Ca(Deferred<ServeCaArgs>),
    /// Serve an issuer of identity tokens for development, on loopback only.
    OidcDev(Deferred<ServeOidcDevArgs>),
    /// Serve a repository of trust (TUF), and sign it again before it expires.
    Trust(Deferred<ServeTrustArgs>),
    /// Serve a witness that cosigns the checkpoints of logs (C2SP tlog-witness).
    Witness(Deferred<ServeWitnessArgs>),
}

/// Serve a repository of trust (TUF), and sign it again before it expires.
///
/// `signet trust create` makes one. What is published while it is served is served at once.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeTrustArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3005", value_parser = address)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) operators: OperatorArgs,
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
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The log's name, fixed at the first start. Unset: a name that nobody else has.
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// Sign checkpoints with ML-DSA-44 as well. A log that has begun to goes on.
    #[arg(long)]
    pub(crate) ml_dsa: bool,
    /// Take any bytes at `POST /add`, for other logs than Sigstore's; it is read at the root. Fixed at the first start.
    #[arg(long)]
    pub(crate) opaque: bool,
    /// Serve a search of the entries, at `/api/v1/search`: `public` tells the identities that it finds,
    /// `hashed-identity` only their hashes, so that who searches has to know them.
    #[arg(long, value_enum, value_name = "MODE", conflicts_with = "opaque")]
    pub(crate) search: Option<SearchMode>,
    /// Who has to cosign checkpoints, as C2SP tlog-policy. Without its quorum nothing new is published. The log keeps it, and
    /// goes by it also without this option until it is given another; one of `quorum none` ends it.
    #[arg(long, value_name = "FILE")]
    pub(crate) witness_policy: Option<PathBuf>,
    /// A checkpoint of this log that somebody else kept: a log with less, or with other entries, is not served.
    #[arg(long, value_name = "FILE")]
    pub(crate) at_least: Option<PathBuf>,
    /// How long a witness may take, in milliseconds, at most 10000.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=MAX_WITNESS_WITHIN.as_secs() * 1_000))]
    pub(crate) witness_timeout_ms: u64,
    /// The least time between two checkpoints, in milliseconds, at most 60000. Unset: 10, with witnesses 1000, which is what they take.
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(..=MAX_INTERVAL.as_secs() * 1_000))]
    pub(crate) checkpoint_interval_ms: Option<u64>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) operators: OperatorArgs,
}

/// What a search tells of identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SearchMode {
    /// All of it.
    Public,
    /// Their hashes, with a key that stays in the log's directory.
    HashedIdentity,
}

impl From<SearchMode> for Identities {
    fn from(mode: SearchMode) -> Self {
        match mode {
            SearchMode::Public => Self::Public,
            SearchMode::HashedIdentity => Self::Hashed,
        }
    }
}

/// Serve a witness that cosigns the checkpoints of logs (C2SP tlog-witness).
///
/// Its private keys are made at the first start and stay in the directory. A directory that is restored from a backup
/// may cosign a second history of a log: begin with a new one instead.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeWitnessArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3006", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The witness's name, fixed at the first start. Unset: a name made from its key.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Cosign with ML-DSA-44 as well. A witness that has begun to goes on.
    #[arg(long)]
    pub(crate) ml_dsa: bool,
    /// A log to cosign: its verifier key, or a list of logs as the witness network has it (`logs/v0`).
    #[arg(long, value_name = "VKEY")]
    pub(crate) log: Vec<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) operators: OperatorArgs,
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
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000", value_parser = address)]
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
    /// Take passwords over plain HTTP also from beyond loopback, where something before it speaks HTTPS.
    #[arg(long, requires = "htpasswd")]
    pub(crate) allow_http: bool,
    /// Who may pull and push where, as JSON. Unset: every user may do both everywhere.
    #[arg(long, value_name = "FILE", requires = "htpasswd")]
    pub(crate) access: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    /// Serve only what this policy permits, but to those who may push: they read what they are about to sign.
    #[arg(long, value_name = "POLICY", requires = "access")]
    pub(crate) require_signed: Option<PathBuf>,
    /// Where clients reach the registry, for a policy that compares the repository that was signed.
    #[arg(long, value_name = "URL", requires = "require_signed")]
    pub(crate) public_url: Option<String>,
    /// The key of a principal that the policy names by id.
    #[arg(long, value_name = "FILE", requires = "require_signed")]
    pub(crate) key: Vec<PathBuf>,
    /// A witness of logs that the policy counts: its verifier key, or a file with one on each line.
    #[arg(long, value_name = "VKEY", requires = "require_signed")]
    pub(crate) witness: Vec<String>,
    /// The Sigstore `trusted_root.json` that the policy is decided with.
    #[arg(long, value_name = "FILE", requires = "require_signed")]
    pub(crate) trusted_root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) operators: OperatorArgs,
}

/// Serve a timestamp authority (RFC 3161).
///
/// Without `--key` it makes a key and a root of its own in the data directory. It gives no timestamp while
/// the clock may be off by more than it states.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeTsaArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3004", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// For development: believe this machine's clock, state no accuracy. On loopback only.
    #[arg(long, conflicts_with_all = ["accuracy_ms", "ntp", "ntp_agree"])]
    pub(crate) dev: bool,
    /// The private key to sign with: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds.
    #[arg(long, value_name = "KEY", requires = "certificate_chain")]
    pub(crate) key: Option<PathBuf>,
    /// The PEM certificates of the key: its own first, its root last.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate_chain: Option<PathBuf>,
    /// How far timestamps may be off, in milliseconds. They state it; beyond it there are none.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1_000)]
    pub(crate) accuracy_ms: u64,
    /// A time server, as `host` or `host:port`; to be given at least three times. Unset: the kernel's own bound counts.
    #[arg(long, value_name = "SERVER")]
    pub(crate) ntp: Vec<String>,
    /// How many time servers have to agree, also of fewer than three. Unset: most of them.
    #[arg(long, value_name = "COUNT", requires = "ntp")]
    pub(crate) ntp_agree: Option<usize>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) operators: OperatorArgs,
}

/// Serve a certificate authority for identities (Fulcio's API).
///
/// Without `--key` it makes a hierarchy of its own in the data directory, and without `--ct-log` a log of
/// certificates, which it serves as well.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeCaArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5555", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The URL that clients reach it by. Beyond loopback it is needed without TLS: the `https://` URL of a proxy in front.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Whose identity tokens are believed, as YAML in the shape that Fulcio reads.
    #[arg(long, value_name = "FILE", required_unless_present = "dev")]
    pub(crate) issuers: Option<PathBuf>,
    /// For development: run an issuer whose tokens `signet dev-token` mints. On loopback only.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) dev: bool,
    /// The private key to issue with: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds.
    #[arg(long, value_name = "KEY", requires = "certificate_chain")]
    pub(crate) key: Option<PathBuf>,
    /// The PEM certificates of the key: its own first, its root last.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate_chain: Option<PathBuf>,
    /// The URL of a certificate log (RFC 6962) that every certificate goes to.
    #[arg(long, value_name = "URL", requires = "ct_log_key")]
    pub(crate) ct_log: Option<String>,
    /// The PEM public key of the certificate log; given again, that of the shard that it goes on in.
    #[arg(long, value_name = "FILE", requires = "ct_log")]
    pub(crate) ct_log_key: Vec<PathBuf>,
    /// PEM roots of other authorities, whose certificates this one's own log takes as well.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ct_log", "ct_log_key"])]
    pub(crate) ct_root: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) operators: OperatorArgs,
}

/// Serve an issuer of identity tokens for development, on loopback only.
///
/// `signet dev-token` mints its tokens, in the shapes of e-mail, GitHub, GitLab and Kubernetes. It is for a certificate authority
/// that runs by itself, Fulcio for one; `signet up --dev` and `signet serve ca --dev` have it inside.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeOidcDevArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5557", value_parser = address)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) operators: OperatorArgs,
}

/// Mint an identity token of a development issuer.
///
/// The issuer is that of `signet up --dev`, `signet serve ca --dev` or `signet serve oidc-dev` on the same data directory. Its
/// tokens are good for nothing outside of this machine.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevTokenArgs {
    /// The data directory of the service.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A token of a person with this address.
    #[arg(long, value_name = "ADDRESS", group = "bearer")]
    pub(crate) email: Option<String>,
    /// A token of a GitHub Actions workflow in this repository.
    #[arg(long, value_name = "OWNER/REPO", group = "bearer", requires = "workflow")]
    pub(crate) github: Option<String>,
    /// The workflow's file, below `.github/workflows`.
    #[arg(long, value_name = "FILE", requires = "github", conflicts_with_all = ["email", "gitlab", "kubernetes"])]
    pub(crate) workflow: Option<String>,
    /// A token of a GitLab pipeline in this project.
    #[arg(long, value_name = "GROUP/PROJECT", group = "bearer")]
    pub(crate) gitlab: Option<String>,
    /// The branch or tag that is built. Unset: `refs/heads/main`.
    #[arg(long = "ref", value_name = "REF", conflicts_with_all = ["email", "kubernetes"])]
    pub(crate) reference: Option<String>,
    /// A token of a Kubernetes service account.
    #[arg(long, value_name = "NAMESPACE/ACCOUNT", group = "bearer")]
    pub(crate) kubernetes: Option<String>,
}

/// What the operators of a service are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct OperatorArgs {
    /// The address of `/metrics`, `/healthz` and `/ready`, which everyone who reaches it may read. Unset: none.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) admin: Option<SocketAddr>,
    /// How the lines of its log are written, on standard error.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
}

/// What a service proves itself with.
#[derive(Clone, Debug, Args)]
pub(crate) struct TlsArgs {
    /// The PEM certificate chain to serve TLS with.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The PEM key of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

impl TlsArgs {
    /// The files that are given.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.tls_cert, &self.tls_key].into_iter().flatten().map(PathBuf::as_path)
    }

    /// The address of the service, which speaks TLS if the files are there. It is taken before anything is made: a service that
    /// cannot listen leaves nothing behind.
    pub(crate) fn take(&self, address: SocketAddr) -> Result<Address, CliError> {
        let taken = Address::take(address, self.files().as_ref());
        taken.map_err(|error| CliError::from(error).looking_into(self.paths()))
    }

    /// The files, where the service is to speak TLS.
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        let (certificates, key) = self.tls_cert.clone().zip(self.tls_key.clone())?;
        Some(TlsFiles { certificates, key })
    }
}
