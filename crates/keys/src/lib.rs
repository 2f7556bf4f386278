//! Private keys and the [`Signer`] trait: generate, read, write, sign.
//!
//! [`Signer`] is what the rest of Signet signs with; it does not say where the key lives.
//! [`PrivateKey`] is the one that lives in memory and in files: cosign's
//! `ENCRYPTED SIGSTORE PRIVATE KEY`, PKCS#8 plain and under PBES2, SEC1, PKCS#1 and JWK. [`OutsideKey`] is one that a program
//! holds, and [`KeyReference`] names either.
//!
//! Trusted with: private keys, in memory (cleared when dropped) and in files (0600, written whole or
//! not at all). Who reads a key file that is not under a password can sign as its owner. A lost key
//! file is not recoverable; its signatures stay valid.
//!
//! ```
//! use signet_crypto::KeyAlgorithm;
//! use signet_keys::{Password, PrivateFormat, PrivateKey, read_private_bytes};
//!
//! let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
//! let file = key.encode(PrivateFormat::Pkcs8)?;
//! let again = read_private_bytes(&file, &|| Ok(Password::default()))?;
//! assert_eq!(again.public_key(), key.public_key());
//! # Ok::<(), signet_keys::Error>(())
//! ```

mod algorithm;
mod describe;
mod encoding;
mod error;
mod file;
mod hash_key;
mod outside;
mod password;
mod private;
mod reference;
mod signer;

pub use algorithm::{SigningAlgorithm, UnknownAlgorithm};
pub use describe::{KeyInfo, KeyKind, describe};
pub use encoding::{PrivateFormat, PublicFormat, encode_public, read_private_bytes, read_public_bytes};
pub use error::{Error, FileError};
pub use file::{
    MAX_KEY_FILE, Pair, describe_file, read_private, read_public, write_pair, write_private, write_public,
};
pub use hash_key::HashKey;
pub use outside::{Fault, OutsideError, OutsideKey, OutsideReference};
pub use password::{Line, MAX_PASSWORD, Password, PasswordError, PasswordSource, Prompt, Purpose};
pub use private::{PrivateKey, random};
pub use reference::{KeyReference, KeyUnavailable};
pub use signer::{Payload, SignError, Signer};
pub use signet_platform::Existing;
