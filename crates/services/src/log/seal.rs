//! What tells the header of a batch from bytes that only look like one.
//!
//! Entries are others' bytes, any bytes. Where the end of a log is torn, what stands there is searched for the header of a
//! batch: found, acknowledged entries are damaged. Whoever could write an entry that has one in it could make a torn
//! end look like damage, so that the log starts no more. A header is therefore proven with a secret of its segment, which
//! stands at the segment's beginning and which no reader of the log is ever given.

use std::fs::File;
use std::io;

use signet_crypto::Digest;
use signet_store::fs::read_exact_at;

/// How the headers of a segment are proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seal {
    /// By a hash that everybody can make, as format version 1 had it. It is read, never written.
    Plain,
    /// By a hash with the segment's secret.
    Salted([u8; SALT_BYTES]),
}

impl Seal {
    /// One for a new segment.
    pub(super) fn fresh() -> io::Result<Self> {
        signet_keys::random().map(Self::Salted).map_err(io::Error::other)
    }

    /// What a segment begins with that has this seal.
    pub(super) fn preamble(&self) -> Vec<u8> {
        let Self::Salted(salt) = self else { return Vec::new() };
        let text = [PREAMBLE.as_slice(), salt].concat();
        let check = Digest::sha256(&text);
        [&text, check.as_bytes()].concat()
    }

    /// The seal of a salted segment. It is whole from the moment that the segment has its name.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; PREAMBLE_BYTES];
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the beginning of a segment is damaged");
        read_exact_at(file, &mut bytes, 0).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => error,
        })?;
        let salt = bytes.get(PREAMBLE.len()..).and_then(|rest| rest.first_chunk()).copied();
        let seal = salt.map(Self::Salted).filter(|seal| seal.preamble() == bytes);
        seal.ok_or_else(damaged)
    }

    /// Where the first batch of a segment begins that has this seal.
    pub(super) fn first_offset(&self) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Salted(_) => PREAMBLE_BYTES as u64,
        }
    }

    /// What a header begins with.
    pub(super) fn magic(&self) -> &'static [u8; 4] {
        match self {
            Self::Plain => b"SLW1",
            Self::Salted(_) => b"SLW2",
        }
    }

    /// What proves a header of this text, which always has the same length.
    pub(super) fn check(&self, text: &[u8]) -> Digest {
        match self {
            Self::Plain => Digest::sha256(text),
            Self::Salted(salt) => Digest::sha256(&[salt, text].concat()),
        }
    }
}

const PREAMBLE: [u8; 4] = *b"SLS2";
const SALT_BYTES: usize = 16;
const PREAMBLE_BYTES: usize = PREAMBLE.len() + SALT_BYTES + 32;
