//! The parts of the file.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use signet_server::host::Bounds;
use signet_services::{ca, log};

use super::listen::Listen;
use super::span::Span;
use crate::args::SearchMode;

/// Serve HTTPS.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TlsSection {
    /// The PEM certificate chain. Unset: plain HTTP, on loopback or behind a proxy that speaks HTTPS.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) certificate: Option<PathBuf>,
    /// The PEM key of the certificate.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) key: Option<PathBuf>,
}

/// Where operators ask.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct AdminSection {
    /// The address of `/metrics`, `/healthz` and `/ready`, which everyone who reaches it may read. Unset: none.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) listen: Option<Listen>,
}

/// What it writes to standard error.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct LoggingSection {
    /// Lines for people (`text`), or one JSON document a line (`json`).
    pub(crate) format: LogFormat,
    /// Write a line for each request, with its id.
    pub(crate) requests: bool,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Bounds on what clients can use up.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct LimitsSection {
    /// How many connections are served at once; more wait.
    pub(crate) connections: usize,
    /// How long a connection may carry nothing.
    pub(crate) idle: Span,
    /// How long requests may take to end once the stack stops.
    pub(crate) drain: Span,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let Bounds { connections, idle, drain } = Bounds::default();
        Self { connections, idle: Span(idle), drain: Span(drain) }
    }
}

/// The registry.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RegistrySection {
    /// Whether there is one.
    pub(crate) enabled: bool,
    /// Users and their bcrypt passwords, as `htpasswd -B` writes them. Without them the stack listens on loopback only.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) htpasswd: Option<PathBuf>,
    /// Who may pull and push where, as JSON. Unset: every user may do both everywhere.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) access: Option<PathBuf>,
    /// Without users: let everybody push and pull who reaches it by `publicUrl`. Only behind a proxy that asks who they are.
    pub(crate) anonymous: bool,
    /// Collect garbage so often while it runs; what is younger than an hour is kept. Unset: never.
    pub(crate) gc_interval: Option<Span>,
    /// Serve only what this policy permits, but to those who may push; needs `access`. Unset: everything.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) require_signed: Option<PathBuf>,
    /// The keys of principals that the policy names by id.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(crate) keys: Vec<PathBuf>,
    /// The witnesses of logs that the policy counts: verifier keys, or files with one on each line.
    pub(crate) witnesses: Vec<String>,
    /// The Sigstore `trusted_root.json` that the policy is decided with.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) trusted_root: Option<PathBuf>,
}

impl Default for RegistrySection {
    fn default() -> Self {
        Self {
            enabled: true,
            htpasswd: None,
            access: None,
            anonymous: false,
            gc_interval: None,
            require_signed: None,
            keys: Vec::new(),
            witnesses: Vec::new(),
            trusted_root: None,
        }
    }
}

/// The transparency log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct LogSection {
    /// Sign checkpoints with ML-DSA-44 as well. A log that has begun to goes on.
    pub(crate) ml_dsa: bool,
    /// The least time between two checkpoints under load, at most a minute; an entry that finds the log idle does not wait.
    pub(crate) interval: Span,
    /// How many entries may wait, at most 1048576; more are refused as too many.
    pub(crate) queue: usize,
    /// How many bytes of entries may wait.
    pub(crate) queue_bytes: usize,
    /// Publish only what the witnesses of this policy (C2SP tlog-policy) have cosigned, once a second at most. Unset: without
    /// witnesses.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) witness_policy: Option<PathBuf>,
    /// How long a witness may take, at most 10s.
    pub(crate) witness_timeout: Span,
    /// Serve a search of the entries, at `/api/v1/search`: `public` tells the identities that it finds, `hashed-identity` only
    /// their hashes. Unset: none.
    pub(crate) search: Option<SearchMode>,
}

impl Default for LogSection {
    fn default() -> Self {
        let log::Limits { queue, queue_bytes, interval } = log::Limits::default();
        let (witness_policy, witness_timeout) = (None, Span(WITNESS_WITHIN));
        let interval = Span(interval);
        Self { ml_dsa: false, interval, queue, queue_bytes, witness_policy, witness_timeout, search: None }
    }
}

/// The timestamp authority.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TsaSection {
    /// How far timestamps may be off. They state it; while the clock may be off by more there are none.
    pub(crate) accuracy: Span,
    /// Time servers to ask, as `host` or `host:port`, at least three. Empty: the kernel's own bound counts.
    pub(crate) ntp: Vec<String>,
    /// How many time servers have to agree, also of fewer than three. Unset: most of them.
    pub(crate) ntp_agree: Option<usize>,
    /// The private key to sign with: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds. Unset: one that is made
    /// at the first start.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) key: Option<PathBuf>,
    /// The PEM certificates of the key: its own first, its root last.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) certificate_chain: Option<PathBuf>,
}

impl Default for TsaSection {
    fn default() -> Self {
        Self {
            accuracy: Span(Duration::from_secs(1)),
            ntp: Vec::new(),
            ntp_agree: None,
            key: None,
            certificate_chain: None,
        }
    }
}

/// The certificate authority.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CaSection {
    /// Whose identity tokens are believed, as YAML in the shape that Fulcio reads. Unset: nobody's but, in development,
    /// those of `signet dev-token`.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) issuers: Option<PathBuf>,
    /// The private key to issue with: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds. Unset: one that is made
    /// at the first start.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) key: Option<PathBuf>,
    /// The PEM certificates of the key: its own first, its root last.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) certificate_chain: Option<PathBuf>,
    /// PEM files with the roots of other authorities, whose certificates the log of certificates takes as well.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(crate) ct_roots: Vec<PathBuf>,
    /// How many certificates one identity may have in a minute.
    pub(crate) per_identity: u32,
    /// How many certificates the identities of one issuer may have together in a minute.
    pub(crate) per_issuer: u32,
}

impl Default for CaSection {
    fn default() -> Self {
        let (per_identity, per_issuer) = (ca::PER_IDENTITY.count, ca::PER_ISSUER.count);
        Self {
            issuers: None,
            key: None,
            certificate_chain: None,
            ct_roots: Vec::new(),
            per_identity,
            per_issuer,
        }
    }
}

/// The repository of trust.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TrustSection {
    /// Publish what is in `client/` there, and sign it again before it expires: in development under a root that the first
    /// start makes, else from when a root is published in `trust/` in the data directory (`signet trust create`).
    pub(crate) enabled: bool,
}

impl Default for TrustSection {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// A witness of logs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct WitnessSection {
    /// Whether there is one.
    pub(crate) enabled: bool,
    /// The logs that it cosigns: verifier keys, or files with a list of them (`logs/v0`).
    pub(crate) logs: Vec<String>,
    /// Cosign the log of this stack, too. Who runs both proves nothing by it to others.
    pub(crate) own_log: bool,
    /// Its name. Unset: one that is made at the first start.
    pub(crate) name: Option<String>,
    /// Cosign with ML-DSA-44 as well. A witness that has begun to goes on.
    pub(crate) ml_dsa: bool,
}

/// How long a log waits for a witness unless it is told.
const WITNESS_WITHIN: Duration = Duration::from_secs(2);
