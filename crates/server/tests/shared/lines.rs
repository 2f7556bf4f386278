//! The lines of a server's log, for tests to read.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// All that this thread says while this is held.
pub(crate) struct Lines {
    kept: Kept,
    _logging: DefaultGuard,
    _second: Dispatch,
}

impl Lines {
    /// From now on. All that a test spawns runs on its own thread.
    pub(crate) fn of_this_thread() -> Self {
        let kept = Kept::default();
        let _logging = set_default(kept.clone());
        // While a process has only one subscriber, a place in the code that another thread, which has none, comes to first is
        // never asked about again: so there are two.
        Self { kept, _logging, _second: Dispatch::new(Kept::default()) }
    }

    /// What was said until now.
    pub(crate) fn said(&self) -> Vec<String> {
        self.kept.0.lock().unwrap().clone()
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("signet_")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}
