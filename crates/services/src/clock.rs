//! The time, as the services are given it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What tells the time.
pub trait Clock: Send + Sync {
    /// What the clocks say now.
    fn read(&self) -> Reading;

    /// Whole seconds since 1970.
    fn seconds(&self) -> i64 {
        self.read().seconds()
    }
}

/// Whole milliseconds since 1970, as logs of certificates count.
pub fn milliseconds(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.read().wall.as_millis()).unwrap_or(u64::MAX)
}

/// What the two clocks of a machine say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time since 1970-01-01T00:00:00Z; somebody may set this clock at any moment.
    pub wall: Duration,
    /// The time since some moment of this process; nobody can set this clock.
    pub steady: Duration,
}

impl Reading {
    /// Whole seconds since 1970.
    pub fn seconds(&self) -> i64 {
        i64::try_from(self.wall.as_secs()).unwrap_or(i64::MAX)
    }
}

/// The clocks of this machine.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clocks, the steady one starting now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        // A clock before 1970 is as good as none, and shows as 1970.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Reading { wall, steady: self.started.elapsed() }
    }
}

/// A clock that stands still until it is moved: for tests and rehearsals.
pub struct ManualClock {
    now: Mutex<Reading>,
}

impl ManualClock {
    /// A clock that says so many seconds since 1970.
    pub fn at(seconds: u64) -> Self {
        Self { now: Mutex::new(Reading { wall: Duration::from_secs(seconds), steady: Duration::ZERO }) }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = Reading { wall: now.wall + by, steady: now.steady + by };
    }

    /// Sets the wall clock, as an operator or an attacker would.
    pub fn step_to(&self, wall: Duration) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).wall = wall;
    }
}

impl Clock for ManualClock {
    fn read(&self) -> Reading {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
