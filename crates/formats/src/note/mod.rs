//! Signed notes and the keys that sign them (C2SP signed-note v1).

mod key;

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

pub use key::{KeyId, KeyKind, VerifierKey, is_name};

/// The largest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 1024 * 1024;

/// The most signature lines that a note may have (the specification asks for at least 16).
pub const MAX_SIGNATURES: usize = 64;

/// A text and the signatures below it, none of them checked yet. Its bytes are its [`fmt::Display`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note without signatures. The text has to end in a line break and, apart from line breaks,
    /// be free of control characters.
    pub fn new(text: &str) -> Result<Self, NoteError> {
        let clean = !text.contains(|c: char| c != '\n' && c.is_control());
        match clean && text.ends_with('\n') && text.len() <= MAX_NOTE_BYTES {
            true => Ok(Self { text: text.to_owned(), signatures: Vec::new() }),
            false => Err(NoteError::Malformed),
        }
    }

    /// Reads a note: text, empty line, one to [`MAX_SIGNATURES`] signature lines.
    ///
    /// Every line has to be well-formed, whether its key is known or not.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed)?;
        // "The last empty line": the text may have others.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unsigned)?;
        let mut parsed = Self::new(&format!("{text}\n"))?;
        for line in lines.split('\n') {
            parsed.push(line.parse()?)?;
        }
        Ok(parsed)
    }

    /// The signed text, with its last line break.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in their order, those of unknown keys too.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The signatures under the name and id of this key.
    pub fn signatures_by(&self, key: &VerifierKey) -> impl Iterator<Item = &NoteSignature> {
        self.signatures.iter().filter(|line| line.name == key.name && line.key_id == key.id())
    }

    /// Adds a signature below the others.
    pub fn push(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        match self.signatures.len() < MAX_SIGNATURES {
            true => self.signatures.push(signature),
            false => return Err(NoteError::TooManySignatures),
        }
        Ok(())
    }

    /// Checks the signature of a log's key, of a kind that signs the text itself.
    ///
    /// If there are several under this key's name and id, each of them has to verify: the
    /// specification rejects a note with a bad signature by a known key.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        self.verify_each(key, |line| match key.verifies(&self.text, &line.signature) {
            true => Ok(()),
            false => Err(NoteError::SignatureInvalid),
        })
    }

    /// Runs `check` on each signature under the key's name and id; returns the last result.
    pub(crate) fn verify_each<T>(
        &self,
        key: &VerifierKey,
        check: impl FnMut(&NoteSignature) -> Result<T, NoteError>,
    ) -> Result<T, NoteError> {
        let results = self.signatures_by(key).map(check).collect::<Result<Vec<_>, _>>()?;
        results.into_iter().next_back().ok_or(NoteError::NoSignatureByKey)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// One signature line of a note: `— <name> <base64 of key id and signature>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: KeyId,
    signature: Vec<u8>,
}

impl NoteSignature {
    /// A signature by this key.
    pub fn new(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self { name: key.name.clone(), key_id: key.id(), signature }
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The signature, without the key id; in a cosignature it begins with the timestamp.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let line = line.strip_prefix("\u{2014} ").ok_or(NoteError::MalformedSignature)?;
        let (name, blob) = line.split_once(' ').ok_or(NoteError::MalformedSignature)?;
        let blob = BASE64.decode(blob).map_err(|_| NoteError::MalformedSignature)?;
        match blob.split_first_chunk::<4>() {
            Some((key_id, signature)) if is_name(name) && !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), key_id: KeyId(*key_id), signature: signature.to_vec() })
            }
            _ => Err(NoteError::MalformedSignature),
        }
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = BASE64.encode([&self.key_id.0[..], &self.signature].concat());
        write!(f, "\u{2014} {} {blob}", self.name)
    }
}

/// Why a note or a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteError {
    /// The id in a vkey is not that of its name and key.
    KeyIdMismatch,
    /// A key algorithm or type that does not sign notes.
    KeyUnsupported,
    /// It is not a text, an empty line and signature lines.
    Malformed,
    /// A vkey is not of its form.
    MalformedKey,
    /// A signature line is not of its form.
    MalformedSignature,
    /// A key's name is empty or has a space or `+`.
    Name,
    /// No signature line has the name and id of the key.
    NoSignatureByKey,
    /// A signature under the name and id of the key does not verify.
    SignatureInvalid,
    /// It is larger than [`MAX_NOTE_BYTES`].
    TooLarge,
    /// There are more than [`MAX_SIGNATURES`].
    TooManySignatures,
    /// There is no signature line at all.
    Unsigned,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyIdMismatch => "the id in the note key is not that of its name and key",
            Self::KeyUnsupported => "this kind of key does not sign notes",
            Self::Malformed => "not a well-formed signed note",
            Self::MalformedKey => "not a note key: expected `<name>+<id>+<base64>`",
            Self::MalformedSignature => "the note has a malformed signature line",
            Self::Name => "the name of a note key is empty or has a space or `+`",
            Self::NoSignatureByKey => "the note has no signature by this key",
            Self::SignatureInvalid => "the note's signature by this key does not verify",
            Self::TooLarge => "the note is too large",
            Self::TooManySignatures => "the note has more than 64 signatures",
            Self::Unsigned => "the note has no signature",
        })
    }
}

impl std::error::Error for NoteError {}
