//! Of `signet serve log`, `signet serve witness` and `signet log`.

use std::net::SocketAddr;

use serde::Serialize;
use signet_crypto::Digest;
use signet_server::rekor::Entry;

/// The log that is served.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServeLogDocument {
    /// Where it listens.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) address: SocketAddr,
    /// How clients reach it there.
    pub(crate) url: String,
    /// Its data directory.
    pub(crate) data: String,
    /// Its name.
    pub(crate) origin: String,
    /// Its public keys, as C2SP signed-note has them; Ed25519 first.
    pub(crate) keys: Vec<String>,
    /// How many entries it has.
    pub(crate) size: u64,
    /// Where operators ask for metrics and readiness; absent if nowhere.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<SocketAddr>,
}

/// The witness that is served.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServeWitnessDocument {
    /// Where it listens.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) address: SocketAddr,
    /// How logs reach it there: its submission prefix.
    pub(crate) url: String,
    /// Its data directory.
    pub(crate) data: String,
    /// Its public keys, as C2SP signed-note has them; Ed25519 first.
    pub(crate) keys: Vec<String>,
    /// How many logs it cosigns.
    pub(crate) logs: usize,
    /// Where operators ask for metrics and readiness; absent if nowhere.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<SocketAddr>,
}

/// What `signet log fsck` found.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogFsckDocument {
    /// The data directory.
    pub(crate) data: String,
    /// The name of the newest shard.
    pub(crate) origin: String,
    /// How many of its entries are sound, from the first on.
    pub(crate) size: u64,
    /// The root of the tree over them.
    pub(crate) root: Digest,
    /// What is wrong in any shard.
    pub(crate) findings: Vec<String>,
    /// What was found in each shard, the oldest first.
    pub(crate) shards: Vec<LogShardReport>,
}

/// What was found in a shard of a log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogShardReport {
    /// The shard's name.
    pub(crate) origin: String,
    /// How many entries are sound, from the first on.
    pub(crate) size: u64,
    /// The root of the tree over them.
    pub(crate) root: Digest,
    /// What is wrong.
    pub(crate) findings: Vec<String>,
}

/// The proof of an entry.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogProofDocument {
    /// The entry's index.
    pub(crate) index: u64,
    /// The size of the tree that it is proven in.
    pub(crate) size: u64,
    /// The proof, as C2SP tlog-proof.
    pub(crate) proof: String,
}

/// What was done to a log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogDocument {
    /// The data directory.
    pub(crate) data: String,
    /// How many entries the log has.
    pub(crate) size: u64,
}

/// The shard in which a log goes on.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogRotateDocument {
    /// The data directory.
    pub(crate) data: String,
    /// The shard's name.
    pub(crate) origin: String,
    /// Its public keys, as C2SP signed-note has them; Ed25519 first.
    pub(crate) keys: Vec<String>,
    /// Whether the shard is only made, and takes no entries yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) prepared: bool,
}

/// What was found in a log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogSearchDocument {
    /// The entries, by rising index.
    pub(crate) entries: Vec<LogEntry>,
    /// The `--from` that goes on, if there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<u64>,
    /// The `--shard` that goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_shard: Option<String>,
    /// How many entries of the log were searched, all pages together.
    pub(crate) size: u64,
}

/// An entry of a log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogEntry {
    /// The name of the shard that has it.
    pub(crate) shard: String,
    /// Its index there.
    pub(crate) index: u64,
    /// The digests of what was signed.
    pub(crate) digests: Vec<Digest>,
    /// The SHA-256 of the public keys.
    pub(crate) keys: Vec<Digest>,
    /// The subjects of the certificates, or `sha256:` and their hashes.
    pub(crate) identities: Vec<String>,
    /// Who issued the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    /// When the certificate began, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
}

/// What a monitor has to tell.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogMonitorDocument {
    /// What was found.
    pub(crate) findings: Vec<LogFinding>,
}

/// Something to tell about a log.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogFinding {
    /// The log's name.
    pub(crate) log: String,
    /// What it is.
    pub(crate) kind: LogFindingKind,
    /// The same in words.
    pub(crate) message: String,
    /// The name of the watch that an entry is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) watch: Option<String>,
    /// The entry's index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u64>,
    /// The file with the two checkpoints of a fork.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<String>,
}

/// What a monitor tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFindingKind {
    /// An entry that is watched for.
    Entry,
    /// Two histories of one log.
    Fork,
    /// Less than the log showed before.
    Stale,
    /// Less than the log showed before, and perhaps of another history.
    Unproven,
    /// Entries that could not be looked into.
    Unread,
    /// What the witnesses have not seen lately.
    Old,
    /// The log cannot be read, or is not signed as it should be.
    Unreadable,
    /// Findings that could not be told for too long.
    Dropped,
}

impl From<Entry> for LogEntry {
    fn from(entry: Entry) -> Self {
        let Entry { shard, index, digests, keys, identities, issuer, time } = entry;
        Self { shard, index, digests, keys, identities, issuer, time }
    }
}
