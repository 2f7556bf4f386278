//! The processor's other cores, for decisions by many signatures.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};

use signet_verify::Workers;

/// A thread for each core, where there is enough to do.
pub(crate) struct Threads;

impl Workers for Threads {
    fn do_all(&self, pieces: usize, piece: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < pieces);
            while let Some(number) = take() {
                piece(number);
            }
        };
        thread::scope(|scope| {
            for _ in 0..helpers(pieces) {
                // Where there can be no more threads, this one does it all.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
    }
}

fn helpers(pieces: usize) -> usize {
    if pieces < WORTH_A_THREAD {
        return 0;
    }
    available_parallelism().map_or(0, |cores| NonZero::get(cores).min(MAX_THREADS) - 1)
}

/// Fewer signatures are checked before another thread has begun.
const WORTH_A_THREAD: usize = 16;
/// A policy may be asked by several images at once.
const MAX_THREADS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once() {
        for pieces in [0, 1, WORTH_A_THREAD, 1000] {
            let done: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
            Threads.do_all(pieces, &|number| {
                done[number].fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{pieces}");
        }
    }
}
