//! Commands about Signet itself: explain, doctor, demo, completions, man, and the hidden ones.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::ConnectionArgs;

/// Explain a code, or list all of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, as `SGN-1001`.
    pub(crate) code: Option<String>,
}

/// Check what signing and verifying depend on: clock, credentials, registry, trust.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    /// An image whose registry, credentials and signature storage to check.
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// The trust root whose age and validity to check.
    #[arg(long, value_name = "FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
    /// The data directory of a repository of trust whose expiry to check.
    #[arg(long, value_name = "DIR")]
    pub(crate) trust_data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Watch Signet sign a real image, verify it, and refuse five bad ones.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Leave the registry running at the end, until Ctrl-C, and its directory in place.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Print the completion script of a shell.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Print a manual page, or write all of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// The command to print the page of, such as `keys generate`. Unset: `signet` itself.
    pub(crate) command: Vec<String>,
    /// Write the pages of all commands into this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) out: Option<PathBuf>,
}

/// The protocols of conformance suites.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConformanceCommand {
    /// Verify a bundle.
    VerifyBundle(VerifyBundleArgs),
    /// Sign a file.
    SignBundle(SignBundleArgs),
    /// Follow a TUF repository, as the client of tuf-conformance.
    Tuf(ConformanceTufArgs),
}

/// Follow a TUF repository.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConformanceTufArgs {
    /// Where trusted metadata is kept.
    #[arg(long)]
    pub(crate) metadata_dir: PathBuf,
    /// Where the repository's metadata is.
    #[arg(long)]
    pub(crate) metadata_url: Option<String>,
    /// The targets to get.
    #[arg(long)]
    pub(crate) target_name: Vec<String>,
    /// Where the repository's targets are.
    #[arg(long)]
    pub(crate) target_base_url: Option<String>,
    /// Where targets are kept.
    #[arg(long)]
    pub(crate) target_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ConformanceTufCommand,
}

/// What tuf-conformance asks for.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConformanceTufCommand {
    /// Trust this root.
    Init {
        /// The root.
        root: PathBuf,
    },
    /// Update the metadata.
    Refresh,
    /// Update the metadata, then get the targets.
    Download,
}

/// Verify a bundle.
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyBundleArgs {
    /// Use Sigstore's staging instance, whose trust root must be given.
    #[arg(long)]
    pub(crate) staging: bool,
    /// The bundle.
    #[arg(long)]
    pub(crate) bundle: PathBuf,
    /// The identity in the certificate.
    #[arg(long, conflicts_with = "key", requires = "certificate_oidc_issuer")]
    pub(crate) certificate_identity: Option<String>,
    /// The OIDC issuer in the certificate.
    #[arg(long, conflicts_with = "key", requires = "certificate_identity")]
    pub(crate) certificate_oidc_issuer: Option<String>,
    /// The public key.
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
    /// The trust root.
    #[arg(long)]
    pub(crate) trusted_root: Option<PathBuf>,
    /// The file, or its digest.
    pub(crate) file_or_digest: PathBuf,
}

/// Sign a file.
#[derive(Clone, Debug, Args)]
pub(crate) struct SignBundleArgs {
    /// Use Sigstore's staging instance.
    #[arg(long)]
    pub(crate) staging: bool,
    /// The file is an in-toto statement.
    #[arg(long)]
    pub(crate) in_toto: bool,
    /// The identity token to get a certificate with.
    #[arg(long)]
    pub(crate) identity_token: String,
    /// Where to write the bundle.
    #[arg(long)]
    pub(crate) bundle: PathBuf,
    /// The trust root.
    #[arg(long)]
    pub(crate) trusted_root: Option<PathBuf>,
    /// The services to use.
    #[arg(long)]
    pub(crate) signing_config: Option<PathBuf>,
    /// The file.
    pub(crate) file: PathBuf,
}

/// Print generated pages of the reference.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DocsCommand {
    /// The reference of the command line.
    Cli,
    /// The page of all codes.
    Codes,
    /// The page of the configuration of `signet up`.
    StackConfig,
}
