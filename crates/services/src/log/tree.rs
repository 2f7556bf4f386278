//! The tree's nodes in memory: all from height 16 up, below that those of the newest entries.

use signet_formats::merkle::{Hash, MerkleError, node_hash};
use signet_formats::tlog::Nodes;

use super::chunk::{CHUNK_HEIGHT, CHUNK_WIDTH};

/// The complete nodes of a tree that grows.
///
/// The entries are counted in chunks of 65,536. What is below the root of a chunk can be released once the
/// chunk is on disk; a billion entries leave half a megabyte.
#[derive(Default)]
pub(super) struct Tree {
    size: u64,
    /// By height.
    levels: Vec<Level>,
}

/// The nodes of one height, from `first` on.
#[derive(Default)]
struct Level {
    first: u64,
    nodes: Vec<Hash>,
}

impl Tree {
    /// A tree over complete chunks, given by their roots.
    pub(super) fn of_chunks(roots: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::default();
        for root in roots {
            tree.push_node(CHUNK_HEIGHT, root);
            tree.size += CHUNK_WIDTH;
        }
        tree.release(tree.size / CHUNK_WIDTH);
        tree
    }

    /// How many leaves there are.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, leaf: Hash) {
        self.push_node(0, leaf);
        self.size += 1;
    }

    /// Takes leaves away again, as far as they were not released.
    pub(super) fn truncate(&mut self, size: u64) {
        self.size = self.size.min(size);
        for (height, level) in self.levels.iter_mut().enumerate() {
            let count = (self.size >> height).saturating_sub(level.first);
            level.nodes.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        }
    }

    /// Forgets what is below the roots of the first `chunks`.
    pub(super) fn release(&mut self, chunks: u64) {
        let released = chunks * CHUNK_WIDTH;
        self.levels.resize_with(self.levels.len().max(usize::from(CHUNK_HEIGHT)), Level::default);
        for (height, level) in self.levels.iter_mut().enumerate().take(usize::from(CHUNK_HEIGHT)) {
            let first = released >> height;
            let gone = usize::try_from(first.saturating_sub(level.first)).unwrap_or(usize::MAX);
            level.nodes.drain(..gone.min(level.nodes.len()));
            level.first = level.first.max(first);
        }
    }

    /// A node, if it is complete and in memory.
    pub(super) fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.nodes(level, index, 1).and_then(|nodes| nodes.first()).copied()
    }

    /// Neighbouring nodes of one height, if all are complete and in memory.
    pub(super) fn nodes(&self, level: u8, first: u64, count: u64) -> Option<&[Hash]> {
        let level = self.levels.get(usize::from(level))?;
        let start = usize::try_from(first.checked_sub(level.first)?).ok()?;
        level.nodes.get(start..start.checked_add(usize::try_from(count).ok()?)?)
    }

    fn push_node(&mut self, level: u8, node: Hash) {
        let (mut height, mut node) = (usize::from(level), node);
        loop {
            if self.levels.len() <= height {
                self.levels.resize_with(height + 1, Level::default);
            }
            let Some(level) = self.levels.get_mut(height) else { return };
            level.nodes.push(node);
            let count = level.first + u64::try_from(level.nodes.len()).unwrap_or(u64::MAX);
            node = match level.nodes.as_slice() {
                // A level's first node is never a right child: chunks are released whole.
                [.., left, right] if count.is_multiple_of(2) => node_hash(left, right),
                _ => return,
            };
            height += 1;
        }
    }
}

impl Nodes for Tree {
    type Error = Absent;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Absent> {
        Self::node(self, level, index).ok_or(Absent)
    }
}

/// A node that is not in memory, or that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absent;

impl From<MerkleError> for Absent {
    fn from(_: MerkleError) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use signet_formats::merkle::{self, leaf_hash};
    use signet_formats::tlog::tree_root;

    use super::*;

    fn leaf(index: u64) -> Hash {
        leaf_hash(&index.to_be_bytes())
    }

    #[test]
    fn its_root_is_that_of_its_leaves() {
        let (mut tree, mut leaves) = (Tree::default(), Vec::new());
        for index in 0..300 {
            assert_eq!(tree_root(&tree, index).unwrap(), merkle::root(&leaves));
            tree.push(leaf(index));
            leaves.push(leaf(index));
        }
        tree.truncate(123);
        assert_eq!((tree.size(), tree_root(&tree, 123).unwrap()), (123, merkle::root(&leaves[..123])));
        tree.push(leaf(123));
        assert_eq!(tree_root(&tree, 124).unwrap(), merkle::root(&leaves[..124]));
    }

    #[test]
    fn it_grows_on_from_chunks_that_were_released() {
        let mut whole = Tree::default();
        (0..2 * CHUNK_WIDTH).for_each(|index| whole.push(leaf(index)));
        let roots = [0, 1].map(|chunk| whole.node(CHUNK_HEIGHT, chunk).unwrap());
        let mut again = Tree::of_chunks(roots);
        let mut released = whole;
        released.release(2);
        assert_eq!(released.node(0, CHUNK_WIDTH), None);
        for index in 2 * CHUNK_WIDTH..2 * CHUNK_WIDTH + 700 {
            again.push(leaf(index));
            released.push(leaf(index));
        }
        let size = again.size();
        assert_eq!(size, 2 * CHUNK_WIDTH + 700);
        assert_eq!(tree_root(&again, size).unwrap(), tree_root(&released, size).unwrap());
        assert_eq!(released.nodes(0, 2 * CHUNK_WIDTH, 700).unwrap()[5], leaf(2 * CHUNK_WIDTH + 5));
    }
}
