//! What a key file is, without opening it.

use std::fmt;

use signet_crypto::{Digest, KeyAlgorithm, PublicKey};

use crate::encoding::{Found, read_private_bytes, read_public_bytes};
use crate::error::Error;
use crate::password::PasswordError;

/// What can be said of a key file without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Private or public.
    pub kind: KeyKind,
    /// The file's form: `sigstore-encrypted`, `cosign-encrypted`, `pkcs8`, `pkcs8-encrypted`, `sec1`,
    /// `pkcs1`, `jwk` or `spki`.
    pub format: String,
    /// How it is encrypted, in words; `None` if it is not.
    pub encryption: Option<String>,
    /// The algorithm; `None` where the password is needed to see it.
    pub algorithm: Option<KeyAlgorithm>,
    /// SHA-256 of the public half's SubjectPublicKeyInfo; `None` where the password is needed to see it.
    pub id: Option<Digest>,
    /// Whether others than the owner may read the file; `None` for bytes, and where files have no modes.
    pub readable_by_others: Option<bool>,
}

/// Which half of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The half that signs.
    Private,
    /// The half that verifies.
    Public,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Public => "public",
        })
    }
}

/// Describes the key in `bytes`. An unencrypted key is read whole, so a broken one is an error.
pub fn describe(bytes: &[u8]) -> Result<KeyInfo, Error> {
    let found = Found::in_bytes(bytes)?;
    let encryption = found.encryption()?;
    let public = match (found.form.kind(), &encryption) {
        (KeyKind::Public, _) => Some(read_public_bytes(bytes)?),
        (KeyKind::Private, None) => {
            Some(read_private_bytes(bytes, &|| Err(PasswordError::NotSet))?.public_key().clone())
        }
        (KeyKind::Private, Some(_)) => None,
    };
    Ok(KeyInfo {
        kind: found.form.kind(),
        format: found.form.to_string(),
        encryption,
        algorithm: public.as_ref().map(PublicKey::algorithm),
        id: public.as_ref().map(PublicKey::id),
        readable_by_others: None,
    })
}
