//! A tree's nodes out of its tiles, as whoever reads a log over the network has them.

use std::collections::BTreeMap;
use std::fmt;

use super::{Nodes, TILE_HEIGHT, TILE_WIDTH, Tile};
use crate::merkle::{self, Hash, MerkleError};

/// The nodes of a tree of a known size, as far as their tiles are there.
#[derive(Clone, Debug)]
pub struct TileNodes {
    size: u64,
    tiles: BTreeMap<Tile, Vec<Hash>>,
}

impl TileNodes {
    /// No tiles yet, of a tree of `size` leaves.
    pub fn new(size: u64) -> Self {
        Self { size, tiles: BTreeMap::new() }
    }

    /// Adds a tile as it was read: one hash after another. An error if it has not the width of its name.
    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> Result<(), TileError> {
        let hashes: Vec<Hash> = bytes.chunks_exact(HASH).filter_map(|hash| hash.try_into().ok()).collect();
        if hashes.len() * HASH != bytes.len() || hashes.len() != usize::from(tile.width()) {
            return Err(TileError::Length { tile, bytes: bytes.len() });
        }
        self.tiles.insert(tile, hashes);
        Ok(())
    }
}

impl Nodes for TileNodes {
    type Error = TileError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, TileError> {
        let out_of_range = || MerkleError::IndexOutOfRange { index, size: self.size };
        // The hashes of the tile below which the node lies, as many as it spans.
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let first = index.checked_mul(1 << height).ok_or_else(out_of_range)?;
        let tile = Tile::of_tree(tile_level, first / TILE_WIDTH, self.size).ok_or_else(out_of_range)?;
        let hashes = self.tiles.get(&tile).ok_or(TileError::Missing(tile))?;
        let start = usize::try_from(first % TILE_WIDTH).map_err(|_| out_of_range())?;
        let spanned = hashes.get(start..start + (1 << height)).ok_or_else(out_of_range)?;
        Ok(merkle::root(spanned))
    }
}

/// Why a node could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TileError {
    /// A tile is not as long as its name says.
    Length {
        /// The tile.
        tile: Tile,
        /// Its length.
        bytes: usize,
    },
    /// No tree of this size has the node.
    Merkle(MerkleError),
    /// This tile is needed first.
    Missing(Tile),
}

impl fmt::Display for TileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { tile, bytes } => write!(f, "`{tile}` has {bytes} bytes"),
            Self::Merkle(error) => error.fmt(f),
            Self::Missing(tile) => write!(f, "`{tile}` is needed"),
        }
    }
}

impl std::error::Error for TileError {}

impl From<MerkleError> for TileError {
    fn from(error: MerkleError) -> Self {
        Self::Merkle(error)
    }
}

const HASH: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::{inclusion_proof, tree_root};
    use super::*;

    /// The tile's bytes, made from the leaves alone.
    fn bytes_of(leaves: &[Hash], tile: Tile) -> Vec<u8> {
        let span = 1_usize << (tile.level() * TILE_HEIGHT);
        let first = usize::try_from(tile.index() * TILE_WIDTH).unwrap() * span;
        let hashes = leaves[first..].chunks(span).take(usize::from(tile.width()));
        hashes.flat_map(merkle::root).collect()
    }

    #[test]
    fn proofs_come_out_of_the_tiles_that_are_asked_for() {
        let leaves: Vec<Hash> = (0..70_000_u32).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect();
        for (size, index) in [(1, 0), (2, 1), (256, 255), (257, 256), (600, 3), (70_000, 65_536), (70_000, 9)]
        {
            let leaves = &leaves[..usize::try_from(size).unwrap()];
            let mut nodes = TileNodes::new(size);
            let proof = loop {
                match inclusion_proof(&nodes, index, size) {
                    Err(TileError::Missing(tile)) => nodes.insert(tile, &bytes_of(leaves, tile)).unwrap(),
                    other => break other.unwrap(),
                }
            };
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert_eq!(merkle::inclusion_root(index, size, &leaf, &proof).unwrap(), merkle::root(leaves));
            assert!(nodes.tiles.len() <= 6, "{} tiles", nodes.tiles.len());
            assert!(inclusion_proof(&nodes, size, size).is_err() && tree_root(&nodes, 0).is_ok());
        }
    }

    #[test]
    fn a_tile_has_the_width_of_its_name() {
        let tile = Tile::of_tree(0, 0, 3).unwrap();
        let mut nodes = TileNodes::new(3);
        for bytes in [0, 64, 95, 97, 128] {
            assert_eq!(nodes.insert(tile, &vec![0; bytes]), Err(TileError::Length { tile, bytes }));
        }
        assert_eq!(nodes.insert(tile, &[0; 96]), Ok(()));
    }
}
