//! The keys of a log.

use std::sync::Arc;

use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::checkpoint::Checkpoint;
use signet_formats::note::{Note, NoteError, VerifierKey};
use signet_keys::{Payload, SignError, Signer};

/// What signs a log's checkpoints: an Ed25519 key, which every reader knows, and if wanted one of ML-DSA-44.
#[derive(Clone)]
pub struct LogSigner {
    origin: String,
    keys: Vec<(VerifierKey, Scheme, Arc<dyn Signer>)>,
}

impl LogSigner {
    /// The keys of the log of this name. An error if the name cannot be one, or a key is of another algorithm.
    pub fn new(
        origin: &str,
        ed25519: Arc<dyn Signer>,
        ml_dsa: Option<Arc<dyn Signer>>,
    ) -> Result<Self, NoteError> {
        let first = (KeyAlgorithm::Ed25519, Scheme::Ed25519, ed25519);
        let second = ml_dsa.map(|signer| (KeyAlgorithm::MlDsa44, Scheme::MlDsa44, signer));
        let keys = std::iter::once(first).chain(second).map(|(algorithm, scheme, signer)| {
            let key = signer.public_key().clone();
            match key.algorithm() == algorithm {
                true => Ok((VerifierKey::log(origin, key)?, scheme, signer)),
                false => Err(NoteError::KeyUnsupported),
            }
        });
        Ok(Self { origin: origin.to_owned(), keys: keys.collect::<Result<_, _>>()? })
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public halves, Ed25519 first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.keys.iter().map(|(key, _, _)| key)
    }

    /// Signs a checkpoint with each key.
    pub(crate) async fn sign(&self, checkpoint: &Checkpoint) -> Result<Note, SignError> {
        let unsignable = |error: NoteError| SignError::Backend { reason: error.to_string() };
        let mut signatures = Vec::new();
        for (key, scheme, signer) in &self.keys {
            let message = checkpoint.message(key).map_err(unsignable)?;
            signatures.push((key.clone(), signer.sign(*scheme, Payload::Message(&message)).await?));
        }
        checkpoint.signed(&signatures).map_err(unsignable)
    }
}
