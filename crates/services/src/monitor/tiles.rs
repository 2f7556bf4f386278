//! A tree that is read as C2SP tlog-tiles has it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use signet_formats::merkle::{self, Hash, MerkleError};
use signet_formats::note::MAX_NOTE_BYTES;
use signet_formats::tlog::{
    Entries, EntryBundle, MAX_ENTRY_BYTES, Nodes, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile,
    consistency_proof, full_path, peaks,
};

use super::LogReader;
use super::range::Range;
use super::tree::{Shown, Tree, get};

/// The tree below a URL.
pub(super) struct TileTree {
    reader: Arc<dyn LogReader>,
    url: String,
}

impl TileTree {
    /// The log at this URL, with the checkpoint that it shows.
    pub(super) async fn show(
        reader: &Arc<dyn LogReader>,
        url: &str,
        origin: &str,
    ) -> Result<Vec<Shown>, String> {
        let tree = Self { reader: Arc::clone(reader), url: url.to_owned() };
        let checkpoint = tree.get("checkpoint", MAX_NOTE_BYTES).await?;
        Ok(vec![Shown { origin: origin.to_owned(), checkpoint, tree: Box::new(tree) }])
    }

    /// The root of a complete subtree, out of the tile that has it or what is below it.
    async fn node(&self, height: u8, index: u64, size: u64) -> Result<Hash, String> {
        let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = index << within;
        let tile = Tile::of_tree(level, first / TILE_WIDTH, size).ok_or("a tile outside of the tree")?;
        let bytes = self.get(&tile.to_string(), TILE_BYTES).await?;
        let start = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let hashes = bytes.as_chunks::<32>().0.get(start..start.saturating_add(1 << within));
        Ok(merkle::root(hashes.ok_or_else(|| format!("`{tile}` is too short"))?))
    }

    /// A resource; in the place of a partial one that is not there the full one, which may have replaced it.
    async fn get(&self, path: &str, limit: usize) -> Result<Vec<u8>, String> {
        let read =
            self.reader.read(&self.url, path, limit).await.map_err(|why| format!("`{path}`: {why}"))?;
        match (read, full_path(path)) {
            (Some(bytes), _) => Ok(bytes),
            (None, Some(full)) => get(self.reader.as_ref(), &self.url, full, limit).await,
            (None, None) => Err(format!("`{path}` is not there")),
        }
    }
}

#[async_trait]
impl Tree for TileTree {
    fn first_index(&self) -> u64 {
        0
    }

    async fn newest(&self, size: u64) -> Result<Range, String> {
        let mut hashes = Vec::new();
        for (height, index) in peaks(0, size) {
            hashes.push((height, self.node(height, index, size).await?));
        }
        Range::new(size, hashes).ok_or_else(|| "its tiles are not those of a tree".to_owned())
    }

    /// Those of the bundle in which the next one is.
    async fn entries(&self, next: u64, size: u64) -> Result<Vec<Vec<u8>>, String> {
        let bundle = EntryBundle::of_log(next / TILE_WIDTH, size).ok_or("an entry outside of the log")?;
        let bytes = self.get(&bundle.to_string(), MAX_BUNDLE_BYTES).await?;
        let skip = usize::try_from(next - bundle.first_entry()).unwrap_or(usize::MAX);
        let wanted = usize::from(bundle.width()).saturating_sub(skip);
        let entries = Entries::new(&bytes).skip(skip).take(wanted).map(|entry| entry.map(<[u8]>::to_vec));
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        match entries.len() == wanted {
            true => Ok(entries),
            false => Err(format!("`{bundle}` has too few entries")),
        }
    }

    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        let wanted = Wanted::default();
        consistency_proof(&wanted, old, new).map_err(|error| error.to_string())?;
        let mut nodes = BTreeMap::new();
        for (height, index) in wanted.0.into_inner() {
            nodes.insert((height, index), self.node(height, index, new).await?);
        }
        consistency_proof(&Got(nodes), old, new).map_err(|error| error.to_string())
    }
}

/// Notes which nodes a proof is made of.
#[derive(Default)]
struct Wanted(RefCell<Vec<(u8, u64)>>);

impl Nodes for Wanted {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        self.0.borrow_mut().push((level, index));
        Ok(Hash::default())
    }
}

/// Those nodes.
struct Got(BTreeMap<(u8, u64), Hash>);

impl Nodes for Got {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        self.0.get(&(level, index)).copied().ok_or(MerkleError::ProofLength)
    }
}

/// A bundle of the longest entries.
const MAX_BUNDLE_BYTES: usize = 256 * (MAX_ENTRY_BYTES + 2);
