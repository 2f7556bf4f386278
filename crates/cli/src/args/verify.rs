//! `signet verify`.

use std::path::PathBuf;

use clap::Args;

use super::{ConnectionArgs, TrustArgs};

/// Verify images, or a file with `--bundle`.
///
/// Each tag is resolved once, and the digest that was verified is printed. Of several images the worst
/// answer is the exit status, in the order 4, 3, 1, 0.
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The images, as `registry/repository:tag`, `…@sha256:…`, `oci:DIR[:TAG]` or `oci-archive:FILE[:TAG]`.
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Verify a file instead, against this bundle.
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}
