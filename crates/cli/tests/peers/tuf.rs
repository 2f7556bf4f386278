//! python-tuf, go-tuf and cosign (which has go-tuf in it) follow a repository of trust that Signet makes, through a change of its root.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::Value;
use signet_testkit::{Outcome, Peer, Sandbox, Service, StackServer, peers};

use crate::{NO_TRUST, signet};

#[test]
fn python_tuf_follows_our_repository() {
    let Some([python]) = peers(["python-peer"]) else { return };
    let mut repository = Repository::new();
    let follow = |repository: &Repository| {
        repository.sandbox.write("follow.py", include_str!("follow.py"));
        let outcome =
            repository.sandbox.run(&python, &["follow.py", &repository.url, "root.json"]).succeeds();
        serde_json::from_str::<Value>(&outcome.stdout).unwrap()
    };
    let expected = |version: u64| serde_json::json!({ "root": version, "target": NO_TRUST });
    assert_eq!(follow(&repository), expected(1));
    repository.rotate();
    assert_eq!(follow(&repository), expected(2));
    // Of another repository, and of this one with a target that was exchanged.
    let other = Repository::new();
    repository.sandbox.write("root.json", other.sandbox.read("root.json"));
    let refused = repository.sandbox.run(&python, &["follow.py", &repository.url, "root.json"]);
    refused.refuses_saying(&["UnsignedMetadataError"]);
    other.exchange_target();
    other.sandbox.write("follow.py", include_str!("follow.py"));
    let refused = other.sandbox.run(&python, &["follow.py", &other.url, "root.json"]);
    refused.refuses_saying(&["LengthOrHashMismatchError"]);
}

#[test]
fn cosign_follows_our_repository() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let mut repository = Repository::new();
    initialize(&repository, &cosign).succeeds();
    repository.rotate();
    initialize(&repository, &cosign).succeeds();
    let name = repository.url.trim_start_matches("http://").replace([':', '/'], "-");
    let followed = repository.sandbox.read(&format!(".sigstore/root/{name}/root.json"));
    let root: Value = serde_json::from_slice(&followed).unwrap();
    assert_eq!(root.pointer("/signed/version"), Some(&Value::from(2)));
    let target = repository.sandbox.read(&format!(".sigstore/root/{name}/targets/trusted_root.json"));
    assert_eq!(target, NO_TRUST.as_bytes());

    let other = Repository::new();
    other.exchange_target();
    let refused = initialize(&other, &cosign);
    refused.refuses_saying(&["hash", "length", "mismatch"]);
}

/// It begins in an empty directory each time: its example keeps only what it was begun with.
#[test]
fn go_tuf_follows_our_repository() {
    let Some([client]) = peers(["tuf-client"]) else { return };
    let mut repository = Repository::new();
    let pinned = repository.sandbox.read("root.json");
    let follow = |repository: &Repository| {
        let own = Sandbox::new();
        own.write("root.json", &pinned);
        own.run(&client, &["init", "--url", &repository.url, "--file", "root.json"]).succeeds();
        let targets = format!("{}/targets", repository.url);
        let get = ["get", "--url", &repository.url, "--turl", &targets, "trusted_root.json"];
        let outcome = own.run(&client, &get);
        (own, outcome)
    };
    for version in [1, 2] {
        let (own, outcome) = follow(&repository);
        outcome.succeeds();
        assert_eq!(own.read("tuf_download/trusted_root.json"), NO_TRUST.as_bytes());
        let root: Value = serde_json::from_slice(&own.read("tuf_metadata/root.json")).unwrap();
        assert_eq!(root.pointer("/signed/version"), Some(&Value::from(version)));
        if version == 1 {
            repository.rotate();
        }
    }
    // Of another repository, and of this one with a target that was exchanged.
    follow(&Repository::new()).1.refuses_saying(&["not enough signatures"]);
    repository.exchange_target();
    follow(&repository).1.refuses_saying(&["hash", "length", "mismatch"]);
}

/// What `signet up` hands out as a file, others follow, also when its log goes on in another shard.
#[test]
fn python_tuf_and_cosign_follow_a_stack() {
    let Some([python, cosign]) = peers(["python-peer", "cosign"]) else { return };
    let sandbox = Sandbox::new();
    let stack = StackServer::start(signet(), &sandbox, "up");
    let url = format!("{}/tuf", stack.url());
    sandbox.write("follow.py", include_str!("follow.py"));
    for (shards, version) in [(1, 1), (2, 1)] {
        let outcome = sandbox.run(&python, &["follow.py", &url, "up/client/root.json"]).succeeds();
        let led: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let root = String::from_utf8(sandbox.read("up/client/trusted_root.json")).unwrap();
        assert_eq!(root.matches("https://log-").count(), shards);
        assert_eq!(led, serde_json::json!({ "root": version, "target": root }));
        let init = ["initialize", "--mirror", &url, "--root", "up/client/root.json"];
        sandbox.run(&cosign, &init).succeeds();
        let name = url.trim_start_matches("http://").replace([':', '/'], "-");
        assert_eq!(
            sandbox.read(&format!(".sigstore/root/{name}/targets/trusted_root.json")),
            root.as_bytes()
        );
        sandbox.run(signet(), &["log", "rotate", "--data", "up", "--prepare"]).succeeds();
    }
}

fn initialize(repository: &Repository, cosign: &Peer) -> Outcome {
    repository.sandbox.run(cosign, &["initialize", "--mirror", &repository.url, "--root", "root.json"])
}

/// A served repository of one person, with its first root in `root.json`.
struct Repository {
    sandbox: Sandbox,
    url: String,
    _service: Service,
}

impl Repository {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let run = |args: &[&str]| drop(sandbox.run(signet(), args).succeeds());
        run(&["keys", "generate", "--no-password", "--out", "1"]);
        run(&["trust", "create", "--data", "repo", "--root-key", "1.pub"]);
        run(&["trust", "sign", "--key", "1.key", "repo/staged/root.json"]);
        sandbox.write("root.json", sandbox.read("repo/staged/root.json"));
        sandbox.write("trusted_root.json", NO_TRUST);
        run(&["trust", "publish", "--data", "repo", "--trusted-root", "trusted_root.json"]);
        let service = Service::start(signet(), &sandbox, &["serve", "trust", "--data", "repo"]);
        let url = format!("{}/tuf", service.said("url"));
        Self { sandbox, url, _service: service }
    }

    /// Publishes a root with another root key and another online key.
    fn rotate(&mut self) {
        let run = |args: &[&str]| drop(self.sandbox.run(signet(), args).succeeds());
        run(&["keys", "generate", "--no-password", "--out", "2"]);
        run(&[
            &["trust", "rotate", "--data", "repo", "--new-online-key"][..],
            &["--remove-root-key", "1.pub", "--add-root-key", "2.pub"],
        ]
        .concat());
        run(&["trust", "sign", "--key", "1.key", "--previous", "root.json", "repo/staged/root.json"]);
        run(&["trust", "sign", "--key", "2.key", "repo/staged/root.json"]);
        run(&["trust", "publish", "--data", "repo"]);
    }

    /// Puts other bytes in the place of the target.
    fn exchange_target(&self) {
        let folder = self.sandbox.path("repo/repository/targets");
        let target = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        std::fs::write(target, NO_TRUST.replace("0.1", "0.2")).unwrap();
    }
}
