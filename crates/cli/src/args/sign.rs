//! `signet sign`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use signet_crypto::Scheme;
use signet_formats::oci::Platform;
use signet_images::parse_platform;

use super::shared::{Annotations, annotations, scheme};
use super::{ConnectionArgs, CosignSignArgs, KeylessArgs, PasswordArgs};

/// Sign images in a registry, or a file with `--bundle`.
///
/// The tag is resolved once and the digest is signed: the index and every platform in it. Running the
/// command again when the signature is there changes nothing.
#[derive(Clone, Debug, Args)]
pub(crate) struct SignArgs {
    /// The images, as `registry/repository:tag`, `…@sha256:…` or `oci:DIR[:TAG]`.
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
    /// The private key: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds. Without one, a certificate for an
    /// identity signs: see *Keyless signing*.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// In which format to sign; `cosign-legacy` is what podman and CRI-O read.
    #[arg(long, value_enum, default_value_t = ImageFormat::Bundle)]
    pub(crate) format: ImageFormat,
    /// How to sign where the key can do more than one: `rsa-pss-sha256`, `ed25519ph`, or a name of cosign's.
    #[arg(long, visible_alias = "signing-algorithm", value_name = "SCHEME", value_parser = scheme)]
    pub(crate) scheme: Option<Scheme>,
    /// Sign these platforms of an index only, such as `linux/arm64` or `linux/amd64,linux/arm64`; the index itself is not
    /// signed. Without a variant every variant is meant.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_delimiter = ',', value_parser = parse_platform, conflicts_with = "index_only")]
    pub(crate) platform: Vec<Platform>,
    /// Sign the index only and not the platforms in it.
    #[arg(long)]
    pub(crate) index_only: bool,
    /// Sign a file instead, and write its bundle here.
    #[arg(long, value_name = "OUT", conflicts_with_all = ["format", "platform", "index_only"])]
    pub(crate) bundle: Option<PathBuf>,
    /// An annotation to sign with the image; cosign and `signet verify` can ask for it.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = annotations, conflicts_with = "bundle")]
    pub(crate) annotations: Vec<Annotations>,
    #[command(flatten)]
    pub(crate) keyless: KeylessArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) cosign: CosignSignArgs,
}

/// The formats in which images are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageFormat {
    /// A Sigstore bundle, attached as a referrer.
    Bundle,
    /// A simple signature under the tag `sha256-….sig`.
    CosignLegacy,
}
