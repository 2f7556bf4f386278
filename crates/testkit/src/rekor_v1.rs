//! A log of Rekor v1's kind over HTTP, which nobody packages: writes, duplicates, and reads of one entry.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};
use signet_crypto::Digest;
use signet_formats::rekor::TlogEntry;
use signet_formats::{base64, canonical_json};

use crate::forge::{Entry, Log};

/// The running log. Its thread ends with the process.
pub struct RekorV1Server {
    address: String,
    root: Value,
}

impl RekorV1Server {
    /// A log that says that it takes entries at the second `at`.
    ///
    /// # Panics
    /// If loopback has no free port.
    pub fn start(at: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let log = Log::rekor_v1("rekor.example.com");
        let root = json!({
            "baseUrl": format!("https://{}", log.host),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": base64::encode(log.key.public().spki_der()),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": "2020-01-01T00:00:00Z"},
            },
            "logId": {"keyId": base64::encode(log.id())},
        });
        thread::spawn(move || {
            let mut entries = BTreeMap::new();
            for stream in listener.incoming().flatten() {
                // A client that hangs up has what it wanted.
                let _ = serve(stream, &log, at, &mut entries);
            }
        });
        Self { address, root }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The log as a trusted root has it.
    pub fn root(&self) -> &Value {
        &self.root
    }
}

fn serve(
    stream: TcpStream,
    log: &Log,
    at: i64,
    entries: &mut BTreeMap<String, Value>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (status, location, answer) = match target.strip_prefix("/api/v1/log/entries/") {
        Some(uuid) => (200, String::new(), json!({ uuid: entries.get(uuid) })),
        None => add(&body, log, at, entries),
    };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{location}\r\n",
        answer.len()
    );
    reader.into_inner().write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice())
}

/// Adds what is proposed; a duplicate is told by where it is.
fn add(proposal: &[u8], log: &Log, at: i64, entries: &mut BTreeMap<String, Value>) -> (u16, String, Value) {
    let body = stored(&serde_json::from_slice(proposal).expect("the proposal is JSON"));
    let leaf = canonical_json::to_string(&body).expect("the body has a canonical form").into_bytes();
    let uuid =
        signet_formats::merkle::leaf_hash(&leaf).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if entries.contains_key(&uuid) {
        let location = format!("Location: /api/v1/log/entries/{uuid}\r\n");
        return (409, location, json!({"code": 409, "message": "an equivalent entry already exists"}));
    }
    let kind = body.get("kind").and_then(Value::as_str).unwrap_or_default();
    let index = u64::try_from(entries.len()).expect("a test has few entries");
    let entry = Entry { kind: (kind, "0.0.1"), body: leaf, index, integrated: Some(at), with_proof: true };
    let answer = answer(&log.add(&entry, &[]));
    entries.insert(uuid.clone(), answer.clone());
    (201, String::new(), json!({ uuid: answer }))
}

/// What is stored of a proposal: a hashedrekord as it is, an envelope by its digests and signatures.
fn stored(proposal: &Value) -> Value {
    let text = |pointer: &str| proposal.pointer(pointer).and_then(Value::as_str);
    let Some(envelope) = text("/spec/proposedContent/envelope") else { return proposal.clone() };
    let parsed: Value = serde_json::from_str(envelope).expect("the envelope is JSON");
    let part = |pointer: &str| parsed.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let payload = base64::decode(part("/payload")).expect("the payload is base64");
    let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": Digest::sha256(bytes).hex()});
    json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": hash(envelope.as_bytes()),
            "payloadHash": hash(&payload),
            "signatures": [{"signature": part("/signatures/0/sig"), "verifier": text("/spec/proposedContent/verifiers/0")}],
        },
    })
}

fn answer(entry: &TlogEntry) -> Value {
    let proof = entry.proof.as_ref().expect("it was asked for");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    json!({
        "body": base64::encode(&entry.body),
        "integratedTime": entry.integrated_time,
        "logID": hex(&entry.log_id),
        "logIndex": entry.log_index,
        "verification": {
            "signedEntryTimestamp": entry.promise.as_ref().map(base64::encode),
            "inclusionProof": {
                "logIndex": proof.log_index,
                "rootHash": proof.root_hash.hex(),
                "treeSize": proof.tree_size,
                "hashes": proof.hashes.iter().map(Digest::hex).collect::<Vec<_>>(),
                "checkpoint": proof.checkpoint,
            },
        },
    })
}
