//! Signatures by a key that are logged and stamped, between Signet and cosign 3.1.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use serde_json::Value;
use signet_testkit::{Outcome, Peer, Sandbox, StackServer, peers};

use crate::{denied, signet};

struct Setting {
    sandbox: Sandbox,
    stack: StackServer,
}

impl Setting {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let stack = StackServer::start(signet(), &sandbox, "up");
        for name in ["my", "other"] {
            sandbox.run(signet(), &["keys", "generate", "--out", name]).succeeds();
        }
        sandbox.write("file", "content");
        sandbox.write("changed", "changed");
        Self { sandbox, stack }
    }

    fn sign(&self, program: &std::path::Path, args: &[&str]) {
        let services =
            ["--signing-config", self.stack.signing_config(), "--trusted-root", self.stack.trusted_root()];
        self.sandbox.run(program, &[args, &["--key", "my.key", "-y"], &services].concat()).succeeds();
    }

    fn verify(&self, program: &std::path::Path, key: &str, args: &[&str]) -> Outcome {
        let with = ["--key", key, "--trusted-root", self.stack.trusted_root()];
        self.sandbox.run(program, &[args, &with].concat())
    }

    /// By a policy that demands the log and a timestamp.
    fn demanded(&self, args: &[&str]) -> Outcome {
        let key = self.sandbox.run(signet(), &["keys", "inspect", "my.pub", "--output", "json"]).succeeds();
        let key: Value = serde_json::from_str(&key.stdout).expect("one document");
        let policy = format!(
            "{{apiVersion: signet.dev/v1alpha1, kind: ImagePolicy, metadata: {{name: p}}, spec: {{principals: \
             {{me: {{key: '{}'}}}}, rules: [{{name: r, principals: [me], logEntries: 1, timestamps: 1}}]}}}}",
            key["id"].as_str().expect("a key has an id")
        );
        self.sandbox.write("policy.yaml", policy);
        self.verify(signet(), "my.pub", &[args, &["--policy", "policy.yaml"]].concat())
    }
}

/// cosign asks for the log of a key's signature by itself, and for the timestamp where there is one.
#[test]
fn cosign_and_signet_verify_each_others_logged_images_by_key() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let setting = Setting::new();
    let repository = setting.stack.repository("app");
    for (tag, signer) in [("ours", signet()), ("theirs", cosign.as_ref())] {
        let image = repository.at(&repository.push_image(tag, tag));
        setting.sign(signer, &["sign", &image]);
        setting.verify(cosign.as_ref(), "my.pub", &["verify", &image]).succeeds();
        setting.demanded(&["verify", &image]).succeeds();
        let other = setting.verify(cosign.as_ref(), "other.pub", &["verify", &image]);
        other.refuses_saying(&["no matching", "no signatures found", "failed to verify"]);
        denied(&setting.verify(signet(), "other.pub", &["verify", &image]));
    }
}

#[test]
fn cosign_and_signet_verify_each_others_logged_files_by_key_and_no_tampered_ones() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let setting = Setting::new();
    for (signer, bundle) in [(signet(), "ours.json"), (cosign.as_ref(), "theirs.json")] {
        setting.sign(signer, &["sign-blob", "--bundle", bundle, "file"]);
        both(&setting, &cosign, bundle, "file", true);
        both(&setting, &cosign, bundle, "changed", false);
        let mut without: Value =
            serde_json::from_slice(&setting.sandbox.read(bundle)).expect("a bundle is JSON");
        without["verificationMaterial"].as_object_mut().expect("an object").remove("tlogEntries");
        setting.sandbox.write("without.json", without.to_string());
        both(&setting, &cosign, "without.json", "file", false);
    }
}

fn both(setting: &Setting, cosign: &Peer, bundle: &str, file: &str, good: bool) {
    let args = ["verify-blob", "--bundle", bundle, file];
    for outcome in [setting.verify(cosign.as_ref(), "my.pub", &args), setting.demanded(&args)] {
        assert_eq!(outcome.code == Some(0), good, "{bundle} {file}: {outcome}");
    }
}
