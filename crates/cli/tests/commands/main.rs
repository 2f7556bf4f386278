//! What a user sees: whole outputs of the real binary, as snapshots.

mod files;
mod images;
mod log;
mod process;
mod reference;
mod text;

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
