//! Development tasks of this workspace: `cargo xtask <task>`.

mod corpus;
mod mutate;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["corpus"] => corpus::run().map(|()| String::new()).map_err(|error| error.to_string()),
        ["mutate", "--count", count, "--seed", seed] => match (count.parse(), seed.parse()) {
            (Ok(count), Ok(seed)) => mutate::run(mutate::Options { count, seed }),
            _ => Err("count and seed are numbers".to_owned()),
        },
        _ => Err(USAGE.to_owned()),
    };
    finish(done)
}

#[expect(clippy::print_stderr, clippy::print_stdout, reason = "a task says what it did")]
fn finish(done: Result<String, String>) -> ExitCode {
    match done {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: cargo xtask corpus | mutate --count N --seed S";
