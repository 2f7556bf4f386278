//! Keyless signatures between Signet and cosign 3.1: a whole stack of Signet's, nothing changed in cosign but a
//! trusted root and a signing config, and none of its `--insecure-…` options.

use std::fs;

use serde_json::Value;
use signet_testkit::{Outcome, Peer, Sandbox, StackServer, peers};

use crate::{denied, signet};

const EMAIL: &str = "a@b.c";

struct Setting {
    sandbox: Sandbox,
    stack: StackServer,
}

impl Setting {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let stack = StackServer::start(signet(), &sandbox, "up");
        sandbox.write("token", stack.token(&sandbox, &["--email", EMAIL]));
        sandbox.write("file", "content");
        Self { sandbox, stack }
    }

    fn services(&self) -> [&str; 4] {
        ["--signing-config", self.stack.signing_config(), "--trusted-root", self.stack.trusted_root()]
    }

    fn run(&self, program: &std::path::Path, args: &[&[&str]]) -> Outcome {
        self.sandbox.run(program, &args.concat())
    }

    /// `verify` or `verify-blob` of either program, which take the same options.
    fn verify(&self, program: &std::path::Path, verb: &str, identity: &str, rest: &[&str]) -> Outcome {
        let issuer = self.stack.issuer("email");
        let who = ["--certificate-identity", identity, "--certificate-oidc-issuer", &issuer];
        self.run(program, &[&[verb, "--trusted-root", self.stack.trusted_root()], &who, rest])
    }
}

#[test]
fn cosign_and_signet_verify_each_others_keyless_images() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let setting = Setting::new();
    let repository = setting.stack.repository("app");
    for (tag, signer) in [("ours", signet()), ("theirs", cosign.as_ref())] {
        let image = repository.at(&repository.push_image(tag, tag));
        setting
            .run(signer, &[&["sign", "--identity-token", "token", "-y"], &setting.services(), &[&image]])
            .succeeds();
        for verifier in [signet(), cosign.as_ref()] {
            setting.verify(verifier, "verify", EMAIL, &[&image]).succeeds();
        }
        denied(&setting.verify(signet(), "verify", "other@b.c", &[&image]));
        let other = setting.verify(cosign.as_ref(), "verify", "other@b.c", &[&image]);
        other.refuses_saying(&["no matching", "no signatures found"]);
    }
    let unsigned = repository.at(&repository.push_image("unsigned", "unsigned"));
    denied(&setting.verify(signet(), "verify", EMAIL, &[&unsigned]));
}

#[test]
fn cosign_and_signet_verify_each_others_keyless_files_and_no_tampered_ones() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let setting = Setting::new();
    for signer in [signet(), cosign.as_ref()] {
        let _ = fs::remove_file(setting.sandbox.path("b.json"));
        let sign = ["sign-blob", "--identity-token", "token", "-y", "--bundle", "b.json"];
        setting.run(signer, &[&sign, &setting.services(), &["file"]]).succeeds();
        both(&setting, &cosign, "b.json", true);
        let bundle: Value =
            serde_json::from_slice(&setting.sandbox.read("b.json")).expect("a bundle is JSON");
        for path in TAMPERED {
            let mut changed = bundle.clone();
            let place = changed.pointer_mut(path).unwrap_or_else(|| panic!("{path}: {bundle}"));
            *place = flipped(place.as_str().expect("text")).into();
            setting.sandbox.write("tampered.json", changed.to_string());
            both(&setting, &cosign, "tampered.json", false);
        }
    }
}

/// Both verifiers say the same of a bundle.
fn both(setting: &Setting, cosign: &Peer, bundle: &str, good: bool) {
    for verifier in [signet(), cosign.as_ref()] {
        let outcome = setting.verify(verifier, "verify-blob", EMAIL, &["--bundle", bundle, "file"]);
        assert_eq!(outcome.code == Some(0), good, "{bundle}: {outcome}");
    }
}

/// The same base64, of other bytes: a character in its middle is another one.
fn flipped(text: &str) -> String {
    let middle = text.len() / 2;
    let other = if text.as_bytes().get(middle) == Some(&b'A') { "B" } else { "A" };
    let (Some(head), Some(tail)) = (text.get(..middle), text.get(middle + 1..)) else {
        panic!("not ASCII: {text}")
    };
    format!("{head}{other}{tail}")
}

/// Every part that something hangs on. The root beside a proof is not one for cosign: it takes the checkpoint's.
const TAMPERED: [&str; 5] = [
    "/messageSignature/signature",
    "/verificationMaterial/certificate/rawBytes",
    "/verificationMaterial/tlogEntries/0/canonicalizedBody",
    "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope",
    "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
];
