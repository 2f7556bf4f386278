//! `signet serve log` and `signet log`: the real process, killed and started again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use signet_testkit::{Response, Sandbox, request};

use crate::{run, signet};

/// A served log. Killed when dropped.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    /// Starts one on a free port. It says where it listens once it serves.
    fn start(sandbox: &Sandbox, options: &[&str]) -> Self {
        let data = sandbox.path("log").display().to_string();
        let mut command = sandbox.command(signet());
        command.args(["serve", "log", "--data", &data, "--listen", "127.0.0.1:0"]).args(options);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_else(|| panic!("it said: {line}")).to_owned();
        Self { child, address }
    }

    fn add(&self, entry: &str) -> std::io::Result<Response> {
        request(&self.address, "POST", "/add", &[], entry.as_bytes())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL: it is given no time to do anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_a_killed_log_acknowledged_is_there_after_the_next_start() {
    let sandbox = Sandbox::new();
    let mut acknowledged: Vec<(String, Vec<u8>)> = Vec::new();
    for round in 0..5 {
        let served = Served::start(&sandbox, &["--opaque", "--origin", "log.example.org"]);
        for (entry, index) in &acknowledged {
            let again = served.add(entry).unwrap();
            assert_eq!((again.status, &again.body), (200, index), "{entry}");
        }
        for number in 0..20 {
            let entry = format!("round {round}, entry {number}");
            let answer = served.add(&entry).unwrap();
            assert_eq!(answer.status, 200);
            acknowledged.push((entry, answer.body));
        }
    }
    let data = sandbox.path("log").display().to_string();
    let checked = run(&sandbox, &["log", "fsck", "--data", &data]).exits(0);
    assert!(
        checked.stdout.starts_with("`log.example.org`: 100 entries sound, root sha256:"),
        "{}",
        checked.stdout
    );
}

#[test]
fn a_log_is_proven_exported_and_frozen() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("log").display().to_string();
    let served = Served::start(&sandbox, &["--opaque", "--ml-dsa"]);
    for entry in ["one", "two", "three"] {
        assert_eq!(served.add(entry).unwrap().status, 200);
    }
    let busy = run(&sandbox, &["log", "freeze", "--data", &data]).exits(3);
    assert!(busy.stderr.contains("SGN-4001"), "{}", busy.stderr);
    drop(served);
    // A log that was killed has kept the checkpoint of its last second only; another start keeps the newest.
    let frozen = run(&sandbox, &["log", "freeze", "--data", &data]).exits(0);
    assert!(frozen.stdout.ends_with("is frozen at 3 entries\n"), "{}", frozen.stdout);
    let proof = run(&sandbox, &["log", "proof", "--data", &data, "--index", "2"]).exits(0).stdout;
    assert!(
        proof.starts_with("c2sp.org/tlog-proof@v1\nindex 2\n") && proof.contains(".signet.internal\n3\n"),
        "{proof}"
    );
    let out = sandbox.path("static").display().to_string();
    run(&sandbox, &["log", "export", "--data", &data, "--out", &out]).exits(0);
    assert_eq!(sandbox.read("static/tile/entries/000.p/3"), b"\x00\x03one\x00\x03two\x00\x05three");
    let served = Served::start(&sandbox, &["--opaque"]);
    assert_eq!(served.add("four").unwrap().status, 405);
}

#[test]
fn damage_is_found_and_refused() {
    let sandbox = Sandbox::new();
    let served = Served::start(&sandbox, &["--opaque"]);
    for entry in ["one", "two"] {
        served.add(entry).unwrap();
    }
    drop(served);
    let segment = sandbox.path("log/entries/00000000000000000000");
    let mut bytes = std::fs::read(&segment).unwrap();
    // In the first batch of two: with the last one, it could as well be a write that was cut off.
    bytes[66] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let data = sandbox.path("log").display().to_string();
    let checked = run(&sandbox, &["log", "fsck", "--data", &data]).exits(1);
    assert!(checked.stdout.starts_with("entry 0 is damaged\n"), "{}", checked.stdout);
    let refused = run(&sandbox, &["serve", "log", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert!(refused.exits(1).stderr.contains("SGN-4004"));
}
