//! Development tasks of this workspace: `cargo xtask <task>`.

mod bench;
mod corpus;
mod crash;
mod mutate;

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "a program for people")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.split_first() {
        Some((&"bench", rest)) => bench::run(rest),
        Some((&"corpus", [])) => corpus::run(),
        Some((&"crash", rest)) => crash::run(rest),
        Some((&"mutate", rest)) => mutate::run(rest),
        _ => Err(usage()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let tasks = [bench::USAGE, corpus::USAGE, crash::USAGE, mutate::USAGE];
    tasks.map(|task| format!("cargo xtask {task}")).join("\n")
}
