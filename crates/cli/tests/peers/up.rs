//! `signet up` as others sign and verify with it: cosign 3.1 and sigstore-python, with nothing changed but the two files
//! that it wrote.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::Value;
use signet_testkit::{Outcome, Peer, Sandbox, StackServer, peers, request};

use crate::signet;

const IDENTITY: &str = "you@example.com";

#[test]
fn cosign_signs_and_verifies_an_image_with_the_two_files_alone() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let stack = Stack::start();
    let repository = stack.server.repository("app");
    let image = repository.at(&repository.push_image("1", "content"));
    let unsigned = repository.at(&repository.push_image("2", "other"));
    let token = stack.token();
    let sign = ["sign", "--yes", "--allow-http-registry", "--identity-token", &token, &image];
    stack.run(&cosign, &sign, &["--signing-config", CONFIG, "--trusted-root", ROOT]).succeeds();
    let verify = |image: &str, identity: &str| {
        let args = ["verify", "--allow-http-registry", "--certificate-identity", identity, image];
        stack.run(&cosign, &args, &["--certificate-oidc-issuer", &stack.issuer(), "--trusted-root", ROOT])
    };
    verify(&image, IDENTITY).succeeds();
    verify(&image, "other@example.com").refuses_saying(&["no matching signatures", "expected"]);
    verify(&unsigned, IDENTITY).refuses_saying(&["no signatures found"]);
    // Another stack's root trusts nothing of this one.
    let other = Stack::start();
    std::fs::copy(other.sandbox.path(ROOT), stack.sandbox.path("other.json")).unwrap();
    let args = ["verify", "--allow-http-registry", "--certificate-identity", IDENTITY, &image];
    let elsewhere = ["--certificate-oidc-issuer", &stack.issuer(), "--trusted-root", "other.json"];
    stack.run(&cosign, &args, &elsewhere).refuses_saying(&[
        "failed to verify",
        "unable to verify",
        "no signatures found",
    ]);
}

#[test]
fn cosign_signs_and_verifies_a_file_and_refuses_a_changed_one() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let stack = Stack::start();
    stack.cosign_signs(&cosign, "cosign.json");
    stack.cosign_verifies(&cosign, "cosign.json", "file").succeeds();
    stack
        .cosign_verifies(&cosign, "cosign.json", "changed")
        .refuses_saying(&["invalid signature", "failed to verify"]);
    let checkpoint = stack.checkpoint();
    assert!(checkpoint.lines().nth(1) == Some("2"), "the signature is in the log: {checkpoint}");
}

#[test]
fn cosign_and_sigstore_python_verify_what_each_other_signs() {
    let Some([cosign, python]) = peers(["cosign", "sigstore-python"]) else { return };
    let stack = Stack::start();
    stack.write_trust_config();
    stack.cosign_signs(&cosign, "cosign.json");
    let token = stack.token();
    let sign = [
        "--trust-config",
        "trust.json",
        "sign",
        "--identity-token",
        &token,
        "--bundle",
        "python.json",
        "file",
    ];
    stack.run(&python, &sign, &[]).succeeds();
    for bundle in ["cosign.json", "python.json"] {
        stack.cosign_verifies(&cosign, bundle, "file").succeeds();
        stack
            .cosign_verifies(&cosign, bundle, "changed")
            .refuses_saying(&["invalid signature", "failed to verify"]);
        stack.python_verifies(&python, bundle, "file").succeeds();
        stack.python_verifies(&python, bundle, "changed").refuses_saying(&["invalid", "FAIL", "mismatch"]);
    }
}

const ROOT: &str = "up/client/trusted_root.json";
const CONFIG: &str = "up/client/signing_config.json";

/// `signet up --dev`, with its data in the sandbox beside a file to sign.
struct Stack {
    sandbox: Sandbox,
    server: StackServer,
}

impl Stack {
    fn start() -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("file", "what is signed\n");
        sandbox.write("changed", "what is  signed\n");
        let server = StackServer::start(signet(), &sandbox, "up");
        Self { sandbox, server }
    }

    fn run(&self, program: &Peer, args: &[&str], more: &[&str]) -> Outcome {
        self.sandbox.run(program, &[args, more].concat())
    }

    fn issuer(&self) -> String {
        self.server.issuer("email")
    }

    fn token(&self) -> String {
        self.server.token(&self.sandbox, &["--email", IDENTITY])
    }

    fn checkpoint(&self) -> String {
        let answer = request(self.server.address(), "GET", "/api/v2/checkpoint", &[], &[]).unwrap();
        String::from_utf8(answer.body).unwrap()
    }

    fn cosign_signs(&self, cosign: &Peer, bundle: &str) {
        let token = self.token();
        let sign = ["sign-blob", "--yes", "--identity-token", &token, "--bundle", bundle, "file"];
        self.run(cosign, &sign, &["--signing-config", CONFIG, "--trusted-root", ROOT]).succeeds();
    }

    fn cosign_verifies(&self, cosign: &Peer, bundle: &str, file: &str) -> Outcome {
        let args = ["verify-blob", "--certificate-identity", IDENTITY, "--bundle", bundle, file];
        self.run(cosign, &args, &["--certificate-oidc-issuer", &self.issuer(), "--trusted-root", ROOT])
    }

    fn python_verifies(&self, python: &Peer, bundle: &str, file: &str) -> Outcome {
        let verify = ["--trust-config", "trust.json", "verify", "identity", "--offline", "--bundle", bundle];
        self.run(python, &verify, &["--cert-identity", IDENTITY, "--cert-oidc-issuer", &self.issuer(), file])
    }

    /// sigstore-python takes both files in one.
    fn write_trust_config(&self) {
        let read = |file| serde_json::from_slice::<Value>(&self.sandbox.read(file)).unwrap();
        let both = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": read(ROOT),
            "signingConfig": read(CONFIG),
        });
        self.sandbox.write("trust.json", both.to_string());
    }
}
