//! Lines that others can cause at will, or that a failure would repeat: said now and then only.

use std::time::Duration;

/// One kind of line.
#[derive(Debug)]
pub struct Quiet {
    every: Duration,
    /// When it was said last.
    said: Option<Duration>,
    /// How often it was not since.
    unsaid: u64,
}

impl Quiet {
    /// A line that is said at most once in so long.
    pub fn every(every: Duration) -> Self {
        Self { every, said: None, unsaid: 0 }
    }

    /// Whether it is to be said now, on a steady clock: then, how often it was left unsaid since the last time.
    pub fn say(&mut self, now: Duration) -> Option<u64> {
        if self.said.is_some_and(|said| now.saturating_sub(said) < self.every) {
            self.unsaid += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_once_in_a_while_and_how_often_it_was_not() {
        let mut line = Quiet::every(Duration::from_secs(60));
        let said: Vec<_> = [0, 1, 59, 60, 61, 180].map(|at| line.say(Duration::from_secs(at))).into();
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
