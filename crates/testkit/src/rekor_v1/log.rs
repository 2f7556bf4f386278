use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use signet_crypto::{Digest, PublicKey};
use signet_formats::checkpoint::Checkpoint;
use signet_formats::merkle::{self, Hash};
use signet_formats::note::VerifierKey;
use signet_formats::tlog::{Nodes, consistency_proof, inclusion_proof};
use signet_formats::{base64, canonical_json};

use crate::forge::{Entry, Log};

/// A log of Rekor v1's kind, which nobody packages: trees one after the other, duplicates, and proofs. A clone has the same
/// key and entries, and may go on differently.
#[derive(Clone)]
pub struct RekorV1Log {
    log: Arc<Log>,
    trees: Vec<Tree>,
}

/// One tree of it.
#[derive(Clone)]
struct Tree {
    id: u64,
    bodies: Vec<Vec<u8>>,
}

/// An answer: the status, where to look instead, and the document.
pub(super) type Answer = (u16, Option<String>, Value);

impl RekorV1Log {
    /// One empty tree.
    #[expect(clippy::new_without_default, reason = "it makes a key")]
    pub fn new() -> Self {
        Self {
            log: Arc::new(Log::rekor_v1("rekor.example.com")),
            trees: vec![Tree { id: FIRST_ID, bodies: Vec::new() }],
        }
    }

    /// Its name.
    pub fn host(&self) -> &str {
        &self.log.host
    }

    /// Its key.
    pub fn key(&self) -> &PublicKey {
        self.log.key.public()
    }

    /// The key as those who read checkpoints know it.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::log(&self.log.host, self.key().clone()).expect("the key signs notes")
    }

    /// The log as a trusted root has it.
    pub fn root(&self) -> Value {
        json!({
            "baseUrl": format!("https://{}", self.log.host),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": base64::encode(self.key().spki_der()),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": "2020-01-01T00:00:00Z"},
            },
            "logId": {"keyId": base64::encode(self.log.id())},
        })
    }

    /// Adds a body as it is to the newest tree.
    pub fn push(&mut self, body: &[u8]) {
        self.trees.last_mut().expect("it has a tree").bodies.push(body.to_vec());
    }

    /// Writes to a new tree from now on.
    pub fn rotate(&mut self) {
        let id = self.trees.last().expect("it has a tree").id + 1;
        self.trees.push(Tree { id, bodies: Vec::new() });
    }

    /// What is at a path below `/api/v1`, with its query; `None` if there is nothing.
    pub fn get(&self, target: &str) -> Option<Value> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let number = |name: &str| -> Option<u64> {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        match path {
            "log" => self.describe(),
            "log/proof" => {
                let tree = self.trees.iter().find(|tree| Some(tree.id) == number("treeID"))?;
                let proof = consistency_proof(tree, number("firstSize")?, number("lastSize")?).ok()?;
                Some(json!({"hashes": proof.iter().map(hex).collect::<Vec<_>>()}))
            }
            "log/entries" => self.entry(number("logIndex")?),
            _ => {
                let uuid = path.strip_prefix("log/entries/")?;
                self.entry(self.position(|body| uuid_of(body) == uuid)?)
            }
        }
    }

    /// Several entries at once.
    ///
    /// # Panics
    /// If it is asked for none, or for more than Rekor gives.
    pub fn retrieve(&self, question: &[u8]) -> Value {
        let question: Value = serde_json::from_slice(question).expect("the question is JSON");
        let indexes = question.get("logIndexes").and_then(Value::as_array).expect("it asks for indexes");
        assert!((1..=10).contains(&indexes.len()), "{question}");
        indexes.iter().filter_map(|index| self.entry(index.as_u64()?)).collect()
    }

    /// Adds what is proposed; a duplicate is told by where it is.
    pub(super) fn post(&mut self, proposal: &[u8]) -> Answer {
        let body = stored(&serde_json::from_slice(proposal).expect("the proposal is JSON"));
        let leaf = canonical_json::to_string(&body).expect("the body has a canonical form").into_bytes();
        if self.position(|body| body == leaf).is_some() {
            let location = format!("/api/v1/log/entries/{}", uuid_of(&leaf));
            let why = json!({"code": 409, "message": "an equivalent entry already exists"});
            return (409, Some(location), why);
        }
        self.push(&leaf);
        let entry = self.position(|body| body == leaf).and_then(|index| self.entry(index));
        (201, None, entry.expect("it was added"))
    }

    /// The index in the whole log of the first entry that is like this.
    fn position(&self, wanted: impl Fn(&[u8]) -> bool) -> Option<u64> {
        let index = self.trees.iter().flat_map(|tree| &tree.bodies).position(|body| wanted(body));
        index.map(number)
    }

    fn describe(&self) -> Option<Value> {
        let (active, inactive) = self.trees.split_last()?;
        let mut described = self.describe_tree(active);
        let inactive = inactive.iter().map(|tree| self.describe_tree(tree)).collect();
        described.as_object_mut()?.insert("inactiveShards".to_owned(), inactive);
        Some(described)
    }

    fn describe_tree(&self, tree: &Tree) -> Value {
        json!({
            "rootHash": hex(&tree.root()),
            "treeSize": tree.bodies.len(),
            "treeID": tree.id.to_string(),
            "signedTreeHead": self.checkpoint(tree),
        })
    }

    fn checkpoint(&self, tree: &Tree) -> String {
        let origin = format!("{} - {}", self.log.host, tree.id);
        let checkpoint =
            Checkpoint { origin, size: number(tree.bodies.len()), root: tree.root(), extensions: Vec::new() };
        let signature = self.log.key.sign(checkpoint.to_string().as_bytes());
        checkpoint.signed(&[(self.verifier(), signature)]).expect("it is a note's text").to_string()
    }

    /// The entry of this index in the whole log, under its uuid.
    fn entry(&self, index: u64) -> Option<Value> {
        let mut within = index;
        let tree = self.trees.iter().find(|tree| match within.checked_sub(number(tree.bodies.len())) {
            Some(rest) => {
                within = rest;
                false
            }
            None => true,
        })?;
        let body = tree.bodies.get(usize::try_from(within).ok()?)?.clone();
        let kind: Value = serde_json::from_slice(&body).unwrap_or_default();
        let kind = kind.get("kind").and_then(Value::as_str).unwrap_or_default();
        let uuid = uuid_of(&body);
        let entry = Entry { kind: (kind, "0.0.1"), body, index, integrated: Some(now()), with_proof: false };
        let logged = self.log.add(&entry, &[]);
        let size = number(tree.bodies.len());
        let hashes = inclusion_proof(tree, within, size).expect("the entry is in the tree");
        let answer = json!({
            "body": base64::encode(&logged.body),
            "integratedTime": logged.integrated_time,
            "logID": hex(&logged.log_id),
            "logIndex": logged.log_index,
            "verification": {
                "signedEntryTimestamp": logged.promise.as_ref().map(base64::encode),
                "inclusionProof": {
                    "logIndex": within,
                    "rootHash": hex(&tree.root()),
                    "treeSize": size,
                    "hashes": hashes.iter().map(hex).collect::<Vec<_>>(),
                    "checkpoint": self.checkpoint(tree),
                },
            },
        });
        Some(json!({ uuid: answer }))
    }
}

impl Tree {
    fn leaves(&self) -> Vec<Hash> {
        self.bodies.iter().map(|body| merkle::leaf_hash(body)).collect()
    }

    fn root(&self) -> Hash {
        merkle::root(&self.leaves())
    }
}

impl Nodes for Tree {
    type Error = merkle::MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let place = |index: u64| usize::try_from(index << level).unwrap_or(usize::MAX);
        let leaves = self.leaves();
        let below = leaves.get(place(index)..place(index + 1)).ok_or(merkle::MerkleError::ProofLength)?;
        Ok(merkle::root(below))
    }
}

fn uuid_of(body: &[u8]) -> String {
    hex(&merkle::leaf_hash(body))
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(count: usize) -> u64 {
    u64::try_from(count).expect("a test has few entries")
}

/// By the clock of this machine, as the certificates of a stack beside it.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
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

/// Of the first tree.
const FIRST_ID: u64 = 1_193_050_959_916_656_506;
