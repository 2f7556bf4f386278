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

    /// Whether a subtree that both have is not the same in both: they are of two histories.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        let both = self.peaks.iter().zip(&other.peaks);
        both.take_while(|((one, _), (other, _))| one == other).any(|((_, one), (_, other))| one != other)
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

/// A range that remembers its newest leaves: of each size among them it tells the root without asking anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grown {
    range: Range,
    /// What was before the leaves that it remembers.
    base: Range,
    recent: Vec<Hash>,
}

impl Grown {
    /// The range, and the leaves that came after it.
    pub(super) fn new(base: Range, recent: Vec<Hash>) -> Self {
        let mut range = base.clone();
        recent.iter().for_each(|leaf| range.push(*leaf));
        Self { range, base, recent }
    }

    pub(super) fn range(&self) -> &Range {
        &self.range
    }

    pub(super) fn base(&self) -> &Range {
        &self.base
    }

    pub(super) fn recent(&self) -> &[Hash] {
        &self.recent
    }

    pub(super) fn push(&mut self, leaf: Hash) {
        self.range.push(leaf);
        self.recent.push(leaf);
        if self.recent.len() == 2 * REMEMBERED {
            let base = &mut self.base;
            self.recent.drain(..REMEMBERED).for_each(|leaf| base.push(leaf));
        }
    }

    /// The root of the tree when it had this size; `None` if that is too long ago.
    pub(super) fn root_at(&self, size: u64) -> Option<Hash> {
        let more = usize::try_from(size.checked_sub(self.base.size())?).ok()?;
        let mut range = self.base.clone();
        self.recent.get(..more)?.iter().for_each(|leaf| range.push(*leaf));
        Some(range.root())
    }
}

/// At least so many leaves are remembered, if there are as many.
const REMEMBERED: usize = 256;

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

    #[test]
    fn the_roots_of_the_last_sizes_are_remembered() {
        let (mut grown, mut roots) = (Grown::default(), vec![merkle::root(&[])]);
        for number in 0..900_u64 {
            grown.push(leaf_hash(&number.to_be_bytes()));
            roots.push(grown.range().root());
            for back in [0, 1, 100, REMEMBERED, 600] {
                let size = usize::try_from(number + 1).unwrap().saturating_sub(back);
                let root = grown.root_at(u64::try_from(size).unwrap());
                assert!(root == roots.get(size).copied() || root.is_none() && back > REMEMBERED, "{size}");
            }
            assert_eq!(Grown::new(grown.base().clone(), grown.recent().to_vec()), grown);
        }
        assert_eq!((grown.root_at(901), grown.root_at(100)), (None, None));
    }

    #[test]
    fn a_subtree_that_differs_is_a_contradiction() {
        let of = |leaves: &[u64]| {
            let mut range = Range::default();
            leaves.iter().for_each(|leaf| range.push(leaf_hash(&leaf.to_be_bytes())));
            range
        };
        assert!(of(&[0, 1, 2, 3, 4]).contradicts(&of(&[0, 1, 9, 3, 4, 5])));
        assert!(
            !of(&[0, 1, 2, 3, 4]).contradicts(&of(&[0, 1, 2, 3, 9, 9])),
            "nothing that both have differs"
        );
        assert!(!of(&[0, 1, 2, 3]).contradicts(&of(&[9, 9])));
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
