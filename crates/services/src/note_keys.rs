//! The private keys that sign notes: those of a log, and those of a witness.

use std::sync::Arc;

use signet_crypto::{KeyAlgorithm, PublicKey, Scheme};
use signet_formats::note::{NoteError, VerifierKey};
use signet_keys::Signer;

/// A key as notes name it, how it signs, and what signs with it.
pub(crate) type NoteKey = (VerifierKey, Scheme, Arc<dyn Signer>);

/// An Ed25519 key, which every reader knows, and if wanted one of ML-DSA-44, under the names that `named` gives them. An
/// error if a name cannot be one, or a key is of another algorithm.
pub(crate) fn note_keys(
    ed25519: Arc<dyn Signer>,
    ml_dsa: Option<Arc<dyn Signer>>,
    named: impl Fn(PublicKey) -> Result<VerifierKey, NoteError>,
) -> Result<Vec<NoteKey>, NoteError> {
    let first = (KeyAlgorithm::Ed25519, Scheme::Ed25519, ed25519);
    let second = ml_dsa.map(|signer| (KeyAlgorithm::MlDsa44, Scheme::MlDsa44, signer));
    let keys = std::iter::once(first).chain(second).map(|(algorithm, scheme, signer)| {
        let key = signer.public_key().clone();
        match key.algorithm() == algorithm {
            true => Ok((named(key)?, scheme, signer)),
            false => Err(NoteError::KeyUnsupported),
        }
    });
    keys.collect()
}
