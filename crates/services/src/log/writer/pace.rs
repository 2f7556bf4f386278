//! When the next batch begins.

use std::thread;
use std::time::{Duration, Instant};

/// How the batches of a log follow each other. Where many entries come, the checks of their signatures need the processor more
/// than each of them its answer: a batch is let grow.
pub(super) struct Pace {
    /// The shortest time between the beginnings of two batches.
    interval: Duration,
    /// How long after the last beginning the next batch begins at the latest.
    pause: Duration,
    /// When the last batch began.
    began: Option<Instant>,
}

impl Pace {
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, pause: interval, began: None }
    }

    /// What the last batch says about the next.
    pub(super) fn follow(&mut self, entries: usize) {
        self.pause = match entries {
            0..MANY => self.interval,
            _ => self.interval.max((self.interval * 3).min(LONG_PAUSE)),
        };
    }

    /// Waits until the next batch is due, or for nothing once `is_over`; `waiting` says how many bytes are there for it. The first
    /// after a pause goes at once.
    pub(super) fn wait(&mut self, waiting: impl Fn() -> usize, is_over: impl Fn() -> bool) {
        let mut before = None;
        while let Some(began) = self.began {
            let (elapsed, bytes) = (began.elapsed(), waiting());
            if self.is_due(elapsed, bytes, before.replace(bytes)) || is_over() {
                break;
            }
            thread::sleep(self.pause.saturating_sub(elapsed).min(LOOK_EVERY));
        }
        self.began = Some(Instant::now());
    }

    /// Whether a batch is due for which so many bytes wait, and waited a look before. Beyond the interval it grows only while more
    /// come, since of clients who wait for their answers all may have asked, and only until it is worth what it costs.
    fn is_due(&self, elapsed: Duration, bytes: usize, before: Option<usize>) -> bool {
        let comes_no_more = before == Some(bytes);
        elapsed >= self.pause || elapsed >= self.interval && (comes_no_more || bytes >= ENOUGH_BYTES)
    }
}

/// After a batch of so many entries the next one is let grow, for at most so long, unless so many bytes wait before.
const MANY: usize = 64;
/// The longest time between the beginnings of two batches where many entries come, unless it is set longer.
pub const LONG_PAUSE: Duration = Duration::from_millis(30);
const ENOUGH_BYTES: usize = 192 << 10;
const LOOK_EVERY: Duration = Duration::from_millis(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(entries: usize, interval: u64) -> Pace {
        let mut pace = Pace::new(Duration::from_millis(interval));
        pace.follow(entries);
        pace
    }

    #[test]
    fn only_where_many_come_they_wait_for_more_and_never_less_than_was_said() {
        let after = |entries, interval| pace(entries, interval).pause.as_millis();
        assert_eq!((after(1, 10), after(MANY - 1, 10), after(MANY, 10)), (10, 10, 30));
        assert_eq!((after(MANY, 0), after(MANY, 2), after(MANY, 20), after(MANY, 1_000)), (0, 6, 30, 1_000));
    }

    #[test]
    fn a_batch_grows_beyond_the_interval_only_while_more_come() {
        let is_due =
            |elapsed, bytes, before| pace(MANY, 10).is_due(Duration::from_millis(elapsed), bytes, before);
        assert!(!is_due(9, 700, Some(700)) && !is_due(9, ENOUGH_BYTES, None), "the interval is kept");
        assert!(!is_due(12, 700, None), "nobody looked before");
        assert!(!is_due(12, 700, Some(500)), "more have come");
        assert!(is_due(12, 700, Some(700)), "all have asked");
        assert!(is_due(12, ENOUGH_BYTES, Some(500)), "it is worth what it costs");
        assert!(is_due(30, 700, Some(500)), "never longer");
    }
}
