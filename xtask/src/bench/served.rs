//! What a server spends while its clients are measured.

use std::fs;

use super::machine::field;
use super::measure::Sample;

/// A process that serves.
pub(super) struct Served {
    id: u32,
}

impl Served {
    pub(super) fn new(id: u32) -> Self {
        Self { id }
    }

    /// What `clients` measured, with the server's CPU time meanwhile and its peak memory so far.
    pub(super) fn during(&self, clients: impl FnOnce() -> Sample) -> Sample {
        let before = self.cpu_ms();
        let sample = clients();
        Sample { cpu_ms: Some(self.cpu_ms() - before), peak_mib: Some(self.peak_mib()), ..sample }
    }

    /// User and system time: fields 14 and 15 of proc_pid_stat(5), in hundredths of a second.
    pub(super) fn cpu_ms(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).expect("the server runs");
        let (_, after_name) = stat.rsplit_once(')').expect("a stat line has a name");
        let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>());
        ticks.map(|ticks| ticks.expect("ticks are numbers") * 10.0).sum()
    }

    /// The highest so far.
    pub(super) fn peak_mib(&self) -> f64 {
        self.memory_mib("VmHWM")
    }

    /// What it has in memory now.
    pub(super) fn resident_mib(&self) -> f64 {
        self.memory_mib("VmRSS")
    }

    fn memory_mib(&self, name: &str) -> f64 {
        let memory = field(&format!("/proc/{}/status", self.id), name);
        let kib = memory.strip_suffix(" kB").and_then(|kib| kib.parse::<f64>().ok());
        kib.expect("a process has memory") / 1024.0
    }
}
