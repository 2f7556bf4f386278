//! Who does the work of a decision that is in independent pieces.

/// Does pieces of work: each once, in any order, and returns when all are done. This crate has no threads; a face that has
/// some may do the pieces side by side, and the verdict is the same.
pub trait Workers {
    /// Calls `piece` with each number below `pieces`.
    fn do_all(&self, pieces: usize, piece: &(dyn Fn(usize) + Sync));
}
