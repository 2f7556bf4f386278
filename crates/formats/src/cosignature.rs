//! Cosignatures of witnesses on checkpoints (C2SP tlog-cosignature v1.1).
//!
//! A cosignature says that at its time the witness had seen no other view of the log.

use signet_crypto::Scheme;

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::note::{KeyKind, NoteError, NoteSignature, VerifierKey};

/// A cosignature that has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// When the witness signed, in seconds since 1970; 0 makes no claim about freshness.
    pub timestamp: u64,
}

/// Checks the cosignature that a key made under the checkpoint.
///
/// An error if there is none, if any line under the key's name and id does not verify, or if the key
/// is of a kind that does not cosign.
pub fn verify(signed: &SignedCheckpoint, key: &VerifierKey) -> Result<Cosignature, NoteError> {
    if !matches!(key.kind(), KeyKind::CosignatureV1 | KeyKind::SubtreeV1) {
        return Err(NoteError::KeyUnsupported);
    }
    signed.note().verify_each(key, |line| {
        let (timestamp, signature) = split(line.signature()).ok_or(NoteError::MalformedSignature)?;
        let message = message(signed.checkpoint(), key, timestamp)?;
        let scheme = match key.kind() {
            KeyKind::SubtreeV1 => Scheme::MlDsa44,
            _ => Scheme::Ed25519,
        };
        key.key().verify(scheme, &message, signature).map_err(|_| NoteError::SignatureInvalid)?;
        Ok(Cosignature { timestamp })
    })
}

/// The bytes that a witness signs for a checkpoint at a time in seconds since 1970.
///
/// An error for a key that does not cosign and for names that the message has no room for.
pub fn message(checkpoint: &Checkpoint, key: &VerifierKey, timestamp: u64) -> Result<Vec<u8>, NoteError> {
    match key.kind() {
        KeyKind::CosignatureV1 => Ok(format!("cosignature/v1\ntime {timestamp}\n{checkpoint}").into_bytes()),
        KeyKind::SubtreeV1 => {
            let mut message = SUBTREE_LABEL.to_vec();
            push_short(&mut message, key.name())?;
            message.extend_from_slice(&timestamp.to_be_bytes());
            push_short(&mut message, &checkpoint.origin)?;
            // A checkpoint is the subtree from the first entry to the last.
            message.extend_from_slice(&0_u64.to_be_bytes());
            message.extend_from_slice(&checkpoint.size.to_be_bytes());
            message.extend_from_slice(&checkpoint.root);
            Ok(message)
        }
        _ => Err(NoteError::KeyUnsupported),
    }
}

/// The signature line of a cosignature: the signature over [`message`] and its time.
pub fn line(key: &VerifierKey, timestamp: u64, signature: &[u8]) -> NoteSignature {
    NoteSignature::new(key, [&timestamp.to_be_bytes(), signature].concat())
}

fn split(blob: &[u8]) -> Option<(u64, &[u8])> {
    let (timestamp, signature) = blob.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*timestamp), signature))
}

/// Appends a text of 1 to 255 bytes with its length before it.
fn push_short(message: &mut Vec<u8>, text: &str) -> Result<(), NoteError> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length > 0).ok_or(NoteError::Name)?;
    message.push(length);
    message.extend_from_slice(text.as_bytes());
    Ok(())
}

const SUBTREE_LABEL: &[u8; 12] = b"subtree/v1\n\0";
