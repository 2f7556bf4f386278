//! What every kind of log shows a monitor.

use async_trait::async_trait;
use signet_formats::merkle::Hash;

use super::LogReader;
use super::range::Range;

/// A tree of a log, with the checkpoint that it is shown by. Nothing of it is verified.
pub(super) struct Shown {
    /// The name that the checkpoint has to have.
    pub(super) origin: String,
    /// The signed note.
    pub(super) checkpoint: Vec<u8>,
    pub(super) tree: Box<dyn Tree>,
}

/// How the entries and proofs of a tree are read. Errors are in words.
#[async_trait]
pub(super) trait Tree: Send + Sync {
    /// The index in the whole log of the first entry.
    fn first_index(&self) -> u64;

    /// The hashes that the tree of `size` entries, or one of one entry less, goes on from.
    async fn newest(&self, size: u64) -> Result<Range, String>;

    /// At least one of the entries from `next` on, which is below `size`, and none from there on.
    async fn entries(&self, next: u64, size: u64) -> Result<Vec<Vec<u8>>, String>;

    /// The proof that the tree of the larger size appends to that of the smaller.
    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, String>;
}

/// A resource that has to be there.
pub(super) async fn get(
    reader: &dyn LogReader,
    url: &str,
    path: &str,
    limit: usize,
) -> Result<Vec<u8>, String> {
    let read = reader.read(url, path, limit).await.map_err(|why| format!("`{path}`: {why}"))?;
    read.ok_or_else(|| format!("`{path}` is not there"))
}
