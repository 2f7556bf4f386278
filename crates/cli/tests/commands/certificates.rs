//! The log of certificates, as it goes on in another: of a stack and of an authority by itself, running or not.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::note::VerifierKey;
use signet_formats::sct::Sct;
use signet_formats::trusted_root::{LogInstance, TrustedRoot};
use signet_formats::x509::{Certificate, certificates_from_pem};
use signet_formats::{base64, pem};
use signet_keys::{Payload, PrivateKey};
use signet_testkit::{Sandbox, Service, request};

use crate::up_trust::{init, issuer, sign, verify};
use crate::{run, service};

const EMAIL: &str = "a@b.c";

/// A certificate and what is above it, if the authority answers and issues it.
pub(crate) fn issue(address: &str, token: &str, email: &str) -> Option<Vec<Certificate>> {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let proof = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(email.as_bytes())).unwrap();
    let body = json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "content": pem::encode(pem::PUBLIC_KEY, key.public_key().spki_der()) },
            "proofOfPossession": base64::encode(proof),
        },
    });
    let headers = [("content-type", "application/json")];
    let answer =
        request(address, "POST", "/api/v2/signingCert", &headers, body.to_string().as_bytes()).ok()?;
    let document: Value = serde_json::from_slice(&answer.body).ok()?;
    let chain = document.pointer("/signedCertificateEmbeddedSct/chain/certificates")?.as_array()?;
    let pem: String = chain.iter().filter_map(Value::as_str).collect();
    certificates_from_pem(&pem).ok()
}

fn token(sandbox: &Sandbox, data: &str) -> String {
    let minted = run(sandbox, &["dev-token", "--data", data, "--email", EMAIL]).exits(0);
    minted.stdout.trim().to_owned()
}

/// The promise in a certificate.
fn promise(chain: &[Certificate]) -> Sct {
    chain[0].scts().unwrap().into_iter().next().unwrap()
}

/// The new log's name, and the id that its promises have.
fn rotate(sandbox: &Sandbox, data: &str, more: &[&str]) -> (String, Vec<u8>) {
    let args = ["log", "rotate", "--certificates", "--data", data, "--output", "json"];
    let rotated = run(sandbox, &[&args, more].concat()).exits(0);
    let document: Value = serde_json::from_str(&rotated.stdout).unwrap();
    let key: VerifierKey = document["keys"][0].as_str().unwrap().parse().unwrap();
    (document["origin"].as_str().unwrap().to_owned(), key.key().id().as_bytes().to_vec())
}

/// The logs that clients of the stack know.
fn trusted(sandbox: &Sandbox) -> Vec<LogInstance> {
    TrustedRoot::parse(&sandbox.read("up/client/trusted_root.json")).unwrap().ctlogs
}

fn name(log: &LogInstance) -> String {
    log.base_url.replace("https://", "")
}

fn checkpoint(service: &Service, origin: &str) -> String {
    let answer = request(service.address(), "GET", &format!("/ct/{origin}/checkpoint"), &[], &[]).unwrap();
    assert_eq!(answer.status, 200, "{origin}");
    String::from_utf8(answer.body).unwrap()
}

fn size(service: &Service, origin: &str) -> usize {
    checkpoint(service, origin).lines().nth(1).unwrap().parse().unwrap()
}

/// Whether a log that is trusted at that time has promised the certificate.
fn is_promised(chain: &[Certificate], logs: &[LogInstance]) -> bool {
    let sct = promise(chain);
    let at = i64::try_from(sct.timestamp() / 1000).unwrap();
    let is_trusted = |log: &&LogInstance| {
        log.log_id == sct.log_id() && log.validity.start <= at && log.validity.end.is_none_or(|end| at <= end)
    };
    let key_hash = Digest::sha256(chain[1].spki());
    logs.iter().filter(is_trusted).any(|log| {
        let key = signet_crypto::PublicKey::from_spki_der(&log.public_key).unwrap();
        sct.verify(&key, &key_hash, &chain[0].precert_tbs()).is_ok()
    })
}

/// Whoever has followed the prepared log signs and verifies on, also at the very moment.
#[test]
fn a_stack_goes_on_in_another_log_of_certificates_without_an_outage() {
    let sandbox = Sandbox::new();
    let stack = service::up(&sandbox, &["--dev"]);
    let by = issuer(&stack);
    init(&sandbox, &stack);
    sign(&sandbox, "old.json").exits(0);
    let prepared = rotate(&sandbox, "up", &["--prepare"]);
    let [old, next] = trusted(&sandbox).try_into().unwrap();
    assert_eq!((name(&next), &next.log_id), (prepared.0.clone(), &prepared.1));
    assert!(old.validity.end.is_none() && next.validity.end.is_none(), "clients have both keys");
    run(&sandbox, &["trust", "update"]).exits(0);
    sign(&sandbox, "between.json").exits(0);
    assert_eq!(size(&stack, &name(&old)), 2, "it is only prepared");

    let (minted, rotated) = (token(&sandbox, "up"), AtomicBool::new(false));
    let issued: Vec<Vec<Certificate>> = thread::scope(|scope| {
        let client = || {
            let mut issued = Vec::new();
            while !rotated.load(Ordering::SeqCst) {
                issued.push(issue(stack.address(), &minted, EMAIL).expect("nobody is turned away"));
                thread::sleep(Duration::from_millis(10));
            }
            issued.push(issue(stack.address(), &minted, EMAIL).unwrap());
            issued
        };
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(client)).collect();
        assert_eq!(rotate(&sandbox, "up", &[]), prepared);
        rotated.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let logs = trusted(&sandbox);
    assert_eq!(logs.iter().map(|log| log.validity.end.is_some()).collect::<Vec<_>>(), [true, false]);
    assert!(issued.iter().all(|chain| is_promised(chain, &logs)));
    let of_new = issued.iter().filter(|chain| next.log_id == promise(chain).log_id()).count();
    assert!(of_new >= 3 && of_new < issued.len(), "{of_new} of {}", issued.len());
    assert_eq!((size(&stack, &name(&old)), size(&stack, &name(&next))), (2 + issued.len() - of_new, of_new));

    // By the trust from before the rotation, and then by what followed it.
    sign(&sandbox, "new.json").exits(0);
    for _ in 0..2 {
        for bundle in ["old.json", "between.json", "new.json"] {
            verify(&sandbox, &by, bundle).exits(0);
        }
        run(&sandbox, &["trust", "update"]).exits(0);
    }
    let published = sandbox.read("up/client/trusted_root.json");
    let target = format!("/tuf/targets/{}.trusted_root.json", Digest::sha256(&published).hex());
    assert_eq!(request(stack.address(), "GET", &target, &[], &[]).unwrap().body, published);
    let frozen = checkpoint(&stack, &name(&old));
    // It is on the disk within a second, and stays from then on.
    while sandbox.read(&format!("up/ct/{}/checkpoint", name(&old))) != frozen.as_bytes() {
        thread::sleep(Duration::from_millis(50));
    }
    drop(stack);
    let stack = service::up(&sandbox, &["--dev"]);
    assert_eq!(checkpoint(&stack, &name(&old)), frozen);
    drop(stack);
    run(&sandbox, &["fsck", "--data", "up"]).exits(0);
}

#[test]
fn a_stack_that_stands_goes_on_in_another_log_of_certificates_from_its_next_start_on() {
    let sandbox = Sandbox::new();
    let start = || service::up(&sandbox, &["--dev"]);
    let certify = |service: &Service| issue(service.address(), &token(&sandbox, "up"), EMAIL).unwrap();
    let service = start();
    certify(&service);
    drop(service);
    rotate(&sandbox, "up", &["--prepare", "--origin", "ct.example.org"]);
    let other = ["log", "rotate", "--data", "up", "--certificates", "--origin", "ct2.example.org"];
    assert!(run(&sandbox, &other).exits(3).says("`ct.example.org` is prepared already"));
    let service = start();
    let [old, next] = trusted(&sandbox).try_into().unwrap();
    assert!(old.validity.end.is_none() && next.validity.end.is_none(), "clients have both keys");
    assert_eq!(name(&next), "ct.example.org");
    certify(&service);
    assert_eq!(size(&service, &name(&old)), 2, "it takes them yet");
    drop(service);
    rotate(&sandbox, "up", &[]);
    let service = start();
    let [old, new] = trusted(&sandbox).try_into().unwrap();
    assert_eq!((&new.base_url, &new.public_key), (&next.base_url, &next.public_key));
    assert!(old.validity.end.is_some() && new.validity.end.is_none());
    certify(&service);
    assert_eq!((size(&service, &name(&old)), size(&service, &name(&new))), (2, 1), "the old one is read yet");
    drop(service);
    run(&sandbox, &["fsck", "--data", "up"]).exits(0);
}

#[test]
fn an_authority_by_itself_goes_on_in_another_log_running_or_not() {
    let sandbox = Sandbox::new();
    let start = || service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]);
    let certify = |service: &Service| {
        let chain = issue(service.address(), &token(&sandbox, "ca"), EMAIL).unwrap();
        promise(&chain).log_id().to_vec()
    };
    let service = start();
    let first = certify(&service);
    let (running, second) = rotate(&sandbox, "ca", &[]);
    assert_eq!(certify(&service), second);
    assert_ne!(first, second);
    drop(service);
    let (stopped, third) = rotate(&sandbox, "ca", &["--origin", "ct3.example.org"]);
    let service = start();
    assert_eq!(certify(&service), third);
    assert_eq!([&running, &stopped].map(|origin| size(&service, origin)), [1, 1]);
    let roots = |path: &str| {
        let answer = request(service.address(), "GET", &format!("/ct{path}/v1/get-roots"), &[], &[]).unwrap();
        serde_json::from_slice::<Value>(&answer.body).unwrap()["certificates"].clone()
    };
    assert_eq!(roots("").as_array().map(Vec::len), Some(1));
    assert_eq!(roots(&format!("/{running}/ct")), roots(""));
    drop(service);
    let fsck = run(&sandbox, &["log", "fsck", "--data", "ca/ct", "--output", "json"]).exits(0);
    let fsck: Value = serde_json::from_str(&fsck.stdout).unwrap();
    let sizes: Vec<_> = fsck["shards"].as_array().unwrap().iter().map(|shard| &shard["size"]).collect();
    assert_eq!(sizes, [1, 1, 1]);
}

#[test]
fn where_there_is_no_log_of_certificates_none_is_begun() {
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    std::fs::create_dir_all(sandbox.path("mine/ct")).unwrap();
    for data in ["mine", "up/ca", "up/ct"] {
        let refused = run(&sandbox, &["log", "rotate", "--certificates", "--data", data]).exits(2);
        assert!(refused.says("there is no log of certificates in it"), "{data}: {refused}");
    }
    assert!(!sandbox.path("up/ca/ct").exists() && !sandbox.path("mine/signet.json").exists());
    let nothing = run(&sandbox, &["log", "rotate", "--certificates", "--data", "nothing"]);
    assert!(nothing.code != Some(0) && !sandbox.path("nothing").exists());
}
