//! `signet serve tsa`, `signet serve ca` and `signet dev-token` as processes.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::jwt::Jwt;
use signet_formats::timestamp::{TimestampRequest, TimestampToken};
use signet_formats::x509::certificates_from_pem;
use signet_formats::{base64, pem};
use signet_keys::{Payload, PrivateKey};
use signet_testkit::{Sandbox, request};

use crate::run;
use crate::service;

/// A token's number, if the service still answers.
fn stamp(address: &str) -> Option<Vec<u8>> {
    let imprint = Digest::sha256(b"signature");
    let query = TimestampRequest { imprint, policy: None, nonce: None, with_certificates: false }.to_der();
    let headers = [("content-type", "application/timestamp-query")];
    let answer = request(address, "POST", "/api/v1/timestamp", &headers, &query).ok()?;
    Some(TimestampToken::from_response(&answer.body).ok()?.info().serial.clone())
}

#[test]
fn killed_under_load_again_and_again_no_serial_number_comes_twice() {
    let sandbox = Sandbox::new();
    let seen = Mutex::new(BTreeSet::new());
    for _ in 0..5 {
        let mut service = service::serve(&sandbox, &["tsa", "--data", "tsa", "--dev"]);
        let address = service.address().to_owned();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(serial) = stamp(&address) {
                        assert!(seen.lock().unwrap().insert(serial.clone()), "{serial:02x?} twice");
                    }
                });
            }
            let before = seen.lock().unwrap().len();
            while seen.lock().unwrap().len() < before + 20 {
                thread::yield_now();
            }
            service.process().kill().expect("the process can be killed");
            service.process().wait().expect("and is gone");
        });
    }
    assert!(seen.lock().unwrap().len() >= 100);
}

/// A certificate's digest, if the service still answers.
fn certify(address: &str, token: &str, email: &str, key: &PrivateKey) -> Option<String> {
    let proof = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(email.as_bytes())).unwrap();
    let body = serde_json::json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "content": pem::encode(pem::PUBLIC_KEY, key.public_key().spki_der()) },
            "proofOfPossession": base64::encode(proof),
        },
    });
    let headers = [("content-type", "application/json")];
    let answer =
        request(address, "POST", "/api/v2/signingCert", &headers, body.to_string().as_bytes()).ok()?;
    let document: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let leaf = document.pointer("/signedCertificateEmbeddedSct/chain/certificates/0")?.as_str()?;
    Some(certificates_from_pem(leaf).ok()?.first()?.fingerprint().to_string())
}

#[test]
fn killed_under_load_again_and_again_every_certificate_is_recorded_and_logged() {
    let sandbox = Sandbox::new();
    let seen = Mutex::new(BTreeSet::new());
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    for _ in 0..4 {
        let mut service = service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]);
        let address = service.address().to_owned();
        thread::scope(|scope| {
            for email in ["a@b.c", "d@e.f", "g@h.i", "j@k.l"] {
                let minted = run(&sandbox, &["dev-token", "--data", "ca", "--email", email]).exits(0);
                let (address, key, seen) = (&address, &key, &seen);
                scope.spawn(move || {
                    while let Some(certificate) = certify(address, minted.stdout.trim(), email, key) {
                        seen.lock().unwrap().insert(certificate);
                    }
                });
            }
            let before = seen.lock().unwrap().len();
            while seen.lock().unwrap().len() < before + 20 {
                thread::yield_now();
            }
            service.process().kill().expect("the process can be killed");
            service.process().wait().expect("and is gone");
        });
    }
    // A last start cuts away what was never acknowledged.
    drop(service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]));
    let lines = |file: &str| -> Vec<serde_json::Value> {
        let text = String::from_utf8(sandbox.read(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let audit = lines("ca/audit.jsonl");
    let recorded: BTreeSet<String> =
        audit.iter().filter_map(|record| record.get("certificate")?.as_str().map(str::to_owned)).collect();
    assert!(seen.lock().unwrap().is_subset(&recorded));
    let fsck = run(&sandbox, &["log", "fsck", "--data", "ca/ct", "--output", "json"]).exits(0);
    let fsck: serde_json::Value = serde_json::from_str(&fsck.stdout).unwrap();
    let logged = fsck.pointer("/size").and_then(serde_json::Value::as_u64).unwrap();
    assert!(logged >= recorded.len() as u64, "what is issued was logged first");
}

#[test]
fn development_services_are_on_loopback_only() {
    let sandbox = Sandbox::new();
    for (kind, dev) in [("tsa", &["--dev"][..]), ("ca", &["--dev"]), ("oidc-dev", &[])] {
        let serve = [&["serve", kind, "--data", "data", "--listen", "0.0.0.0:0"], dev].concat();
        let refused = run(&sandbox, &serve).exits(2);
        assert!(refused.says("SGN-4005") && refused.says("`--dev` is for development only"), "{refused}");
    }
    run(&sandbox, &["serve", "ca", "--data", "data"]).exits(2);
}

#[test]
fn a_development_issuer_by_itself_serves_an_authority_elsewhere() {
    let sandbox = Sandbox::new();
    let issuer = service::serve(&sandbox, &["oidc-dev", "--data", "oidc"]);
    let url = format!("http://{}/email", issuer.address());
    let issuers =
        format!("oidc-issuers:\n  {url}:\n    issuer-url: {url}\n    client-id: sigstore\n    type: email\n");
    sandbox.write("issuers.yaml", issuers);
    let authority = service::serve(&sandbox, &["ca", "--data", "ca", "--issuers", "issuers.yaml"]);
    let token = run(&sandbox, &["dev-token", "--data", "oidc", "--email", "a@example.com"]).exits(0);
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    assert!(certify(authority.address(), token.stdout.trim(), "a@example.com", &key).is_some());
}

#[test]
fn a_lost_certificate_stops_an_authority_and_its_key_is_kept() {
    let sandbox = Sandbox::new();
    for (kind, lost) in [("tsa", "tsa.pem"), ("ca", "root.pem")] {
        drop(service::serve(&sandbox, &[kind, "--data", kind, "--dev"]));
        let root = sandbox.read(&format!("{kind}/root.key"));
        std::fs::remove_file(sandbox.path(&format!("{kind}/{lost}"))).unwrap();
        let refused = run(&sandbox, &["serve", kind, "--data", kind, "--dev", "--listen", "127.0.0.1:0"]);
        assert!(refused.says("SGN-4004") && refused.says(lost) && refused.says("restore it"), "{refused}");
        assert_eq!(sandbox.read(&format!("{kind}/root.key")), root);
    }
}

#[test]
fn tokens_are_minted_in_every_shape_for_the_issuer_that_runs() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["dev-token", "--data", "ca", "--email", "a@b.c"]).refuses_saying(&["--dev"]);
    let service = service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]);
    let cases: [(&[&str], &str, &str); 4] = [
        (&["--email", "a@b.c"], "email", "a@b.c"),
        (&["--github", "o/r", "--workflow", "w.yml"], "github", "repo:o/r:ref:refs/heads/main"),
        (&["--gitlab", "g/p", "--ref", "refs/tags/v1"], "gitlab", "project_path:g/p:ref_type:tag:ref:v1"),
        (&["--kubernetes", "ns/sa"], "kubernetes", "system:serviceaccount:ns:sa"),
    ];
    for (bearer, kind, subject) in cases {
        let minted = run(&sandbox, &[&["dev-token", "--data", "ca"], bearer].concat()).exits(0);
        let token = Jwt::parse(minted.stdout.trim()).unwrap();
        assert_eq!(token.claims().text("sub"), Some(subject));
        let issuer = format!("http://{}/oidc-dev/{kind}", service.address());
        assert_eq!(token.claims().text("iss"), Some(issuer.as_str()));
    }
    run(&sandbox, &["dev-token", "--data", "ca"]).exits(2);
    run(&sandbox, &["dev-token", "--data", "ca", "--email", "a", "--gitlab", "b"]).exits(2);
    run(&sandbox, &["dev-token", "--data", "ca", "--kubernetes", "ns"]).exits(2);
}
