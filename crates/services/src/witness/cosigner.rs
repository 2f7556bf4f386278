//! The keys of a witness.

use std::sync::Arc;

use signet_formats::checkpoint::Checkpoint;
use signet_formats::cosignature;
use signet_formats::note::{NoteError, NoteSignature, VerifierKey};
use signet_keys::{Payload, SignError, Signer};

use crate::note_keys::{NoteKey, note_keys};

/// What cosigns: an Ed25519 key, which every reader knows, and if wanted one of ML-DSA-44.
#[derive(Clone)]
pub struct Cosigner {
    keys: Vec<NoteKey>,
}

impl Cosigner {
    /// The keys of the witness of this name. An error if the name cannot be one, or a key is of another algorithm.
    pub fn new(
        name: &str,
        ed25519: Arc<dyn Signer>,
        ml_dsa: Option<Arc<dyn Signer>>,
    ) -> Result<Self, NoteError> {
        Ok(Self { keys: note_keys(ed25519, ml_dsa, |key| VerifierKey::witness(name, key))? })
    }

    /// The public halves, Ed25519 first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.keys.iter().map(|(key, _, _)| key)
    }

    /// A line by each key over the checkpoint at this time.
    pub(super) async fn cosign(
        &self,
        checkpoint: &Checkpoint,
        time: u64,
    ) -> Result<Vec<NoteSignature>, SignError> {
        let mut lines = Vec::new();
        for (key, scheme, signer) in &self.keys {
            let message = cosignature::message(checkpoint, key, time)
                .map_err(|error| SignError::Backend { reason: error.to_string() })?;
            let signature = signer.sign(*scheme, Payload::Message(&message)).await?;
            lines.push(cosignature::line(key, time, &signature));
        }
        Ok(lines)
    }
}
