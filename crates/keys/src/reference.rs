//! How a private key is named that may be a file, or be held by something outside of this process.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::PathBuf;

use signet_crypto::PublicKey;

use crate::error::FileError;
use crate::file::read_private;
use crate::outside::{Fault, OutsideError, OutsideKey, OutsideReference};
use crate::password::PasswordSource;
use crate::signer::Signer;

/// A private key by where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReference {
    /// In a file.
    File(PathBuf),
    /// With a program that signs, `NAME://ID`.
    Outside(OutsideReference),
}

impl KeyReference {
    /// Reads `NAME://ID`, and everything else as the path of a file.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self, KeyUnavailable> {
        let named = text.as_ref().to_str().map(OutsideReference::parse).transpose()?.flatten();
        Ok(named.map_or_else(|| Self::File(PathBuf::from(text.as_ref())), Self::Outside))
    }

    /// The same, that names the same from every working directory.
    pub fn absolute(self) -> io::Result<Self> {
        Ok(match self {
            Self::File(path) => Self::File(std::path::absolute(path)?),
            Self::Outside(_) => self,
        })
    }

    /// The key, ready to sign. `password` is asked only for a file that is encrypted.
    pub async fn open(&self, password: &PasswordSource) -> Result<Box<dyn Signer>, KeyUnavailable> {
        Ok(match self {
            Self::File(path) => Box::new(read_private(path, password)?),
            Self::Outside(reference) => Box::new(OutsideKey::open(reference).await?),
        })
    }

    /// The same, of which this has to be the public half. What is outside may be out of reach, but not be another one.
    pub async fn open_certified(
        &self,
        public: &PublicKey,
        password: &PasswordSource,
    ) -> Result<Box<dyn Signer>, KeyUnavailable> {
        let asked = match self {
            Self::File(_) => None,
            Self::Outside(reference) => Some(OutsideKey::open(reference).await),
        };
        match asked {
            Some(Ok(key)) if key.public_key() != public => {
                Err(KeyUnavailable::Another { reference: self.to_string() })
            }
            // As a file that is not there: nobody brings it while this runs.
            Some(Err(error)) if matches!(error.fault, Fault::Run { .. }) => Err(error.into()),
            _ => self.open_known(public, password),
        }
    }

    /// The key of which this is the public half, ready to sign. What is outside is not asked before it signs.
    pub fn open_known(
        &self,
        public: &PublicKey,
        password: &PasswordSource,
    ) -> Result<Box<dyn Signer>, KeyUnavailable> {
        let signer: Box<dyn Signer> = match self {
            Self::File(path) => Box::new(read_private(path, password)?),
            Self::Outside(reference) => Box::new(OutsideKey::known(reference, public.clone())?),
        };
        match signer.public_key() == public {
            true => Ok(signer),
            false => Err(KeyUnavailable::Another { reference: self.to_string() }),
        }
    }
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Outside(reference) => write!(f, "{reference}"),
        }
    }
}

/// Why a key could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUnavailable {
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// What holds it cannot be used.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// It is there, and is another one.
    #[error("`{reference}` is another key than it was")]
    Another {
        /// The key, as it was named.
        reference: String,
    },
}
