//! Of `signet up`.

use std::net::SocketAddr;

use serde::Serialize;

/// A backup that was written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupDocument {
    /// The data directory.
    pub(crate) data: String,
    /// The backup.
    pub(crate) file: String,
    /// How many files are in it.
    pub(crate) files: u64,
    /// How many bytes they have.
    pub(crate) bytes: u64,
}

/// A stack that was made from a backup.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestoreDocument {
    /// The data directory.
    pub(crate) data: String,
    /// How many files were written.
    pub(crate) files: u64,
    /// How many bytes they have.
    pub(crate) bytes: u64,
    /// The logs that go on, because nothing newer of them exists.
    pub(crate) resumed: Vec<String>,
    /// The logs that are frozen; others begin in their places.
    pub(crate) frozen: Vec<String>,
    /// Why each of these is.
    pub(crate) doubts: Vec<DoubtDocument>,
}

/// Why a log does not go on.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoubtDocument {
    /// The log's name.
    pub(crate) log: String,
    /// Why something newer of it may exist.
    pub(crate) why: String,
}

/// The signing stack that is served.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpDocument {
    /// Where it listens.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) address: SocketAddr,
    /// How clients reach it, and with it the certificate authority and the log.
    pub(crate) url: String,
    /// Its data directory.
    pub(crate) data: String,
    /// The trusted root for clients.
    pub(crate) trusted_root: String,
    /// The signing config for clients.
    pub(crate) signing_config: String,
    /// The registry's host and port, as references to images name it; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry: Option<String>,
    /// Where operators ask for metrics and readiness; absent if nowhere.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<SocketAddr>,
    /// Where timestamps are asked for.
    pub(crate) timestamps: String,
    /// The name of the log.
    pub(crate) log_origin: String,
    /// The public keys of the log, as C2SP signed-note has them.
    pub(crate) log_keys: Vec<String>,
    /// The URL of its repository of trust, for `signet trust init` and other clients of TUF; absent without a published root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trust: Option<String>,
    /// The root to pin; absent without a published root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trust_root: Option<String>,
    /// The public keys of its witness, as C2SP signed-note has them; its submission prefix is the URL. Absent without a
    /// witness.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) witness_keys: Vec<String>,
    /// Whose identity tokens are believed.
    pub(crate) issuers: Vec<String>,
    /// What is not ready yet.
    pub(crate) not_ready: Vec<&'static str>,
}
