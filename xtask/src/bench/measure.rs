//! Running things in turn and noting what each run cost.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use wait4::Wait4;

use super::row::Reach;

/// What one run was measured at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    /// In the unit of its row.
    pub(super) value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peak_mib: Option<f64>,
    /// What else was seen, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) more: BTreeMap<String, f64>,
}

impl Sample {
    /// A value and nothing else.
    pub(super) fn of(value: f64) -> Self {
        Self { value, ..Self::default() }
    }

    /// With one more thing seen.
    pub(super) fn with(mut self, name: &str, value: f64) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }
}

/// The runs of one contestant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) runs: Vec<Sample>,
}

impl Series {
    /// The middle of the values.
    pub(super) fn value(&self) -> f64 {
        self.median(|run| Some(run.value)).unwrap_or(f64::NAN)
    }

    /// The run that came nearest to what is to be reached.
    pub(super) fn best(&self, reach: Reach) -> f64 {
        let values = self.runs.iter().map(|run| run.value);
        let best = match reach {
            Reach::AtMost(_) => values.min_by(f64::total_cmp),
            Reach::AtLeast(_) => values.max_by(f64::total_cmp),
        };
        best.unwrap_or(f64::NAN)
    }

    pub(super) fn cpu_ms(&self) -> Option<f64> {
        self.median(|run| run.cpu_ms)
    }

    /// The highest of all runs.
    pub(super) fn peak_mib(&self) -> Option<f64> {
        self.runs.iter().filter_map(|run| run.peak_mib).max_by(f64::total_cmp)
    }

    /// The middle of what else was seen by this name.
    pub(super) fn more(&self, name: &str) -> f64 {
        self.median(|run| run.more.get(name).copied()).unwrap_or(f64::NAN)
    }

    fn median(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.runs.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| median(&values))
    }
}

/// Somebody who does the work of a row: the argument is the number of the run.
pub(super) struct Contestant<'a> {
    name: &'static str,
    run: Box<dyn FnMut(usize) -> Sample + 'a>,
}

impl<'a> Contestant<'a> {
    pub(super) fn new(name: &'static str, run: impl FnMut(usize) -> Sample + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// A program that is run to its end, in milliseconds.
    pub(super) fn program(name: &'static str, mut command: impl FnMut(usize) -> Command + 'a) -> Self {
        Self::new(name, move |number| process(command(number)))
    }
}

/// Everybody once to warm up, then in turn `runs` times: what the machine does meanwhile meets them alike.
pub(super) fn alternate(runs: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<Series> {
    let mut series: Vec<Series> = contestants
        .iter()
        .map(|contestant| Series { name: contestant.name.to_owned(), runs: Vec::new() })
        .collect();
    for number in 0..=runs {
        for (contestant, series) in contestants.iter_mut().zip(&mut series) {
            let sample = (contestant.run)(number);
            if number > 0 {
                series.runs.push(sample);
            }
        }
    }
    series
}

/// Runs a program to its end, which must be a success: wall time in milliseconds, CPU time, peak memory.
///
/// Linux counts the memory of the parent at the moment of the start too, so a peak is never below ours.
pub(super) fn process(mut command: Command) -> Sample {
    let line = format!("{command:?}");
    let start = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{line} cannot be run: {error}"));
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("standard error is a pipe");
    stderr.read_to_string(&mut said).unwrap_or_else(|error| panic!("{line}: {error}"));
    let end = child.wait4().expect("a child can be waited for");
    let value = milliseconds(start);
    assert!(end.status.success(), "{line} ended with {:?}:\n{said}", end.status);
    let used = end.rusage;
    Sample {
        value,
        cpu_ms: Some((used.utime + used.stime).as_secs_f64() * 1e3),
        peak_mib: Some(used.maxrss as f64 / f64::from(1 << 20)),
        more: BTreeMap::new(),
    }
}

/// The CPU time of one call, as the mean over so many.
pub(super) fn cpu_microseconds(calls: u32, work: impl Fn()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let start = now();
    (0..calls).for_each(|_| work());
    (now() - start) / f64::from(calls)
}

/// Milliseconds since `start`.
pub(super) fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// The middle of the values.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
