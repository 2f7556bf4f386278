//! A whole signing stack of Signet's own as a process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::{Repository, Sandbox};

/// `signet up --dev` on a free port, with its data in a sandbox. Stopped, by its process, when dropped.
#[derive(Debug)]
pub struct StackServer {
    child: Child,
    program: PathBuf,
    data: String,
    document: Value,
}

impl StackServer {
    /// Serves the directory `data` of the sandbox.
    ///
    /// # Panics
    /// If it does not say that it serves.
    pub fn start(program: &Path, sandbox: &Sandbox, data: &str) -> Self {
        let log =
            std::fs::File::create(sandbox.path(&format!("{data}.log"))).expect("the sandbox can be written");
        let child = sandbox
            .command(program)
            .args(["up", "--data", data, "--dev", "--listen", "127.0.0.1:0", "--output", "json"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
        let (program, data) = (program.to_owned(), data.to_owned());
        let mut server = Self { child, program, data, document: Value::Null };
        server.document = server.read_document().unwrap_or_else(|said| {
            panic!(
                "no stack: {said}{}",
                String::from_utf8_lossy(&sandbox.read(&format!("{}.log", server.data)))
            )
        });
        server
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.said("url")
    }

    /// The issuer of development tokens of this kind: `email`, `github`, `gitlab` or `kubernetes`.
    pub fn issuer(&self, kind: &str) -> String {
        format!("{}/oidc-dev/{kind}", self.url())
    }

    /// The trusted root that it wrote.
    pub fn trusted_root(&self) -> &str {
        self.said("trustedRoot")
    }

    /// The signing config that it wrote.
    pub fn signing_config(&self) -> &str {
        self.said("signingConfig")
    }

    /// A repository in its registry.
    pub fn repository(&self, name: &str) -> Repository {
        Repository::new(self.said("address"), name)
    }

    /// A token of its development issuer, as `signet dev-token` mints it.
    pub fn token(&self, sandbox: &Sandbox, bearer: &[&str]) -> String {
        let args = [&["dev-token", "--data", &self.data][..], bearer].concat();
        sandbox.run(&self.program, &args).succeeds().stdout.trim().to_owned()
    }

    /// The document that it prints when it serves, or what it printed instead.
    fn read_document(&mut self) -> Result<Value, String> {
        let mut said = String::new();
        for line in BufReader::new(self.child.stdout.take().expect("standard output is piped")).lines() {
            said.push_str(&line.expect("the document is text"));
            if let Ok(document) = serde_json::from_str(&said) {
                return Ok(document);
            }
        }
        Err(said)
    }

    fn said(&self, name: &str) -> &str {
        self.document
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no `{name}`: {}", self.document))
    }
}

impl Drop for StackServer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop and the wait only reaps it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
