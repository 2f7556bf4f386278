//! `cargo xtask crash registry|log|tsa`: what a service acknowledged is there, whatever ended it.
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
//! its history. And of the timestamp authority ([`tsa`]): no serial is given twice.

mod actions;
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
mod tsa;

use std::path::{Path, PathBuf};
use std::time::Instant;

/// How to call it.
pub(crate) const USAGE: &str = "crash registry|log|tsa [--kills N] [--seed S] [--steps no] [--dir D]";

/// Runs the harness, or the registry that it kills.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match args.split_first() {
        Some((&"registry", options)) => runtime.block_on(registry(Options::parse(options)?)),
        Some((&"log", options)) => runtime.block_on(log(Options::parse(options)?)),
        Some((&"tsa", options)) => runtime.block_on(tsa(Options::parse(options)?)),
        Some((&log::COMMAND, options)) => runtime.block_on(log::play(options)),
        Some((&tsa::COMMAND, options)) => runtime.block_on(tsa::play(options)),
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

#[expect(clippy::print_stdout, reason = "a program for people")]
async fn log(options: Options) -> Result<(), String> {
    let started = Instant::now();
    println!("seed {}", options.seed);
    if options.steps {
        println!("{}", log::steps(&options.dir, options.seed).await?);
    }
    println!("{}", log::kills(&options.dir, options.kills, options.seed).await?);
    println!(
        "nothing acknowledged was lost, no index twice, no fork ({:.0} s)",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program for people")]
async fn tsa(options: Options) -> Result<(), String> {
    let started = Instant::now();
    println!("seed {}", options.seed);
    if options.steps {
        println!("{}", tsa::steps(&options.dir).await?);
    }
    println!("{}", tsa::kills(&options.dir, options.kills, options.seed).await?);
    println!("no serial was given twice ({:.0} s)", started.elapsed().as_secs_f64());
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
