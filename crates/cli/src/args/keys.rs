//! `signet keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use signet_crypto::KeyAlgorithm;

use super::PasswordArgs;
use super::deferred::Deferred;
use super::shared::key_algorithm;

/// Make, convert and describe keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Generate a key pair: PREFIX.key and PREFIX.pub.
    Generate(Deferred<GenerateArgs>),
    /// Import a private key of another format: PREFIX.key and PREFIX.pub.
    Import(Deferred<ImportArgs>),
    /// Print the public half of a key.
    ExportPublic(Deferred<ExportPublicArgs>),
    /// Tell what a key file is, without its password.
    Inspect(Deferred<InspectKeyArgs>),
}

/// Generate a key pair: PREFIX.key and PREFIX.pub.
#[derive(Clone, Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The start of both file names.
    #[arg(long, visible_alias = "output-key-prefix", value_name = "PREFIX")]
    pub(crate) out: PathBuf,
    /// What kind of key: `ecdsa-p256`, `ecdsa-p384`, `ecdsa-p521`, `rsa-2048`, `rsa-3072`, `rsa-4096`, `ed25519`,
    /// `ml-dsa-44`, `ml-dsa-65`, `ml-dsa-87`, or a name of cosign's.
    #[arg(long, visible_alias = "signing-algorithm", default_value = "ecdsa-p256", value_name = "ALGORITHM", value_parser = key_algorithm)]
    pub(crate) algorithm: KeyAlgorithm,
    /// Write the private key without a password, as plain PKCS#8.
    #[arg(long, conflicts_with_all = ["password_file", "password_fd"])]
    pub(crate) no_password: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// Import a private key of another format: PREFIX.key and PREFIX.pub.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// The key to import: PKCS#8, SEC1, PKCS#1, JWK or a key of cosign's.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The start of both file names.
    #[arg(long, visible_alias = "output-key-prefix", value_name = "PREFIX")]
    pub(crate) out: PathBuf,
    /// Write the private key without a password, as plain PKCS#8.
    #[arg(long)]
    pub(crate) no_password: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// Print the public half of a key.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportPublicArgs {
    /// The private or public key: a file, or `NAME://ID`, which the program `sigstore-kms-NAME` holds.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// In which format.
    #[arg(long, value_enum, default_value_t = PublicFormatName::Pem)]
    pub(crate) format: PublicFormatName,
    /// Write to this file and not to standard output. An existing file is not overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// The formats of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PublicFormatName {
    /// PEM `PUBLIC KEY`.
    Pem,
    /// JSON Web Key.
    Jwk,
}

/// Tell what a key file is, without its password.
#[derive(Clone, Debug, Args)]
pub(crate) struct InspectKeyArgs {
    /// The key.
    pub(crate) file: PathBuf,
}
