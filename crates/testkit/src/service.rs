//! A service of Signet's own as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::{Repository, Sandbox};

/// A running `signet serve …` or `signet up` on a free port of loopback, with its data in a sandbox. Stopped, by its
/// process, when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    printed: String,
    document: Value,
}

impl Service {
    /// Runs `program` with these arguments, and where to listen, until it says that it serves.
    ///
    /// # Panics
    /// If it does not say so.
    pub fn start(program: &Path, sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut child = sandbox
            .command(program)
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--output", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
        let mut printed = String::new();
        for line in BufReader::new(child.stdout.take().expect("standard output is piped")).lines() {
            printed.push_str(&line.expect("the document is text"));
            if let Ok(document) = serde_json::from_str(&printed) {
                return Self { child, printed, document };
            }
        }
        // It has ended, or ends for want of a reader.
        let _ = child.wait();
        panic!("`{}` does not serve: {printed}", args.join(" "));
    }

    /// The document that it printed when it was ready.
    pub fn printed(&self) -> &str {
        &self.printed
    }

    /// A text of the document.
    ///
    /// # Panics
    /// If the document does not say it.
    pub fn said(&self, field: &str) -> &str {
        let text = self.document.get(field).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no `{field}`: {}", self.printed))
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.said("address")
    }

    /// A repository on it.
    pub fn repository(&self, name: &str) -> Repository {
        Repository::new(self.address(), name)
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Child {
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
