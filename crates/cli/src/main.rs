//! The `signet` command.

mod app;
mod args;
mod attach;
mod claims;
mod clock;
mod commands;
mod connection;
mod decision;
mod document;
mod error;
mod face;
mod files;
mod gate;
mod gather;
mod password;
mod progress;
mod render;
mod runtime;
mod schema;
mod signing;
mod targets;
mod trust;
mod witness;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main()
}
