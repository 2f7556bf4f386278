//! Development tasks of this workspace: `cargo xtask <task>`.

mod bench;

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "a program for people")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.split_first() {
        Some((&"bench", rest)) => bench::run(rest),
        _ => Err(format!("usage: cargo xtask {}", bench::USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
