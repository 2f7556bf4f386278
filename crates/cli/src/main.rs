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
mod key_file;
mod method;
mod password;
mod pinned;
mod plain;
mod progress;
mod proven;
mod render;
mod runtime;
#[cfg(test)]
mod schema;
mod signing;
mod stack;
mod targets;
mod threads;
mod trust;
mod trust_fetch;
mod usage;
mod witness;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main()
}
