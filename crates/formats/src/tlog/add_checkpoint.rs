//! What a log asks of a witness (C2SP tlog-witness, `add-checkpoint`).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::path::read_number;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::merkle::Hash;

/// The largest request that is read, in bytes: a checkpoint with [`crate::note::MAX_SIGNATURES`] lines of ML-DSA-44.
pub const MAX_ADD_CHECKPOINT_BYTES: usize = 512 * 1024;

/// A checkpoint that a witness is to cosign, and the proof that it appends to the one it cosigned last.
///
/// The text form, by [`fmt::Display`], is the body of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the witness cosigned last; 0 for the first.
    pub old_size: u64,
    /// The consistency proof from there; at most 63 hashes.
    pub proof: Vec<Hash>,
    /// The checkpoint, none of its signatures checked.
    pub checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// Reads a request: the old size, the proof, an empty line, the signed checkpoint.
    pub fn parse(body: &[u8]) -> Result<Self, AddCheckpointError> {
        if body.len() > MAX_ADD_CHECKPOINT_BYTES {
            return Err(AddCheckpointError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| AddCheckpointError::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(AddCheckpointError::Malformed)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(number);
        let old_size = old_size.ok_or(AddCheckpointError::OldSize)?;
        let proof: Option<Vec<Hash>> = lines.map(|line| BASE64.decode(line).ok()?.try_into().ok()).collect();
        let proof = proof.filter(|proof| proof.len() <= MAX_HASHES).ok_or(AddCheckpointError::Proof)?;
        let checkpoint = SignedCheckpoint::parse(note.as_bytes()).map_err(AddCheckpointError::Checkpoint)?;
        Ok(Self { old_size, proof, checkpoint })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint.note())
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddCheckpointError {
    /// What follows the empty line is no signed checkpoint.
    Checkpoint(CheckpointError),
    /// It is not lines, an empty line and a note.
    Malformed,
    /// The first line is not `old` and a decimal number without leading zeros.
    OldSize,
    /// The lines after it are not at most 63 hashes in base64.
    Proof,
    /// It is larger than [`MAX_ADD_CHECKPOINT_BYTES`].
    TooLarge,
}

impl fmt::Display for AddCheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(error) => error.fmt(f),
            Self::Malformed => f.write_str("the request has no empty line before its checkpoint"),
            Self::OldSize => f.write_str("the first line is not `old <size>`"),
            Self::Proof => f.write_str("the proof is not at most 63 hashes in base64, one a line"),
            Self::TooLarge => f.write_str("the request is too large"),
        }
    }
}

impl std::error::Error for AddCheckpointError {}

fn number(digits: &str) -> Option<u64> {
    Some(digits).filter(|digits| !digits.is_empty()).and_then(read_number)
}

const MAX_HASHES: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "example.org/log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u{2014} example.org/log AAAAAAA=\n";
    const HASH: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

    #[test]
    fn a_request_is_read_as_it_was_written() {
        for proof in ["", HASH, &HASH.repeat(63)] {
            let text = format!("old 5\n{proof}\n{NOTE}");
            let request = AddCheckpoint::parse(text.as_bytes()).unwrap();
            assert_eq!((request.old_size, request.checkpoint.checkpoint().size), (5, 7));
            assert_eq!(request.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        use AddCheckpointError::*;
        for (text, why) in [
            (format!("old 5\n{NOTE}"), Proof),
            (format!("old 05\n\n{NOTE}"), OldSize),
            (format!("old \n\n{NOTE}"), OldSize),
            (format!("old -1\n\n{NOTE}"), OldSize),
            (format!("old 18446744073709551616\n\n{NOTE}"), OldSize),
            (format!("new 5\n\n{NOTE}"), OldSize),
            (format!("old 5\n{}\n{NOTE}", HASH.repeat(64)), Proof),
            (format!("old 5\nAAAA\n\n{NOTE}"), Proof),
            ("old 5\n".to_owned(), Malformed),
            (" ".repeat(MAX_ADD_CHECKPOINT_BYTES + 1), TooLarge),
        ] {
            assert_eq!(
                AddCheckpoint::parse(text.as_bytes()),
                Err(why),
                "{}",
                text.get(..60).unwrap_or(&text)
            );
        }
        let unsigned = AddCheckpoint::parse(b"old 5\n\nexample.org/log\n7\n");
        assert!(matches!(unsigned, Err(Checkpoint(_))), "{unsigned:?}");
    }
}
