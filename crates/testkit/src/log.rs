use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::json;
use signet_crypto::{Digest, Scheme};
use signet_formats::base64;
use signet_keys::{Payload, PrivateKey};

use crate::{Response, Sandbox, request};

/// `signet serve log` on a free port of loopback, with its data in `log` of a sandbox. Killed, without time to
/// do anything, when dropped.
#[derive(Debug)]
pub struct LogServer {
    child: Child,
    address: String,
    key: String,
}

impl LogServer {
    /// Starts one; it says where it listens once it serves.
    pub fn start(program: &Path, sandbox: &Sandbox, options: &[&str]) -> Self {
        let data = sandbox.path("log").display().to_string();
        let mut command = sandbox.command(program);
        command.args(["serve", "log", "--data", &data, "--listen", "127.0.0.1:0"]).args(options);
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
        let stdout = child.stdout.take().expect("its output is piped");
        let said: Vec<String> = BufReader::new(stdout).lines().take(2).map_while(Result::ok).collect();
        let said = said.join("\n");
        let word = |after: &str| said.split(after).nth(1).and_then(|rest| rest.split_whitespace().next());
        let found = word("http://").zip(word("\nkey "));
        let (address, key) = found.unwrap_or_else(|| panic!("the log did not start: {said}"));
        Self { child, address: address.to_owned(), key: key.to_owned() }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its Ed25519 key, as C2SP signed-note has it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Adds an entry to an opaque log.
    pub fn add(&self, entry: &str) -> Response {
        request(&self.address, "POST", "/add", &[], entry.as_bytes()).expect("the log answers")
    }
}

/// A request to Rekor v2 to log a signature by a P-256 key over this content.
pub fn log_request(key: &PrivateKey, content: &[u8]) -> String {
    let signature = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(content)).expect("a P-256 key signs");
    let verifier = json!({
        "publicKey": {"rawBytes": base64::encode(key.public_key().spki_der())},
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    });
    let signature = json!({"content": base64::encode(signature), "verifier": verifier});
    let digest = base64::encode(Digest::sha256(content).as_bytes());
    json!({"hashedRekordRequestV002": {"digest": digest, "signature": signature}}).to_string()
}

impl Drop for LogServer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop and the wait only reaps it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
