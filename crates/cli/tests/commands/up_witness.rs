//! `signet up` as a witness, and as one that is witnessed.

use signet_crypto::KeyAlgorithm;
use signet_keys::PrivateKey;
use signet_testkit::{LogServer, Sandbox, log_request, request};

use crate::service;
use crate::{run, signet};

const HEAD: &str = "apiVersion: signet.dev/v1alpha1\nkind: Stack\n";

fn get(address: &str, path: &str) -> (u16, String) {
    let answer = request(address, "GET", path, &[], &[]).expect("it answers");
    (answer.status, String::from_utf8(answer.body).expect("text"))
}

fn cosign(address: &str, note: &str) -> u16 {
    let body = format!("old 0\n\n{note}");
    request(address, "POST", "/add-checkpoint", &[], body.as_bytes()).expect("it answers").status
}

/// The submission prefix of a witness's policy has to be known before it starts: a port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it has an address").port()
}

#[test]
fn it_cosigns_the_logs_that_it_was_told_of_and_its_own_only_if_it_was_told_so() {
    let sandbox = Sandbox::new();
    let other = LogServer::start(signet(), &sandbox, &["--opaque"]);
    other.add("one");
    let theirs = get(other.address(), "/checkpoint").1;
    let config = |own: bool| {
        let key = other.key();
        let text = format!(
            "{HEAD}admin: {{listen: '127.0.0.1:0'}}\nwitness: {{enabled: true, ownLog: {own}, logs: ['{key}']}}\n"
        );
        sandbox.write("up.yaml", text);
    };
    config(false);
    let stack = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    assert!(get(stack.said("admin"), "/ready").1.contains("\"witness\":true"));
    let ours = get(stack.address(), "/api/v2/checkpoint").1;
    assert_eq!((cosign(stack.address(), &theirs), cosign(stack.address(), &ours)), (200, 404));
    let metrics = get(stack.said("admin"), "/metrics").1;
    for sample in
        ["signet_witness_logs 1\n", "signet_witness_cosigned_total 1\n", "signet_witness_refused_total 1\n"]
    {
        assert!(metrics.contains(sample), "{sample}{metrics}");
    }
    drop(stack);
    config(true);
    let stack = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    assert_eq!(cosign(stack.address(), &ours), 200);
    // Its log goes on in another shard, and is still its own.
    run(&sandbox, &["log", "rotate", "--data", "up"]).exits(0);
    let newer = get(stack.address(), "/api/v2/checkpoint").1;
    assert_ne!(newer.lines().next(), ours.lines().next());
    assert_eq!(cosign(stack.address(), &newer), 200);
    drop(stack);
    run(&sandbox, &["fsck", "--data", "up"]).exits(0);
}

/// What its log publishes is cosigned; without its witness nothing is, and readiness says so.
#[test]
fn its_log_is_witnessed_by_a_policy() {
    let sandbox = Sandbox::new();
    let address = format!("127.0.0.1:{}", free_port());
    sandbox.write("up.yaml", format!("{HEAD}witness: {{enabled: true, ownLog: true}}\n"));
    let stack = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    let keys: serde_json::Value = serde_json::from_str(stack.printed()).expect("one document");
    let key = keys["witnessKeys"][0].as_str().expect("a key").to_owned();
    drop(stack);
    sandbox.write("policy", format!("witness w {key} http://{address}\nquorum w\n"));
    let text = format!("{HEAD}witness: {{enabled: true, ownLog: true}}\nlog: {{witnessPolicy: policy}}\n");
    sandbox.write("up.yaml", text);
    let args =
        ["up", "--data", "up", "--dev", "--config", "up.yaml", "--listen", &address, "--output", "json"];
    let mut child = sandbox.command(signet()).args(args).spawn().expect("it starts");
    while request(&address, "GET", "/ready", &[], &[]).map_or(true, |answer| answer.status != 200) {
        assert_eq!(child.try_wait().expect("a child can be asked"), None, "it runs");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    sandbox.write("file", "content");
    let token = run(&sandbox, &["dev-token", "--data", "up", "--email", "a@b.c"]).exits(0);
    sandbox.write("token", token.stdout);
    let with = [
        "--signing-config",
        "up/client/signing_config.json",
        "--trusted-root",
        "up/client/trusted_root.json",
    ];
    run(
        &sandbox,
        &[&["sign-blob", "--identity-token", "token", "--bundle", "b.json"], &with[..], &["file"]].concat(),
    )
    .exits(0);
    let checkpoint = get(&address, "/api/v2/checkpoint").1;
    let line = format!("\n\u{2014} {} ", key.split('+').next().expect("a name"));
    assert!(checkpoint.contains(&line), "{checkpoint}");
    child.kill().expect("it can be stopped");
    child.wait().expect("it ends");
    // Nobody listens where the policy says.
    let stack = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    assert_eq!(get(stack.address(), "/api/v2/checkpoint").1, checkpoint, "what was witnessed stays");
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key");
    let (entry, headers) = (log_request(&key, b"content"), [("content-type", "application/json")]);
    let refused = request(stack.address(), "POST", "/api/v2/log/entries", &headers, entry.as_bytes());
    assert_eq!(refused.expect("it answers").status, 503, "nothing is logged without witnesses");
    assert_eq!(get(stack.address(), "/ready").0, 503);
}

#[test]
fn operators_of_a_witness_ask_at_an_address_of_their_own() {
    let sandbox = Sandbox::new();
    let witness = service::serve(&sandbox, &["witness", "--data", "witness", "--admin", "127.0.0.1:0"]);
    let admin = witness.said("admin");
    assert_eq!(get(admin, "/ready"), (200, r#"{"witness":true}"#.to_owned()));
    assert!(get(admin, "/metrics").1.contains("signet_witness_cosigned_total 0\n"));
    assert_eq!(get(witness.address(), "/metrics").0, 404);
}
