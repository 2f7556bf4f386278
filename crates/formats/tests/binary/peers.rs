//! Real peers.

use std::path::Path;
use std::process::{Command, Output};

/// Whether `openssl` can be run; if not, says so in a line.
pub(crate) fn has_openssl() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    if !found {
        let required = std::env::var_os("SIGNET_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!required, "SIGNET_REQUIRE_PEERS=1, but there is no openssl");
        println!("skipped: needs openssl");
    }
    found
}

pub(crate) fn openssl(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).current_dir(folder).output().unwrap()
}

/// Runs openssl, which has to succeed, and returns what it printed.
pub(crate) fn openssl_text(folder: &Path, arguments: &[&str]) -> String {
    let output = openssl(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
