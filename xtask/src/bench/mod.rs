//! `cargo xtask bench`: Signet beside its peers in one run.

mod authorities;
mod build;
mod decide;
mod files;
mod floor;
mod images;
mod load;
mod log;
mod log_large;
mod machine;
mod measure;
mod operations;
mod registry;
mod results;
mod row;
mod served;
mod stage;
mod table;
mod up;

use std::process::Command;

use results::Results;
use row::Row;

/// Measures what is asked for, prints it, and keeps it under `benches/results`.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    if args == [images::SCRYPT] {
        images::scrypt();
        return Ok(());
    }
    if cfg!(debug_assertions) {
        return again_in_release(args);
    }
    let asked = Asked::read(args)?;
    let mut results = Results::open()?;
    for (_, runs, measure) in ROWS.iter().filter(|(name, ..)| asked.includes(name)) {
        for row in measure(asked.runs.unwrap_or(*runs)) {
            table::print(&row);
            results.put(row);
            results.save()?;
        }
    }
    Ok(())
}

/// How the bench is to be called.
pub(crate) const USAGE: &str = "bench [--row NAME]... [--runs N]";

/// Groups of rows, how often each is run, and how it is measured.
const ROWS: [(&str, usize, Measure); 16] = [
    ("verify", 41, images::verify),
    ("sign", 21, images::sign),
    ("decide", 41, decide::rows),
    ("many", 7, images::many),
    ("file", 3, files::rows),
    ("get", 3, registry::get),
    ("transfer", 3, registry::transfer),
    ("up", 5, up::ready),
    ("keyless-sign", 11, up::keyless_sign),
    ("tsa", 3, authorities::tsa),
    ("ca", 3, authorities::ca),
    ("log-opaque", 3, log::opaque),
    ("log-hashedrekord", 3, log::hashedrekord),
    ("log-large", 2, log_large::rows),
    ("size", 1, build::size),
    ("build", 1, build::cold),
];

/// Measures a group of rows with so many runs.
type Measure = fn(usize) -> Vec<Row>;

/// Figures of an unoptimised build say nothing.
fn again_in_release(args: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").ok_or("run it as `cargo xtask bench`")?;
    let packages = ["--release", "--locked", "--quiet", "--package", "signet-cli", "--package", "xtask"];
    run_to_end(Command::new(&cargo).arg("build").args(packages))?;
    run_to_end(
        Command::new(&cargo)
            .args(["run", "--release", "--quiet", "--package", "xtask", "--", "bench"])
            .args(args),
    )
}

fn run_to_end(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// What the command line asks for.
struct Asked<'a> {
    /// Everything if empty.
    rows: Vec<&'a str>,
    runs: Option<usize>,
}

impl<'a> Asked<'a> {
    fn read(args: &[&'a str]) -> Result<Self, String> {
        let mut asked = Self { rows: Vec::new(), runs: None };
        for pair in args.chunks(2) {
            match pair {
                ["--row", name] if ROWS.iter().any(|(known, ..)| known == name) => asked.rows.push(name),
                ["--row", _] => {
                    let names: Vec<&str> = ROWS.iter().map(|(name, ..)| *name).collect();
                    return Err(format!("the rows are {}", names.join(", ")));
                }
                ["--runs", count] => {
                    let count = count.parse().ok().filter(|count| *count > 0);
                    asked.runs = Some(count.ok_or("--runs takes a number above 0")?);
                }
                _ => return Err(format!("usage: cargo xtask {USAGE}")),
            }
        }
        Ok(asked)
    }

    fn includes(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.contains(&row)
    }
}
