//! Roots and proofs (RFC 6962 §2.1) out of a tree's nodes, wherever those are kept.

use crate::merkle::{self, Hash, MerkleError, node_hash};

/// The nodes of a tree that have all their leaves.
pub trait Nodes {
    /// Why a node could not be had.
    type Error: From<MerkleError>;

    /// The hash of the node over the leaves from `index << level` to `(index + 1) << level`.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The root of the tree over the first `size` leaves.
pub fn tree_root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    match size {
        0 => Ok(merkle::root(&[])),
        _ => range_root(nodes, 0, size),
    }
}

/// The hash of the leaves from `start` to `end`, as a tree of their own. `start` has to be where a
/// subtree of that many leaves can begin: a multiple of the power of two that spans them.
pub fn range_root<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let (mut hash, mut at) = (None, end);
    // From the smallest peak, which is the rightmost, to the left.
    while at > start {
        let level = (at - start).trailing_zeros();
        at -= 1 << level;
        let left = nodes.node(level as u8, at >> level)?;
        hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
    }
    hash.ok_or_else(|| MerkleError::IndexOutOfRange { index: start, size: end }.into())
}

/// The largest complete subtrees of the leaves from `start` to `end`, left to right, as level and index.
pub fn peaks(start: u64, end: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = start;
    std::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|left| *left > 0)?;
        let level = left.ilog2();
        let index = at >> level;
        at += 1 << level;
        u8::try_from(level).ok().map(|level| (level, index))
    })
}

/// The proof that the leaf at `index` is in the tree over the first `size` leaves: siblings, lowest first.
pub fn inclusion_proof<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    if index >= size {
        return Err(MerkleError::IndexOutOfRange { index, size }.into());
    }
    // As many as the tree is high, at most.
    let mut proof = Vec::with_capacity(size.ilog2() as usize + 1);
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree over the first `new_size` leaves only appends to that over the first
/// `old_size`. It is empty if the old tree is empty or they are the same.
pub fn consistency_proof<N: Nodes>(nodes: &N, old_size: u64, new_size: u64) -> Result<Vec<Hash>, N::Error> {
    if old_size > new_size {
        return Err(MerkleError::Shrunk { old_size, new_size }.into());
    }
    let mut proof = Vec::new();
    if old_size == 0 || old_size == new_size {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new_size);
    while old_size < end {
        let middle = start + split(end - start);
        if old_size <= middle {
            proof.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    // The old tree's last subtree; where it is the whole old tree, who checks has its root.
    if start > 0 {
        proof.push(range_root(nodes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two below `count`, which is at least two.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
