//! How an authority states the time, and what it knows of it.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use const_oid::ObjectIdentifier;

use super::{ClockBound, KernelBound};
use crate::clock::{Clock, Reading};

/// Sigstore's policy for timestamps of signatures.
pub const DEFAULT_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");

/// How an authority states the time.
pub struct Config {
    /// The policies that tokens are given under; the first if the client asks for none.
    pub policies: Vec<ObjectIdentifier>,
    /// What it knows of the time.
    pub time: TimeSource,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// Sigstore's policy, an accuracy of one second, and the kernel's own bound.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let time = TimeSource::Bounded { accuracy: Duration::from_secs(1), bound: Arc::new(KernelBound) };
        Self { policies: vec![DEFAULT_POLICY], time, clock }
    }
}

/// What an authority knows of the time.
#[derive(Clone)]
pub enum TimeSource {
    /// Tokens state an accuracy, and there are none while the clock's bound is beyond it.
    Bounded {
        /// What tokens state.
        accuracy: Duration,
        /// What knows how far the clock is off.
        bound: Arc<dyn ClockBound>,
    },
    /// For development: tokens state no accuracy, and are signed by an authority that says in its name
    /// what it is for.
    Development,
}

impl Config {
    pub(super) fn is_development(&self) -> bool {
        matches!(self.time, TimeSource::Development)
    }

    pub(super) fn accuracy(&self) -> Option<Duration> {
        match self.time {
            TimeSource::Bounded { accuracy, .. } => Some(accuracy),
            TimeSource::Development => None,
        }
    }

    /// Why the time is not known as well as tokens state it.
    pub(super) fn doubt(&self) -> Option<String> {
        let TimeSource::Bounded { accuracy, bound } = &self.time else { return None };
        if self.time_now().is_some() {
            return None;
        }
        if let Some(off) = bound.bound(&self.clock.read()) {
            let (off, stated) = (off.as_millis(), accuracy.as_millis());
            return Some(format!("the clock may be off by {off} ms, and timestamps state {stated} ms"));
        }
        let sources = bound.sources().into_iter();
        let silent =
            sources.filter_map(|source| Some(format!("`{}`: {}", source.name, source.offset.err()?)));
        let silent: Vec<String> = silent.collect();
        Some(match silent.is_empty() {
            true => "too few time servers agree".to_owned(),
            false => format!("how far the clock may be off is not known ({})", silent.join("; ")),
        })
    }

    /// The time, if it is known as well as tokens state it.
    pub(super) fn time_now(&self) -> Option<Reading> {
        let now = self.clock.read();
        match &self.time {
            TimeSource::Development => Some(now),
            TimeSource::Bounded { accuracy, bound } => {
                let off = bound.bound(&now)?.checked_add(RESOLUTION)?;
                (off <= *accuracy).then_some(now)
            }
        }
    }
}

/// The accuracies that timestamps can state.
pub const ACCURACIES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// What a time loses by being cut to milliseconds.
const RESOLUTION: Duration = Duration::from_millis(2);
