//! `signet up` as those see it who follow its repository of trust, and as its log goes on in another shard.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use signet_formats::trusted_root::TrustedRoot;
use signet_keys::PrivateKey;
use signet_testkit::{Outcome, Sandbox, Service, log_request, request};

use crate::run;
use crate::service;

const EMAIL: &str = "a@b.c";

fn get(address: &str, path: &str) -> (u16, Vec<u8>) {
    let answer = request(address, "GET", path, &[], &[]).expect("it answers");
    (answer.status, answer.body)
}

fn text(address: &str, path: &str) -> String {
    String::from_utf8(get(address, path).1).expect("text")
}

/// Pins the root that the stack wrote.
pub(crate) fn init(sandbox: &Sandbox, stack: &Service) -> Outcome {
    run(sandbox, &["trust", "init", "--root", stack.said("trustRoot"), stack.said("trust")]).exits(0)
}

/// Signs the file by what is pinned.
pub(crate) fn sign(sandbox: &Sandbox, bundle: &str) -> Outcome {
    let token = run(sandbox, &["dev-token", "--data", "up", "--email", EMAIL]).exits(0);
    sandbox.write("token", token.stdout);
    sandbox.write("file", "content");
    run(sandbox, &["sign-blob", "--identity-token", "token", "--bundle", bundle, "file"])
}

/// Verifies it by what is pinned.
pub(crate) fn verify(sandbox: &Sandbox, issuer: &str, bundle: &str) -> Outcome {
    let who = ["--certificate-identity", EMAIL, "--certificate-oidc-issuer", issuer];
    run(sandbox, &[&["verify-blob", "--bundle", bundle][..], &who, &["file"]].concat())
}

pub(crate) fn issuer(stack: &Service) -> String {
    format!("{}/oidc-dev/email", stack.said("url"))
}

#[test]
fn clients_that_pinned_its_root_need_no_file_of_it() {
    let sandbox = Sandbox::new();
    let stack = service::up(&sandbox, &["--dev"]);
    let first = init(&sandbox, &stack);
    assert!(first.says("trusted_root.json") && first.says("signing_config.v0.2.json"), "{first}");
    sign(&sandbox, "one.json").exits(0);
    let by = issuer(&stack);
    verify(&sandbox, &by, "one.json").exits(0);
    drop(stack);

    // At another address what clients sign with is another, and those who follow it learn so.
    let stack = service::up(&sandbox, &["--dev"]);
    std::fs::remove_dir_all(sandbox.path(".local/share/signet/trust")).expect("trust was pinned");
    init(&sandbox, &stack);
    for target in ["trusted_root.json", "signing_config.json"] {
        let bytes = sandbox.read(&format!("up/client/{target}"));
        let hash = signet_crypto::Digest::sha256(&bytes).hex();
        let name = target.replace("config.json", "config.v0.2.json");
        let served = get(stack.address(), &format!("/tuf/targets/{hash}.{name}"));
        assert_eq!(served, (200, bytes), "{target}: what is published is what is handed out");
    }
    sign(&sandbox, "two.json").exits(0);
    verify(&sandbox, &by, "one.json").exits(0);
}

#[test]
fn without_development_the_root_is_its_owners_and_may_come_later() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["keys", "generate", "--no-password", "--out", "owner"]).exits(0);
    let stack = service::up(&sandbox, &[]);
    let document: Value = serde_json::from_str(stack.printed()).expect("one document");
    assert_eq!(document.get("trust"), None);
    assert_eq!(get(stack.address(), "/tuf/1.root.json").0, 404);
    assert_eq!(get(stack.address(), "/tuf/timestamp.json").0, 404);
    // The ceremony of `signet trust`, while it runs.
    run(&sandbox, &["trust", "create", "--data", "up/trust", "--root-key", "owner.pub"]).exits(0);
    run(&sandbox, &["trust", "sign", "--key", "owner.key", "up/trust/staged/root.json"]).exits(0);
    run(&sandbox, &["trust", "publish", "--data", "up/trust"]).exits(0);
    sandbox.write("root.json", sandbox.read("up/trust/repository/1.root.json"));
    let url = format!("{}/tuf", stack.said("url"));
    run(&sandbox, &["trust", "init", "--root", "root.json", &url]).exits(0);
    // The stack looks every two seconds until there is a root.
    let mut updated = run(&sandbox, &["trust", "update"]).exits(0);
    while !updated.says("trusted_root.json") {
        thread::sleep(Duration::from_millis(100));
        updated = run(&sandbox, &["trust", "update"]).exits(0);
    }
    assert!(!sandbox.path("up/trust/root.key").exists(), "no key of the stack signs roots");
    while !sandbox.path("up/client/root.json").exists() {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(sandbox.read("up/client/root.json"), sandbox.read("root.json"), "what clients are to pin");
    drop(stack);
    let stack = service::up(&sandbox, &[]);
    assert_eq!(stack.said("trust"), format!("{}/tuf", stack.said("url")));
    assert_eq!(sandbox.read("up/client/root.json"), sandbox.read("root.json"));
}

/// A prepared shard is in the trusted root before it takes an entry; then whoever has followed it signs and verifies on.
#[test]
fn its_log_goes_on_in_another_shard_without_an_outage() {
    let sandbox = Sandbox::new();
    let stack = service::up(&sandbox, &["--dev"]);
    let (address, by, old) = (stack.address(), issuer(&stack), stack.said("logOrigin").to_owned());
    init(&sandbox, &stack);
    sign(&sandbox, "old.json").exits(0);
    let rotate = |more: &[&str]| {
        let args = [&["log", "rotate", "--data", "up", "--output", "json"], more].concat();
        let rotated = run(&sandbox, &args).exits(0);
        serde_json::from_str::<Value>(&rotated.stdout).expect("one document")
    };
    let prepared = rotate(&["--prepare"]);
    let origins = || {
        let root = TrustedRoot::parse(&sandbox.read("up/client/trusted_root.json")).expect("a trusted root");
        root.tlogs.into_iter().map(|log| (log.base_url, log.validity.end.is_some())).collect::<Vec<_>>()
    };
    let new = prepared["origin"].as_str().expect("a name").to_owned();
    let [old_url, new_url] = [&old, &new].map(|origin| format!("https://{origin}"));
    assert_eq!(origins(), [(old_url.clone(), false), (new_url.clone(), false)]);
    assert!(text(address, "/api/v2/checkpoint").starts_with(&format!("{old}\n")), "it is only prepared");
    run(&sandbox, &["trust", "update"]).exits(0);
    sign(&sandbox, "between.json").exits(0);

    let rotated = thread::scope(|scope| {
        let key = PrivateKey::generate(signet_crypto::KeyAlgorithm::EcdsaP256).expect("a key");
        let writing = scope.spawn(move || {
            for number in 0..60 {
                let entry = log_request(&key, format!("{number}").as_bytes());
                let headers = [("content-type", "application/json")];
                let answer = request(address, "POST", "/api/v2/log/entries", &headers, entry.as_bytes());
                let answer = answer.expect("it answers");
                assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
                thread::sleep(Duration::from_millis(10));
            }
        });
        let rotated = rotate(&[]);
        writing.join().expect("every entry was taken");
        rotated
    });
    assert_eq!(rotated["origin"], prepared["origin"]);
    assert_eq!(origins(), [(old_url, true), (new_url, false)]);
    assert!(text(address, "/api/v2/checkpoint").starts_with(&format!("{new}\n")));
    // Signed and verified by the trust from before the rotation.
    sign(&sandbox, "new.json").exits(0);
    for bundle in ["old.json", "between.json", "new.json"] {
        verify(&sandbox, &by, bundle).exits(0);
    }

    let checkpoint = text(address, &format!("/shard/{old}/api/v2/checkpoint"));
    let size: u64 = checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size");
    let entries = get(address, &format!("/shard/{old}/api/v2/tile/entries/000.p/{size}"));
    assert!(entries.0 == 200 && !entries.1.is_empty(), "what the old shard has can be read: {checkpoint}");
    let same = run(&sandbox, &["log", "rotate", "--data", "up", "--origin", &old]).exits(3);
    assert!(same.says("a shard has this name already"), "{same}");
    drop(stack);
    let stopped = run(&sandbox, &["fsck", "--data", "up"]).exits(0);
    assert!(stopped.says(&old) && stopped.says(&new), "{stopped}");

    let stack = service::up(&sandbox, &["--dev"]);
    assert_eq!(text(stack.address(), &format!("/shard/{old}/api/v2/checkpoint")), checkpoint);
    assert_eq!(stack.said("logOrigin"), new);
    verify(&sandbox, &by, "old.json").exits(0);
}

/// Nobody prepared it: what is pinned does not have the new shard, and is a moment old.
#[test]
fn who_signs_right_after_a_rotation_learns_of_the_new_shard() {
    let sandbox = Sandbox::new();
    let stack = service::up(&sandbox, &["--dev"]);
    init(&sandbox, &stack);
    sign(&sandbox, "old.json").exits(0);
    run(&sandbox, &["log", "rotate", "--data", "up"]).exits(0);
    sign(&sandbox, "new.json").exits(0);
    verify(&sandbox, &issuer(&stack), "new.json").exits(0);
}

#[test]
fn a_name_that_cannot_be_a_shards_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let stack = service::up(&sandbox, &["--dev"]);
    let before = sandbox.read("up/stack.json");
    let refused = run(&sandbox, &["log", "rotate", "--data", "up", "--origin", "../ca"]).exits(3);
    assert!(refused.says("cannot be the name of a shard"), "{refused}");
    assert_eq!(sandbox.read("up/stack.json"), before);
    let origin = stack.said("logOrigin");
    assert!(text(stack.address(), "/api/v2/checkpoint").starts_with(origin));
}

/// As a server of TUF that was restored would: older versions than clients have seen are refused by them.
#[test]
fn a_restored_repository_is_ahead_of_what_clients_have_seen() {
    let sandbox = Sandbox::new();
    let stack = service::up(&sandbox, &["--dev"]);
    run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
    init(&sandbox, &stack);
    // What the backup does not know of: two more versions.
    run(&sandbox, &["log", "rotate", "--data", "up", "--prepare"]).exits(0);
    run(&sandbox, &["log", "rotate", "--data", "up"]).exits(0);
    while !run(&sandbox, &["trust", "update"]).exits(0).says("timestamp   version 3") {
        thread::sleep(Duration::from_millis(50));
    }
    drop(stack);
    std::fs::rename(sandbox.path("up"), sandbox.path("lost")).expect("the directory can be moved");
    run(&sandbox, &["restore", "--from", "backup.tar", "--data", "up"]).exits(0);
    let stack = service::up(&sandbox, &["--dev"]);
    let url = stack.said("trust").to_owned();
    let source = sandbox.path(".local/share/signet/trust/source.json");
    let pinned = std::fs::read_to_string(&source).expect("where trust comes from");
    let mut pinned: Value = serde_json::from_str(&pinned).expect("JSON");
    pinned["url"] = url.into();
    std::fs::write(&source, pinned.to_string()).expect("it can be written");
    let updated = run(&sandbox, &["trust", "update"]).exits(0);
    let version = updated.stdout.split("timestamp   version ").nth(1).and_then(|it| it.split(',').next());
    let version: u64 = version.expect("a version").parse().expect("a number");
    assert!(version > 1_700_000_000, "two restores of one backup do not meet in it: {updated}");
    assert!(!sandbox.path("up/trust/restored").exists(), "once is enough");
}
