//! `signet inspect`, `signet tree` and `signet copy`.

use clap::Args;

use super::{ConnectionArgs, TrustArgs};

/// Show everything attached to an image, decoded.
///
/// What is only claimed is told from what is verified; give `--key` or an identity to have it verified.
#[derive(Clone, Debug, Args)]
pub(crate) struct InspectArgs {
    /// The image.
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Show an image's platforms, signatures and attestations as a tree.
#[derive(Clone, Debug, Args)]
pub(crate) struct TreeArgs {
    /// The image.
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Copy an image with its platforms, signatures and attestations.
///
/// An interrupted copy is finished by running it again; what is there already is not sent twice.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopyArgs {
    /// From where: `registry/repository:tag`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:REFERENCE]`.
    #[arg(value_name = "SRC")]
    pub(crate) source: String,
    /// To where, in the same spellings.
    #[arg(value_name = "DST")]
    pub(crate) destination: String,
    /// Copy the image and its platforms only, and nothing that is attached to them.
    #[arg(long)]
    pub(crate) no_referrers: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}
