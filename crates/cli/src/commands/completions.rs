//! `signet completions`.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::error::{Answer, Status};
use crate::face::Face;

/// Prints the completion script of a shell.
pub(crate) fn run(args: &CompletionsArgs, face: Face) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "signet", &mut script);
    face.bytes(&script)?;
    Ok(Status::Yes)
}
