//! Keyless signatures between Signet and cosign 3.1: a whole stack of Signet's, nothing changed in cosign but a
//! trusted root and a signing config, and none of its `--insecure-…` options.

use std::fs;

use serde_json::Value;
use signet_testkit::{Outcome, Peer, RekorV1Server, Sandbox, StackServer, peers};

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
            let name = format!("{}.json", path.rsplit('/').next().expect("a path has an end"));
            setting.sandbox.write(&name, changed.to_string());
            both(&setting, &cosign, &name, false);
        }
    }
}

/// Rekor v1's clock proves the time; there is no timestamp. The log is a double: nobody packages one.
#[test]
fn cosign_verifies_what_signet_logs_in_rekor_v1() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let setting = Setting::new();
    let log = RekorV1Server::start(now());
    let read = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(path).expect("it was written")).expect("it is JSON")
    };
    let mut config = read(setting.stack.signing_config());
    let mut service = config["rekorTlogUrls"][0].clone();
    service["url"] = log.url().into();
    service["majorApiVersion"] = 1.into();
    config["rekorTlogUrls"] = Value::from(vec![service]);
    config["tsaUrls"] = Value::from(Vec::<Value>::new());
    let mut root = read(setting.stack.trusted_root());
    root["tlogs"] = Value::from(vec![log.root().clone()]);
    setting.sandbox.write("config.json", config.to_string());
    setting.sandbox.write("root.json", root.to_string());
    let services =
        ["--signing-config", "config.json", "--trusted-root", "root.json", "--identity-token", "token"];
    let repository = setting.stack.repository("app");
    let image = repository.at(&repository.push_image("1", "content"));
    setting.run(signet(), &[&["sign"], &services, &[&image]]).succeeds();
    setting.run(signet(), &[&["sign-blob"], &services, &["--bundle", "b.json", "file"]]).succeeds();
    let issuer = setting.stack.issuer("email");
    let who = [
        "--trusted-root",
        "root.json",
        "--certificate-identity",
        EMAIL,
        "--certificate-oidc-issuer",
        &issuer,
    ];
    for verifier in [signet(), cosign.as_ref()] {
        setting.run(verifier, &[&["verify"], &who, &[&image]]).succeeds();
        setting.run(verifier, &[&["verify-blob"], &who, &["--bundle", "b.json", "file"]]).succeeds();
    }
}

/// As a log's clock has it.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// Both verifiers say the same of a bundle.
fn both(setting: &Setting, cosign: &Peer, bundle: &str, good: bool) {
    for verifier in [signet(), cosign.as_ref()] {
        let outcome = setting.verify(verifier, "verify-blob", EMAIL, &["--bundle", bundle, "file"]);
        assert_eq!(outcome.code == Some(0), good, "{bundle}: {outcome}");
    }
}

/// The same text but for one character near its end, where signatures are.
fn flipped(text: &str) -> String {
    let place = text.len() - 12;
    let other = if text.as_bytes().get(place) == Some(&b'A') { "B" } else { "A" };
    let (Some(head), Some(tail)) = (text.get(..place), text.get(place + 1..)) else {
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
