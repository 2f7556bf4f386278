//! A proof in one file (C2SP tlog-proof): that an entry is in a log, with the checkpoint that says so.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::checkpoint::SignedCheckpoint;
use crate::merkle::{Hash, MerkleError, leaf_hash, verify_inclusion};
use crate::note::MAX_NOTE_BYTES;

/// An entry's index, the hashes from its leaf to the root, and the signed checkpoint. Its text form is the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProof {
    /// The entry's index.
    pub index: u64,
    /// The siblings, lowest first; at most 63.
    pub hashes: Vec<Hash>,
    /// The checkpoint, none of its signatures checked.
    pub checkpoint: SignedCheckpoint,
}

impl EntryProof {
    /// Checks that the entry is in the tree of the checkpoint. Who signed that is to be checked apart.
    pub fn verify(&self, entry: &[u8]) -> Result<(), MerkleError> {
        let checkpoint = self.checkpoint.checkpoint();
        verify_inclusion(self.index, checkpoint.size, &leaf_hash(entry), &self.hashes, &checkpoint.root)
    }
}

impl fmt::Display for EntryProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint.note())
    }
}

impl FromStr for EntryProof {
    type Err = EntryProofError;

    /// The unauthenticated `extra` line is skipped.
    fn from_str(text: &str) -> Result<Self, EntryProofError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(EntryProofError);
        }
        let (head, note) = text.split_once("\n\n").ok_or(EntryProofError)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(EntryProofError);
        }
        lines.next_if(|line| line.strip_prefix("extra ").is_some_and(|extra| BASE64.decode(extra).is_ok()));
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(EntryProofError)?;
        let index = super::path::read_number(index).ok_or(EntryProofError)?;
        let hash = |line: &str| BASE64.decode(line).ok()?.try_into().ok();
        let hashes: Option<Vec<Hash>> = lines.map(hash).collect();
        let hashes = hashes.filter(|hashes| hashes.len() <= MAX_HASHES).ok_or(EntryProofError)?;
        let checkpoint = SignedCheckpoint::parse(note.as_bytes()).map_err(|_| EntryProofError)?;
        Ok(Self { index, hashes, checkpoint })
    }
}

/// It is not a proof of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryProofError;

impl fmt::Display for EntryProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a proof of an entry (C2SP tlog-proof)")
    }
}

impl std::error::Error for EntryProofError {}

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const MAX_HASHES: usize = 63;
/// The note, the hashes, and a generous `extra` line.
const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 128 * 1024;
