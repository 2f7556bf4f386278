//! Keyless signatures between Signet and the clients of Sigstore: a whole stack of Signet's, nothing changed in them but a
//! trusted root and a signing config, and none of cosign's `--insecure-…` options.

use std::fs;

use serde_json::Value;
use signet_testkit::{Outcome, Peer, RekorV1Server, Sandbox, StackServer, peers};

use crate::{denied, signet};

pub(crate) const EMAIL: &str = "a@b.c";

pub(crate) struct Setting {
    pub(crate) sandbox: Sandbox,
    pub(crate) stack: StackServer,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        let stack = StackServer::start(signet(), &sandbox, "up");
        sandbox.write("token", stack.token(&sandbox, &["--email", EMAIL]));
        sandbox.write("file", "content");
        Self { sandbox, stack }
    }

    pub(crate) fn services(&self) -> [&str; 4] {
        ["--signing-config", self.stack.signing_config(), "--trusted-root", self.stack.trusted_root()]
    }

    pub(crate) fn run(&self, program: &std::path::Path, args: &[&[&str]]) -> Outcome {
        self.sandbox.run(program, &args.concat())
    }

    /// `verify` or `verify-blob` of either program, which take the same options.
    pub(crate) fn verify(
        &self,
        program: &std::path::Path,
        verb: &str,
        identity: &str,
        rest: &[&str],
    ) -> Outcome {
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
        for name in tampered(&setting.sandbox, "b.json") {
            both(&setting, &cosign, &name, false);
        }
    }
}

#[test]
fn sigstore_python_and_sigstore_go_verify_our_keyless_files() {
    let Some([python, go]) = peers(["sigstore-python", "sigstore-go-verification"]) else { return };
    let setting = Setting::new();
    write_client_trust(&setting);
    setting.sandbox.write("changed", "changed");
    let sign = ["sign-blob", "--identity-token", "token", "--bundle", "b.json"];
    setting.run(signet(), &[&sign, &setting.services(), &["file"]]).succeeds();
    let issuer = setting.stack.issuer("email");
    let tampered = tampered(&setting.sandbox, "b.json");
    let tampered = tampered.iter().map(|bundle| ("file", bundle.as_str(), false));
    for (file, bundle, good) in
        [("file", "b.json", true), ("changed", "b.json", false)].into_iter().chain(tampered)
    {
        let outcome = by_python(&setting, &python, bundle, file);
        assert_eq!(outcome.code == Some(0), good, "{bundle}: {outcome}");
        let by_go = ["-trustedrootJSONpath", setting.stack.trusted_root(), "-artifact", file];
        let who = ["-expectedSAN", EMAIL, "-expectedIssuer", &issuer, bundle];
        let outcome = setting.run(go.as_ref(), &[&by_go, &who]);
        assert_eq!(outcome.code == Some(0), good, "{bundle}: {outcome}");
    }
}

#[test]
fn sigstore_python_cosign_and_signet_verify_each_others_files_and_no_tampered_ones() {
    let Some([python, cosign]) = peers(["sigstore-python", "cosign"]) else { return };
    let setting = Setting::new();
    write_client_trust(&setting);
    setting.sandbox.write("changed", "changed");
    let token = String::from_utf8(setting.sandbox.read("token")).expect("a token is text");
    let sign =
        ["--trust-config", "trust.json", "sign", "--identity-token", &token, "--bundle", "python.json"];
    setting.run(python.as_ref(), &[&sign, &["file"]]).succeeds();
    let sign = ["sign-blob", "--identity-token", "token", "-y", "--bundle", "cosign.json"];
    setting.run(cosign.as_ref(), &[&sign, &setting.services(), &["file"]]).succeeds();
    for bundle in ["python.json", "cosign.json"] {
        let tampered = tampered(&setting.sandbox, bundle);
        let tampered = tampered.iter().map(|bundle| ("file", bundle.as_str(), false));
        for (file, bundle, good) in
            [("file", bundle, true), ("changed", bundle, false)].into_iter().chain(tampered)
        {
            let outcome = by_python(&setting, &python, bundle, file);
            assert_eq!(outcome.code == Some(0), good, "{bundle}: {outcome}");
            for verifier in [signet(), cosign.as_ref()] {
                let outcome = setting.verify(verifier, "verify-blob", EMAIL, &["--bundle", bundle, file]);
                assert_eq!(outcome.code == Some(0), good, "{bundle}: {outcome}");
            }
        }
    }
}

/// cosign 2 asks for certificates in Fulcio's first form. It logs in Rekor v1 only, so a timestamp has to do, and takes no
/// trusted root that names operators.
#[test]
fn cosign_2_gets_its_certificates_from_us() {
    let Some([cosign]) = peers(["cosign2"]) else { return };
    let setting = Setting::new();
    setting.sandbox.write("changed", "changed");
    let log = fs::read_dir(setting.sandbox.path("up/ct")).expect("the stack has one").next();
    let log = log.and_then(Result::ok).expect("it has a log of certificates").path().join("keys/p256.key");
    let key = setting.run(signet(), &[&["keys", "export-public", "--key", &log.display().to_string()]]);
    setting.sandbox.write("ct.pub", key.succeeds().stdout);
    let root = fs::read_to_string(setting.stack.trusted_root()).expect("it was written");
    let mut root: Value = serde_json::from_str(&root).expect("it is JSON");
    for kind in ["tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"] {
        let parts = root.get_mut(kind).and_then(Value::as_array_mut).expect("a root has them");
        parts.iter_mut().filter_map(Value::as_object_mut).for_each(|part| drop(part.remove("operator")));
    }
    setting.sandbox.write("root.json", root.to_string());
    let timestamps = format!("{}/api/v1/timestamp", setting.stack.url());
    let signed = setting
        .sandbox
        .command(&cosign)
        .env("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "ct.pub")
        .args(["sign-blob", "--fulcio-url", setting.stack.url(), "--timestamp-server-url", &timestamps])
        .args([
            "--tlog-upload=false",
            "--new-bundle-format",
            "--bundle",
            "b.json",
            "--rfc3161-timestamp",
            "t",
        ])
        .args(["--identity-token", "token", "-y", "file"])
        .output()
        .expect("cosign can be run");
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    let issuer = setting.stack.issuer("email");
    let who = ["--certificate-identity", EMAIL, "--certificate-oidc-issuer", &issuer];
    let proofs = ["--insecure-ignore-tlog", "--trusted-root", "root.json", "--bundle", "b.json"];
    let ours = |file| setting.run(signet(), &[&["verify-blob"], &who, &proofs, &[file]]);
    let theirs = ["--new-bundle-format", "--use-signed-timestamps"];
    let theirs = |file| setting.run(cosign.as_ref(), &[&["verify-blob"], &theirs, &who, &proofs, &[file]]);
    ours("file").succeeds();
    theirs("file").succeeds();
    denied(&ours("changed"));
    theirs("changed").refuses_saying(&["invalid signature", "failed to verify"]);
}

/// sigstore-js is a library: a script makes a program of it.
#[test]
fn sigstore_js_and_signet_verify_each_others_keyless_files_and_no_tampered_ones() {
    let Some([node]) = peers(["node-peer"]) else { return };
    let setting = Setting::new();
    setting.sandbox.write("sigstore.js", include_str!("sigstore.js"));
    setting.sandbox.write("changed", "changed");
    let (config, root) = (setting.stack.signing_config(), setting.stack.trusted_root());
    let issuer = setting.stack.issuer("email");
    let js = |args: &[&str]| setting.run(node.as_ref(), &[&["sigstore.js"], args]);
    js(&["sign", config, "token", "file", "theirs.json"]).succeeds();
    let sign = ["sign-blob", "--identity-token", "token", "--bundle", "ours.json"];
    setting.run(signet(), &[&sign, &setting.services(), &["file"]]).succeeds();
    for bundle in ["theirs.json", "ours.json"] {
        let theirs = |who: &str, file: &str, bundle: &str| js(&["verify", root, who, &issuer, file, bundle]);
        let ours = |who: &str, file: &str, bundle: &str| {
            setting.verify(signet(), "verify-blob", who, &["--bundle", bundle, file])
        };
        theirs(EMAIL, "file", bundle).succeeds();
        ours(EMAIL, "file", bundle).succeeds();
        let tampered = tampered(&setting.sandbox, bundle);
        let tampered = tampered.iter().map(|tampered| (EMAIL, "file", tampered.as_str()));
        let others = [("other@b.c", "file", bundle), (EMAIL, "changed", bundle)];
        for (who, file, bundle) in others.into_iter().chain(tampered) {
            theirs(who, file, bundle).refuses_saying(&["refused: "]);
            denied(&ours(who, file, bundle));
        }
    }
}

/// Rekor v1's clock proves the time; there is no timestamp. The log is a double: nobody packages one.
#[test]
fn cosign_verifies_what_signet_logs_in_rekor_v1() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let setting = Setting::new();
    let log = RekorV1Server::start();
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
    root["tlogs"] = Value::from(vec![log.root()]);
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

/// What sigstore-python signs and verifies with: it takes both files in one.
fn write_client_trust(setting: &Setting) {
    let read = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(path).expect("it was written")).expect("it is JSON")
    };
    let trust = serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": read(setting.stack.trusted_root()),
        "signingConfig": read(setting.stack.signing_config()),
    });
    setting.sandbox.write("trust.json", trust.to_string());
}

fn by_python(setting: &Setting, python: &Peer, bundle: &str, file: &str) -> Outcome {
    let issuer = setting.stack.issuer("email");
    let verify = ["--trust-config", "trust.json", "verify", "identity", "--offline", "--bundle", bundle];
    let who = ["--cert-identity", EMAIL, "--cert-oidc-issuer", &issuer];
    setting.run(python.as_ref(), &[&verify, &who, &[file]])
}

/// Both verifiers say the same of a bundle.
fn both(setting: &Setting, cosign: &Peer, bundle: &str, good: bool) {
    for verifier in [signet(), cosign.as_ref()] {
        let outcome = setting.verify(verifier, "verify-blob", EMAIL, &["--bundle", bundle, "file"]);
        assert_eq!(outcome.code == Some(0), good, "{bundle}: {outcome}");
    }
}

/// Copies of a bundle, each with another part changed: their names.
pub(crate) fn tampered(sandbox: &Sandbox, bundle: &str) -> Vec<String> {
    let bundle: Value = serde_json::from_slice(&sandbox.read(bundle)).expect("a bundle is JSON");
    let tamper = |path: &&str| {
        let mut changed = bundle.clone();
        let place = changed.pointer_mut(path)?;
        *place = flipped(place.as_str().expect("text")).into();
        let name = format!("{}.json", path.rsplit('/').next().expect("a path has an end"));
        sandbox.write(&name, changed.to_string());
        Some(name)
    };
    let names: Vec<String> = TAMPERED.iter().filter_map(tamper).collect();
    assert_eq!(names.len(), TAMPERED.len() - 1, "a bundle has one of the places of a certificate: {bundle}");
    names
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
const TAMPERED: [&str; 6] = [
    "/messageSignature/signature",
    "/verificationMaterial/certificate/rawBytes",
    // Before version 0.3.
    "/verificationMaterial/x509CertificateChain/certificates/0/rawBytes",
    "/verificationMaterial/tlogEntries/0/canonicalizedBody",
    "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope",
    "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
];
