//! What the file says.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signet_verify::Code;

use super::listen::Listen;
use super::sections::{
    AdminSection, CaSection, LimitsSection, LogSection, LoggingSection, RegistrySection, TlsSection,
    TrustSection, TsaSection, WitnessSection,
};
use crate::args::UpArgs;
use crate::error::{CliError, about};

/// The configuration of `signet up`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct StackFile {
    /// The version of this file's format: `signet.dev/v1alpha1`.
    pub(crate) api_version: String,
    /// What this file is: `Stack`.
    pub(crate) kind: String,
    /// The data directory; it is made if it does not exist.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) data: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) listen: Listen,
    /// The URL that clients reach it by. Unset: where it listens.
    pub(crate) public_url: Option<String>,
    /// For development: an issuer whose tokens `signet dev-token` mints, and timestamps by this machine's clock.
    /// On loopback only.
    pub(crate) dev: bool,
    /// Trusted roots of what clients are to go on trusting besides: former keys, other instances.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(crate) also_trust: Vec<PathBuf>,
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
    /// The repository of trust (TUF), at `/tuf/`.
    pub(crate) trust: TrustSection,
    /// A witness of logs (C2SP tlog-witness).
    pub(crate) witness: WitnessSection,
}

impl Default for StackFile {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            data: None,
            listen: Listen(([127, 0, 0, 1], 7446).into()),
            public_url: None,
            dev: false,
            also_trust: Vec::new(),
            tls: TlsSection::default(),
            admin: AdminSection::default(),
            logging: LoggingSection::default(),
            limits: LimitsSection::default(),
            registry: RegistrySection::default(),
            log: LogSection::default(),
            tsa: TsaSection::default(),
            ca: CaSection::default(),
            trust: TrustSection::default(),
            witness: WitnessSection::default(),
        }
    }
}

impl StackFile {
    /// What the options and the file that they may name say; an option counts before the file.
    pub(crate) fn effective(args: &UpArgs) -> Result<Self, CliError> {
        let mut file = args.config.as_deref().map_or_else(|| Ok(Self::default()), Self::read)?;
        file.data = args.data.clone().or(file.data);
        file.listen = args.listen.map_or(file.listen, Listen);
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

const API_VERSION: &str = "signet.dev/v1alpha1";
const KIND: &str = "Stack";
const MAX_FILE_BYTES: usize = 1 << 20;
