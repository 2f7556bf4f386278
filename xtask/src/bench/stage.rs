//! What the rows about images stand on: registries, keys, and the programs with their flags.

use std::path::{Path, PathBuf};
use std::process::Command;

use signet_testkit::{Peer, RegistryServer, Repository, Sandbox, peers};

/// A registry with images, and signers that know each other's flags.
pub(super) struct Stage {
    signet: PathBuf,
    cosign: Peer,
    notation: Peer,
    docker: Peer,
    sandbox: Sandbox,
}

impl Stage {
    /// Makes the keys; `None` where a peer is absent.
    pub(super) fn new() -> Option<Self> {
        let [cosign, notation, docker] = peers(["cosign", "notation", "docker-registry"])?;
        let stage = Self { signet: signet(), cosign, notation, docker, sandbox: Sandbox::new() };
        stage.make_keys();
        Some(stage)
    }

    /// A registry without the referrers API, which every peer was made for.
    pub(super) fn docker_registry(&self) -> RegistryServer {
        RegistryServer::docker(&self.docker)
    }

    /// Signet's own, with the referrers API.
    pub(super) fn signet_registry(&self) -> RegistryServer {
        RegistryServer::signet(&self.signet)
    }

    /// `signet` with these arguments.
    pub(super) fn signet(&self, args: &[&str]) -> Command {
        self.command(&self.signet, args)
    }

    pub(super) fn signet_signs(&self, key: &str, image: &str) -> Command {
        self.signet(&["sign", "--quiet", "--key", key, image])
    }

    pub(super) fn signet_verifies(&self, key: &str, image: &str) -> Command {
        self.signet(&["verify", "--quiet", "--key", key, image])
    }

    pub(super) fn cosign_signs(&self, image: &str) -> Command {
        let flags = ["--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry"];
        self.cosign(&[&["sign", "--yes", "--key", SEALED][..], &flags, &[image]].concat())
    }

    pub(super) fn cosign_verifies(&self, key: &str, image: &str) -> Command {
        let flags = ["--insecure-ignore-tlog", "--allow-http-registry"];
        self.cosign(&[&["verify", "--key", key][..], &flags, &[image]].concat())
    }

    /// `cosign` with these arguments.
    pub(super) fn cosign(&self, args: &[&str]) -> Command {
        self.command(self.cosign.as_ref(), args)
    }

    pub(super) fn notation_signs(&self, image: &str) -> Command {
        self.notation(&["sign", "--insecure-registry", image])
    }

    pub(super) fn notation_verifies(&self, image: &str) -> Command {
        self.notation(&["verify", "--insecure-registry", image])
    }

    /// Another program in the same surroundings.
    pub(super) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(program);
        command.args(args).env("XDG_CONFIG_HOME", self.sandbox.path("config"));
        command
    }

    /// Runs something that has to succeed.
    pub(super) fn prepare(mut command: Command) {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} ended with {:?}:\n{said}", output.status);
    }

    fn notation(&self, args: &[&str]) -> Command {
        self.command(self.notation.as_ref(), args)
    }

    fn make_keys(&self) {
        Self::prepare(self.signet(&["keys", "generate", "--quiet", "--no-password", "--out", "plain"]));
        Self::prepare(self.signet(&["keys", "generate", "--quiet", "--out", "sealed"]));
        self.sandbox.write("policy.json", NOTATION_POLICY);
        Self::prepare(self.notation(&["cert", "generate-test", "--default", "bench"]));
        Self::prepare(self.notation(&["policy", "import", "--force", "policy.json"]));
    }
}

/// Where cargo put the `signet` that is measured: beside this program.
pub(super) fn signet() -> PathBuf {
    let program = this().with_file_name("signet");
    assert!(program.is_file(), "{} is not built", program.display());
    program
}

/// This program.
pub(super) fn this() -> PathBuf {
    std::env::current_exe().expect("a program knows where it is")
}

/// A new image of its own in `repository`, by its digest.
pub(super) fn image(repository: &Repository, content: &str) -> String {
    repository.at(&repository.push_image(content, content))
}

/// The port of an address, for programs that take it alone.
pub(super) fn port_of(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}

/// The key pair without a password.
pub(super) const PLAIN: &str = "plain.key";
pub(super) const PLAIN_PUBLIC: &str = "plain.pub";
/// The key pair under a password.
pub(super) const SEALED: &str = "sealed.key";
pub(super) const SEALED_PUBLIC: &str = "sealed.pub";

const NOTATION_POLICY: &str = r#"{"version":"1.0","trustPolicies":[{"name":"bench","registryScopes":["*"],
"signatureVerification":{"level":"strict"},"trustStores":["ca:bench"],"trustedIdentities":["*"]}]}"#;
