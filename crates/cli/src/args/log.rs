//! `signet log`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use signet_crypto::Digest;

use super::deferred::Deferred;
use super::shared::{duration, log_name, time};

/// Check, search, export and end a transparency log.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Hash every entry and compare all that was made from them. The log may be running.
    Fsck(Deferred<LogFsckArgs>),
    /// Print the proof that an entry is in the log, as C2SP tlog-proof. The log may be running.
    Proof(Deferred<LogProofArgs>),
    /// Find entries by digest, key, identity and time. The log may be running.
    Search(Deferred<LogSearchArgs>),
    /// Follow logs: that each keeps to one history, and who signs in it.
    Monitor(Deferred<LogMonitorArgs>),
    /// Write the log as files that any web server can serve (C2SP tlog-tiles). The log may be running.
    Export(Deferred<LogExportArgs>),
    /// Let the log take no more entries, for good. It can still be served and read. The log may be running.
    Freeze(Deferred<LogFreezeArgs>),
    /// Freeze the log and go on in a new shard with a name and keys of its own. The log may be running: it does it itself.
    Rotate(Deferred<LogRotateArgs>),
}

/// Hash every entry and compare all that was made from them.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogFsckArgs {
    /// The data directory of the log, or of `signet up`. All shards are checked.
    #[arg(long, value_name = "DIR", required_unless_present = "tiles")]
    pub(crate) data: Option<PathBuf>,
    /// A directory of files as C2SP tlog-tiles has them: of Tessera, Rekor v2, or an export.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub(crate) tiles: Option<PathBuf>,
    /// The verifier key that the checkpoint of `--tiles` has to be signed with.
    #[arg(long, value_name = "VKEY", requires = "tiles", conflicts_with = "data")]
    pub(crate) key: Option<String>,
}

/// Print the proof that an entry is in the log.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogProofArgs {
    /// The data directory of the log, or of `signet up`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The name of the shard that has the entry, where there are several.
    #[arg(long, value_name = "NAME")]
    pub(crate) shard: Option<String>,
    /// The entry's index.
    #[arg(long, value_name = "INDEX")]
    pub(crate) index: u64,
}

/// Find entries by digest, key, identity and time.
///
/// All that is given has to be met. Time is that of certificates: what a bare key signed states none, and is not found by it.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogSearchArgs {
    /// The data directory of the log, or of `signet up`. All shards are searched, the oldest first.
    #[arg(long, value_name = "DIR", required_unless_present = "url")]
    pub(crate) data: Option<PathBuf>,
    /// The URL of a log that is served with `--search`.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(crate) url: Option<String>,
    /// The digest of what was signed.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: Option<Digest>,
    /// The public key: a file, or the SHA-256 of the key as `signet keys inspect` shows it.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// The subject of the certificate: an address or URI, whole.
    #[arg(long, value_name = "IDENTITY")]
    pub(crate) identity: Option<String>,
    /// Certificates from this time on, RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<i64>,
    /// Certificates until this time, RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<i64>,
    /// The name of the shard to begin in: what the page before said is next.
    #[arg(long, value_name = "NAME")]
    pub(crate) shard: Option<String>,
    /// The index in it to begin at.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub(crate) from: u64,
    /// How many entries to show.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
}

/// Write the log as files that any web server can serve.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogExportArgs {
    /// The data directory of the log, or of `signet up`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The name of the shard to write. Unset: all of them; several, each in a directory `shard/NAME`, percent-encoded.
    #[arg(long, value_name = "NAME")]
    pub(crate) shard: Option<String>,
    /// The directory to write to, or that of an earlier export of the same log; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// Let the log take no more entries, for good.
///
/// What the witnesses of its policy have not cosigned yet stays unpublished, until they do. Only `signet log rotate` goes on, in a
/// new shard.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogFreezeArgs {
    /// The log's data directory, or that of `signet up`, which has to be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// Freeze the log and go on in a new shard with a name and keys of its own.
///
/// Clients need the new shard's key in their trusted root before its first signature is verified; the old one's stays. With a
/// witness policy, the witnesses have to know the new key first: the refusal says it, and the same command goes on.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogRotateArgs {
    /// The log's data directory, or that of `signet up`, which has to be running unless it is with `--certificates`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The new shard's name. Unset: a name made from its key.
    #[arg(long, value_name = "NAME", value_parser = log_name)]
    pub(crate) origin: Option<String>,
    /// Only make the new shard and say its key, which `signet up` also puts into the trusted root; entries go on as before. The
    /// same command without this lets it take them.
    #[arg(long)]
    pub(crate) prepare: bool,
    /// The log of certificates of `signet up`, or of `signet serve ca` by its data directory. It may be running or not.
    #[arg(long)]
    pub(crate) certificates: bool,
}

/// Follow logs: that each keeps to one history, and who signs in it.
///
/// Reads every new entry of a C2SP tiled log: Rekor v2's, Signet's, any other. Status 0 if there was nothing to tell, 1 if a log
/// showed two histories or an entry was found that is watched for, 3 if a log could not be read or a webhook told.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogMonitorArgs {
    /// Where to keep how far each log was read, and evidence; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// The logs, what to watch for, the webhook and the heartbeat, as YAML.
    #[arg(long, value_name = "FILE", required_unless_present = "url")]
    pub(crate) config: Option<PathBuf>,
    /// Where a log's checkpoint and tiles are; Rekor v2's end in `/api/v2`. What ends in `/api/v1` is the API of a Rekor v1.
    /// `file://` and a directory for files that are not served.
    #[arg(long, value_name = "URL", requires = "key")]
    pub(crate) url: Option<String>,
    /// The log's verifier key, `NAME+HASH+KEY`, or a PEM file with the key of a log that has the name of the URL's host.
    #[arg(long, value_name = "VKEY", requires = "url")]
    pub(crate) key: Option<String>,
    /// Who has to have cosigned the log's checkpoints, as C2SP tlog-policy.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) witness_policy: Option<PathBuf>,
    /// How long ago the quorum of the witness policy may have cosigned at most, up to 24h: what is older is told of.
    #[arg(long, value_name = "TIME", requires = "witness_policy")]
    pub(crate) max_age: Option<String>,
    /// Tell of entries with this subject of a certificate.
    #[arg(long, value_name = "IDENTITY")]
    pub(crate) identity: Vec<String>,
    /// Tell of entries whose subject is matched by this expression, anchored with `^` and `$`.
    #[arg(long, value_name = "REGEX")]
    pub(crate) identity_regexp: Vec<String>,
    /// Tell of entries about this digest.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: Vec<Digest>,
    /// Tell of entries by this public key: a file, or its SHA-256 as `signet keys inspect` shows it.
    #[arg(long, value_name = "KEY")]
    pub(crate) signer: Vec<String>,
    /// Post what there is to tell to this URL, as JSON.
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    /// Write to this file after each round, so that a monitor that is silent is seen.
    #[arg(long, value_name = "FILE")]
    pub(crate) heartbeat: Option<PathBuf>,
    /// Look once, instead of going on until it is stopped.
    #[arg(long)]
    pub(crate) once: bool,
    /// How long to wait between two rounds.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(crate) interval: Duration,
    /// Read a log that is not known yet from its first entry on, rather than from now.
    #[arg(long)]
    pub(crate) from_start: bool,
}
