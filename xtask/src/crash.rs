//! `cargo xtask crash registry`: what the registry acknowledged is there, whatever ended it.
//!
//! - [`kills`]: a registry under load from several clients and garbage collection is killed at random
//!   instants, again and again on the same directory.
//! - [`steps`]: a scripted push, once for every single step that it takes on the disk: the process aborts there;
//!   the step fails; the power is cut there, and of what was not synced nothing survives, or some of it.
//!
//! After each, the registry starts clean, `fsck` finds nothing, and all that clients were told is as they
//! were told ([`ledger`]).

mod actions;
mod client;
mod disk;
mod kills;
mod ledger;
mod power;
mod random;
mod script;
mod server;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Instant;

/// How to call it.
pub(crate) const USAGE: &str = "crash registry [--kills N] [--seed S] [--steps no] [--dir D]";

/// Runs the harness, or the registry that it kills.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match args.split_first() {
        Some((&"registry", options)) => runtime.block_on(registry(Options::parse(options)?)),
        Some((&server::COMMAND, options)) => runtime.block_on(server::serve(options)),
        _ => Err(usage()),
    }
}

#[expect(clippy::print_stdout, reason = "a program for people")]
async fn registry(options: Options) -> Result<(), String> {
    let started = Instant::now();
    println!("seed {}", options.seed);
    if options.steps {
        println!("{}", steps::run(&options.dir, options.seed).await?);
    }
    println!("{}", kills::run(&options.dir, options.kills, options.seed).await?);
    println!("nothing acknowledged was lost ({:.0} s)", started.elapsed().as_secs_f64());
    Ok(())
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
