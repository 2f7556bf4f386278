//! `signet sign-blob` and `signet verify-blob`.

use std::path::PathBuf;

use clap::Args;
use signet_crypto::Scheme;

use super::shared::scheme;
use super::{CosignSignArgs, KeylessArgs, PasswordArgs, TrustArgs};

/// Sign a file of any size and write the bundle beside it.
#[derive(Clone, Debug, Args)]
pub(crate) struct SignBlobArgs {
    /// The file to sign.
    pub(crate) file: PathBuf,
    /// The private key: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds. Without one, a certificate for an
    /// identity signs: see *Keyless signing*.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// How to sign where the key can do more than one: `rsa-pss-sha256`, `ed25519ph`, or a name of cosign's.
    #[arg(long, visible_alias = "signing-algorithm", value_name = "SCHEME", value_parser = scheme)]
    pub(crate) scheme: Option<Scheme>,
    /// Where to write the bundle. An existing file is not overwritten.
    #[arg(long, value_name = "OUT")]
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) keyless: KeylessArgs,
    #[command(flatten)]
    pub(crate) cosign: CosignSignArgs,
}

/// Verify a file, or a digest, against its bundle.
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyBlobArgs {
    /// The bundle.
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    /// The file to verify, or its digest as `sha256:…`.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}
