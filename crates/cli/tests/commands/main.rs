//! What a user sees: whole outputs of the real binary, as snapshots.

mod authorities;
mod backup;
mod certificates;
mod distribution;
mod doctor;
mod double;
mod endpoints;
mod files;
mod gate;
mod images;
mod keyless;
mod log;
mod merge;
mod nested;
#[cfg(unix)]
mod outside_keys;
#[cfg(unix)]
mod pinned;
mod policy_schema;
mod process;
mod proven;
mod reference;
mod registry;
mod requests;
mod schemas;
mod service;
#[cfg(unix)]
mod signals;
mod signing;
mod store;
#[cfg(unix)]
mod terminal;
mod text;
mod tls;
mod trust;
mod up;
mod up_log;
mod up_trust;
mod up_witness;
mod witness;

use std::path::Path;

use signet_testkit::{Outcome, Sandbox};

/// The binary under test.
fn signet() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_signet"))
}

/// Runs `signet` in the sandbox.
fn run(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    sandbox.run(signet(), args)
}

/// A sandbox with a key pair `my.key`, `my.pub` and another one `other`.
fn with_keys() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["my", "other"] {
        run(&sandbox, &["keys", "generate", "--no-password", "--out", name]).succeeds();
    }
    sandbox
}
