//! That whoever asks for a certificate holds the key that it is to be for.

use signet_crypto::{KeyAlgorithm, KeyError, PublicKey, Scheme};
use signet_formats::x509::CertificateRequest;

use crate::oidc::shortened;

/// A key and the proof that the client holds it.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A signature with the key over the token's challenge.
    Signature {
        /// The key.
        key: PublicKey,
        /// The signature.
        signature: Vec<u8>,
    },
    /// A request that is signed with its own key.
    Request(CertificateRequest),
}

impl Proof {
    /// The key, if the client holds it.
    pub(super) fn check(&self, challenge: &str) -> Result<PublicKey, ProofError> {
        match self {
            Self::Signature { key, signature } => {
                let key = acceptable(key.clone())?;
                let message = challenge.as_bytes();
                let schemes = Scheme::for_key(key.algorithm());
                match schemes.iter().any(|scheme| key.verify(*scheme, message, signature).is_ok()) {
                    true => Ok(key),
                    false => Err(ProofError::Challenge { challenge: shortened(challenge) }),
                }
            }
            Self::Request(request) => {
                let key = acceptable(request.public_key().map_err(ProofError::Key)?)?;
                request.verify(&key).map_err(|_| ProofError::Request)?;
                Ok(key)
            }
        }
    }
}

/// Why the client has not proven to hold a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The signature is not one over the challenge.
    #[error("the proof of possession is not a signature by the key over `{challenge}`")]
    Challenge {
        /// What was to be signed.
        challenge: String,
    },
    /// The key is unusable.
    #[error("{0}")]
    Key(KeyError),
    /// Clients cannot verify signatures by such a key.
    #[error("a key of algorithm {0} is not certified: use ECDSA, RSA or Ed25519")]
    KeyAlgorithm(KeyAlgorithm),
    /// An RSA key that is easy to misuse.
    #[error("an RSA key with a public exponent below 65537 is not certified")]
    SmallExponent,
    /// The request's own signature does not verify.
    #[error("the certificate signing request is not signed by its own key")]
    Request,
}

fn acceptable(key: PublicKey) -> Result<PublicKey, ProofError> {
    match key.algorithm() {
        other @ (KeyAlgorithm::MlDsa44 | KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87) => {
            Err(ProofError::KeyAlgorithm(other))
        }
        _ if key.has_small_exponent() => Err(ProofError::SmallExponent),
        _ => Ok(key),
    }
}
