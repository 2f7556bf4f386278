//! Merkle trees of transparency logs (RFC 6962 §2.1, checked by the algorithms of RFC 9162 §2.1).

use std::fmt;

use signet_crypto::{Digest, DigestAlgorithm, Hasher};

/// A SHA-256 hash in a tree.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 of 0x00 and the entry.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    hasher.update(&[LEAF]);
    hasher.update(entry);
    bytes(&hasher.finish())
}

/// The hash of an inner node: SHA-256 of 0x01 and the hashes of its children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [NODE; 1 + 2 * size_of::<Hash>()];
    let (_, children) = node.split_at_mut(1);
    let (first, second) = children.split_at_mut(size_of::<Hash>());
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    bytes(&Digest::sha256(&node))
}

/// The root of the tree over these leaf hashes. All of them are in memory: for small trees.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => bytes(&Digest::sha256(b"")),
        [leaf] => *leaf,
        _ => {
            // The largest power of two below the number of leaves.
            let split = 1 << (leaves.len() - 1).ilog2();
            let (left, right) = leaves.split_at(split);
            node_hash(&root(left), &root(right))
        }
    }
}

/// The root that an inclusion proof leads to, of a leaf at `index` in a tree of `size` leaves.
///
/// An error if the index is not in the tree or the proof has not exactly the length it must have.
pub fn inclusion_root(index: u64, size: u64, leaf: &Hash, proof: &[Hash]) -> Result<Hash, MerkleError> {
    if index >= size {
        return Err(MerkleError::IndexOutOfRange { index, size });
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(MerkleError::ProofLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A node that is the last of its level without a sibling moves up unhashed.
            let unpaired = if node & 1 == 1 { 0 } else { node.trailing_zeros().min(63) };
            (node, last) = (node >> unpaired, last >> unpaired);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match last {
        0 => Ok(hash),
        _ => Err(MerkleError::ProofLength),
    }
}

/// Checks that the leaf at `index` is in the tree of `size` leaves that has this root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), MerkleError> {
    match inclusion_root(index, size, leaf, proof)? == *root {
        true => Ok(()),
        false => Err(MerkleError::RootMismatch),
    }
}

/// Checks that the tree of `new_size` leaves with `new_root` only appends to that of `old_size`.
///
/// The proof from an empty tree, and from a tree to itself, is empty.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if old_size > new_size {
        return Err(MerkleError::Shrunk { old_size, new_size });
    }
    if old_size == 0 || old_size == new_size {
        return trivial_consistency(old_size, old_root, new_root, proof);
    }
    match roots_of_proof(old_size, new_size, old_root, proof)? == (*old_root, *new_root) {
        true => Ok(()),
        false => Err(MerkleError::RootMismatch),
    }
}

/// Whether a proof that [`verify_consistency`] refuses leads to `new_root` all the same, from another tree of `old_size` than
/// that of `old_root`: then whoever signed both roots has signed two histories.
///
/// The proof from a complete tree leaves that out, so it shows nothing of the kind.
pub fn proves_another_tree(
    old_size: u64,
    new_size: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> bool {
    let is_nontrivial = 0 < old_size && old_size < new_size && !old_size.is_power_of_two();
    is_nontrivial
        && roots_of_proof(old_size, new_size, old_root, proof)
            .is_ok_and(|(old, new)| new == *new_root && old != *old_root)
}

/// The roots of the old and the new tree that a proof of consistency leads to.
fn roots_of_proof(
    old_size: u64,
    new_size: u64,
    old_root: &Hash,
    proof: &[Hash],
) -> Result<(Hash, Hash), MerkleError> {
    // A complete old tree is itself a node of the new one, so the proof leaves it out.
    let first = old_size.is_power_of_two().then_some(old_root);
    let mut hashes = first.into_iter().chain(proof);
    let seed = hashes.next().ok_or(MerkleError::ProofLength)?;
    let shift = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old, mut new) = (*seed, *seed);
    for sibling in hashes {
        if last == 0 {
            return Err(MerkleError::ProofLength);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            let unpaired = if node & 1 == 1 { 0 } else { node.trailing_zeros().min(63) };
            (node, last) = (node >> unpaired, last >> unpaired);
        } else {
            new = node_hash(&new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match last {
        0 => Ok((old, new)),
        _ => Err(MerkleError::ProofLength),
    }
}

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MerkleError {
    /// The index is not below the size.
    IndexOutOfRange {
        /// The leaf's index.
        index: u64,
        /// The number of leaves.
        size: u64,
    },
    /// The proof is longer or shorter than the positions in the tree ask for.
    ProofLength,
    /// The proof leads to another root.
    RootMismatch,
    /// The newer tree is smaller than the older.
    Shrunk {
        /// The number of leaves before.
        old_size: u64,
        /// The number of leaves after.
        new_size: u64,
    },
}

impl fmt::Display for MerkleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IndexOutOfRange { index, size } => {
                write!(f, "index {index} is outside a tree of {size} leaves")
            }
            Self::ProofLength => f.write_str("the proof has the wrong length for its place in the tree"),
            Self::RootMismatch => f.write_str("the proof does not lead to the root"),
            Self::Shrunk { old_size, new_size } => {
                write!(f, "the tree shrank from {old_size} to {new_size} leaves")
            }
        }
    }
}

impl std::error::Error for MerkleError {}

fn trivial_consistency(
    old_size: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    let expected = if old_size == 0 { &root(&[]) } else { new_root };
    match (proof.is_empty(), old_root == expected) {
        (true, true) => Ok(()),
        (true, false) => Err(MerkleError::RootMismatch),
        (false, _) => Err(MerkleError::ProofLength),
    }
}

fn bytes(digest: &Digest) -> Hash {
    digest.as_bytes().try_into().expect("a SHA-256 has 32 bytes")
}

const LEAF: u8 = 0;
const NODE: u8 = 1;
