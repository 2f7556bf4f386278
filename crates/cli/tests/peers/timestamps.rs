//! Signet's timestamps, judged by OpenSSL, rfc3161-client and notation.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::json;
use signet_testkit::{Outcome, Peer, RegistryServer, Sandbox, peers};

use crate::authorities::Authority;
use crate::signet;

#[test]
fn openssl_accepts_our_timestamps_and_no_tampered_ones() {
    let Some([openssl]) = peers(["openssl"]) else { return };
    let sandbox = Sandbox::new();
    let tsa = authority(&sandbox, "tsa");
    for (digest, certificate) in [("-sha256", true), ("-sha384", true), ("-sha512", false)] {
        let with = if certificate { &["-cert"][..] } else { &[] };
        let query = [&["ts", "-query", "-data", "data", digest, "-out", "query"], with].concat();
        sandbox.run(&openssl, &query).succeeds();
        sandbox.write("reply", tsa.stamp(&sandbox.read("query")));
        openssl_verifies(&sandbox, &openssl, "query").succeeds();
    }
    tamper(&sandbox, "reply");
    openssl_verifies(&sandbox, &openssl, "query").refuses_saying(&["FAILED"]);
    sandbox.run(&openssl, &["ts", "-query", "-data", "data", "-sha1", "-out", "query"]).succeeds();
    sandbox.write("reply", tsa.stamp(&sandbox.read("query")));
    let text = sandbox.run(&openssl, &["ts", "-reply", "-in", "reply", "-text"]).succeeds();
    assert!(text.says("unrecognized or unsupported algorithm identifier"), "{text}");
}

#[test]
fn rfc3161_client_accepts_our_timestamps_and_no_tampered_ones() {
    let Some([python]) = peers(["python-peer"]) else { return };
    let sandbox = Sandbox::new();
    let tsa = authority(&sandbox, "tsa");
    sandbox.write("timestamps.py", include_str!("timestamps.py"));
    let url = format!("{}/api/v1/timestamp", tsa.url());
    let run = |args: &[&str]| sandbox.run(&python, &[&["timestamps.py"], args].concat());
    for algorithm in ["SHA256", "SHA512"] {
        let nonce = run(&["stamp", &url, algorithm, "data", "reply"]).succeeds().stdout;
        let nonce = nonce.trim();
        run(&["verify", "tsa.pem", nonce, "data", "reply"]).succeeds();
        run(&["verify", "tsa.pem", nonce, "changed", "reply"]).refuses_saying(&["refused: Mismatch"]);
        run(&["verify", "tsa.pem", "1", "data", "reply"]).refuses_saying(&["refused: Nonce"]);
        tamper(&sandbox, "reply");
        run(&["verify", "tsa.pem", nonce, "data", "reply"]).refuses_saying(&["refused: "]);
    }
    let nonce = run(&["stamp", &url, "SHA256", "data", "reply"]).succeeds().stdout;
    let _other = authority(&sandbox, "other");
    run(&["verify", "other.pem", nonce.trim(), "data", "reply"]).refuses_saying(&["refused: "]);
}

/// With the strictest level, a timestamp that has to verify, and no authority but ours.
#[test]
fn notation_timestamps_its_signatures_with_us_and_verifies_them() {
    let Some([notation]) = peers(["notation"]) else { return };
    let sandbox = Sandbox::new();
    let tsa = authority(&sandbox, "tsa");
    let _other = authority(&sandbox, "other");
    let registry = RegistryServer::signet(signet());
    let repository = registry.repository("app");
    let image = repository.at(&repository.push_image("1", "content"));
    let run = |args: &[&str]| sandbox.run(&notation, args);
    run(&["cert", "generate-test", "--default", "example"]).succeeds();
    let url = format!("{}/api/v1/timestamp", tsa.url());
    let sign = |root: &str| {
        let with = ["--timestamp-url", &url, "--timestamp-root-cert", root];
        run(&[&["sign", "--insecure-registry"], &with[..], &[&image]].concat())
    };
    sign("other-root.pem").refuses_saying(&["timestamp"]);
    sign("tsa-root.pem").succeeds();
    let verify = |store: &str| {
        sandbox.write(".config/notation/trustpolicy.json", trust_policy(store));
        run(&["verify", "--insecure-registry", &image])
    };
    for kind in ["tsa", "other"] {
        run(&["cert", "add", "--type", "tsa", "--store", kind, &format!("{kind}-root.pem")]).succeeds();
    }
    verify("tsa").succeeds();
    verify("other").refuses_saying(&["signature verification failed"]);
}

/// notation's policy: its own test certificate, and timestamps by what is in this store.
fn trust_policy(store: &str) -> String {
    let verification = json!({"level": "strict", "verifyTimestamp": "always"});
    let policy = json!({
        "name": "all",
        "registryScopes": ["*"],
        "signatureVerification": verification,
        "trustStores": ["ca:example", format!("tsa:{store}")],
        "trustedIdentities": ["*"],
    });
    json!({"version": "1.0", "trustPolicies": [policy]}).to_string()
}

/// An authority with its chain in `NAME.pem`, its root in `NAME-root.pem`, and files to stamp beside it.
fn authority(sandbox: &Sandbox, name: &str) -> Authority {
    let tsa = Authority::start_in(sandbox, "tsa", name);
    let chain = String::from_utf8(tsa.get("/api/v1/timestamp/certchain")).unwrap();
    let (_, root) = chain.rsplit_once("-----BEGIN").unwrap();
    sandbox.write(&format!("{name}-root.pem"), format!("-----BEGIN{root}"));
    sandbox.write(&format!("{name}.pem"), chain);
    sandbox.write("data", "data");
    sandbox.write("changed", "changed");
    tsa
}

/// Its last byte is one of the signature.
fn tamper(sandbox: &Sandbox, reply: &str) {
    let mut tampered = sandbox.read(reply);
    *tampered.last_mut().unwrap() ^= 1;
    sandbox.write(reply, tampered);
}

fn openssl_verifies(sandbox: &Sandbox, openssl: &Peer, query: &str) -> Outcome {
    let chain = ["-CAfile", "tsa.pem", "-untrusted", "tsa.pem"];
    sandbox.run(openssl, &[&["ts", "-verify", "-queryfile", query, "-in", "reply"][..], &chain].concat())
}
