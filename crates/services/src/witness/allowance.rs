//! How many checkpoints a log may have cosigned.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Reading;

/// How many checkpoints more a log may have cosigned: a day's number comes back evenly over the day.
pub(super) struct Allowance {
    per_day: Option<u64>,
    left: f64,
    /// When that was, on the steady clock.
    counted: Duration,
}

impl Allowance {
    /// What was left, and what has come back since. Where it cannot be told, nothing was left.
    pub(super) fn load(path: &Path, per_day: Option<u64>, now: Reading) -> io::Result<Self> {
        let Some(number) = per_day else { return Ok(Self { per_day, left: 0.0, counted: now.steady }) };
        let left = match fs::read(path) {
            Ok(bytes) => {
                let kept =
                    serde_json::from_slice(&bytes).unwrap_or(Kept { left: 0.0, at: now.wall.as_secs_f64() });
                // A clock that was set back gives nothing back.
                let since = (now.wall.as_secs_f64() - kept.at).max(0.0);
                kept.left + since / DAY * number as f64
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => burst(number),
            Err(error) => return Err(error),
        };
        Ok(Self { per_day, left: left.clamp(0.0, burst(number)), counted: now.steady })
    }

    /// Takes one; the error is how long to wait for it.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let Some(per_day) = self.per_day else { return Ok(()) };
        let days = now.saturating_sub(self.counted).as_secs_f64() / DAY;
        self.left = (self.left + days * per_day as f64).min(burst(per_day));
        self.counted = now;
        if self.left < 1.0 {
            let wait = (1.0 - self.left) / per_day as f64 * DAY;
            return Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::from_secs_f64(DAY)));
        }
        self.left -= 1.0;
        Ok(())
    }

    /// What is to be kept of it; nothing, where there is no bound.
    pub(super) fn kept(&self, now: Reading) -> Option<String> {
        self.per_day?;
        serde_json::to_string(&Kept { left: self.left, at: now.wall.as_secs_f64() }).ok()
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    left: f64,
    /// In seconds since 1970.
    at: f64,
}

/// As many at once as there are in an hour, and some for a log that is rarely active.
fn burst(per_day: u64) -> f64 {
    (per_day as f64 / 24.0).max(10.0)
}

const DAY: f64 = 86_400.0;
