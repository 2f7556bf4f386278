//! What a log's entries are, and so how they are hashed, found again and served.

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use signet_crypto::Digest;
use signet_formats::merkle::{Hash, leaf_hash};
use signet_formats::static_ct::TileLeaf;
use signet_formats::tlog::{EntryBundle, MAX_ENTRY_BYTES, push_entry};

/// What a log's entries are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Any bytes (C2SP tlog-tiles).
    #[default]
    Bytes,
    /// Certificates (C2SP static-ct-api): an entry is a `TileLeaf`, and has its own index in it. On the disk its
    /// SHA-256 follows it, because the leaf's hash covers neither the precertificate nor the issuers.
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

    /// The longest entry that can be added, in bytes.
    pub(super) fn max_entry_bytes(self) -> usize {
        match self {
            Self::Bytes => MAX_ENTRY_BYTES,
            Self::Certificates => MAX_ENTRY_BYTES - CHECK_BYTES,
        }
    }

    /// The hash of the leaf of an entry that is to be added; `None` if it is no entry of this form.
    pub(super) fn leaf_of_new(self, entry: &[u8]) -> Option<Hash> {
        match self {
            Self::Bytes => Some(leaf_hash(entry)),
            Self::Certificates => TileLeaf::parse(entry).ok()?.hash(),
        }
    }

    /// The hash of the leaf of an entry as it stands on the disk; `None` if it is damaged.
    pub(super) fn leaf(self, stored: &[u8]) -> Option<Hash> {
        match self {
            Self::Bytes => Some(leaf_hash(stored)),
            Self::Certificates => {
                let (entry, check) = stored.split_last_chunk::<CHECK_BYTES>()?;
                let intact = Digest::sha256(entry).as_bytes() == check;
                intact.then(|| self.leaf_of_new(entry)).flatten()
            }
        }
    }

    /// The entry as it stands on the disk at `index`, and its leaf's hash there.
    pub(super) fn placed(self, entry: Bytes, leaf: Hash, index: u64) -> io::Result<(Hash, Bytes)> {
        if self == Self::Bytes {
            return Ok((leaf, entry));
        }
        let placed = TileLeaf::parse(&entry).map_err(io::Error::other)?;
        let placed = TileLeaf { index, ..placed };
        let both = placed.hash().zip(placed.to_bytes());
        let (leaf, mut entry) = both.ok_or_else(|| io::Error::other("the log is full"))?;
        let check = Digest::sha256(&entry);
        entry.extend_from_slice(check.as_bytes());
        Ok((leaf, entry.into()))
    }

    /// Appends an entry to what readers get.
    pub(super) fn push(self, bundle: &mut Vec<u8>, stored: &[u8]) -> io::Result<()> {
        match self {
            Self::Bytes => push_entry(bundle, stored).map_err(io::Error::other),
            Self::Certificates => {
                let entry = stored.split_last_chunk::<CHECK_BYTES>().map(|(entry, _)| entry);
                bundle.extend_from_slice(entry.ok_or_else(|| io::Error::other("an entry is damaged"))?);
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

/// A SHA-256.
const CHECK_BYTES: usize = 32;
