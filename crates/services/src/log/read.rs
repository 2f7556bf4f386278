//! What readers get: tiles, bundles, proofs. Never more than was published.

use std::collections::VecDeque;
use std::io;
use std::sync::{PoisonError, RwLock};

use signet_formats::merkle::{Hash, MerkleError};
use signet_formats::tlog::{
    EntryBundle, Nodes, TILE_HEIGHT, TILE_WIDTH, Tile, consistency_proof, inclusion_proof,
};

use super::chunk::{self, CHUNK_HEIGHT, Filed};
use super::form::Form;
use super::segments::{Segments, Span};
use super::tree::Tree;
use super::wal::Place;
use super::{Log, Shared};

impl Log {
    /// The hashes of a tile; `None` if the published log does not have all of it. Reads the disk.
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ReadError> {
        match tile.is_in(self.head().checkpoint.size) {
            true => self.shared.tile(tile).map(|hashes| Some(hashes.into_flattened())),
            false => Ok(None),
        }
    }

    /// The entries of a bundle; `None` if the published log does not have all of it. Reads the disk.
    pub fn entries(&self, bundle: EntryBundle) -> Result<Option<Vec<u8>>, ReadError> {
        match bundle.is_in(self.head().checkpoint.size) {
            true => self.shared.bundle(bundle).map(Some),
            false => Ok(None),
        }
    }

    /// The same, to be read a piece at a time.
    pub fn pieces(&self, bundle: EntryBundle) -> Result<Option<Pieces>, ReadError> {
        match bundle.is_in(self.head().checkpoint.size) {
            true => self.shared.pieces(bundle).map(Some),
            false => Ok(None),
        }
    }

    /// The proof that the entry at `index` is in the published log of `size` entries. May read the disk.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.shared.published(size)?;
        // Of a new entry all that it takes is in memory, under one lock.
        let proof =
            inclusion_proof(&*self.shared.tree.read().unwrap_or_else(PoisonError::into_inner), index, size);
        proof.or_else(|_| inclusion_proof(&self.shared.nodes(), index, size))
    }

    /// The proof that the published log of `new_size` entries only appends to that of `old_size`. May read the disk.
    pub fn consistency_proof(&self, old_size: u64, new_size: u64) -> Result<Vec<Hash>, ReadError> {
        self.shared.published(new_size)?;
        consistency_proof(&self.shared.nodes(), old_size, new_size)
    }

    /// The hash of a leaf of the published log. May read the disk.
    pub fn leaf(&self, index: u64) -> Result<Hash, ReadError> {
        self.shared.published(index.saturating_add(1))?;
        self.shared.nodes().node(0, index)
    }
}

/// Why something was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The disk failed, or has not what it should have.
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is no such proof.
    #[error(transparent)]
    Merkle(#[from] MerkleError),
}

/// A bundle that is read a piece at a time, of which none is much larger than 64 KiB: entries may have so many bytes each
/// that bundles have 16 MiB, and who gets one may read it slowly.
#[derive(Clone)]
pub struct Pieces {
    segments: Segments,
    form: Form,
    left: Span,
}

impl Iterator for Pieces {
    type Item = io::Result<Vec<u8>>;

    /// Reads the disk.
    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        self.left.has_more().then(|| self.segments.piece(self.form, &mut self.left, PIECE_BYTES))
    }
}

impl Pieces {
    /// Whether all have been read.
    pub fn are_read(&self) -> bool {
        !self.left.has_more()
    }
}

/// Where the bundles begin that no chunk has.
#[derive(Default)]
pub(super) struct Places {
    /// The first of them.
    first: u64,
    places: VecDeque<Place>,
}

impl Places {
    pub(super) fn new(first: u64, places: Vec<Place>) -> Self {
        Self { first, places: places.into() }
    }

    pub(super) fn extend(&mut self, places: Vec<Place>) {
        self.places.extend(places);
    }

    /// Those of a chunk.
    pub(super) fn of_chunk(&self, number: u64) -> Vec<Place> {
        let first = usize::try_from((number * TILE_WIDTH).saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.places.iter().skip(first).take(chunk::BUNDLES).copied().collect()
    }

    /// Forgets those of the first `chunks`.
    pub(super) fn release(&mut self, chunks: u64) {
        while self.first < chunks * TILE_WIDTH && self.places.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn get(&self, bundle: u64) -> Option<Place> {
        self.places.get(usize::try_from(bundle.checked_sub(self.first)?).ok()?).copied()
    }
}

/// The log's nodes, in memory and on disk.
pub(super) struct LogNodes<'a> {
    tree: &'a RwLock<Tree>,
    filed: Filed<'a>,
}

impl Nodes for LogNodes<'_> {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ReadError> {
        let known = self.tree.read().unwrap_or_else(PoisonError::into_inner).node(level, index);
        match known {
            Some(node) => Ok(node),
            None if level < CHUNK_HEIGHT => Ok(self.filed.node(level, index)?),
            None => Err(io::Error::other(format!("node {index} of height {level} is missing")).into()),
        }
    }
}

impl Shared {
    pub(super) fn nodes(&self) -> LogNodes<'_> {
        LogNodes { tree: &self.tree, filed: Filed::new(&self.layout) }
    }

    fn published(&self, size: u64) -> Result<(), MerkleError> {
        let published = self.head().checkpoint.size;
        match size <= published {
            true => Ok(()),
            false => Err(MerkleError::IndexOutOfRange { index: size.saturating_sub(1), size: published }),
        }
    }

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, ReadError> {
        let height = tile.level() * TILE_HEIGHT;
        let (first, width) = (tile.index() * TILE_WIDTH, u64::from(tile.width()));
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(nodes) = tree.nodes(height, first, width) {
            return Ok(nodes.to_vec());
        }
        drop(tree);
        Ok(chunk::tile(&self.layout, tile)?)
    }

    pub(super) fn bundle(&self, bundle: EntryBundle) -> Result<Vec<u8>, ReadError> {
        let Pieces { segments, form, mut left } = self.pieces(bundle)?;
        Ok(segments.piece(form, &mut left, usize::MAX)?)
    }

    fn pieces(&self, bundle: EntryBundle) -> Result<Pieces, ReadError> {
        let recent = self.places.read().unwrap_or_else(PoisonError::into_inner).get(bundle.index());
        let place = match recent {
            Some(place) => place,
            None => chunk::place(&self.layout, bundle.index())?,
        };
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner).clone();
        let left = Span::new(place, bundle.first_entry(), u64::from(bundle.width()));
        Ok(Pieces { segments, form: self.form, left })
    }
}

const PIECE_BYTES: usize = 64 << 10;
