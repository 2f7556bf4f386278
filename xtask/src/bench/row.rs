//! What a row of the table says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::load::A_CPU_SECOND;
use super::machine;
use super::measure::Series;

/// One row: who did what, what it took, and what was to be reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// The work, in words.
    pub(super) work: String,
    pub(super) unit: String,
    /// Seconds since 1970.
    pub(super) finished: u64,
    /// How many processes wanted a core at the end of the row, over the last minute.
    pub(super) load: f64,
    /// Signet first.
    pub(super) series: Vec<Series>,
    /// What cannot be beaten here, and why.
    pub(super) floor: Option<(String, f64)>,
    pub(super) bounds: Vec<Bound>,
    /// What else is worth knowing.
    pub(super) figures: BTreeMap<String, f64>,
}

/// Something to be reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) what: String,
    pub(super) measured: f64,
    pub(super) reach: Reach,
}

/// On which side of a number the measured one should be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reach {
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    /// A row of these series, Signet's first.
    pub(super) fn new(name: &str, work: &str, unit: &str, series: Vec<Series>) -> Self {
        Self {
            name: name.to_owned(),
            work: work.to_owned(),
            unit: unit.to_owned(),
            finished: machine::seconds_since_1970(),
            load: machine::load(),
            series,
            floor: None,
            bounds: Vec::new(),
            figures: BTreeMap::new(),
        }
    }

    pub(super) fn floor(mut self, what: &str, value: f64) -> Self {
        self.floor = Some((what.to_owned(), value));
        self
    }

    pub(super) fn reach(mut self, what: &str, measured: f64, reach: Reach) -> Self {
        self.bounds.push(Bound { what: what.to_owned(), measured, reach });
        self
    }

    /// Signet's value divided by that of a peer. Of a busy machine the best runs and the CPU time say more.
    pub(super) fn ratio(mut self, peer: &str, reach: Reach) -> Self {
        let (ours, theirs) = (self.signet(), self.of(peer));
        let ratio = ours.value() / theirs.value();
        let best = ours.best(reach) / theirs.best(reach);
        let cpu = ours.cpu_ms().zip(theirs.cpu_ms()).map(|(ours, theirs)| ours / theirs);
        self.figures.insert(format!("best runs, Signet / {peer}"), best);
        self.figures.extend(cpu.map(|cpu| (format!("CPU time, Signet / {peer}"), cpu)));
        self.reach(&format!("Signet / {peer}"), ratio, reach)
    }

    /// The work that a CPU second of the server does, divided by that of a peer's.
    pub(super) fn a_cpu_second(self, peer: &str, least: f64) -> Self {
        let [ours, theirs] = [self.signet(), self.of(peer)].map(|series| series.more(A_CPU_SECOND));
        let rate = self.signet().value() / self.of(peer).value();
        self.reach(&format!("a CPU second, Signet / {peer}"), ours / theirs, Reach::AtLeast(least))
            .figure("a CPU second, Signet", ours)
            .figure(&format!("a CPU second, {peer}"), theirs)
            .figure(&format!("a second, Signet / {peer}"), rate)
    }

    /// With something worth knowing that nobody set a bound for.
    pub(super) fn figure(mut self, what: &str, value: f64) -> Self {
        self.figures.insert(what.to_owned(), value);
        self
    }

    pub(super) fn signet(&self) -> &Series {
        self.series.first().expect("a row has Signet's series")
    }

    /// The series of this name.
    pub(super) fn of(&self, name: &str) -> &Series {
        let found = self.series.iter().find(|series| series.name == name);
        found.unwrap_or_else(|| panic!("{} has no series {name}", self.name))
    }
}

impl Bound {
    pub(super) fn is_met(&self) -> bool {
        match self.reach {
            Reach::AtMost(most) => self.measured <= most,
            Reach::AtLeast(least) => self.measured >= least,
        }
    }
}
