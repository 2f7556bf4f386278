//! Signing with a key and with services: the signature of a key that is known, logged and stamped.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use serde_json::{Value, json};
use signet_testkit::{Outcome, Sandbox, StackServer};

use crate::{run, signet, with_keys};

struct Setting {
    sandbox: Sandbox,
    stack: StackServer,
}

impl Setting {
    fn new() -> Self {
        let sandbox = with_keys();
        let stack = StackServer::start(signet(), &sandbox, "up");
        sandbox.write("file", "content");
        let policy = run(&sandbox, &["keys", "inspect", "my.pub", "--output", "json"]).exits(0);
        let key: Value = serde_json::from_str(&policy.stdout).expect("one document");
        let id = key["id"].as_str().expect("a key has an id");
        sandbox.write("policy.yaml", POLICY.replace("KEY", id));
        Self { sandbox, stack }
    }

    fn sign(&self, config: &str, args: &[&str]) -> Outcome {
        let with = ["--signing-config", config, "--trusted-root", self.stack.trusted_root()];
        run(&self.sandbox, &[args, &with].concat())
    }

    /// Verification by a policy that demands a log and a timestamp.
    fn verify(&self, args: &[&str]) -> Outcome {
        let policy =
            ["--policy", "policy.yaml", "--key", "my.pub", "--trusted-root", self.stack.trusted_root()];
        run(&self.sandbox, &[args, &policy].concat())
    }

    fn material(&self, bundle: &str) -> Value {
        let bundle: Value = serde_json::from_slice(&self.sandbox.read(bundle)).expect("a bundle is JSON");
        bundle["verificationMaterial"].clone()
    }
}

#[test]
fn an_image_signed_with_a_key_is_logged_and_stamped_where_a_config_says_so() {
    let setting = Setting::new();
    let config = setting.stack.signing_config();
    let repository = setting.stack.repository("app");
    repository.push_index("1", "content");
    let image = repository.tagged("1");
    run(&setting.sandbox, &["sign", "--key", "my.key", &image]).exits(0);
    setting.verify(&["verify", &image]).exits(1).refuses_saying(&["SGN-1402"]);
    // What is there without proofs is not what was asked for.
    let signed = setting.sign(config, &["sign", "--key", "my.key", &image, "--output", "json"]).exits(0);
    let document: Value = serde_json::from_str(&signed.stdout).expect("one document");
    let bodies = document["signed"].as_array().expect("a list");
    assert!(bodies.iter().all(|body| body["action"] == "signed" && body["identity"].is_null()), "{signed}");
    assert_eq!(bodies.len(), 3, "the index and two platforms");
    setting.verify(&["verify", &image]).exits(0);
    run(&setting.sandbox, &["verify", "--key", "other.pub", &image]).exits(1);
    let again = setting.sign(config, &["sign", "--key", "my.key", &image]).exits(0);
    assert_eq!(again.stdout.matches("nothing to do").count(), 3, "{again}");
    let audit = setting.sandbox.read("up/ca/audit.jsonl");
    assert!(audit.is_empty(), "no certificate was asked for");
}

#[test]
fn files_are_signed_by_every_key_that_logs_take() {
    let setting = Setting::new();
    for algorithm in ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-3072"] {
        let keys = ["keys", "generate", "--no-password", "--algorithm", algorithm, "--out", algorithm];
        run(&setting.sandbox, &keys).exits(0);
        let (key, bundle) = (format!("{algorithm}.key"), format!("{algorithm}.json"));
        let sign = ["sign-blob", "--key", &key, "--bundle", &bundle, "file"];
        setting.sign(setting.stack.signing_config(), &sign).exits(0);
        let material = setting.material(&bundle);
        assert!(material["publicKey"]["hint"].is_string(), "{material}");
        assert_eq!(material["tlogEntries"].as_array().map(Vec::len), Some(1), "{material}");
        let public = format!("{algorithm}.pub");
        let verify = ["verify-blob", "--key", &public, "--bundle", &bundle, "file"];
        run(&setting.sandbox, &[&verify[..], &["--trusted-root", setting.stack.trusted_root()]].concat())
            .exits(0);
    }
    for (algorithm, scheme) in [("ed25519", "ed25519"), ("rsa-2048", "rsa-pss-sha256")] {
        let keys = ["keys", "generate", "--no-password", "--algorithm", algorithm, "--out", "refused"];
        run(&setting.sandbox, &keys).exits(0);
        let sign =
            ["sign-blob", "--key", "refused.key", "--scheme", scheme, "--bundle", "refused.json", "file"];
        let refused = setting.sign(setting.stack.signing_config(), &sign).exits(2);
        assert!(refused.says("SGN-3009") && refused.says("--signing-config"), "{refused}");
        for name in ["refused.key", "refused.pub"] {
            std::fs::remove_file(setting.sandbox.path(name)).expect("it was made");
        }
    }
}

#[test]
fn a_tampered_proof_of_a_keys_signature_is_refused_by_whoever_demands_it() {
    let setting = Setting::new();
    let sign = ["sign-blob", "--key", "my.key", "--bundle", "b.json", "file"];
    setting.sign(setting.stack.signing_config(), &sign).exits(0);
    let verify = |bundle: &str| setting.verify(&["verify-blob", "--bundle", bundle, "file"]);
    verify("b.json").exits(0);
    let whole: Value = serde_json::from_slice(&setting.sandbox.read("b.json")).expect("a bundle is JSON");
    for (part, code) in [("tlogEntries", "SGN-1402"), ("timestampVerificationData", "SGN-1506")] {
        let mut without = whole.clone();
        without["verificationMaterial"].as_object_mut().expect("an object").remove(part);
        setting.sandbox.write("without.json", without.to_string());
        verify("without.json").exits(1).refuses_saying(&[code]);
    }
    // The entry of another signature by the same key.
    setting.sandbox.write("other", "other content");
    let other = ["sign-blob", "--key", "my.key", "--bundle", "other.json", "other"];
    setting.sign(setting.stack.signing_config(), &other).exits(0);
    let mut swapped = whole;
    swapped["verificationMaterial"]["tlogEntries"] = setting.material("other.json")["tlogEntries"].clone();
    setting.sandbox.write("swapped.json", swapped.to_string());
    verify("swapped.json").exits(1).refuses_saying(&["SGN-1407"]);
}

#[test]
fn services_that_prove_nothing_or_another_instance_are_refused() {
    let setting = Setting::new();
    let text = std::fs::read(setting.stack.signing_config()).expect("the config was written");
    let mut config: Value = serde_json::from_slice(&text).expect("the config is JSON");
    let over = json!({"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"});
    config["caUrls"][0]["validFor"] = over;
    setting.sandbox.write("config.json", config.to_string());
    let sign = ["sign-blob", "--key", "my.key", "--bundle", "b.json", "file"];
    setting.sign("config.json", &sign).exits(0);
    std::fs::remove_file(setting.sandbox.path("b.json")).expect("it was written");

    config["rekorTlogUrls"] = json!([]);
    config["tsaUrls"] = json!([]);
    setting.sandbox.write("config.json", config.to_string());
    let empty = setting.sign("config.json", &sign).exits(2);
    assert!(empty.says("SGN-5002") && empty.says("neither a log nor"), "{empty}");

    let other = StackServer::start(signet(), &setting.sandbox, "other");
    let refused = setting.sign(other.signing_config(), &sign).exits(1);
    assert!(refused.says("SGN-5013"), "{refused}");
    let legacy = ["sign", "--key", "my.key", "--format", "cosign-legacy", "localhost/app:1"];
    setting.sign(setting.stack.signing_config(), &legacy).exits(2).refuses_saying(&["SGN-3009"]);
    assert!(!setting.sandbox.path("b.json").exists());
}

const POLICY: &str = "\
apiVersion: signet.dev/v1alpha1
kind: ImagePolicy
metadata: {name: logged}
spec:
  principals:
    me: {key: 'KEY'}
  rules:
    - {name: logged, principals: [me], logEntries: 1, timestamps: 1}
";
