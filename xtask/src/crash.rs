//! `cargo xtask crash registry|log|tsa|ca|trust|up`: what a service acknowledged is there, whatever ended it.
//!
//! Of the registry:
//!
//! - [`kills`]: a registry under load from several clients and garbage collection is killed at random
//!   instants, again and again on the same directory.
//! - [`steps`]: a scripted push, once for every single step that it takes on the disk: the process aborts there;
//!   the step fails; the power is cut there, and of what was not synced nothing survives, or some of it.
//!
//! After each, the registry starts clean, `fsck` finds nothing, and all that clients were told is as they
//! were told ([`ledger`]).
//!
//! The same of the log ([`log`]): its entries are where they were said to be, and every checkpoint that it showed is one of
//! its history. Of the timestamp authority ([`tsa`]): no serial is given twice. Of the certificate authority ([`ca`]): neither,
//! and every certificate is recorded and in the log. Of the repository of trust ([`trust`]): whoever follows it is never
//! shown less than before, or what cannot be verified. And of a whole stack ([`up`]): all of that at once.

mod actions;
mod ca;
mod client;
mod disk;
mod kills;
mod ledger;
mod log;
mod play;
mod power;
mod random;
mod script;
mod server;
mod steps;
mod trust;
mod tsa;
mod up;

use std::path::{Path, PathBuf};
use std::time::Instant;

/// How to call it.
pub(crate) const USAGE: &str =
    "crash registry|log|tsa|ca|trust|up [--kills N] [--seed S] [--steps no] [--dir D]";

/// Runs the harness, or the service that it kills.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match args.split_first() {
        Some((&log::COMMAND, options)) => runtime.block_on(log::play(options)),
        Some((&tsa::COMMAND, options)) => runtime.block_on(tsa::play(options)),
        Some((&ca::COMMAND, options)) => runtime.block_on(ca::play(options)),
        Some((&trust::COMMAND, options)) => runtime.block_on(trust::play(options)),
        Some((&up::COMMAND, options)) => runtime.block_on(up::play(options)),
        Some((&server::COMMAND, options)) => runtime.block_on(server::serve(options)),
        Some((service, options)) => runtime.block_on(harness(service, &Options::parse(options)?)),
        None => Err(usage()),
    }
}

async fn harness(service: &str, options: &Options) -> Result<(), String> {
    let Options { dir, kills, seed, .. } = options;
    let (kills, seed) = (*kills, *seed);
    match service {
        "registry" => {
            let held = "nothing acknowledged was lost";
            options.run(steps::run(dir, seed), kills::run(dir, kills, seed), held).await
        }
        "log" => {
            let held = "nothing acknowledged was lost, no index twice, no fork";
            options.run(log::steps(dir, seed), log::kills(dir, kills, seed), held).await
        }
        "tsa" => {
            let held = "no serial was given twice";
            options.run(tsa::steps(dir), tsa::kills(dir, kills, seed), held).await
        }
        "ca" => {
            let held = "every certificate is recorded and in the log, no serial twice";
            options.run(ca::steps(dir), ca::kills(dir, kills, seed), held).await
        }
        "trust" => {
            let held = "no follower was shown less than before, or what cannot be verified";
            options.run(trust::steps(dir), trust::kills(dir, kills, seed), held).await
        }
        "up" => {
            let held = "every start was clean, nothing acknowledged was lost";
            let steps = async { Ok("every step on the disk: see the harness of each service".to_owned()) };
            options.run(steps, up::kills(dir, kills, seed), held).await
        }
        _ => Err(usage()),
    }
}

struct Options {
    /// Where the registries keep their data meanwhile.
    dir: PathBuf,
    kills: u32,
    seed: u64,
    steps: bool,
}

impl Options {
    /// Runs the steps, if they are wanted, and the kills; says what was seen and what `held`.
    async fn run(
        &self,
        steps: impl Future<Output = Result<String, String>>,
        kills: impl Future<Output = Result<String, String>>,
        held: &str,
    ) -> Result<(), String> {
        let began = Instant::now();
        say(&format!("seed {}", self.seed));
        if self.steps {
            say(&steps.await?);
        }
        say(&kills.await?);
        say(&format!("{held} ({:.0} s)", began.elapsed().as_secs_f64()));
        Ok(())
    }

    fn parse(args: &[&str]) -> Result<Self, String> {
        let mut options = Self { dir: fast_directory(), kills: 50, seed: 1, steps: true };
        for pair in args.chunks(2) {
            match pair {
                ["--dir", dir] => options.dir = PathBuf::from(dir),
                ["--kills", n] => options.kills = n.parse().map_err(|_| usage())?,
                ["--seed", n] => options.seed = n.parse().map_err(|_| usage())?,
                ["--steps", "no"] => options.steps = false,
                _ => return Err(usage()),
            }
        }
        Ok(options)
    }
}

#[expect(clippy::print_stdout, reason = "a program for people")]
fn say(line: &str) {
    println!("{line}");
}

/// Memory, where there is a file system in it: what a process wrote survives its death there as it does on
/// a disk, and what a disk does when the power goes is modelled ([`power`]).
fn fast_directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

fn usage() -> String {
    format!("usage: cargo xtask {USAGE}")
}
