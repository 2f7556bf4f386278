//! `signet trust`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PasswordArgs;
use super::deferred::Deferred;
use super::shared::time;

/// Pin a trust root and follow it; make, sign and publish one.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Pin a root, and follow its repository to the newest trust.
    Init(Deferred<TrustInitArgs>),
    /// Show what is pinned, and until when it may be used.
    Status(Deferred<TrustHomeArgs>),
    /// Follow the pinned root's repository to the newest trust.
    Update(Deferred<TrustHomeArgs>),
    /// Write all that a verifier needs into one file, for machines without a network.
    Export(Deferred<TrustExportArgs>),
    /// Take newer trust from a file that `signet trust export` wrote.
    Import(Deferred<TrustImportArgs>),
    /// Make a repository of trust, and draft its first root.
    Create(Deferred<TrustCreateArgs>),
    /// Draft the next root: other keys, another threshold, a later expiry.
    Rotate(Deferred<TrustRotateArgs>),
    /// Sign a drafted root with one of its keys, on whichever machine the key is.
    Sign(Deferred<TrustSignArgs>),
    /// Publish a root that enough keys have signed, and targets.
    Publish(Deferred<TrustPublishArgs>),
    /// Write one trusted root from several: of former keys, of other instances.
    Merge(Deferred<TrustMergeArgs>),
}

/// Where pinned trust is kept.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TrustHomeArgs {
    /// The directory of pinned trust. Unset: `signet/trust` in the user's data directory.
    #[arg(long, value_name = "DIR", env = "SIGNET_TRUST_DIR")]
    pub(crate) trust_dir: Option<PathBuf>,
}

/// Pin a root, and follow its repository to the newest trust.
///
/// Everything later is trusted because this root leads to it: take it from its owner, not from the repository.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustInitArgs {
    /// The repository's URL. Unset: only bundles are imported.
    #[arg(value_name = "URL", value_parser = url)]
    pub(crate) url: Option<String>,
    /// The root to pin, a `root.json`.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: PathBuf,
    /// A PEM file of certificate authorities to trust for the repository besides the system's, now and later.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) services_cacert: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) home: TrustHomeArgs,
}

/// Write all that a verifier needs into one file.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustExportArgs {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// For how many days after it was signed by its repository it may be used at most. Unset: until it expires.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) max_age_days: Option<u32>,
    #[command(flatten)]
    pub(crate) home: TrustHomeArgs,
}

/// Take newer trust from a file.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustImportArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// For how many days after it was signed by its repository it may be used, also beyond its expiry, if the file does
    /// not say less. Unset: until it expires.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) max_age_days: Option<u32>,
    #[command(flatten)]
    pub(crate) home: TrustHomeArgs,
}

/// Make a repository of trust, and draft its first root.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustCreateArgs {
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The public key of somebody who signs roots. Give one for each.
    #[arg(long, value_name = "PUB", required = true)]
    pub(crate) root_key: Vec<PathBuf>,
    /// How many of them must sign. Unset: more than half.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threshold: Option<u64>,
    /// The key for what is signed online: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds. It stays
    /// where it is. Unset: one that is made and kept in the data directory.
    #[arg(long, value_name = "KEY")]
    pub(crate) online_key: Option<PathBuf>,
    /// For how many days the root may be used.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) expires_days: u32,
    #[command(flatten)]
    pub(crate) draft: DraftArgs,
}

/// Draft the next root.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustRotateArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The public key of somebody who signs roots from now on.
    #[arg(long, value_name = "PUB")]
    pub(crate) add_root_key: Vec<PathBuf>,
    /// The public key of somebody who does not sign roots any more.
    #[arg(long, value_name = "PUB")]
    pub(crate) remove_root_key: Vec<PathBuf>,
    /// How many of the root keys must sign. Unset: as many as before.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threshold: Option<u64>,
    /// Make a new key for what is signed online, as after a break-in.
    #[arg(long, conflicts_with = "rehearse")]
    pub(crate) new_online_key: bool,
    /// Take another key for what is signed online: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds.
    /// It stays where it is.
    #[arg(long, value_name = "KEY", conflicts_with = "new_online_key")]
    pub(crate) online_key: Option<PathBuf>,
    /// For how many days the root may be used.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) expires_days: u32,
    #[command(flatten)]
    pub(crate) draft: DraftArgs,
}

/// What becomes of a draft.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DraftArgs {
    /// Say what would be drafted, and write nothing.
    #[arg(long)]
    pub(crate) rehearse: bool,
    /// Give up a draft that is there already, with the signatures that it has.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Sign a drafted root with one of its keys.
///
/// It shows what is signed. The file needs nothing else: carry it to each signer, and back to the publisher.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustSignArgs {
    /// The drafted root, to which the signature is added.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The private key: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// The root before it, for a key that the new one does not name any more.
    #[arg(long, value_name = "FILE")]
    pub(crate) previous: Option<PathBuf>,
    /// Show and check everything, and write nothing.
    #[arg(long)]
    pub(crate) rehearse: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// Publish a root that enough keys have signed, and targets.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustPublishArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The signed root. Unset: the one drafted in the data directory, if there is one.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// The `trusted_root.json` that verifiers are to use.
    #[arg(long, value_name = "FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
    /// The signing configuration that signers are to use.
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_config: Option<PathBuf>,
    /// Check everything as clients will, and publish nothing.
    #[arg(long)]
    pub(crate) rehearse: bool,
}

/// Write one trusted root from several: of former keys, of other instances.
///
/// What several of them have is taken as the first says it, and from `--retired` only what no other has.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustMergeArgs {
    /// The trusted roots, each a `trusted_root.json`, that count as they are.
    #[arg(value_name = "FILE", required_unless_present = "retired")]
    pub(crate) files: Vec<PathBuf>,
    /// A trusted root of what is not used any more: what it proved stays proven, and nothing later counts. Give one
    /// for each.
    #[arg(long, value_name = "FILE")]
    pub(crate) retired: Vec<PathBuf>,
    /// Until when that was used, such as `2026-11-21T18:00:00Z`. Unset: until now.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "retired")]
    pub(crate) at: Option<i64>,
    /// The file to write. An existing file is not overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Whether it can be asked is for who asks it to say.
fn url(text: &str) -> Result<String, String> {
    match text.contains("://") {
        true => Ok(text.to_owned()),
        false => Err("it does not begin with `https://`".to_owned()),
    }
}
