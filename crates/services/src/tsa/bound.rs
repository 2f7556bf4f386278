//! How far the clock may be off.

use std::time::Duration;

use crate::clock::Reading;

/// What knows how far the wall clock may be off.
pub trait ClockBound: Send + Sync {
    /// The most that the wall clock may have been off, in either direction, when it was read; `None` if
    /// that is not known.
    fn bound(&self, read: &Reading) -> Option<Duration>;

    /// What it knows, for operators.
    fn sources(&self) -> Vec<SourceState>;
}

/// A source of time and what it said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// The source.
    pub name: String,
    /// How far the true time is ahead of the clock by this source, in microseconds; `Err` says why
    /// that is not known.
    pub offset: Result<i64, String>,
    /// How far that may be off, in microseconds.
    pub uncertainty: u64,
}

/// What the kernel knows from whatever disciplines its clock: chrony, ntpd, timesyncd, PTP.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelBound;

impl ClockBound for KernelBound {
    fn bound(&self, _: &Reading) -> Option<Duration> {
        kernel::maximum_error().ok()
    }

    fn sources(&self) -> Vec<SourceState> {
        let (offset, uncertainty) = match kernel::maximum_error() {
            Ok(error) => (Ok(0), u64::try_from(error.as_micros()).unwrap_or(u64::MAX)),
            Err(why) => (Err(why.to_owned()), 0),
        };
        vec![SourceState { name: "kernel".to_owned(), offset, uncertainty }]
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::time::Duration;

    use rtime_clock::adjtime::{Timex, adjtimex};

    /// The kernel's `maxerror`. It grows by 500 µs a second while nobody disciplines the clock, and a
    /// step of the clock sets `STA_UNSYNC`.
    pub(super) fn maximum_error() -> Result<Duration, &'static str> {
        // Its modes are zero: nothing is set, all is read.
        let mut state = Timex::new();
        let answer = adjtimex(&mut state).map_err(|_| "the kernel does not say")?;
        let micros = u64::try_from(state.0.maxerror).map_err(|_| "the kernel does not say")?;
        match answer == TIME_ERROR || state.0.status & STA_UNSYNC != 0 {
            true => Err("nothing disciplines the kernel's clock"),
            false => Ok(Duration::from_micros(micros)),
        }
    }

    /// adjtimex(2).
    const TIME_ERROR: i32 = 5;
    const STA_UNSYNC: i32 = 0x40;
}

/// Elsewhere no safe interface tells; time servers have to be configured.
#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::time::Duration;

    pub(super) fn maximum_error() -> Result<Duration, &'static str> {
        Err("this system's kernel does not say")
    }
}
