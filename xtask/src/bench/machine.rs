//! The machine that a measurement was made on.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What a reader must know to compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_gib: u64,
    pub(super) kernel: String,
    pub(super) compiler: String,
    /// The peers' own words for their versions.
    pub(super) peers: Vec<String>,
}

impl Machine {
    pub(super) fn this() -> Self {
        let memory = field("/proc/meminfo", "MemTotal");
        let kib = memory.split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (kib.unwrap_or(0) + HALF_GIB) >> 20,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            compiler: said("rustc", &["--version"]),
            peers: VERSIONS.iter().map(|(program, args)| version(program, args)).collect(),
        }
    }

    /// As it stands in the name of a file.
    pub(super) fn slug(&self) -> String {
        let name = format!("{} {} cores", self.processor, self.cores);
        let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        words.join("-").to_lowercase()
    }
}

/// How many processes wanted a core, over the last minute.
pub(super) fn load() -> f64 {
    read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

pub(super) fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The first value of `name` in a file of lines `name: value`.
pub(super) fn field(file: &str, name: &str) -> String {
    let text = read(file);
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    let value = pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    value.unwrap_or("unknown").to_owned()
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

fn version(program: &str, args: &[&str]) -> String {
    let said = said(program, args);
    let telling = said.lines().find(|line| line.chars().any(|c| c.is_ascii_digit()));
    let line = telling.unwrap_or("absent").split_whitespace().collect::<Vec<_>>().join(" ");
    // Some say their version without their name, and some where they were built.
    let words = line.split(' ').filter(|word| !word.contains('/') && *word != program);
    format!("{program} {}", words.take(3).collect::<Vec<_>>().join(" "))
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

const HALF_GIB: u64 = 1 << 19;
/// cosign as Debian builds it does not know its version.
const VERSIONS: [(&str, &[&str]); 5] = [
    ("notation", &["version"]),
    ("docker-registry", &["--version"]),
    ("openssl", &["version"]),
    ("curl", &["--version"]),
    ("wrk", &["-v"]),
];
