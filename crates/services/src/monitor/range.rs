//! The hashes that a growing tree goes on from.

use signet_formats::merkle::{self, Hash, node_hash};

/// The largest complete subtrees of a tree, from left to right, as height and root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    size: u64,
    peaks: Vec<(u8, Hash)>,
}

impl Range {
    /// The tree of `size` leaves with these subtrees; `None` if it has others.
    pub(super) fn new(size: u64, peaks: Vec<(u8, Hash)>) -> Option<Self> {
        let heights = signet_formats::tlog::peaks(0, size).map(|(height, _)| height);
        heights.eq(peaks.iter().map(|(height, _)| *height)).then_some(Self { size, peaks })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn peaks(&self) -> &[(u8, Hash)] {
        &self.peaks
    }

    pub(super) fn push(&mut self, leaf: Hash) {
        let (mut height, mut hash) = (0, leaf);
        while let Some((_, left)) = self.peaks.pop_if(|(peak, _)| *peak == height) {
            hash = node_hash(&left, &hash);
            height += 1;
        }
        self.peaks.push((height, hash));
        self.size += 1;
    }

    pub(super) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let smallest = peaks.next().unwrap_or_else(|| merkle::root(&[]));
        peaks.fold(smallest, |right, left| node_hash(&left, &right))
    }
}

#[cfg(test)]
mod tests {
    use signet_formats::merkle::leaf_hash;

    use super::*;

    #[test]
    fn its_root_is_that_of_its_leaves() {
        let (mut range, mut leaves) = (Range::default(), Vec::new());
        for number in 0..100_u64 {
            assert_eq!(range.root(), merkle::root(&leaves), "{number}");
            assert_eq!(Range::new(number, range.peaks().to_vec()), Some(range.clone()));
            assert_eq!(Range::new(number + 1, range.peaks().to_vec()), None);
            let leaf = leaf_hash(&number.to_be_bytes());
            range.push(leaf);
            leaves.push(leaf);
        }
    }
}
