//! A whole signing stack of Signet's own as a process.

use std::path::{Path, PathBuf};

use crate::{Repository, Sandbox, Service};

/// `signet up --dev` on a free port, with its data in a sandbox. Stopped, by its process, when dropped.
#[derive(Debug)]
pub struct StackServer {
    service: Service,
    program: PathBuf,
    data: String,
}

impl StackServer {
    /// Serves the directory `data` of the sandbox.
    ///
    /// # Panics
    /// If it does not say that it serves.
    pub fn start(program: &Path, sandbox: &Sandbox, data: &str) -> Self {
        let service = Service::start(program, sandbox, &["up", "--data", data, "--dev"]);
        Self { service, program: program.to_owned(), data: data.to_owned() }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.service.address()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.service.id()
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.service.said("url")
    }

    /// The issuer of development tokens of this kind: `email`, `github`, `gitlab` or `kubernetes`.
    pub fn issuer(&self, kind: &str) -> String {
        format!("{}/oidc-dev/{kind}", self.url())
    }

    /// The trusted root that it wrote.
    pub fn trusted_root(&self) -> &str {
        self.service.said("trustedRoot")
    }

    /// The signing config that it wrote.
    pub fn signing_config(&self) -> &str {
        self.service.said("signingConfig")
    }

    /// A repository in its registry.
    pub fn repository(&self, name: &str) -> Repository {
        self.service.repository(name)
    }

    /// A token of its development issuer, as `signet dev-token` mints it.
    pub fn token(&self, sandbox: &Sandbox, bearer: &[&str]) -> String {
        let args = [&["dev-token", "--data", &self.data][..], bearer].concat();
        sandbox.run(&self.program, &args).succeeds().stdout.trim().to_owned()
    }
}
