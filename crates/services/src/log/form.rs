//! What a log's entries are, and so how they are hashed, found again and served.

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use signet_formats::merkle::{Hash, leaf_hash};
use signet_formats::static_ct::TileLeaf;
use signet_formats::tlog::{EntryBundle, push_entry};

/// What a log's entries are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Any bytes (C2SP tlog-tiles).
    #[default]
    Bytes,
    /// Certificates (C2SP static-ct-api): an entry is a `TileLeaf`, and has its own index in it.
    Certificates,
}

impl Form {
    /// Whether this is the form that is not said.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an entry that is there already is found by its leaf's hash. One with its own index in it never is.
    pub(super) fn is_found_by_hash(self) -> bool {
        self == Self::Bytes
    }

    /// The hash of an entry's leaf; `None` if it is no entry of this form.
    pub(super) fn leaf(self, entry: &[u8]) -> Option<Hash> {
        match self {
            Self::Bytes => Some(leaf_hash(entry)),
            Self::Certificates => TileLeaf::parse(entry).ok()?.hash(),
        }
    }

    /// The entry as it stands at `index`, and its leaf's hash there.
    pub(super) fn placed(self, entry: Bytes, leaf: Hash, index: u64) -> io::Result<(Hash, Bytes)> {
        if self == Self::Bytes {
            return Ok((leaf, entry));
        }
        let placed = TileLeaf::parse(&entry).map_err(io::Error::other)?;
        let placed = TileLeaf { index, ..placed };
        let both = placed.hash().zip(placed.to_bytes());
        let (leaf, entry) = both.ok_or_else(|| io::Error::other("the log is full"))?;
        Ok((leaf, entry.into()))
    }

    /// Appends an entry to what readers get.
    pub(super) fn push(self, bundle: &mut Vec<u8>, entry: &[u8]) -> io::Result<()> {
        match self {
            Self::Bytes => push_entry(bundle, entry).map_err(io::Error::other),
            Self::Certificates => {
                bundle.extend_from_slice(entry);
                Ok(())
            }
        }
    }

    /// Where readers get entries from.
    pub(super) fn path(self, bundle: EntryBundle) -> String {
        match self {
            Self::Bytes => bundle.to_string(),
            Self::Certificates => bundle.data_path(),
        }
    }
}
