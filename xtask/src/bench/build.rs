//! The size of the release binary and the time of the first build.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use signet_testkit::{Sandbox, peers};

use super::measure::{Sample, Series, process};
use super::row::{Reach, Row};
use super::stage;

pub(super) fn size(_runs: usize) -> Vec<Row> {
    let Some([cosign]) = peers(["cosign"]) else { return Vec::new() };
    let mebibytes = |file: &Path| {
        let bytes = fs::metadata(file).expect("the program is there").len();
        Sample::of(bytes as f64 / 1e6)
    };
    let series = [("Signet", stage::signet().as_path()), ("cosign", cosign.as_ref())]
        .map(|(name, file)| Series { name: name.to_owned(), runs: vec![mebibytes(file)] });
    let row = Row::new("size", "the release binary", "MB", series.into());
    let size = row.signet().value();
    vec![row.reach("MB", size, Reach::AtMost(20.0))]
}

/// Once, into an empty directory: what is downloaded first is not counted.
pub(super) fn cold(_runs: usize) -> Vec<Row> {
    let cargo = || Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let fetched = cargo().args(["fetch", "--locked"]).status().expect("cargo can be run");
    assert!(fetched.success(), "cargo fetch failed");
    let target = Sandbox::new();
    let mut build = cargo();
    build.args(["run", "--release", "--locked", "--quiet", "--", "--version"]);
    build.env("CARGO_TARGET_DIR", target.path("target"));
    let mut sample = process(build);
    sample.value /= 1e3;
    let series = vec![Series { name: "Signet".to_owned(), runs: vec![sample] }];
    let row = Row::new("build", "`cargo run --release` in a fresh clone, downloads aside", "s", series);
    let took = row.signet().value();
    vec![row.reach("s", took, Reach::AtMost(FOUR_MINUTES.as_secs_f64()))]
}

const FOUR_MINUTES: Duration = Duration::from_secs(240);
