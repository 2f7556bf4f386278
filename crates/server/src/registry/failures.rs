//! What a registry's operator is told of requests that failed through no fault of the client.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use tracing::error;

use super::error::ApiError;

/// Tells of one failure a second: the log is likely to be on the disk that is full.
#[derive(Default)]
pub(super) struct Failures(Mutex<Told>);

#[derive(Default)]
struct Told {
    last: Option<Instant>,
    untold: u64,
}

impl Failures {
    /// Tells of an answer that says that the registry failed. No query: secrets may be in it.
    pub(super) fn tell(&self, failure: &ApiError, method: &Method, path: &str) {
        if !failure.is_ours() {
            return;
        }
        if let Some(untold) = self.turn(Instant::now()) {
            error!(%failure, %method, path, untold, "a request failed");
        }
    }

    /// Whether this one is told of, and then how many were not since the last.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.is_some_and(|last| now < last + EVERY) {
            told.untold += 1;
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.untold))
    }
}

const EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_a_second_is_told_of_and_the_others_are_counted() {
        let (failures, now) = (Failures::default(), Instant::now());
        assert_eq!(failures.turn(now), Some(0));
        assert_eq!(failures.turn(now), None);
        assert_eq!(failures.turn(now + EVERY / 2), None);
        assert_eq!(failures.turn(now + EVERY), Some(2));
        assert_eq!(failures.turn(now + EVERY * 2), Some(0));
    }
}
