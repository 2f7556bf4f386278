//! `signet serve witness`, and a log that needs it: real processes, killed and started again.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use serde_json::Value;
use signet_formats::base64;
use signet_formats::merkle::{self, Hash, MerkleError, leaf_hash};
use signet_formats::tlog::{Nodes, consistency_proof};
use signet_testkit::{LogServer, Sandbox, Service, request};

use crate::service;
use crate::{run, signet};

/// The log's key; its first start makes it.
fn log_key(sandbox: &Sandbox) -> String {
    LogServer::start(signet(), sandbox, &["--opaque"]).key().to_owned()
}

fn keys(service: &Service) -> Vec<String> {
    let document: Value = serde_json::from_str(service.printed()).unwrap();
    let keys = document.get("keys").and_then(Value::as_array).unwrap();
    keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn witness(sandbox: &Sandbox, log: &str) -> Service {
    service::serve(sandbox, &["witness", "--data", "witness", "--ml-dsa", "--log", log])
}

fn policy(sandbox: &Sandbox, witness: &Service) {
    let url = format!("http://{}", witness.address());
    let lines: String =
        (0..).zip(keys(witness)).map(|(n, key)| format!("witness w{n} {key} {url}\n")).collect();
    sandbox.write("policy", format!("{lines}group all all w0 w1\nquorum all\n"));
}

#[test]
fn whoever_asks_too_often_is_told_how_long_to_wait() {
    let sandbox = Sandbox::new();
    let log = LogServer::start(signet(), &sandbox, &["--opaque"]);
    sandbox.write("logs", format!("logs/v0\nvkey {}\nqpd 24\n", log.key()));
    let witness = witness(&sandbox, "logs");
    let mut leaves = Leaves(Vec::new());
    // What was cosigned already may be asked for as often as one likes.
    let mut ask = |size: u64| {
        if leaves.0.len() < usize::try_from(size).unwrap() {
            leaves.0.push(leaf_hash(size.to_string().as_bytes()));
            assert_eq!(log.add(&size.to_string()).status, 200);
        }
        let proof = consistency_proof(&leaves, size - 1, size).unwrap();
        let proof: String = proof.iter().map(|hash| format!("{}\n", base64::encode(hash))).collect();
        let body = format!("old {}\n{proof}\n{}", size - 1, checkpoint(&log));
        request(witness.address(), "POST", "/add-checkpoint", &[], body.as_bytes()).unwrap()
    };
    for size in 1..=10 {
        assert_eq!(ask(size).status, 200, "{size}");
    }
    let refused = ask(11);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(refused.status == 429 && (3_500..=3_601).contains(&wait), "{} {wait}", refused.status);
}

/// The hashes of a log's leaves.
struct Leaves(Vec<Hash>);

impl Nodes for Leaves {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        let [start, end] = [index, index + 1].map(|index| usize::try_from(index << level).unwrap());
        Ok(merkle::root(self.0.get(start..end).unwrap()))
    }
}

fn checkpoint(log: &LogServer) -> String {
    let answer = request(log.address(), "GET", "/checkpoint", &[], b"").unwrap();
    String::from_utf8(answer.body).unwrap()
}

#[test]
fn a_log_publishes_what_its_witness_cosigned_and_nothing_else() {
    let sandbox = Sandbox::new();
    let key = log_key(&sandbox);
    let mut served = witness(&sandbox, &key);
    policy(&sandbox, &served);
    let with = ["--opaque", "--witness-policy", "policy", "--witness-timeout-ms", "5000"];
    let log = LogServer::start(signet(), &sandbox, &with);
    assert_eq!(log.add("one").status, 200);
    let witnessed = checkpoint(&log);
    assert_eq!(witnessed.matches("\n\u{2014} witness-").count(), 2, "{witnessed}");
    let origin = witnessed.lines().next().unwrap();
    let id = signet_crypto::Digest::sha256(origin.as_bytes()).hex();
    let seen = request(served.address(), "GET", &format!("/witness/{id}/checkpoint"), &[], b"").unwrap();
    assert_eq!((seen.status, String::from_utf8(seen.body).unwrap()), (200, witnessed.clone()));

    served.process().kill().unwrap();
    drop(served);
    let refused = log.add("two");
    let said = String::from_utf8(refused.body).unwrap();
    assert_eq!(refused.status, 503, "{said}");
    assert!(said.contains("0 cosignatures are not the quorum"), "{said}");
    assert_eq!(checkpoint(&log), witnessed);
    assert_eq!(request(log.address(), "GET", "/healthz", &[], b"").unwrap().status, 503);
    drop(log);
    // The policy is the log's: nothing that opens it signs or shows what is not cosigned.
    let rotated = run(&sandbox, &["log", "rotate", "--data", "log", "--origin", "log.example.org/2"]);
    assert!(rotated.exits(3).says("the witnesses do not cosign the new shard yet"));
    assert_eq!(String::from_utf8(sandbox.read("log/checkpoint")).unwrap(), witnessed);
    let unwitnessed = LogServer::start(signet(), &sandbox, &["--opaque"]);
    assert_eq!(unwitnessed.add("three").status, 503);
    assert_eq!(checkpoint(&unwitnessed), witnessed);
    drop(unwitnessed);

    let again = witness(&sandbox, &key);
    policy(&sandbox, &again);
    let log = LogServer::start(signet(), &sandbox, &with);
    let added = log.add("two");
    assert_eq!((added.status, added.body.as_slice()), (200, b"1".as_slice()));
    assert!(checkpoint(&log).contains("\n2\n"), "what was refused before anybody was asked is not kept");
}

#[test]
fn what_a_witness_says_no_to() {
    let sandbox = Sandbox::new();
    let key = log_key(&sandbox);
    let log = LogServer::start(signet(), &sandbox, &["--opaque"]);
    log.add("one");
    let note = checkpoint(&log);
    sandbox.write("logs", format!("logs/v0\n\nvkey {key}\nqpd 86400\ncontact somebody\n"));
    let served = service::serve(&sandbox, &["witness", "--data", "witness", "--log", "logs"]);
    let ask =
        |body: &str| request(served.address(), "POST", "/add-checkpoint", &[], body.as_bytes()).unwrap();
    assert_eq!(ask("nonsense").status, 400);
    assert_eq!(ask(&format!("old 2\n\n{note}")).status, 400);
    assert_eq!(ask(&format!("old 0\n\n{}", note.replacen("log-", "other-", 1))).status, 404);
    assert_eq!(ask(&format!("old 0\n\n{}", note.replacen("\n1\n", "\n2\n", 1))).status, 403);
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(ask(&format!("old 0\n{hash}\n\n{note}")).status, 422);
    let cosigned = ask(&format!("old 0\n\n{note}"));
    assert_eq!(cosigned.status, 200);
    assert!(String::from_utf8(cosigned.body).unwrap().starts_with("\u{2014} witness-"));
    let conflict = ask(&format!("old 0\n\n{note}"));
    assert_eq!((conflict.status, conflict.body.as_slice()), (409, b"1\n".as_slice()));
    assert_eq!(conflict.header("content-type"), Some("text/x.tlog.size"));
    assert_eq!(ask(&"x".repeat(600_000)).status, 413);
}

#[test]
fn policies_and_lists_that_cannot_be_meant_are_refused() {
    let sandbox = Sandbox::new();
    let key = log_key(&sandbox);
    let served = witness(&sandbox, &key);
    let other = key.replacen("log-", "other-", 1);
    let witness_key = keys(&served).remove(0);
    drop(served);
    let serve = |what: &[&str]| run(&sandbox, &[&["serve"], what, &["--listen", "127.0.0.1:0"]].concat());
    let log = ["log", "--data", "log", "--opaque", "--witness-policy", "policy"];
    sandbox.write("policy", format!("witness w {witness_key}\n"));
    assert!(serve(&log).exits(2).says("there is no `quorum` line"));
    let stranger = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    sandbox.write("policy", format!("log {stranger}\nwitness w {witness_key}\nquorum w\n"));
    assert!(serve(&log).exits(2).says("names logs, but not this one"));
    for nonsense in [witness_key.as_str(), other.as_str(), "nonsense", "policy"] {
        serve(&["witness", "--data", "other", "--log", nonsense]).exits(2);
    }
}
