//! The command line: its types and their help, nothing that acts.

mod blob;
mod cosign;
mod deferred;
mod image;
mod keyless;
mod keys;
mod log;
mod registry;
mod serve;
mod shared;
mod sign;
mod tool;
mod trust;
mod up;
mod verify;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};

use deferred::Deferred;

pub(crate) use blob::{SignBlobArgs, VerifyBlobArgs};
pub(crate) use cosign::{CosignSignArgs, CosignVerifyArgs};
pub(crate) use image::{CopyArgs, InspectArgs, TreeArgs};
pub(crate) use keyless::{KeylessArgs, LoginFlow, ServicesArgs};
pub(crate) use keys::{
    ExportPublicArgs, GenerateArgs, ImportArgs, InspectKeyArgs, KeysCommand, PublicFormatName,
};
pub(crate) use log::{
    LogCommand, LogExportArgs, LogFreezeArgs, LogFsckArgs, LogMonitorArgs, LogProofArgs, LogRotateArgs,
    LogSearchArgs,
};
pub(crate) use registry::{FsckArgs, GcArgs, RegistryCommand};
pub(crate) use serve::{
    DevTokenArgs, OperatorArgs, SearchMode, ServeCaArgs, ServeCommand, ServeLogArgs, ServeOidcDevArgs,
    ServeRegistryArgs, ServeTrustArgs, ServeTsaArgs, ServeWitnessArgs,
};
pub(crate) use shared::{ConnectionArgs, HttpRegistry, PasswordArgs, TrustArgs, address, distinct, duration};
pub(crate) use sign::{ImageFormat, SignArgs};
pub(crate) use tool::{
    CompletionsArgs, ConformanceCommand, ConformanceTufArgs, ConformanceTufCommand, DemoArgs, DocsCommand,
    DoctorArgs, ExplainArgs, ManArgs, SignBundleArgs, VerifyBundleArgs,
};
pub(crate) use trust::{
    DraftArgs, TrustCommand, TrustCreateArgs, TrustExportArgs, TrustHomeArgs, TrustImportArgs, TrustInitArgs,
    TrustMergeArgs, TrustPublishArgs, TrustRotateArgs, TrustSignArgs,
};
pub(crate) use up::{BackupArgs, RestoreArgs, UpArgs};
pub(crate) use verify::VerifyArgs;

/// Sign container images and files, and decide whether what somebody signed may be used.
#[derive(Debug, Parser)]
#[command(
    name = "signet",
    bin_name = "signet",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    styles = STYLES,
    after_help = EXIT_STATUS,
    max_term_width = 110
)]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct GlobalArgs {
    /// How to print the result: `text` for people, `json` for one document of a committed schema.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text, value_name = "FORMAT", help_heading = "Global options")]
    pub(crate) output: Output,
    /// Print nothing but the result, and why there is none: no progress, no notes on standard error.
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign images in a registry, or a file with `--bundle`.
    Sign(Deferred<SignArgs>),
    /// Verify images, or a file with `--bundle`.
    Verify(Deferred<VerifyArgs>),
    /// Sign a file of any size and write the bundle beside it.
    SignBlob(Deferred<SignBlobArgs>),
    /// Verify a file, or a digest, against its bundle.
    VerifyBlob(Deferred<VerifyBlobArgs>),
    /// Show everything attached to an image, decoded.
    Inspect(Deferred<InspectArgs>),
    /// Show an image's platforms, signatures and attestations as a tree.
    Tree(Deferred<TreeArgs>),
    /// Copy an image with its platforms, signatures and attestations.
    Copy(Deferred<CopyArgs>),
    /// Make, convert and describe keys.
    #[command(subcommand)]
    Keys(Deferred<KeysCommand>),
    /// Run a whole signing stack in one process.
    Up(Deferred<UpArgs>),
    /// Write the state of a signing stack to one file.
    Backup(Deferred<BackupArgs>),
    /// Make a signing stack from a backup.
    Restore(Deferred<RestoreArgs>),
    /// Run a service.
    #[command(subcommand)]
    Serve(Deferred<ServeCommand>),
    /// Mint an identity token of a development issuer.
    DevToken(Deferred<DevTokenArgs>),
    /// Check, search, export and end a transparency log.
    #[command(subcommand)]
    Log(Deferred<LogCommand>),
    /// Pin a trust root and follow it; make, sign and publish one.
    #[command(subcommand)]
    Trust(Deferred<TrustCommand>),
    /// Maintain a registry's data directory.
    #[command(subcommand)]
    Registry(Deferred<RegistryCommand>),
    /// Check a data directory for damage.
    Fsck(Deferred<FsckArgs>),
    /// Check what signing and verifying depend on: clock, credentials, registry, trust.
    Doctor(Deferred<DoctorArgs>),
    /// Explain a code, or list all of them.
    Explain(Deferred<ExplainArgs>),
    /// Watch Signet sign a real image, verify it, and refuse five bad ones.
    Demo(Deferred<DemoArgs>),
    /// Print the completion script of a shell.
    Completions(Deferred<CompletionsArgs>),
    /// Print a manual page, or write all of them.
    Man(Deferred<ManArgs>),
    /// The protocols of conformance suites.
    #[command(subcommand, hide = true)]
    Conformance(Deferred<ConformanceCommand>),
    /// Print generated pages of the reference.
    #[command(subcommand, hide = true)]
    Docs(Deferred<DocsCommand>),
}

/// The end of `signet --help`.
const EXIT_STATUS: &str = "\
Exit status:
  0  yes
  1  no: denied, or not valid
  2  wrong usage, or an unusable file
  3  could not decide: network, registry, limits
  4  a defect of signet

Every refusal has a code: `signet explain SGN-1001` says what it means and what to do.";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_address_may_be_given_by_the_name_of_this_machine() {
        let kinds = ["log", "tsa", "ca --dev", "trust", "witness", "oidc-dev", "registry"];
        let services = kinds.map(|kind| format!("serve {kind} --admin localhost:2"));
        for service in services.iter().map(String::as_str).chain(["up"]) {
            let line = format!("signet {service} --data d --listen localhost:1");
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
