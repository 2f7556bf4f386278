//! The keys of a log.

use std::sync::Arc;

use signet_crypto::Scheme;
use signet_formats::checkpoint::Checkpoint;
use signet_formats::note::{Note, NoteError, VerifierKey};
use signet_formats::static_ct::{tree_head, tree_head_line};
use signet_keys::{Payload, SignError, Signer};

use super::form::Form;
use crate::clock::{Clock, milliseconds};
use crate::note_keys::{NoteKey, note_keys};

/// What signs a log's checkpoints: an Ed25519 key, which every reader knows, and if wanted one of ML-DSA-44; for a log
/// of certificates one of P-256.
#[derive(Clone)]
pub struct LogSigner {
    origin: String,
    form: Form,
    /// For signatures that say when.
    clock: Option<Arc<dyn Clock>>,
    keys: Vec<NoteKey>,
    log_id: [u8; 32],
}

impl LogSigner {
    /// The keys of the log of this name. An error if the name cannot be one, or a key is of another algorithm.
    pub fn new(
        origin: &str,
        ed25519: Arc<dyn Signer>,
        ml_dsa: Option<Arc<dyn Signer>>,
    ) -> Result<Self, NoteError> {
        let keys = note_keys(ed25519, ml_dsa, |key| VerifierKey::log(origin, key))?;
        let log_id = keys.first().map(|(key, _, _)| log_id(key)).unwrap_or_default();
        Ok(Self { origin: origin.to_owned(), form: Form::Bytes, clock: None, keys, log_id })
    }

    /// The P-256 key of the log of certificates of this name.
    pub fn of_certificates(
        origin: &str,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NoteError> {
        let key = VerifierKey::certificate_log(origin, signer.public_key().clone())?;
        let log_id = log_id(&key);
        let keys = vec![(key, Scheme::EcdsaP256Sha256, signer)];
        Ok(Self { origin: origin.to_owned(), form: Form::Certificates, clock: Some(clock), keys, log_id })
    }

    /// What the log's entries are.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public halves, Ed25519 first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.keys.iter().map(|(key, _, _)| key)
    }

    /// The SHA-256 that the first key's id is cut from: how entries of Rekor v2 name their log.
    pub fn log_id(&self) -> &[u8; 32] {
        &self.log_id
    }

    /// Signs a checkpoint with each key.
    pub(crate) async fn sign(&self, checkpoint: &Checkpoint) -> Result<Note, SignError> {
        if let Some(clock) = &self.clock {
            return self.sign_head(checkpoint, milliseconds(clock.as_ref())).await;
        }
        let mut signatures = Vec::new();
        for (key, scheme, signer) in &self.keys {
            let message = checkpoint.message(key).map_err(unsignable)?;
            signatures.push((key.clone(), signer.sign(*scheme, Payload::Message(&message)).await?));
        }
        checkpoint.signed(&signatures).map_err(unsignable)
    }

    /// Signs a checkpoint as RFC 6962 signs tree heads.
    async fn sign_head(&self, checkpoint: &Checkpoint, timestamp: u64) -> Result<Note, SignError> {
        let mut note = Note::new(&checkpoint.to_string()).map_err(unsignable)?;
        for (key, scheme, signer) in &self.keys {
            let message = tree_head(checkpoint, timestamp);
            let signature = signer.sign(*scheme, Payload::Message(&message)).await?;
            let line = tree_head_line(key, timestamp, &signature).map_err(unsignable)?;
            note.push(line).map_err(unsignable)?;
        }
        Ok(note)
    }
}

fn log_id(key: &VerifierKey) -> [u8; 32] {
    key.full_id().as_bytes().first_chunk().copied().unwrap_or_default()
}

fn unsignable(error: NoteError) -> SignError {
    SignError::Backend { reason: error.to_string() }
}
