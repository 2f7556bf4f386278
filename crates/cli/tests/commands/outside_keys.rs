//! `signet trust`, authorities and what signs, with keys that a program holds: here openssl, elsewhere a token or a KMS.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use signet_testkit::{Outcome, Sandbox, Service, certify, peers, request};

use crate::{certificates, service};

const NO_TRUST: &str = r#"{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

/// A sandbox in which `held://NAME` are keys of openssl's making, of these algorithms.
fn with_held(keys: &[(&str, &[&str])]) -> Option<Sandbox> {
    let [openssl] = peers(["openssl"])?;
    let helpers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers");
    let sandbox = Sandbox::new().with_programs(&[&helpers]);
    for (name, algorithm) in keys {
        sandbox.run(&openssl, &[&["genpkey", "-out", name, "-algorithm"][..], algorithm].concat()).exits(0);
    }
    sandbox.write("trusted_root.json", NO_TRUST);
    run(&sandbox, "keys generate --no-password --out owner").exits(0);
    Some(sandbox)
}

const P256: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P521: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"];

fn run(sandbox: &Sandbox, line: &str) -> Outcome {
    crate::run(sandbox, &line.split(' ').collect::<Vec<_>>())
}

/// Drafts by this command, has the owner sign, and publishes.
fn publish(sandbox: &Sandbox, draft: &str) -> Outcome {
    run(sandbox, draft).exits(0);
    run(sandbox, "trust sign --key owner.key repo/staged/root.json").exits(0);
    run(sandbox, "trust publish --data repo --trusted-root trusted_root.json")
}

/// The kinds of files of online keys that the publisher has.
fn kept(sandbox: &Sandbox, data: &str) -> Vec<String> {
    let entries = std::fs::read_dir(sandbox.path(data).join("keys")).expect("there are keys");
    let mut kinds: Vec<String> = entries
        .map(|entry| entry.expect("it can be read").path())
        .filter_map(|path| Some(path.extension()?.to_str()?.to_owned()))
        .collect();
    kinds.sort();
    kinds
}

fn failures(service: &Service) -> u64 {
    metric(service, "signet_trust_failures_total ")
}

fn metric(service: &Service, name: &str) -> u64 {
    let address = service.said("admin");
    let page = request(address, "GET", "/metrics", &[], &[]).expect("it answers").body;
    let page = String::from_utf8(page).expect("text");
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{page}"))
}

#[test]
fn an_online_key_goes_from_a_file_to_a_program_to_another_and_back() {
    let Some(sandbox) = with_held(&[("token", P256), ("kms", P256)]) else { return };
    run(&sandbox, "keys generate --no-password --out online").exits(0);
    publish(&sandbox, "trust create --data repo --root-key owner.pub --online-key online.key").exits(0);
    let served = service::serve(&sandbox, &["trust", "--data", "repo"]);
    sandbox.write("root.json", sandbox.read("repo/repository/1.root.json"));
    let url = format!("{}/tuf", served.said("url"));
    crate::run(&sandbox, &["trust", "init", "--root", "root.json", &url]).exits(0);
    for (more, kinds) in [
        ("--online-key held://token", &["ref", "ref"][..]),
        ("--online-key held://kms", &["ref", "ref", "ref"]),
        ("--new-online-key", &["key", "ref", "ref", "ref"]),
        ("--online-key online.key", &["key", "ref", "ref", "ref"]),
    ] {
        publish(&sandbox, &format!("trust rotate --data repo {more}")).exits(0);
        assert_eq!(kept(&sandbox, "repo"), kinds, "{more}: what is outside stays there");
        run(&sandbox, "trust update").exits(0);
    }
    assert!(run(&sandbox, "trust status").exits(0).says("root        version 5"));
}

#[test]
fn a_root_key_that_a_program_holds_signs_roots() {
    let Some(sandbox) = with_held(&[("holder", P256)]) else { return };
    run(&sandbox, "keys export-public --key held://holder --out holder.pub").exits(0);
    run(&sandbox, "trust create --data repo --root-key holder.pub").exits(0);
    sandbox.write("down", "");
    let refused = run(&sandbox, "trust sign --key held://holder repo/staged/root.json").exits(3);
    assert!(refused.says("SGN-5014") && refused.says("the token is not there"), "{refused}");
    std::fs::remove_file(sandbox.path("down")).expect("it is there");
    run(&sandbox, "trust sign --key held://holder repo/staged/root.json").exits(0);
    run(&sandbox, "trust publish --data repo --trusted-root trusted_root.json").exits(0);
}

#[test]
fn only_keys_that_metadata_can_state_become_online_keys() {
    let kinds: [(&str, &[&str]); 5] = [
        ("p256", P256),
        ("p384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("ed25519", &["ED25519"]),
        ("rsa", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("p521", P521),
    ];
    let Some(sandbox) = with_held(&kinds) else { return };
    run(&sandbox, "keys generate --no-password --algorithm ml-dsa-44 --out ml-dsa").exits(0);
    for key in ["held://p256", "held://p384", "held://ed25519", "p256", "p384", "ed25519", "rsa"] {
        let data = key.replace("://", "-");
        run(&sandbox, &format!("trust create --data d-{data} --root-key owner.pub --online-key {key}"))
            .exits(0);
        run(&sandbox, &format!("trust sign --key owner.key d-{data}/staged/root.json")).exits(0);
        let published = run(&sandbox, &format!("trust publish --data d-{data}"));
        assert!(published.exits(0).says("timestamp   version 1"), "{key}");
    }
    let staged = String::from_utf8(sandbox.read("d-rsa/repository/1.root.json")).expect("text");
    assert!(staged.contains("rsassa-pss-sha256"), "the specification has no other for RSA: {staged}");
    let refused =
        run(&sandbox, "trust create --data no --root-key owner.pub --online-key held://rsa").exits(2);
    assert!(
        refused.says("SGN-3009") && !sandbox.path("no").exists(),
        "programs are not asked for PSS: {refused}"
    );
    for key in ["held://p521", "p521", "ml-dsa.key"] {
        let refused =
            run(&sandbox, &format!("trust create --data no --root-key owner.pub --online-key {key}"));
        let refused = refused.exits(2);
        assert!(refused.says("SGN-3003") && refused.says("take ECDSA P-256 or P-384"), "{refused}");
        assert!(!sandbox.path("no").exists(), "{key}");
    }
}

#[test]
fn a_key_that_cannot_be_had_is_not_named_by_a_root() {
    let Some(sandbox) = with_held(&[("token", P256)]) else { return };
    let create =
        |key: &str| run(&sandbox, &format!("trust create --data no --root-key owner.pub --online-key {key}"));
    for (key, code, words) in [
        ("absent://token", 3, "`sigstore-kms-absent`"),
        ("held://missing", 3, "SGN-5014"),
        ("../held://token", 2, "NAME://ID"),
        ("held://token?pin-value=9876", 2, "environment"),
        ("missing.key", 2, "SGN-3002"),
    ] {
        let refused = create(key).exits(code);
        assert!(refused.says(words) && !refused.says("9876"), "{refused}");
        assert!(!sandbox.path("no").exists(), "{key}");
    }
}

/// Clients that have a root refuse what only the one before it led to: it is not published before the key that it names has signed.
#[test]
fn a_key_out_of_reach_leaves_what_is_published_as_it_was() {
    let Some(sandbox) = with_held(&[("token", P256)]) else { return };
    publish(&sandbox, "trust create --data repo --root-key owner.pub").exits(0);
    let timestamp = sandbox.read("repo/repository/timestamp.json");
    run(&sandbox, "trust rotate --data repo --online-key held://token").exits(0);
    run(&sandbox, "trust sign --key owner.key repo/staged/root.json").exits(0);
    sandbox.write("down", "");
    let refused = run(&sandbox, "trust publish --data repo").exits(3);
    assert!(refused.says("SGN-5014") && refused.says("the token is not there"), "{refused}");
    assert!(!sandbox.path("repo/repository/2.root.json").exists());
    assert_eq!(sandbox.read("repo/repository/timestamp.json"), timestamp);
    std::fs::remove_file(sandbox.path("down")).expect("it is there");
    run(&sandbox, "trust publish --data repo").exits(0);
    assert!(
        sandbox.path("repo/repository/2.root.json").exists()
            && !sandbox.path("repo/staged/root.json").exists()
    );
}

/// A log that goes on in another shard changes what is published.
#[test]
fn a_stack_whose_key_is_out_of_reach_serves_on_and_counts_it() {
    let Some(sandbox) = with_held(&[("token", P256)]) else { return };
    let config = "{apiVersion: signet.dev/v1alpha1, kind: Stack, admin: {listen: '127.0.0.1:0'}}";
    sandbox.write("up.yaml", config);
    let start = || service::up(&sandbox, &["--config", "up.yaml"]);
    let stack = start();
    run(&sandbox, "trust create --data up/trust --root-key owner.pub --online-key held://token").exits(0);
    run(&sandbox, "trust sign --key owner.key up/trust/staged/root.json").exits(0);
    run(&sandbox, "trust publish --data up/trust").exits(0);
    // The stack looks every two seconds until there is a root, and adds what is in `client/`.
    wait(|| published(&stack) == 2);
    sandbox.write("down", "");
    // Nobody is to see a shard's entries who could not have heard of it.
    let refused = run(&sandbox, "log rotate --data up").exits(3);
    assert!(refused.says("the token is not there"), "{refused}");
    assert!(failures(&stack) > 0);
    assert_eq!(published(&stack), 2);
    drop(stack);
    // It starts without the key, too.
    let stack = start();
    assert!(published(&stack) == 2 && failures(&stack) > 0);
    std::fs::remove_file(sandbox.path("down")).expect("it is there");
    run(&sandbox, "log rotate --data up").exits(0);
    wait(|| published(&stack) > 2);
    assert_eq!(kept(&sandbox, "up/trust"), ["ref"]);
}

/// The name of its key is all that an authority has of it.
#[test]
fn authorities_sign_by_keys_that_a_program_holds_and_wait_for_those_that_are_away() {
    let Some(sandbox) = with_held(&[("ca", P256), ("tsa", P256)]) else { return };
    certify(&sandbox, "ca", certify::CA);
    certify(&sandbox, "tsa", certify::TSA);
    let issuer = service::serve(&sandbox, &["oidc-dev", "--data", "oidc"]);
    let url = format!("http://{}/email", issuer.address());
    let issuers =
        format!("oidc-issuers:\n  {url}:\n    issuer-url: {url}\n    client-id: sigstore\n    type: email\n");
    sandbox.write("issuers.yaml", issuers);
    let stack = "{apiVersion: signet.dev/v1alpha1, kind: Stack, admin: {listen: '127.0.0.1:0'}, \
        ca: {issuers: issuers.yaml, key: 'held://ca', certificateChain: ca.pem}, \
        tsa: {key: 'held://tsa', certificateChain: tsa.pem}}";
    sandbox.write("up.yaml", stack);
    sandbox.write("down", "");
    let stack = service::up(&sandbox, &["--config", "up.yaml"]);
    let certificate = || {
        let minted = run(&sandbox, "dev-token --data oidc --email a@example.com").exits(0);
        certificates::issue(stack.address(), minted.stdout.trim(), "a@example.com")
    };
    assert_eq!((signs(&stack, "ca"), signs(&stack, "tsa")), (0, 0), "it starts without them");
    assert!(certificate().is_none());
    std::fs::remove_file(sandbox.path("down")).expect("it is there");
    wait(|| (signs(&stack, "ca"), signs(&stack, "tsa")) == (1, 1));
    assert!(certificate().is_some());
    sandbox.write("down", "");
    assert!(certificate().is_none());
    assert_eq!(signs(&stack, "ca"), 0);
    for section in ["ca", "tsa"] {
        assert!(!sandbox.path(&format!("up/{section}/{section}.key")).exists());
    }
}

#[test]
fn an_authority_is_not_begun_with_a_key_that_is_not_its_certificates_or_has_no_program() {
    let Some(sandbox) = with_held(&[("tsa", P256), ("other", P256)]) else { return };
    certify(&sandbox, "tsa", certify::TSA);
    for (key, code, words) in [
        ("held://other", 2, "the first certificate of the chain is not that of the signing key"),
        ("absent://tsa", 3, "`sigstore-kms-absent`"),
        ("held://tsa?pin-value=9876", 2, "environment"),
    ] {
        let serve = "serve tsa --data no --listen 127.0.0.1:0 --certificate-chain tsa.pem --key";
        let refused = run(&sandbox, &format!("{serve} {key}")).exits(code);
        assert!(refused.says(words) && !refused.says("9876"), "{refused}");
        assert!(!sandbox.path("no").exists(), "{key}");
    }
}

#[test]
fn files_and_images_are_signed_by_a_key_that_a_program_holds() {
    let kinds: [(&str, &[&str]); 3] =
        [("p256", P256), ("ed25519", &["ED25519"]), ("rsa", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"])];
    let Some(sandbox) = with_held(&kinds) else { return };
    sandbox.write("file", "content");
    let registry = service::registry(&sandbox, "registry");
    for (key, _) in kinds {
        run(&sandbox, &format!("keys export-public --key held://{key} --out {key}.pub")).exits(0);
        run(&sandbox, &format!("sign-blob --key held://{key} --bundle {key}.json file")).exits(0);
        run(&sandbox, &format!("verify-blob --key {key}.pub --bundle {key}.json file")).exits(0);
        run(&sandbox, &format!("verify-blob --key held://{key} --bundle {key}.json file")).exits(0);
        let repository = registry.repository(key);
        let image = repository.at(&repository.push_image("1", key));
        run(&sandbox, &format!("sign --key held://{key} {image}")).exits(0);
        run(&sandbox, &format!("verify --key {key}.pub {image}")).exits(0);
        run(&sandbox, &format!("verify --key held://{key} {image}")).exits(0);
    }
    run(&sandbox, "verify-blob --key held://rsa --bundle p256.json file").exits(1);
    sandbox.write("down", "");
    for command in [
        "sign-blob --key held://p256 --bundle new.json file",
        "verify-blob --key held://p256 --bundle p256.json file",
    ] {
        let refused = run(&sandbox, command).exits(3);
        assert!(refused.says("SGN-5014") && refused.says("the token is not there"), "{refused}");
    }
    assert!(!sandbox.path("new.json").exists());
}

/// Has a root certify the key of this name.
fn certify(sandbox: &Sandbox, name: &str, extensions: &[&str]) {
    let [openssl] = peers(["openssl"]).expect("it was there");
    run(sandbox, &format!("keys export-public --key held://{name} --out {name}.pub")).exits(0);
    certify::certify(sandbox, &openssl, name, extensions);
}

/// Whether an authority's key signed when it was asked last.
fn signs(service: &Service, authority: &str) -> u64 {
    metric(service, &format!("signet_{authority}_key_signs "))
}

/// The version of the timestamp that is served.
fn published(service: &Service) -> u64 {
    let body = request(service.address(), "GET", "/tuf/timestamp.json", &[], &[]).expect("it answers").body;
    let timestamp: Value = serde_json::from_slice(&body).unwrap_or_default();
    timestamp.pointer("/signed/version").and_then(Value::as_u64).unwrap_or_default()
}

fn wait(until: impl Fn() -> bool) {
    while !until() {
        std::thread::sleep(Duration::from_millis(20));
    }
}
