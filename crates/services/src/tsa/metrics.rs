//! How many requests ended how.

use std::sync::atomic::{AtomicU64, Ordering};

use signet_formats::timestamp::PkiFailure;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a token.
    Granted,
    /// With this failure.
    Refused(PkiFailure),
}

/// Counts of the outcomes since the start.
#[derive(Debug, Default)]
pub struct Counters {
    granted: AtomicU64,
    refused: [AtomicU64; PkiFailure::ALL.len()],
}

impl Counters {
    /// How many tokens were given.
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    /// How many requests were refused, by failure.
    pub fn refused(&self) -> impl Iterator<Item = (PkiFailure, u64)> {
        PkiFailure::ALL
            .into_iter()
            .zip(&self.refused)
            .map(|(failure, count)| (failure, count.load(Ordering::Relaxed)))
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Granted => Some(&self.granted),
            Outcome::Refused(failure) => PkiFailure::ALL
                .iter()
                .zip(&self.refused)
                .find(|(known, _)| **known == failure)
                .map(|(_, count)| count),
        };
        counter.map(|counter| counter.fetch_add(1, Ordering::Relaxed));
    }
}
