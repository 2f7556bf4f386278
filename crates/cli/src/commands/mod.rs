//! One file a command.

pub(crate) mod authorities;
mod backup;
mod completions;
mod conformance;
mod conformance_tuf;
mod copy;
mod demo;
mod dev_token;
mod docs;
mod doctor;
mod explain;
mod inspect;
mod keys;
mod log;
mod log_monitor;
mod log_search;
mod man;
mod operators;
mod serve;
mod serve_ca;
mod serve_log;
mod serve_oidc_dev;
mod serve_trust;
mod serve_tsa;
mod serve_witness;
mod sign;
mod sign_blob;
mod store;
mod tree;
mod trust;
mod up;
mod verify;
mod verify_blob;
pub(crate) mod witnesses;

use crate::args::Command;
use crate::error::Answer;
use crate::face::Face;

/// Runs a command to its end.
pub(crate) fn run(command: Command, face: Face) -> Answer {
    match command {
        Command::Sign(args) => sign::run(&args, face),
        Command::Verify(args) => verify::run(&args, face),
        Command::SignBlob(args) => sign_blob::run(&args, face),
        Command::VerifyBlob(args) => verify_blob::run(&args, face),
        Command::Keys(command) => keys::run(&command, face),
        Command::Copy(args) => copy::run(&args, face),
        Command::Up(args) => up::run(&args, face),
        Command::Backup(args) => backup::backup(&args, face),
        Command::Restore(args) => backup::restore(&args, face),
        Command::Serve(command) => serve::run(&command, face),
        Command::DevToken(args) => dev_token::run(&args, face),
        Command::Log(command) => log::run(&command, face),
        Command::Trust(command) => trust::run(&command, face),
        Command::Registry(command) => store::registry(&command, face),
        Command::Fsck(args) => store::fsck(&args, face),
        Command::Conformance(command) => conformance::run(&command, face),
        Command::Demo(args) => demo::run(&args, face),
        Command::Inspect(args) => inspect::run(&args, face),
        Command::Tree(args) => tree::run(&args, face),
        Command::Doctor(args) => doctor::run(&args, face),
        Command::Explain(args) => explain::run(&args, face),
        Command::Completions(args) => completions::run(&args, face),
        Command::Man(args) => man::run(&args, face),
        Command::Docs(command) => docs::run(&command, face),
    }
}
