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

    /// The tree before the leaf of this index, from the proof that the leaf is in a tree of `size`: what stands to the left
    /// of the leaf is all that is before it. `None` if there are too many or too few hashes.
    pub(super) fn before(index: u64, size: u64, proof: &[Hash]) -> Option<Self> {
        let (mut node, mut last) = (index, size.checked_sub(1)?);
        let (mut hashes, mut peaks) = (proof.iter(), Vec::new());
        for height in 0..=u8::MAX {
            if last == 0 {
                break;
            }
            if node & 1 == 1 {
                peaks.push((height, *hashes.next()?));
            } else if node < last {
                hashes.next()?;
            }
            (node, last) = (node >> 1, last >> 1);
        }
        peaks.reverse();
        hashes.next().is_none().then(|| Self::new(index, peaks)).flatten()
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
    use signet_formats::tlog::{Nodes, inclusion_proof};

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

    /// The leaves are the numbers.
    struct Numbers;

    impl Nodes for Numbers {
        type Error = merkle::MerkleError;

        fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
            let leaves = (index << level)..((index + 1) << level);
            Ok(merkle::root(&leaves.map(|number| leaf_hash(&number.to_be_bytes())).collect::<Vec<_>>()))
        }
    }

    #[test]
    fn a_proof_tells_what_is_before_its_leaf() {
        let mut range = Range::default();
        for index in 0..40_u64 {
            for size in index + 1..70 {
                let proof = inclusion_proof(&Numbers, index, size).unwrap();
                assert_eq!(Range::before(index, size, &proof), Some(range.clone()), "{index} of {size}");
                assert_eq!(Range::before(index, size, &[&proof[..], &[[0; 32]]].concat()), None);
                if let Some((_, fewer)) = proof.split_last() {
                    assert_eq!(Range::before(index, size, fewer), None);
                }
            }
            range.push(leaf_hash(&index.to_be_bytes()));
        }
        assert_eq!(Range::before(3, 0, &[]), None);
        assert_eq!(Range::before(3, 2, &[[0; 32]]), None);
    }
}
