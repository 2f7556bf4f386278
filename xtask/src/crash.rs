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

/// Runs the harness, or the registry that it kills.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match args.split_first() {
        Some((&"registry", options)) => runtime.block_on(registry(Options::parse(options)?)),
        Some((&"log", options)) => runtime.block_on(log(Options::parse(options)?)),
        Some((&"tsa", options)) => runtime.block_on(tsa(Options::parse(options)?)),
        Some((&"ca", options)) => runtime.block_on(ca(Options::parse(options)?)),
        Some((&"trust", options)) => runtime.block_on(trust(Options::parse(options)?)),
        Some((&"up", options)) => runtime.block_on(up(Options::parse(options)?)),
        Some((&log::COMMAND, options)) => runtime.block_on(log::play(options)),
        Some((&tsa::COMMAND, options)) => runtime.block_on(tsa::play(options)),
        Some((&ca::COMMAND, options)) => runtime.block_on(ca::play(options)),
        Some((&trust::COMMAND, options)) => runtime.block_on(trust::play(options)),
        Some((&up::COMMAND, options)) => runtime.block_on(up::play(options)),
        Some((&server::COMMAND, options)) => runtime.block_on(server::serve(options)),
        _ => Err(usage()),
    }
}

async fn registry(options: Options) -> Result<(), String> {
    let began = Began::now(&options);
    if options.steps {
        say(&steps::run(&options.dir, options.seed).await?);
    }
    say(&kills::run(&options.dir, options.kills, options.seed).await?);
    began.end("nothing acknowledged was lost")
}

async fn log(options: Options) -> Result<(), String> {
    let began = Began::now(&options);
    if options.steps {
        say(&log::steps(&options.dir, options.seed).await?);
    }
    say(&log::kills(&options.dir, options.kills, options.seed).await?);
    began.end("nothing acknowledged was lost, no index twice, no fork")
}

async fn tsa(options: Options) -> Result<(), String> {
    let began = Began::now(&options);
    if options.steps {
        say(&tsa::steps(&options.dir).await?);
    }
    say(&tsa::kills(&options.dir, options.kills, options.seed).await?);
    began.end("no serial was given twice")
}

async fn ca(options: Options) -> Result<(), String> {
    let began = Began::now(&options);
    if options.steps {
        say(&ca::steps(&options.dir).await?);
    }
    say(&ca::kills(&options.dir, options.kills, options.seed).await?);
    began.end("every certificate is recorded and in the log, no serial twice")
}

async fn trust(options: Options) -> Result<(), String> {
    let began = Began::now(&options);
    if options.steps {
        say(&trust::steps(&options.dir).await?);
    }
    say(&trust::kills(&options.dir, options.kills, options.seed).await?);
    began.end("no follower was shown less than before, or what cannot be verified")
}

async fn up(options: Options) -> Result<(), String> {
    let began = Began::now(&options);
    say(&up::kills(&options.dir, options.kills, options.seed).await?);
    began.end("every start was clean, nothing acknowledged was lost")
}

/// A harness that runs.
struct Began(Instant);

impl Began {
    fn now(options: &Options) -> Self {
        say(&format!("seed {}", options.seed));
        Self(Instant::now())
    }

    fn end(self, held: &str) -> Result<(), String> {
        say(&format!("{held} ({:.0} s)", self.0.elapsed().as_secs_f64()));
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "a program for people")]
fn say(line: &str) {
    println!("{line}");
}

struct Options {
    /// Where the registries keep their data meanwhile.
    dir: PathBuf,
    kills: u32,
    seed: u64,
    steps: bool,
}

impl Options {
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

/// Memory, where there is a file system in it: what a process wrote survives its death there as it does on
/// a disk, and what a disk does when the power goes is modelled ([`power`]).
fn fast_directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

fn usage() -> String {
    format!("usage: cargo xtask {USAGE}")
}
