//! The bound on the work of one decision, so that nobody can exhaust a verifier by attaching junk.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many public-key operations one decision may cost. At about 0.1 ms each they end within half a second,
/// with all that they may hash within two.
pub(crate) const MAX_OPERATIONS: u32 = 4096;

/// How many bytes are read or hashed in about the time of one operation: 4096 of them are 1 GiB.
const BYTES_PER_OPERATION: usize = 256 * 1024;

/// Counts public-key operations down, for all who work on one decision.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU32,
    exhausted: AtomicBool,
}

impl Budget {
    pub(crate) fn new(operations: u32) -> Self {
        Self { left: AtomicU32::new(operations), exhausted: AtomicBool::new(false) }
    }

    /// Takes `operations` from what is left; an error if there are not enough.
    pub(crate) fn spend(&self, operations: u32) -> Result<(), Exhausted> {
        let less = |left: u32| left.checked_sub(operations);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(|_| ()).map_err(|_| {
            self.exhausted.store(true, Ordering::Relaxed);
            Exhausted
        })
    }

    /// Takes what it costs to read or hash so many bytes.
    pub(crate) fn spend_bytes(&self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(operations_of(bytes))
    }

    /// Takes what it costs to verify a signature over the message, which is hashed each time.
    pub(crate) fn spend_over(&self, message: &[u8]) -> Result<(), Exhausted> {
        self.spend(operations_of(message.len()).saturating_add(1))
    }

    /// Whether nothing is left at all, and some was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_exhausted() && self.left.load(Ordering::Relaxed) == 0
    }

    /// Whether some work was refused.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }
}

fn operations_of(bytes: usize) -> u32 {
    u32::try_from(bytes / BYTES_PER_OPERATION).unwrap_or(u32::MAX)
}

/// The budget does not allow the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exhausted_budget_says_so() {
        let budget = Budget::new(2);
        assert_eq!(budget.spend(2), Ok(()));
        assert!(!budget.is_exhausted());
        assert_eq!(budget.spend(1), Err(Exhausted));
        assert!(budget.is_exhausted());
    }

    #[test]
    fn a_long_message_costs_more() {
        let budget = Budget::new(3);
        assert_eq!(budget.spend_over(&[0; BYTES_PER_OPERATION]), Ok(()));
        assert_eq!(budget.spend_over(&[0; BYTES_PER_OPERATION]), Err(Exhausted));
        assert_eq!(budget.spend_over(b""), Ok(()));
    }
}
