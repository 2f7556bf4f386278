//! What everything that signs asks for.

use async_trait::async_trait;
use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm, PublicKey, Scheme};

use crate::outside::OutsideError;

/// A key that signs, wherever it lives: in memory, in a device, behind a network.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// The schemes this signer can make, the preferred one first. Never empty.
    fn schemes(&self) -> &[Scheme];

    /// Signs `payload`. Where the key lives outside of this process, and where a miscalculated signature could give it
    /// away, the signature has been verified with [`Self::public_key`] before it is released.
    async fn sign(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, SignError>;

    /// Why it is not to be counted on to sign now: it did not the last time, or was not asked yet.
    fn doubt(&self) -> Option<String> {
        None
    }
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// The whole message.
    Message(&'a [u8]),
    /// The digest of a message, computed elsewhere, under the scheme's own hash.
    Digest(&'a Digest),
}

impl Payload<'_> {
    /// Refuses a payload that `scheme` cannot sign. For implementors of [`Signer`].
    pub fn fit(self, scheme: Scheme) -> Result<Self, SignError> {
        match (self, scheme.digest()) {
            (Self::Message(_), _) => Ok(self),
            (Self::Digest(_), None) => Err(SignError::NeedsMessage { scheme }),
            (Self::Digest(digest), Some(wanted)) if digest.algorithm() == wanted => Ok(self),
            (Self::Digest(digest), Some(wanted)) => {
                Err(SignError::WrongDigest { scheme, wanted, given: digest.algorithm() })
            }
        }
    }

    /// The digest that `scheme` signs, or the whole message where it signs that. For implementors of [`Signer`].
    pub fn prehashed(&self, scheme: Scheme) -> Result<Digest, &[u8]> {
        match (*self, scheme.digest()) {
            (Self::Digest(digest), _) => Ok(*digest),
            (Self::Message(message), Some(hash)) => Ok(Digest::of(hash, message)),
            (Self::Message(message), None) => Err(message),
        }
    }

    /// Whether `signature` is one over this payload; `Ok` hands it on. For implementors of [`Signer`].
    pub fn released(self, key: &PublicKey, scheme: Scheme, signature: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let verified = match self {
            Self::Message(message) => key.verify(scheme, message, &signature),
            Self::Digest(digest) => key.verify_digest(scheme, digest, &signature),
        };
        verified.map(|()| signature).map_err(|_| SignError::Faulty { scheme })
    }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// Caller: the key cannot make signatures of this scheme.
    #[error("a key of algorithm {key} cannot make {scheme} signatures")]
    UnsupportedScheme {
        /// What was asked for.
        scheme: Scheme,
        /// The key's algorithm.
        key: KeyAlgorithm,
    },
    /// Caller: the scheme signs whole messages and only a digest was given.
    #[error("{scheme} signs the whole message, not a digest of it")]
    NeedsMessage {
        /// What was asked for.
        scheme: Scheme,
    },
    /// Caller: the digest was made by another hash than the scheme's.
    #[error("{scheme} signs {wanted} digests, not {given}")]
    WrongDigest {
        /// What was asked for.
        scheme: Scheme,
        /// The scheme's hash.
        wanted: DigestAlgorithm,
        /// The hash of the digest given.
        given: DigestAlgorithm,
    },
    /// The key's home: it failed or refused, in its own words.
    #[error("the signer failed: {reason}")]
    Backend {
        /// What it said.
        reason: String,
    },
    /// The key's home: the program that holds it did not sign.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// The key's home: it answered with a signature that its public key does not verify. Nothing was released.
    #[error("the signer made a {scheme} signature that its own public key does not verify")]
    Faulty {
        /// What was asked for.
        scheme: Scheme,
    },
}
