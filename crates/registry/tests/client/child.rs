//! Tests that need a process of their own: for its environment, for its memory.

use std::process::Command;

/// What the parent gave to this process; none where it is the parent.
pub(crate) fn argument() -> Option<String> {
    std::env::var(ARGUMENT).ok()
}

/// Tells the parent.
pub(crate) fn tell(outcome: &str) {
    println!("\n{MARK}{outcome}");
}

/// Runs the test `name` again in a process of its own, with `argument` and these variables; answers what
/// it told. Proxies and roots of the environment of the tests are not passed on.
pub(crate) async fn run(name: &str, argument: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(ARGUMENT, argument);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"] {
        command.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| line.strip_prefix(MARK));
    let told = told.unwrap_or_else(|| panic!("{name} told nothing: {text}"));
    assert!(output.status.success(), "{name}: {text}");
    told.to_owned()
}

/// The most memory that this process has held, in bytes; none where the system does not tell.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
}

const ARGUMENT: &str = "SIGNET_TEST_CHILD";
const MARK: &str = "the child says: ";
