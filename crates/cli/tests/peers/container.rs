//! The recipe of the container image, built and run by podman without a network: on the libraries of this machine in the place of the
//! base image that would be pulled.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use signet_testkit::{Peer, Sandbox, peers, request};

use crate::signet;

#[test]
fn the_image_serves_a_stack_and_ends_when_it_is_told_to() {
    let Some([podman]) = peers(["podman"]) else { return };
    let sandbox = Sandbox::new();
    prepare(&sandbox);
    let podman = Podman { sandbox: &sandbox, podman };
    podman.run(&["build", "--isolation", "chroot", "--layers=false", "-t", "localhost/signet:1", "."]);

    let [state, config] = ["state", "up.yaml"].map(|name| sandbox.path(name).display().to_string());
    let volumes = [format!("{state}:/var/lib/signet:U"), format!("{config}:/etc/signet/up.yaml:ro")];
    let args = [
        "run",
        "--name",
        "signet",
        "--network",
        "host",
        "--stop-timeout",
        "60",
        "--read-only",
        "--cap-drop",
        "all",
        "-v",
        &volumes[0],
        "-v",
        &volumes[1],
        "localhost/signet:1",
    ];
    let mut running = podman.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap()).lines();
    let serving = said.next().expect("it says that it serves").unwrap();
    let address = serving.split("://").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    assert_eq!(request(address, "GET", "/ping", &[], &[]).unwrap().status, 200, "{serving}");
    assert_eq!(request(address, "GET", "/v2/", &[], &[]).unwrap().status, 200, "{serving}");
    podman.run(&["stop", "signet"]);
    assert_eq!(running.wait().unwrap().code(), Some(0), "it has drained and closed its logs");
    sandbox.run(signet(), &["fsck", "--data", "state/stack"]).succeeds();
}

/// The recipe, with what it copies, and with libraries and its user for the base.
fn prepare(sandbox: &Sandbox) {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/container/Containerfile");
    let recipe = std::fs::read_to_string(recipe).unwrap();
    let base = recipe.lines().find(|line| line.starts_with("FROM ")).expect("it has a base");
    sandbox.write("Containerfile", recipe.replace(base, "FROM scratch\nCOPY base/ /\nUSER 65532:65532"));
    copy(signet(), &sandbox.path("target/release/signet"));
    let libraries = Command::new("ldd").arg(signet()).output().unwrap();
    for library in
        String::from_utf8(libraries.stdout).unwrap().split_whitespace().filter(|word| word.starts_with('/'))
    {
        copy(Path::new(library), &sandbox.path("base").join(library.trim_start_matches('/')));
    }
    sandbox.write("policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    sandbox.write(
        "up.yaml",
        "apiVersion: signet.dev/v1alpha1\nkind: Stack\ndata: /var/lib/signet/stack\nlisten: 127.0.0.1:0\n",
    );
    std::fs::create_dir(sandbox.path("state")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}

/// podman with a store of its own, which is emptied when it is dropped.
struct Podman<'a> {
    sandbox: &'a Sandbox,
    podman: Peer,
}

impl Podman<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(&self.podman);
        for (option, name) in [("--root", "store"), ("--runroot", "run")] {
            command.arg(option).arg(self.sandbox.path(name));
        }
        command.args(["--storage-driver", "vfs"]);
        let (verb, rest) = args.split_first().unwrap();
        command.arg(verb);
        if ["build", "run"].contains(verb) {
            command.arg("--signature-policy").arg(self.sandbox.path("policy.json"));
        }
        command.args(rest);
        command
    }

    fn run(&self, args: &[&str]) {
        let done = self.command(args).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        // What a failed test has left running; a container that is gone is none.
        let _ = self.command(&["rm", "--force", "--time", "1", "signet"]).output();
    }
}
