//! A disk on which one step goes wrong.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use signet_store::fs::{Faults, Step};

/// How the step goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing of it is done: an input/output error.
    Io,
    /// Nothing of it is done: the disk is full.
    Full,
    /// Half of the bytes are written.
    Torn,
}

impl Fault {
    pub(super) const ALL: [Self; 3] = [Self::Io, Self::Full, Self::Torn];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Full => "full",
            Self::Torn => "torn",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(|| format!("no fault `{name}`"))
    }
}

/// What happens then.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The process aborts.
    Abort,
    /// The step fails; later ones do not.
    GoOn,
}

/// Lets the first steps be done, and the next one go wrong.
pub(super) struct FaultAt {
    step: usize,
    fault: Fault,
    then: Then,
    seen: AtomicUsize,
}

impl FaultAt {
    pub(super) fn new(step: usize, fault: Fault, then: Then) -> Self {
        Self { step, fault, then, seen: AtomicUsize::new(0) }
    }

    /// Whether there were so many steps at all.
    pub(super) fn happened(&self) -> bool {
        self.seen.load(Ordering::Acquire) > self.step
    }
}

impl Faults for FaultAt {
    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        if self.fault == Fault::Torn && !matches!(step, Step::Write(_)) {
            return Ok(());
        }
        if self.seen.fetch_add(1, Ordering::AcqRel) != self.step {
            return Ok(());
        }
        if let (Fault::Torn, Step::Write(bytes)) = (self.fault, step) {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            OpenOptions::new().append(true).open(path)?.write_all(half)?;
        }
        match (self.then, self.fault) {
            (Then::Abort, _) => std::process::abort(),
            (Then::GoOn, Fault::Io) => Err(io::Error::other("the disk failed (injected)")),
            (Then::GoOn, _) => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}
