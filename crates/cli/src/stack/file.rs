//! What the file says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use signet_server::host::Bounds;
use signet_services::{ca, log};
use signet_verify::Code;

use super::span::Span;
use crate::args::UpArgs;
use crate::error::{CliError, about};

/// The configuration of `signet up`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct StackFile {
    /// The version of this file's format: `signet.dev/v1alpha1`.
    pub(crate) api_version: String,
    /// What this file is: `Stack`.
    pub(crate) kind: String,
    /// The data directory; it is made if it does not exist.
    #[schemars(with = "Option<String>")]
    pub(crate) data: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one.
    #[schemars(with = "String")]
    pub(crate) listen: SocketAddr,
    /// The URL that clients reach it by. Unset: where it listens.
    pub(crate) public_url: Option<String>,
    /// For development: an issuer whose tokens `signet dev-token` mints, and timestamps by this machine's clock.
    /// On loopback only.
    pub(crate) dev: bool,
    /// Serve HTTPS.
    pub(crate) tls: TlsSection,
    /// Where operators ask for metrics and readiness.
    pub(crate) admin: AdminSection,
    /// What it writes to standard error.
    pub(crate) logging: LoggingSection,
    /// Bounds on what clients can use up.
    pub(crate) limits: LimitsSection,
    /// The registry, at `/v2/`.
    pub(crate) registry: RegistrySection,
    /// The transparency log, in the API of Rekor v2.
    pub(crate) log: LogSection,
    /// The timestamp authority (RFC 3161).
    pub(crate) tsa: TsaSection,
    /// The certificate authority, in the API of Fulcio, and its log of certificates.
    pub(crate) ca: CaSection,
}

impl Default for StackFile {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            data: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 7446)),
            public_url: None,
            dev: false,
            tls: TlsSection::default(),
            admin: AdminSection::default(),
            logging: LoggingSection::default(),
            limits: LimitsSection::default(),
            registry: RegistrySection::default(),
            log: LogSection::default(),
            tsa: TsaSection::default(),
            ca: CaSection::default(),
        }
    }
}

impl StackFile {
    /// What the options and the file that they may name say; an option counts before the file.
    pub(crate) fn effective(args: &UpArgs) -> Result<Self, CliError> {
        let mut file = args.config.as_deref().map_or_else(|| Ok(Self::default()), Self::read)?;
        file.data = args.data.clone().or(file.data);
        file.listen = args.listen.unwrap_or(file.listen);
        file.public_url = args.public_url.clone().or(file.public_url);
        file.dev |= args.dev;
        Ok(file)
    }

    fn read(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|error| CliError::unreadable(path, error))?;
        let unusable = |why: String| CliError::new(Code::ConfigInvalid, about(path, why));
        if text.len() > MAX_FILE_BYTES {
            return Err(unusable("it is larger than 1 MiB".to_owned()));
        }
        let file: Self = serde_saphyr::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        match (file.api_version.as_str(), file.kind.as_str()) {
            (API_VERSION, KIND) => Ok(file),
            (version, kind) => {
                Err(unusable(format!("it is `{kind}` of `{version}`, not `{KIND}` of `{API_VERSION}`")))
            }
        }
    }
}

/// Serve HTTPS.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TlsSection {
    /// The PEM certificate chain. Unset: plain HTTP, on loopback or behind a proxy that speaks HTTPS.
    #[schemars(with = "Option<String>")]
    pub(crate) certificate: Option<PathBuf>,
    /// The PEM key of the certificate.
    #[schemars(with = "Option<String>")]
    pub(crate) key: Option<PathBuf>,
}

/// Where operators ask.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct AdminSection {
    /// The address of `/metrics`, `/healthz` and `/ready`, which everyone who reaches it may read. Unset: none.
    #[schemars(with = "Option<String>")]
    pub(crate) listen: Option<SocketAddr>,
}

/// What it writes to standard error.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct LoggingSection {
    /// Lines for people (`text`), or one JSON document a line (`json`).
    pub(crate) format: LogFormat,
    /// Write a line for each request, with its id.
    pub(crate) requests: bool,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Bounds on what clients can use up.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
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
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RegistrySection {
    /// Whether there is one.
    pub(crate) enabled: bool,
    /// Users and their bcrypt passwords, as `htpasswd -B` writes them. Without them the stack listens on loopback only.
    #[schemars(with = "Option<String>")]
    pub(crate) htpasswd: Option<PathBuf>,
    /// Who may pull and push where, as JSON. Unset: every user may do both everywhere.
    #[schemars(with = "Option<String>")]
    pub(crate) access: Option<PathBuf>,
    /// Collect garbage so often while it runs; what is younger than an hour is kept. Unset: never.
    pub(crate) gc_interval: Option<Span>,
    /// Serve only what this policy permits; needs users. Unset: everything.
    #[schemars(with = "Option<String>")]
    pub(crate) require_signed: Option<PathBuf>,
    /// The keys of principals that the policy names by id.
    #[schemars(with = "Vec<String>")]
    pub(crate) keys: Vec<PathBuf>,
    /// The witnesses of logs that the policy counts: verifier keys, or files with one on each line.
    pub(crate) witnesses: Vec<String>,
    /// The Sigstore `trusted_root.json` that the policy is decided with.
    #[schemars(with = "Option<String>")]
    pub(crate) trusted_root: Option<PathBuf>,
}

impl Default for RegistrySection {
    fn default() -> Self {
        Self {
            enabled: true,
            htpasswd: None,
            access: None,
            gc_interval: None,
            require_signed: None,
            keys: Vec::new(),
            witnesses: Vec::new(),
            trusted_root: None,
        }
    }
}

/// The transparency log.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct LogSection {
    /// Sign checkpoints with ML-DSA-44 as well. A log that has begun to goes on.
    pub(crate) ml_dsa: bool,
    /// The least time between two checkpoints under load; an entry that finds the log idle does not wait.
    pub(crate) interval: Span,
    /// How many entries may wait; more are refused as too many.
    pub(crate) queue: usize,
    /// How many bytes of entries may wait.
    pub(crate) queue_bytes: usize,
}

impl Default for LogSection {
    fn default() -> Self {
        let log::Limits { queue, queue_bytes, interval } = log::Limits::default();
        Self { ml_dsa: false, interval: Span(interval), queue, queue_bytes }
    }
}

/// The timestamp authority.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TsaSection {
    /// How far timestamps may be off. They state it; while the clock may be off by more there are none.
    pub(crate) accuracy: Span,
    /// Time servers to ask, as `host:port`. Empty: the kernel's own bound counts.
    pub(crate) ntp: Vec<String>,
    /// How many time servers have to agree. Unset: most of them.
    pub(crate) ntp_agree: Option<usize>,
    /// The private key to sign with. Unset: one that is made at the first start.
    #[schemars(with = "Option<String>")]
    pub(crate) key: Option<PathBuf>,
    /// The PEM certificates of the key: its own first, its root last.
    #[schemars(with = "Option<String>")]
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
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CaSection {
    /// Whose identity tokens are believed, as YAML in the shape that Fulcio reads. Unset: nobody's but, in development,
    /// those of `signet dev-token`.
    #[schemars(with = "Option<String>")]
    pub(crate) issuers: Option<PathBuf>,
    /// The private key to issue with. Unset: one that is made at the first start.
    #[schemars(with = "Option<String>")]
    pub(crate) key: Option<PathBuf>,
    /// The PEM certificates of the key: its own first, its root last.
    #[schemars(with = "Option<String>")]
    pub(crate) certificate_chain: Option<PathBuf>,
    /// PEM files with the roots of other authorities, whose certificates the log of certificates takes as well.
    #[schemars(with = "Vec<String>")]
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

const API_VERSION: &str = "signet.dev/v1alpha1";
const KIND: &str = "Stack";
const MAX_FILE_BYTES: usize = 1 << 20;
