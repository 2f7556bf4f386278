//! The forms in which keys are kept, and which of them some bytes are in.

pub(crate) mod jwk;
pub(crate) mod oid;
mod pbes2;
mod pem;
mod scrypt;
mod sigstore;
mod traditional;

use std::{fmt, str};

use signet_crypto::{KeyAlgorithm, KeyError, PublicKey};
use zeroize::Zeroizing;

use crate::describe::KeyKind;
use crate::error::Error;
use crate::password::{Password, PasswordError};
use crate::private::PrivateKey;

/// How to write a private key.
#[derive(Clone, Copy, Debug)]
pub enum PrivateFormat<'a> {
    /// cosign's `ENCRYPTED SIGSTORE PRIVATE KEY`: scrypt and NaCl secretbox.
    Sigstore(&'a Password),
    /// `PRIVATE KEY`: PKCS#8, in the clear.
    Pkcs8,
    /// `ENCRYPTED PRIVATE KEY`: PKCS#8 under PBES2, PBKDF2-HMAC-SHA-256 and AES-256-CBC.
    EncryptedPkcs8(&'a Password),
    /// `EC PRIVATE KEY` (SEC1) or `RSA PRIVATE KEY` (PKCS#1), in the clear; no other algorithm has one.
    Traditional,
    /// A JSON Web Key (RFC 7517), in the clear; not for ML-DSA.
    Jwk,
}

/// How to write a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicFormat {
    /// `PUBLIC KEY`: PEM of the SubjectPublicKeyInfo.
    Pem,
    /// A JSON Web Key (RFC 7517); not for ML-DSA.
    Jwk,
}

impl PrivateKey {
    /// The key as the content of a file.
    pub fn encode(&self, format: PrivateFormat<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
        match format {
            PrivateFormat::Sigstore(password) => sigstore::seal(&self.to_pkcs8_der()?, password),
            PrivateFormat::Pkcs8 => pem::encode(pem::PKCS8, &self.to_pkcs8_der()?),
            PrivateFormat::EncryptedPkcs8(password) => {
                pem::encode(pem::ENCRYPTED_PKCS8, &pbes2::seal(&self.to_pkcs8_der()?, password)?)
            }
            PrivateFormat::Traditional => traditional::encode(self),
            PrivateFormat::Jwk => jwk::encode_private(self),
        }
    }
}

/// A public key as the content of a file.
pub fn encode_public(key: &PublicKey, format: PublicFormat) -> Result<Vec<u8>, Error> {
    match format {
        PublicFormat::Pem => pem::encode(pem::SPKI, key.spki_der()).map(|text| text.to_vec()),
        PublicFormat::Jwk => jwk::encode_public(key),
    }
}

/// Reads a private key in any form this crate knows. `password` is asked only if the key is encrypted.
pub fn read_private_bytes(
    bytes: &[u8],
    password: &dyn Fn() -> Result<Password, PasswordError>,
) -> Result<PrivateKey, Error> {
    let found = Found::in_bytes(bytes)?;
    match found.form {
        Form::Sigstore | Form::Cosign => {
            PrivateKey::from_pkcs8_der(&sigstore::Sealed::parse(&found.content)?.open(&password()?)?)
        }
        Form::EncryptedPkcs8 => {
            let sealed = pbes2::Sealed::parse(&found.content)?;
            // PBES2 does not authenticate: a wrong password may also show as a broken key.
            PrivateKey::from_pkcs8_der(&sealed.open(&password()?)?).map_err(|error| match error {
                Error::Malformed { .. } => Error::WrongPassword,
                other => other,
            })
        }
        Form::Pkcs8 => PrivateKey::from_pkcs8_der(&found.content),
        Form::Sec1 => traditional::read_sec1(&found.content),
        Form::Pkcs1 => PrivateKey::from_pkcs1_der(&found.content),
        Form::PrivateJwk => jwk::read_private(&found.content),
        Form::Spki | Form::Pkcs1Public | Form::PublicJwk => Err(Error::PublicKeyGiven),
    }
}

/// Reads a public key: `PUBLIC KEY`, `RSA PUBLIC KEY` or a public JWK.
pub fn read_public_bytes(bytes: &[u8]) -> Result<PublicKey, Error> {
    let found = Found::in_bytes(bytes)?;
    let key = match found.form {
        Form::Spki => PublicKey::from_spki_der(&found.content),
        // The algorithm's size is read from the key.
        Form::Pkcs1Public => PublicKey::from_bits(KeyAlgorithm::Rsa { bits: 0 }, &found.content),
        Form::PublicJwk => return jwk::read_public(&found.content),
        _ => return Err(Error::PrivateKeyGiven),
    };
    key.map_err(|error| match error {
        KeyError::Unsupported => Error::UnsupportedAlgorithm,
        KeyError::Malformed => Error::Malformed { format: "public key", what: "not a valid key" },
        KeyError::Weak => Error::Malformed { format: "public key", what: "weak: anybody can sign for it" },
        KeyError::OtherSpelling => Error::Malformed {
            format: "public key",
            what: "the point is compressed, or the parameters are not those of such a key; `openssl pkey -pubin -ec_conv_form uncompressed` writes a point out",
        },
    })
}

/// A key in some bytes: its form, and the DER or JSON inside.
pub(crate) struct Found {
    pub(crate) form: Form,
    pub(crate) content: Zeroizing<Vec<u8>>,
}

impl Found {
    /// Of the two halves of a pair in one file the first counts. Of two public keys or two private ones none does: who
    /// wrote the file meant both.
    pub(crate) fn in_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let text = bytes.trim_ascii_start();
        if text.first() == Some(&b'{') {
            return Ok(Self { form: jwk::form(text)?, content: Zeroizing::new(text.to_vec()) });
        }
        let mut blocks = pem::blocks(str::from_utf8(text).map_err(|_| Error::NotAKey)?);
        let block = blocks.next().ok_or(Error::NotAKey)?;
        let form = Form::of_label(block.label)?;
        let mut others = blocks.filter_map(|other| Form::of_label(other.label).ok());
        match others.any(|other| other.kind() == form.kind()) {
            true => Err(Error::SeveralKeys),
            false => Ok(Self { form, content: block.content()? }),
        }
    }

    /// How the key is encrypted, in words; `None` if it is not.
    pub(crate) fn encryption(&self) -> Result<Option<String>, Error> {
        match self.form {
            Form::Sigstore | Form::Cosign => Ok(Some(sigstore::Sealed::parse(&self.content)?.to_string())),
            Form::EncryptedPkcs8 => Ok(Some(pbes2::Sealed::parse(&self.content)?.to_string())),
            _ => Ok(None),
        }
    }
}

/// The form a key was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Sigstore,
    Cosign,
    Pkcs8,
    EncryptedPkcs8,
    Sec1,
    Pkcs1,
    PrivateJwk,
    Spki,
    Pkcs1Public,
    PublicJwk,
}

impl Form {
    pub(crate) fn kind(self) -> KeyKind {
        match self {
            Self::Spki | Self::Pkcs1Public | Self::PublicJwk => KeyKind::Public,
            _ => KeyKind::Private,
        }
    }

    fn of_label(label: &str) -> Result<Self, Error> {
        Ok(match label {
            pem::SIGSTORE => Self::Sigstore,
            pem::COSIGN => Self::Cosign,
            pem::PKCS8 => Self::Pkcs8,
            pem::ENCRYPTED_PKCS8 => Self::EncryptedPkcs8,
            pem::SEC1 => Self::Sec1,
            pem::PKCS1 => Self::Pkcs1,
            pem::SPKI => Self::Spki,
            pem::PKCS1_PUBLIC => Self::Pkcs1Public,
            _ => return Err(Error::NotAKey),
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sigstore => "sigstore-encrypted",
            Self::Cosign => "cosign-encrypted",
            Self::Pkcs8 => "pkcs8",
            Self::EncryptedPkcs8 => "pkcs8-encrypted",
            Self::Sec1 => "sec1",
            Self::Pkcs1 | Self::Pkcs1Public => "pkcs1",
            Self::PrivateJwk | Self::PublicJwk => "jwk",
            Self::Spki => "spki",
        })
    }
}
