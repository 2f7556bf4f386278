//! The places that show one log. What each shows has to go on from what any of them showed: a log that shows different people
//! different trees is found by looking from more than one place.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::Arc;

use super::follow::{Follower, Known, Look};
use super::state::StateDir;
use super::{Finding, LogReader, Progress, Source};

/// One log, wherever it is shown.
pub(super) struct Vantages {
    origin: String,
    places: Vec<Follower>,
    known: Known,
}

impl Vantages {
    /// The logs that these are of.
    pub(super) fn of(
        sources: Vec<Source>,
        reader: &Arc<dyn LogReader>,
        state: &StateDir,
        from_now: bool,
    ) -> io::Result<Vec<Self>> {
        let mut by_origin: BTreeMap<String, Vec<Source>> = BTreeMap::new();
        for source in sources {
            by_origin.entry(source.origin.clone()).or_default().push(source);
        }
        let open = |(origin, sources): (String, Vec<Source>)| {
            let known = Known { seen: state.load(&origin)?, is_fresh: false };
            let is_alone = sources.len() == 1;
            let follower = |source| Follower::new(source, Arc::clone(reader), from_now, is_alone);
            Ok(Self { origin, places: sources.into_iter().map(follower).collect(), known })
        };
        by_origin.into_iter().map(open).collect()
    }

    /// Looks at each place, and reads what is new there.
    pub(super) async fn round(&mut self, at: &Look<'_>) -> io::Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for place in &mut self.places {
            place.known = mem::take(&mut self.known);
            let found = place.round(at).await;
            self.known = mem::take(&mut place.known);
            findings.extend(found?);
        }
        Ok(findings)
    }

    pub(super) fn is_behind(&self) -> bool {
        self.places.iter().any(Follower::is_behind)
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// How far it was read; of what was found so many were dropped.
    pub(super) fn progress(&self, dropped: u64) -> Progress {
        let seen = self.known.seen.as_ref();
        let (size, unread) = seen.map_or((0, 0), |seen| (seen.grown.range().size(), seen.unread));
        let tree = seen.map_or("", |seen| &seen.checkpoint.checkpoint().origin);
        let shown = self.places.iter().filter_map(|place| place.shown_of(tree)).max();
        let behind = shown.map(|shown| shown.saturating_sub(size));
        Progress { origin: self.origin.clone(), size, shown, behind, unread, dropped }
    }

    /// Keeps how far the log was read.
    pub(super) fn keep(&mut self, state: &StateDir) -> io::Result<()> {
        if let Some(seen) = self.known.seen.as_ref().filter(|_| self.known.is_fresh) {
            state.keep(&self.origin, seen)?;
            self.known.is_fresh = false;
        }
        Ok(())
    }
}
