//! Checkpoints of transparency logs (C2SP tlog-checkpoint v1).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::cosignature;
use crate::merkle::Hash;
use crate::note::{KeyKind, Note, NoteError, NoteSignature, VerifierKey};

/// What a log commits to: its name, its size and its root.
///
/// The text form, by [`fmt::Display`], is the text of the signed note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log, which is not always the name of its key (Rekor v1 adds a tree id).
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Further lines. ML-DSA cosignatures do not cover them.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// Reads the text of a checkpoint: origin, size, root, extension lines; none of them empty.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Malformed)?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty()).ok_or(CheckpointError::Origin)?;
        let size = lines.next().and_then(read_size).ok_or(CheckpointError::Size)?;
        let root = lines.next().and_then(read_root).ok_or(CheckpointError::Root)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Malformed);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// The bytes that the log signs with this key: the text, or for ML-DSA-44 the message of a
    /// cosignature at no stated time. An error for a key that is a witness's or signs times as well.
    pub fn message(&self, key: &VerifierKey) -> Result<Vec<u8>, NoteError> {
        match key.kind() {
            KeyKind::SubtreeV1 => cosignature::message(self, key, NO_TIME),
            KeyKind::CosignatureV1 | KeyKind::CertificateLog => Err(NoteError::KeyUnsupported),
            KeyKind::Ed25519 | KeyKind::Ecdsa | KeyKind::Rsa => Ok(self.to_string().into_bytes()),
        }
    }

    /// The signed note: the text, and a line for each signature over [`Checkpoint::message`].
    pub fn signed(&self, signatures: &[(VerifierKey, Vec<u8>)]) -> Result<Note, NoteError> {
        let mut note = Note::new(&self.to_string())?;
        for (key, signature) in signatures {
            note.push(match key.kind() {
                KeyKind::SubtreeV1 => cosignature::line(key, NO_TIME, signature),
                _ => NoteSignature::new(key, signature.clone()),
            })?;
        }
        Ok(note)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A checkpoint and the note that carries it with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Reads a signed note whose text is a checkpoint. No signature is checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes).map_err(CheckpointError::Note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { checkpoint, note })
    }

    /// What the log commits to.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, for checking its signatures: [`Note::verify`], [`crate::cosignature::verify`].
    pub fn note(&self) -> &Note {
        &self.note
    }
}

/// Why a checkpoint was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It does not end in a line break, or has an empty extension line.
    Malformed,
    /// It is not in a well-formed signed note.
    Note(NoteError),
    /// The first line is not a name.
    Origin,
    /// The third line is not the base64 of 32 bytes.
    Root,
    /// The second line is not a decimal number without leading zeros.
    Size,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a well-formed checkpoint"),
            Self::Note(error) => write!(f, "the checkpoint is unusable: {error}"),
            Self::Origin => f.write_str("the checkpoint has no origin"),
            Self::Root => f.write_str("the checkpoint has no root of 32 bytes in its third line"),
            Self::Size => f.write_str("the checkpoint has no decimal size in its second line"),
        }
    }
}

impl std::error::Error for CheckpointError {}

/// What tlog-cosignature has where nothing is said about how new a tree is.
const NO_TIME: u64 = 0;

fn read_size(line: &str) -> Option<u64> {
    let digits = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (line == "0" || !line.starts_with('0'));
    canonical.then(|| line.parse().ok()).flatten()
}

fn read_root(line: &str) -> Option<Hash> {
    BASE64.decode(line).ok()?.try_into().ok()
}
