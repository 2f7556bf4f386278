//! Tiled transparency logs (C2SP tlog-tiles v0.1): where tiles are, what is in them, and the proofs
//! that come out of them.
//!
//! A log's tree (RFC 6962) is cut into tiles of [`TILE_WIDTH`] hashes, its entries into bundles of as
//! many entries. Full ones never change; the last of each level has as many as there are yet.

mod add_checkpoint;
mod bundle;
mod entry_proof;
mod log_list;
mod path;
mod policy;
mod proof;
mod tiles;

pub use add_checkpoint::{AddCheckpoint, AddCheckpointError, MAX_ADD_CHECKPOINT_BYTES};
pub use bundle::{BundleError, Entries, MAX_ENTRY_BYTES, push_entry};
pub use entry_proof::{EntryProof, EntryProofError};
pub use log_list::{ListedLog, LogListError, parse_log_list};
pub use path::{EntryBundle, MAX_TILE_LEVEL, PathError, Resource, Tile, full_path};
pub use policy::{MAX_POLICY_BYTES, MAX_WITNESS_SKEW, PolicyError, PolicyLog, PolicyWitness, WitnessPolicy};
pub use proof::{Nodes, consistency_proof, inclusion_proof, peaks, range_root, tree_root};
pub use tiles::{TileError, TileNodes};

/// The hashes in a full tile, and the entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// How many levels of the tree one level of tiles spans.
pub const TILE_HEIGHT: u8 = 8;

/// The bytes of a full tile.
pub const TILE_BYTES: usize = 256 * 32;

#[cfg(test)]
mod tests;
