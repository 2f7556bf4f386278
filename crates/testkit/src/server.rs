use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use crate::{Peer, Repository, Sandbox, free_address, request};

/// How often a starting server is asked, and how many times.
const POLL: Duration = Duration::from_millis(20);
const POLLS: u32 = 500;
/// Another process may take the free port between finding and using it.
const STARTS: u32 = 5;

/// A real registry on a free port of loopback, with its data in a temporary directory. Stopped, by its
/// process, when dropped.
#[derive(Debug)]
pub struct RegistryServer {
    child: Child,
    address: String,
    sandbox: Sandbox,
}

impl RegistryServer {
    /// Debian's `docker-registry` 2.8, which has no referrers API.
    ///
    /// It does not say which port it took, so one is found for it, which somebody else may take before; then
    /// another is tried.
    pub fn docker(program: &Peer) -> Self {
        let mut log = String::new();
        for _ in 0..STARTS {
            match Self::try_docker(program.as_ref()) {
                Ok(server) => return server,
                Err(said) => log = said,
            }
        }
        panic!("docker-registry ended {STARTS} times before serving, at last with:\n{log}")
    }

    /// `signet serve registry`, which has the referrers API.
    pub fn signet(program: &Path) -> Self {
        Self::signet_with(program, &[])
    }

    /// `signet serve registry` with more options: users, TLS, a policy. It takes a port and says which.
    pub fn signet_with(program: &Path, options: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let log = std::fs::File::create(sandbox.path("log")).expect("the sandbox can be written");
        let data = sandbox.path("data").display().to_string();
        let mut child = sandbox
            .command(program)
            .args(["serve", "registry", "--data", &data, "--listen", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
        let mut said = String::new();
        let out = child.stdout.take().expect("standard output is piped");
        BufReader::new(out).read_line(&mut said).expect("standard output can be read");
        let mut server = Self { child, address: String::new(), sandbox };
        let address = said.split("://").nth(1).and_then(|rest| rest.split_whitespace().next());
        server.address = address.unwrap_or_else(|| panic!("not served: {said}{}", server.log())).to_owned();
        server
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process that serves.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A repository on this registry.
    pub fn repository(&self, name: &str) -> Repository {
        Repository::new(&self.address, name)
    }

    /// Everything the server wrote to standard error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.sandbox.read("log")).into_owned()
    }

    /// One start; what the process said if it ended.
    fn try_docker(program: &Path) -> Result<Self, String> {
        let sandbox = Sandbox::new();
        let address = free_address();
        let config = sandbox.write("config.yml", docker_config(&sandbox.path("data"), &address));
        let log = std::fs::File::create(sandbox.path("log")).expect("the sandbox can be written");
        let child = sandbox
            .command(program)
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
        let mut server = Self { child, address, sandbox };
        if server.answers() { Ok(server) } else { Err(server.log()) }
    }

    /// Waits for the first answer of this very process; false if it ended instead.
    fn answers(&mut self) -> bool {
        for _ in 0..POLLS {
            let answer = request(&self.address, "GET", "/v2/", &[], &[]);
            if answer.is_ok_and(|answer| answer.header(MARK) == Some(&mark(&self.sandbox.path("data")))) {
                return true;
            }
            if self.child.try_wait().expect("a child can be asked").is_some() {
                return false;
            }
            thread::sleep(POLL);
        }
        panic!("no registry answers on {}:\n{}", self.address, self.log());
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop and the wait only reaps it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn docker_config(data: &Path, address: &str) -> String {
    format!(
        "version: 0.1\n\
         log: {{level: warn, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: '{}'}}, delete: {{enabled: true}}}}\n\
         http: {{addr: '{address}', net: tcp, headers: {{{MARK}: ['{}']}}}}\n",
        data.display(),
        mark(data)
    )
}

/// By this header of its answers a registry is told from another one that took its port.
const MARK: &str = "x-signet-test";

/// What the header says: the sandbox, of which there is one.
fn mark(data: &Path) -> String {
    data.display().to_string()
}
