//! Why a key could not be read or written, by whose fault.

use std::io;
use std::path::PathBuf;

use signet_crypto::KeyAlgorithm;

use crate::password::PasswordError;

/// Why a key could not be made, decoded or encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's: the file cannot be opened or read.
    #[error("cannot read the file: {0}")]
    Unreadable(#[source] io::Error),
    /// The caller's: the file cannot be written.
    #[error("cannot write the file: {0}")]
    Unwritable(#[source] io::Error),
    /// The caller's: something is there already, and it was not to be replaced.
    #[error("the file exists and is not overwritten")]
    WouldOverwrite,
    /// The file's: longer than any key.
    #[error("the file is larger than {limit} bytes, which no key file is")]
    TooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// The file's: neither PEM with a key's label nor a JWK.
    #[error("not a key: no PEM block or JSON Web Key of a known kind")]
    NotAKey,
    /// The file's: two public keys, or two private ones, of which only one would be used.
    #[error("there is more than one key in the file; each needs a file of its own")]
    SeveralKeys,
    /// The caller's: a public key where a private one is needed.
    #[error("this is a public key; a private key is needed")]
    PublicKeyGiven,
    /// The caller's: a private key where a public one is needed.
    #[error("this is a private key; a public key is needed")]
    PrivateKeyGiven,
    /// The file's: a key's label on bytes that are not such a key.
    #[error("malformed {format}: {what}")]
    Malformed {
        /// The form the bytes claim to have.
        format: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// The file's: a kind of key that Signet does not use.
    #[error(
        "unsupported key algorithm or size (ECDSA P-256/384/521, RSA 2048 to 4096, Ed25519 and ML-DSA are accepted)"
    )]
    UnsupportedAlgorithm,
    /// The caller's: the format has no form for this algorithm.
    #[error("{format} cannot hold a key of algorithm {algorithm}")]
    UnsupportedFormat {
        /// The format asked for.
        format: &'static str,
        /// The key's algorithm.
        algorithm: KeyAlgorithm,
    },
    /// The file's: encrypted in a way that is not read.
    #[error("unsupported encryption of the key: {what}")]
    UnsupportedEncryption {
        /// What was found.
        what: &'static str,
    },
    /// The file's: key derivation parameters outside the limits; nothing was derived.
    #[error("key derivation parameter {name} = {value} is out of bounds ({accepted})")]
    KdfOutOfBounds {
        /// The parameter.
        name: &'static str,
        /// Its value in the file.
        value: u64,
        /// What is accepted.
        accepted: &'static str,
    },
    /// The caller's: the password does not open the key (or the ciphertext is damaged).
    #[error("wrong password")]
    WrongPassword,
    /// The caller's: the key is encrypted and no password was to be had.
    #[error(transparent)]
    NoPassword(#[from] PasswordError),
    /// Ours: the cryptographic library failed.
    #[error("the cryptographic library failed to {action}")]
    Library {
        /// What it was to do.
        action: &'static str,
    },
}

/// An [`Error`] and the file it is about.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {error}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What was wrong with it.
    #[source]
    pub error: Error,
}
