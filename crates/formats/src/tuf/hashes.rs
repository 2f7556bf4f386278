//! Hashes, and what is stated of a file by the file above it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signet_crypto::{Digest, DigestAlgorithm};

use super::TufError;

/// The hashes of a file by their algorithms' names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hashes(BTreeMap<String, String>);

impl Hashes {
    /// The SHA-256 of these bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(BTreeMap::from([("sha256".to_owned(), Digest::sha256(bytes).hex())]))
    }

    /// The hashes whose algorithms are known here, the shortest first.
    pub fn known(&self) -> Vec<Digest> {
        let read = |(name, hex): (&String, &String)| {
            let algorithm: DigestAlgorithm = name.parse().ok()?;
            Digest::from_hex(algorithm, hex).ok()
        };
        let mut known: Vec<_> = self.0.iter().filter_map(read).collect();
        known.sort_unstable_by_key(|digest| digest.algorithm().len());
        known
    }

    /// Whether the bytes have every hash of a known algorithm, and there is one; and none of a known algorithm is
    /// malformed.
    pub fn fit(&self, bytes: &[u8]) -> bool {
        let known = self.known();
        let named = self.0.keys().filter(|name| name.parse::<DigestAlgorithm>().is_ok()).count();
        !known.is_empty()
            && named == known.len()
            && known.iter().all(|hash| Digest::of(hash.algorithm(), bytes) == *hash)
    }
}

/// What the timestamp says of the snapshot, and the snapshot of targets metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFile {
    /// The version of the file; at least 1.
    pub version: u64,
    /// How many bytes it has, if that is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Its hashes, if they are stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
}

impl MetaFile {
    /// What is to be said of a file of this version.
    pub fn of(version: u64, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        Self { version, length, hashes: Some(Hashes::sha256(bytes)) }
    }

    /// Whether the bytes have the length and hashes that are stated.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        self.length.is_none_or(|length| has_length(bytes, length))
            && self.hashes.as_ref().is_none_or(|hashes| hashes.fit(bytes))
    }

    pub(super) fn check(&self) -> Result<(), TufError> {
        match self.version {
            0 => Err(TufError::Zero("version")),
            _ => Ok(()),
        }
    }
}

/// What targets metadata says of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    /// How many bytes it has.
    pub length: u64,
    /// Its hashes.
    pub hashes: Hashes,
    /// What the repository's owner says of it besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Value>,
}

impl TargetFile {
    /// What is to be said of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { length, hashes: Hashes::sha256(bytes), custom: None }
    }

    /// Whether these bytes are the target.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        has_length(bytes, self.length) && self.hashes.fit(bytes)
    }
}

fn has_length(bytes: &[u8], length: u64) -> bool {
    u64::try_from(bytes.len()) == Ok(length)
}
