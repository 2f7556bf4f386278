//! From the command line to the exit status.

use std::panic;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use signet_verify::Code;

use crate::args::{Cli, GlobalArgs, Output};
use crate::commands;
use crate::document::ErrorDocument;
use crate::error::{CliError, Status, Stop};
use crate::face::Face;
use crate::usage;

/// Runs the command of this process.
pub(crate) fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        report(&CliError::new(Code::Internal, info.to_string()), Face::new(requested_globals()));
    }));
    let status = panic::catch_unwind(parse_and_run).unwrap_or(Status::Internal.exit_status());
    ExitCode::from(status)
}

fn parse_and_run() -> u8 {
    match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => refuse_usage(&error),
    }
}

fn run(cli: Cli) -> u8 {
    #[cfg(debug_assertions)]
    panic_if_asked();
    let face = Face::new(cli.global);
    match commands::run(cli.command, face) {
        Ok(status) => status.exit_status(),
        Err(Stop::Error(error)) => {
            report(&error, face);
            error.code.class().exit_status()
        }
        Err(Stop::BrokenPipe) => BROKEN_PIPE,
        Err(Stop::Interrupted(status)) => status,
    }
}

/// The message to standard error; where JSON is asked for, the same as a document to standard output.
fn report(error: &CliError, face: Face) {
    // Nothing is left to tell if even this cannot be written: the exit status still says it.
    let _ = face.error(error);
    if face.is_json() {
        let _ = face.json(&ErrorDocument::from(error));
    }
}

/// Help and version are answers; everything else that clap reports is a usage error with our code.
fn refuse_usage(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Status::Yes.exit_status()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Code::UsageInvalid.class().exit_status()
        }
        _ => {
            let usage = usage::refusal(error);
            report(&usage, Face::new(requested_globals()));
            usage.code.class().exit_status()
        }
    }
}

/// Lets a test see what a defect looks like. No release build has it.
#[cfg(debug_assertions)]
fn panic_if_asked() {
    assert!(std::env::var_os("SIGNET_PANIC").is_none(), "a defect, as `SIGNET_PANIC` asks for");
}

/// The output format that a command line which could not be parsed asked for.
fn requested_globals() -> GlobalArgs {
    let arguments: Vec<_> = std::env::args_os().collect();
    let json = arguments.iter().any(|argument| argument == "--output=json")
        || arguments
            .windows(2)
            .any(|pair| matches!(pair, [flag, value] if flag == "--output" && value == "json"));
    GlobalArgs { output: if json { Output::Json } else { Output::Text }, quiet: false }
}

/// What a shell shows for a process that SIGPIPE ended.
const BROKEN_PIPE: u8 = 141;
/// What a shell shows for a process that SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;
