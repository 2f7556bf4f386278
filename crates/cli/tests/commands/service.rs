//! A service of Signet's own as a process, with its data in the sandbox.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;
use signet_testkit::{Repository, Sandbox};

use crate::signet;

/// A running `signet serve`. Stopped, by its process, when dropped.
pub(crate) struct Service {
    child: Child,
    /// The document that it printed when it was ready.
    pub(crate) document: String,
}

impl Service {
    /// Serves the directory `data` of the sandbox on a free port.
    pub(crate) fn start(sandbox: &Sandbox, data: &str) -> Self {
        Self::of(sandbox, &["registry", "--data", data])
    }

    /// `signet serve` with these arguments, on a free port.
    pub(crate) fn of(sandbox: &Sandbox, args: &[&str]) -> Self {
        Self::run(sandbox, &[&["serve"], args].concat())
    }

    /// `signet up --data up` with these options, on a free port.
    pub(crate) fn up(sandbox: &Sandbox, args: &[&str]) -> Self {
        Self::run(sandbox, &[&["up", "--data", "up"], args].concat())
    }

    fn run(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut child = sandbox
            .command(signet())
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--output", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("signet runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut document = String::new();
        for line in lines {
            document.push_str(&line.expect("the document is text"));
            if serde_json::from_str::<Value>(&document).is_ok() {
                break;
            }
        }
        Self { child, document }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        let document: Value = serde_json::from_str(&self.document).expect("the service prints one document");
        let address = document.pointer("/address").and_then(Value::as_str);
        address.expect("it says where it listens").to_owned()
    }

    /// A text of the document.
    pub(crate) fn said(&self, field: &str) -> String {
        let document: Value = serde_json::from_str(&self.document).expect("the service prints one document");
        document.get(field).and_then(Value::as_str).expect("the document says it").to_owned()
    }

    /// A repository on it.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        Repository::new(&self.address(), name)
    }

    /// Its process.
    pub(crate) fn process(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have been stopped already; then there is nothing to stop and the wait only reaps it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
