//! Bytes that were signed, and their digests, each of which is computed once however many signatures,
//! keys and log entries are about them.

use std::cell::OnceCell;
use std::ops::Range;

use signet_crypto::{Digest, DigestAlgorithm};

use crate::Code;
use crate::budget::Budget;

/// A message, or a part of one.
#[derive(Debug)]
pub(crate) struct SignedBytes {
    bytes: Vec<u8>,
    /// The digests of the whole, by [`place`].
    whole: [OnceCell<Digest>; 3],
    /// Where the payload lies in the bytes.
    payload: Range<usize>,
    /// The digests of the payload.
    of_payload: [OnceCell<Digest>; 3],
}

impl SignedBytes {
    /// A message that is its own payload.
    pub(crate) fn plain(bytes: Vec<u8>) -> Self {
        let payload = 0..bytes.len();
        Self { bytes, whole: Default::default(), payload, of_payload: Default::default() }
    }

    /// A message of which the last `payload` bytes are the payload, as DSSE encodes it.
    pub(crate) fn ending_in(bytes: Vec<u8>, payload: usize) -> Self {
        let payload = bytes.len().saturating_sub(payload)..bytes.len();
        Self { payload, ..Self::plain(bytes) }
    }

    /// All of them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The payload.
    pub(crate) fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload.clone()).unwrap_or_default()
    }

    /// The digest of all of them; the first of an algorithm costs what it hashes.
    pub(crate) fn digest(&self, algorithm: DigestAlgorithm, budget: &Budget) -> Result<Digest, Code> {
        hashed(&self.bytes, &self.whole, algorithm, budget)
    }

    /// The digest of the payload; the first of an algorithm costs what it hashes.
    pub(crate) fn payload_digest(&self, algorithm: DigestAlgorithm, budget: &Budget) -> Result<Digest, Code> {
        hashed(self.payload(), &self.of_payload, algorithm, budget)
    }
}

fn hashed(
    bytes: &[u8],
    known: &[OnceCell<Digest>; 3],
    algorithm: DigestAlgorithm,
    budget: &Budget,
) -> Result<Digest, Code> {
    let [sha256, sha384, sha512] = known;
    let known = match algorithm {
        DigestAlgorithm::Sha256 => sha256,
        DigestAlgorithm::Sha384 => sha384,
        DigestAlgorithm::Sha512 => sha512,
    };
    if known.get().is_none() {
        budget.spend_bytes(bytes.len()).map_err(|_| Code::BudgetExhausted)?;
    }
    Ok(*known.get_or_init(|| Digest::of(algorithm, bytes)))
}
