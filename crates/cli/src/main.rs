//! The `signet` command.

mod app;
mod args;
mod commands;
mod document;
mod error;
mod face;
mod files;
mod password;
mod render;
mod runtime;
mod trust;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main()
}
