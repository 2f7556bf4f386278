//! Signet's log, written to and read by the clients of other logs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use signet_crypto::KeyAlgorithm;
use signet_keys::PrivateKey;
use signet_testkit::{LogServer, NoteKey, Program, Sandbox, free_address, log_request, peers, request};

use crate::{denied, signet};

const ORIGIN: &str = "rekor.example.org";

#[test]
fn cosign_logs_a_signature_and_everybody_verifies_it() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let sandbox = Sandbox::new();
    let log = LogServer::start(signet(), &sandbox, &["--origin", ORIGIN, "--ml-dsa"]);
    sandbox.write("rekor.pem", public_pem(log.key()));
    sandbox.write("artifact", "what is signed");
    let start = "start-time=2024-01-01T00:00:00Z";
    let rekor = format!("url=http://{ORIGIN},public-key=rekor.pem,{start},origin={ORIGIN}");
    sandbox.run(&cosign, &["trusted-root", "create", "--rekor", &rekor, "--out", "root.json"]).succeeds();
    let rekor = format!("url=http://{},api-version=2,{start},operator=us", log.address());
    let config =
        ["signing-config", "create", "--rekor", &rekor, "--rekor-config", "ANY", "--out", "config.json"];
    sandbox.run(&cosign, &config).succeeds();
    sandbox.run(&cosign, &["generate-key-pair"]).succeeds();
    let sign = [
        "sign-blob",
        "--key",
        "cosign.key",
        "--signing-config",
        "config.json",
        "--trusted-root",
        "root.json",
    ];
    let sign = [&sign[..], &["--bundle", "bundle.json", "-y", "artifact"]].concat();
    sandbox.run(&cosign, &sign).succeeds();

    let with = ["--key", "cosign.pub", "--trusted-root", "root.json", "--bundle", "bundle.json"];
    let verify = |artifact: &'static str| [&["verify-blob"], &with[..], &[artifact]].concat();
    sandbox.run(&cosign, &verify("artifact")).succeeds();
    sandbox.run(signet(), &verify("artifact")).succeeds();
    let bundle = String::from_utf8(sandbox.read("bundle.json")).unwrap();
    assert!(bundle.contains(r#""kind":"hashedrekord","version":"0.0.2""#), "{bundle}");
    sandbox.write("bundle.json", bundle.replace(r#""treeSize":"1""#, r#""treeSize":"2""#));
    denied(&sandbox.run(signet(), &verify("artifact")));
}

#[test]
fn the_load_tester_of_tessera_drives_and_proves_an_opaque_log() {
    let Some([hammer]) = peers(["tessera-hammer"]) else { return };
    let sandbox = Sandbox::new();
    let log = LogServer::start(signet(), &sandbox, &["--opaque", "--origin", "log.example.org"]);
    let (key, url) =
        (format!("--log_public_key={}", log.key()), format!("--log_url=http://{}/", log.address()));
    let load = ["--num_writers=64", "--max_write_ops=5000", "--leaf_min_size=1024", "--leaf_write_goal=2000"];
    let rest = ["--show_ui=false", "--max_runtime=60s"];
    // It ends with 1 if it does not reach its goal in time, and says what did not verify.
    let outcome = sandbox.run(&hammer, &[&[key.as_str(), &url], &load[..], &rest[..]].concat()).succeeds();
    assert!(!outcome.says("failed to"), "{outcome}");
}

#[test]
fn a_log_that_tessera_wrote_is_checked_and_followed() {
    let Some([oneshot]) = peers(["tessera-posix-oneshot"]) else { return };
    let (sandbox, key) = (Sandbox::new(), NoteKey::new("tessera.example.org"));
    sandbox.write("key", &key.secret);
    let data = sandbox.path("tessera").display().to_string();
    let write = |first: u32, last: u32| {
        (first..last).for_each(|n| drop(sandbox.write(&format!("new{first}/{n}"), format!("entry {n}"))));
        let entries = format!("--entries={}/*", sandbox.path(&format!("new{first}")).display());
        let to = [&format!("--storage_dir={data}"), "--private_key=key", &entries];
        sandbox.run(&oneshot, &to.map(|arg| arg as &str)).succeeds();
    };
    let url = format!("file://{data}");
    let monitor =
        ["log", "monitor", "--once", "--from-start", "--state", "seen", "--url", &url, "--key", &key.public];
    let fsck = ["log", "fsck", "--tiles", &data, "--key", &key.public];
    for (first, last) in [(0, 3), (3, 300)] {
        write(first, last);
        let checked = sandbox.run(signet(), &fsck).succeeds();
        assert!(
            checked.stdout.starts_with(&format!("`tessera.example.org`: {last} entries sound")),
            "{checked}"
        );
        sandbox.run(signet(), &monitor).succeeds();
    }
    let tile = sandbox.path("tessera/tile/0/000");
    let mut spoilt = std::fs::read(&tile).unwrap();
    spoilt[0] ^= 1;
    std::fs::write(&tile, spoilt).unwrap();
    assert!(sandbox.run(signet(), &fsck).exits(1).says("`tile/0/000` is not of the entries"));
}

#[test]
fn rekor_gets_its_cosignatures_from_signets_witness() {
    let Some([rekor]) = peers(["rekor-server-posix"]) else { return };
    let (sandbox, key) = (Sandbox::new(), NoteKey::new("rekor.example.org"));
    sandbox.write("rekor.pem", &key.pem);
    let [address, witness, grpc, metrics] = [(); 4].map(|()| free_address());
    let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
    let witnessing = ["serve", "witness", "--data", "witness", "--listen", &witness, "--log", &key.public];
    let _witness = Program::start(sandbox.command(signet()).args(witnessing), &witness);
    let known: serde_json::Value = serde_json::from_slice(&sandbox.read("witness/witness.json")).unwrap();
    let vkey = known["keys"][0].as_str().unwrap();
    sandbox.write("policy", format!("witness w {vkey} http://{witness}/\ngroup g all w\nquorum g\n"));
    let serve =
        ["serve", "--hostname=rekor.example.org", "--signer-filepath=rekor.pem", "--storage-dir=rekor"];
    let ports = [("http", &address), ("grpc", &grpc), ("http-metrics", &metrics)];
    let ports = ports.map(|(name, address)| format!("--{name}-port={}", port(address)));
    let mut command = sandbox.command(&rekor);
    command.args(serve).args(ports).args(["--checkpoint-interval=1s", "--witness-policy-path=policy"]);
    let _rekor = Program::start(&mut command, &address);
    let request_body = log_request(&PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap(), b"artifact");
    let json = [("content-type", "application/json")];
    let answer = request(&address, "POST", "/api/v2/log/entries", &json, request_body.as_bytes()).unwrap();
    let answer = String::from_utf8(answer.body).unwrap();
    let name = vkey.split('+').next().unwrap();
    assert!(answer.contains(&format!("\u{2014} {name} ")), "{answer}");
    let url = format!("file://{}", sandbox.path("rekor").display());
    let monitor =
        ["log", "monitor", "--once", "--from-start", "--state", "seen", "--url", &url, "--key", &key.public];
    let digest = signet_crypto::Digest::sha256(b"artifact").to_string();
    let more = ["--witness-policy", "policy", "--digest", &digest];
    let found = sandbox.run(signet(), &[&monitor[..], &more].concat()).exits(1);
    assert!(found.stdout.contains("entry 0 is one of"), "{found}");
    let data = sandbox.path("rekor").display().to_string();
    sandbox.run(signet(), &["log", "fsck", "--tiles", &data, "--key", &key.public]).succeeds();
}

/// The log's key as PEM: an Ed25519 SubjectPublicKeyInfo is a fixed prefix and the 32 bytes.
pub(crate) fn public_pem(vkey: &str) -> String {
    let typed = vkey.splitn(3, '+').nth(2).and_then(|typed| BASE64.decode(typed).ok());
    let typed = typed.unwrap_or_else(|| panic!("not a key of a note: {vkey}"));
    let (_type, bits) = typed.split_first().expect("a key has a type");
    let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", bits].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(spki))
}
