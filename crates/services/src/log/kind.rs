//! What a log takes.

use std::fmt;

use serde::{Deserialize, Serialize};
use signet_formats::rekor::EntryFacts;
use signet_formats::tlog::{Entries, EntryBundle};

use super::archive::Archive;
use super::{OpenError, ReadError};

/// What a log takes. It is kept in the directory when the log is made: readers of one kind make nothing of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Sigstore's `hashedrekord` entries with good signatures, under `/api/v2/`.
    HashedRekord,
    /// Any bytes, at the root.
    Opaque,
}

impl Kind {
    /// What the log takes by what it has: of one from before its kind was kept. `None` if it has nothing.
    pub(super) fn told_by(archive: &Archive) -> Result<Option<Self>, OpenError> {
        let Some(bundle) = EntryBundle::of_log(0, archive.tree.size()) else { return Ok(None) };
        let bundle = archive.bundle(bundle).map_err(ReadError::from)?;
        let first = Entries::new(&bundle).next().and_then(Result::ok);
        Ok(first.map(|entry| match EntryFacts::of(entry) {
            Some(_) => Self::HashedRekord,
            None => Self::Opaque,
        }))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HashedRekord => "`hashedrekord` entries",
            Self::Opaque => "any bytes",
        })
    }
}
