//! How much memory a blob on its way takes: the more are on their way, the less each.

use std::sync::Arc;

/// The blobs that are being read or written.
#[derive(Default)]
pub(super) struct Transfers(Arc<()>);

impl Transfers {
    /// One more, as long as what is returned lives.
    pub(super) fn begin(&self) -> Transfer {
        Transfer(Arc::clone(&self.0))
    }
}

/// One of them.
pub(super) struct Transfer(Arc<()>);

impl Transfer {
    /// How many bytes to take in hand at once. Each piece is handed from thread to thread, which costs
    /// as much for a small one as for a large one.
    pub(super) fn piece(&self) -> usize {
        // One of the owners is the registry's.
        let running = Arc::strong_count(&self.0).saturating_sub(1).max(1);
        (ALL_PIECES / running).clamp(SMALLEST_PIECE, LARGEST_PIECE)
    }
}

const ALL_PIECES: usize = 8 << 20;
const LARGEST_PIECE: usize = 2 << 20;
const SMALLEST_PIECE: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_transfers_share_the_memory_of_few() {
        let transfers = Transfers::default();
        let first = transfers.begin();
        assert_eq!(first.piece(), LARGEST_PIECE);
        let others: Vec<_> = (1..64).map(|_| transfers.begin()).collect();
        assert_eq!(first.piece() * 64, ALL_PIECES);
        drop(others);
        assert_eq!(first.piece(), LARGEST_PIECE);
        let crowd: Vec<_> = (0..1_000).map(|_| transfers.begin()).collect();
        assert!(crowd.iter().all(|transfer| transfer.piece() == SMALLEST_PIECE));
    }
}
