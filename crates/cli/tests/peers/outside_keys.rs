//! Keys in a token of PKCS#11 (SoftHSM), by the program that is under `deploy/keys`: cosign takes it as Signet does, python-tuf and
//! go-tuf follow what the token has signed for a repository of trust, openssl and cosign verify what it has for authorities.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::ffi::OsStr;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use signet_testkit::{Outcome, Peer, Sandbox, Service, certify, peers, request};

use crate::{NO_TRUST, signet};

const PIN: &str = "the-pin-of-the-token";

#[test]
fn python_tuf_and_go_tuf_follow_keys_that_go_from_a_file_to_a_token_and_on() {
    let Some([python, client]) = peers(["python-peer", "tuf-client"]) else { return };
    let Some(sandbox) = with_token() else { return };
    run(&sandbox, "keys generate --no-password --out online").succeeds();
    run(&sandbox, "keys export-public --key p11://02 --out root.pub").succeeds();
    publish(&sandbox, "trust create --data repo --root-key root.pub --online-key online.key");
    sandbox.write("root.json", sandbox.read("repo/repository/1.root.json"));
    let served = Service::start(signet(), &sandbox, &["serve", "trust", "--data", "repo"]);
    let url = format!("{}/tuf", served.said("url"));
    follow(&sandbox, &python, &client, &url, 1);
    publish(&sandbox, "trust rotate --data repo --online-key p11://01");
    follow(&sandbox, &python, &client, &url, 2);
    // To another one of the token, which stands for a KMS: all that is named is a program and a key.
    publish(&sandbox, "trust rotate --data repo --online-key p11://03");
    follow(&sandbox, &python, &client, &url, 3);
    let kept = std::fs::read_dir(sandbox.path("repo/keys")).unwrap().map(|entry| entry.unwrap().path());
    for path in kept {
        assert_eq!(path.extension(), Some(OsStr::new("ref")), "{}", path.display());
        assert!(!std::fs::read_to_string(path).unwrap().contains(PIN));
    }
}

/// RSA keys sign by PSS, which programs cannot be asked for, so that they are files.
#[test]
fn python_tuf_and_go_tuf_follow_every_kind_of_online_key() {
    let Some([python, client, openssl]) = peers(["python-peer", "tuf-client", "openssl"]) else { return };
    for (kind, key) in [
        ("EC -pkeyopt ec_paramgen_curve:P-384", "held://key"),
        ("ED25519", "held://key"),
        ("RSA -pkeyopt rsa_keygen_bits:2048", "key"),
    ] {
        let helpers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers");
        let sandbox = Sandbox::new().with_programs(&[&helpers]);
        let generate: Vec<&str> =
            ["genpkey", "-out", "key", "-algorithm"].into_iter().chain(kind.split(' ')).collect();
        sandbox.run(&openssl, &generate).succeeds();
        run(&sandbox, "keys generate --no-password --out owner").succeeds();
        run(&sandbox, &format!("trust create --data repo --root-key owner.pub --online-key {key}"))
            .succeeds();
        run(&sandbox, "trust sign --key owner.key repo/staged/root.json").succeeds();
        sandbox.write("root.json", sandbox.read("repo/staged/root.json"));
        sandbox.write("trusted_root.json", NO_TRUST);
        run(&sandbox, "trust publish --data repo --trusted-root trusted_root.json").succeeds();
        let served = Service::start(signet(), &sandbox, &["serve", "trust", "--data", "repo"]);
        follow(&sandbox, &python, &client, &format!("{}/tuf", served.said("url")), 1);
    }
}

/// The authorities of a stack, and who signs by a key.
#[test]
fn openssl_and_cosign_accept_what_authorities_and_signers_sign_by_a_token() {
    let Some([openssl, cosign]) = peers(["openssl", "cosign"]) else { return };
    let Some(sandbox) = with_token() else { return };
    for (name, key, extensions) in [("ca", "p11://01", certify::CA), ("tsa", "p11://03", certify::TSA)] {
        run(&sandbox, &format!("keys export-public --key {key} --out {name}.pub")).succeeds();
        certify::certify(&sandbox, &openssl, name, extensions);
    }
    sandbox.write("file", "content");
    let issuer = Service::start(signet(), &sandbox, &["serve", "oidc-dev", "--data", "oidc"]);
    let issuer = format!("http://{}/email", issuer.address());
    let issuers = format!(
        "oidc-issuers:\n  {issuer}:\n    issuer-url: {issuer}\n    client-id: sigstore\n    type: email\n"
    );
    sandbox.write("issuers.yaml", issuers);
    let servers = [(); 3].map(|()| time_server()).join("', '");
    let config = format!(
        "{{apiVersion: signet.dev/v1alpha1, kind: Stack, data: up, \
         ca: {{issuers: issuers.yaml, key: 'p11://01', certificateChain: ca.pem}}, \
         tsa: {{key: 'p11://03', certificateChain: tsa.pem, ntp: ['{servers}']}}}}"
    );
    sandbox.write("up.yaml", config);
    let stack = Service::start(signet(), &sandbox, &["up", "--config", "up.yaml"]);

    sandbox.run(&openssl, &["ts", "-query", "-data", "file", "-cert", "-out", "query"]).succeeds();
    let (headers, query) = ([("content-type", "application/timestamp-query")], sandbox.read("query"));
    let reply = request(stack.address(), "POST", "/api/v1/timestamp", &headers, &query).unwrap().body;
    sandbox.write("reply", reply);
    let verify = "ts -verify -queryfile query -in reply -CAfile root.pem -untrusted tsa.pem";
    sandbox.run(&openssl, &verify.split(' ').collect::<Vec<_>>()).succeeds();

    let cosign = |line: &str| sandbox.run(&cosign, &line.split(' ').collect::<Vec<_>>()).succeeds();
    let token = run(&sandbox, "dev-token --data oidc --email you@example.com").succeeds().stdout;
    let root = "--trusted-root up/client/trusted_root.json";
    let services = format!("--signing-config up/client/signing_config.json {root}");
    let whose = format!("--certificate-identity you@example.com --certificate-oidc-issuer {issuer}");
    cosign(&format!(
        "sign-blob --yes --identity-token {} {services} --bundle keyless.json file",
        token.trim()
    ));
    cosign(&format!("verify-blob {whose} {root} --bundle keyless.json file"));

    run(&sandbox, &format!("sign-blob --key p11://01 {services} --bundle key.json file")).succeeds();
    cosign(&format!("verify-blob --key ca.pub {root} --bundle key.json file"));
}

/// The address of a time server that says what this machine's clock says, as long as the process lives.
fn time_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut asked = [0; 48];
        while let Ok((_, from)) = socket.recv_from(&mut asked) {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
            let time = ((now.as_secs() + SINCE_1900) << 32 | fraction).to_be_bytes();
            // Version 4, server, of stratum 2.
            let answer =
                [&[0b00_100_100, 2][..], &[0; 22], asked.get(40..48).unwrap(), &time, &time].concat();
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

/// Seconds from the epoch of NTP to that of Unix.
const SINCE_1900: u64 = 2_208_988_800;

#[test]
fn cosign_and_signet_take_the_same_program() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let Some(sandbox) = with_token() else { return };
    for key in ["p11://01", "p11://02"] {
        let ours = run(&sandbox, &format!("keys export-public --key {key}")).succeeds();
        let theirs = sandbox.run(&cosign, &["public-key", "--key", key]).succeeds();
        assert_eq!(ours.stdout, theirs.stdout, "{key}");
    }
}

#[test]
fn a_wrong_pin_is_told_and_no_pin_ever() {
    let Some(sandbox) = with_token() else { return };
    let sandbox = sandbox.with_variable("PKCS11_PIN", OsStr::new("another-pin"));
    run(&sandbox, "keys generate --no-password --out owner").succeeds();
    let refused = run(&sandbox, "trust create --data repo --root-key owner.pub --online-key p11://01");
    let refused = refused.exits(3);
    assert!(refused.says("SGN-5014") && refused.says("CKR_PIN_INCORRECT"), "{refused}");
    assert!(!refused.says("another-pin"), "{refused}");
    assert!(!sandbox.path("repo").exists());
}

/// A sandbox with a token that has the keys 01 and 03 on P-256 and 02 on P-384.
fn with_token() -> Option<Sandbox> {
    let [softhsm, tool, _openssl] = peers(["softhsm2-util", "pkcs11-tool", "openssl"])?;
    let module = module(&softhsm);
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/keys");
    let sandbox = Sandbox::new().with_programs(&[&programs]);
    let tokens = sandbox.path("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let config = sandbox.write("softhsm2.conf", format!("directories.tokendir = {}\n", tokens.display()));
    let sandbox = sandbox
        .with_variable("SOFTHSM2_CONF", config.as_os_str())
        .with_variable("PKCS11_MODULE", module.as_os_str())
        .with_variable("PKCS11_TOKEN", OsStr::new("trust"))
        .with_variable("PKCS11_PIN", OsStr::new(PIN));
    let module = module.to_str().unwrap();
    let init = ["--init-token", "--free", "--label", "trust", "--pin", PIN, "--so-pin", "4321"];
    sandbox.run(&softhsm, &[&["--module", module][..], &init].concat()).succeeds();
    for (id, curve) in [("01", "EC:prime256v1"), ("02", "EC:secp384r1"), ("03", "EC:prime256v1")] {
        let login = ["--module", module, "--login", "--pin", "env:PKCS11_PIN"];
        sandbox
            .run(&tool, &[&login[..], &["--keypairgen", "--key-type", curve, "--id", id]].concat())
            .succeeds();
    }
    Some(sandbox)
}

/// The library of the token: beside the program where `.ci/peers` has brought it, else the system's.
fn module(softhsm: &Peer) -> PathBuf {
    let beside =
        softhsm.as_ref().parent().and_then(Path::parent).map(|prefix| prefix.join("lib/libsofthsm2.so"));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("/usr/lib/softhsm/libsofthsm2.so"))
}

fn run(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.run(signet(), &line.split(' ').collect::<Vec<_>>())
}

/// Drafts by this command, has the root key of the token sign, and publishes.
fn publish(sandbox: &Sandbox, draft: &str) {
    sandbox.write("trusted_root.json", NO_TRUST);
    run(sandbox, draft).succeeds();
    run(sandbox, "trust sign --key p11://02 repo/staged/root.json").succeeds();
    run(sandbox, "trust publish --data repo --trusted-root trusted_root.json").succeeds();
}

/// python-tuf and go-tuf go from the first root to this version, and to what is published.
fn follow(sandbox: &Sandbox, python: &Peer, client: &Peer, url: &str, version: u64) {
    sandbox.write("follow.py", include_str!("follow.py"));
    let led = sandbox.run(python, &["follow.py", url, "root.json"]).succeeds();
    let led: Value = serde_json::from_str(&led.stdout).unwrap();
    assert_eq!(led, json!({ "root": version, "target": NO_TRUST }));
    let own = Sandbox::new();
    own.write("root.json", sandbox.read("root.json"));
    own.run(client, &["init", "--url", url, "--file", "root.json"]).succeeds();
    let targets = format!("{url}/targets");
    own.run(client, &["get", "--url", url, "--turl", &targets, "trusted_root.json"]).succeeds();
    assert_eq!(own.read("tuf_download/trusted_root.json"), NO_TRUST.as_bytes());
}
