use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm};
use signet_formats::checkpoint::Checkpoint;
use signet_formats::cosignature;
use signet_formats::merkle::{self, Hash};
use signet_formats::note::{Note, NoteSignature, VerifierKey};
use signet_formats::rekor::{EntryKind, InclusionProof, TlogEntry};

use super::key::Key;

/// A transparency log: of Rekor v1's kind with an ECDSA key, of v2's with an Ed25519 key.
pub struct Log {
    /// Its key.
    pub key: Key,
    /// The host of its URL.
    pub host: String,
}

/// What is to be logged.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The type and version of the body.
    pub kind: (&'a str, &'a str),
    /// The body.
    pub body: Vec<u8>,
    /// Its index in the log.
    pub index: u64,
    /// When Rekor v1 took it; `None` for v2, which promises nothing.
    pub integrated: Option<i64>,
    /// Whether a proof of inclusion goes along.
    pub with_proof: bool,
}

impl Log {
    /// A log of Rekor v1's kind.
    pub fn rekor_v1(host: &str) -> Self {
        Self { key: Key::p256(), host: host.to_owned() }
    }

    /// A log of Rekor v2's kind.
    pub fn rekor_v2(host: &str) -> Self {
        Self { key: Key::new(KeyAlgorithm::Ed25519), host: host.to_owned() }
    }

    /// The log's id.
    pub fn id(&self) -> [u8; 32] {
        let id = self.verifier().full_id();
        id.as_bytes().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Logs the entry: promise, proof and checkpoint as the log's kind gives them.
    pub fn add(&self, entry: &Entry<'_>, witnesses: &[&Witness]) -> TlogEntry {
        let mut logged = TlogEntry {
            log_index: entry.index,
            log_id: self.id(),
            kind: EntryKind { kind: entry.kind.0.to_owned(), version: entry.kind.1.to_owned() },
            integrated_time: entry.integrated,
            promise: None,
            proof: entry.with_proof.then(|| self.prove(entry, witnesses)),
            body: entry.body.clone(),
        };
        logged.promise = logged.set_payload().map(|payload| self.key.sign(&payload));
        logged
    }

    /// A checkpoint of a tree, signed by the log and cosigned by the witnesses.
    pub fn checkpoint(&self, size: u64, root: Hash, witnesses: &[&Witness]) -> String {
        let origin = match self.key.public().algorithm() {
            KeyAlgorithm::Ed25519 => self.host.clone(),
            _ => format!("{} - 1193050959916656506", self.host),
        };
        let checkpoint = Checkpoint { origin, size, root, extensions: Vec::new() };
        let mut note = Note::new(&checkpoint.to_string()).expect("the checkpoint is a note's text");
        let own = self.key.sign(note.text().as_bytes());
        let lines = witnesses.iter().map(|witness| witness.cosign(&checkpoint));
        for line in std::iter::once(NoteSignature::new(&self.verifier(), own)).chain(lines) {
            note.push(line).expect("a note has room for the signatures");
        }
        note.to_string()
    }

    fn verifier(&self) -> VerifierKey {
        VerifierKey::log(&self.host, self.key.public().clone()).expect("the key signs notes")
    }

    /// A tree of [`TREE_SIZE`] leaves in which the entry stands at its index.
    fn prove(&self, entry: &Entry<'_>, witnesses: &[&Witness]) -> InclusionProof {
        let mut leaves: Vec<Hash> = (0..TREE_SIZE).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect();
        let index = entry.index % TREE_SIZE;
        let at = usize::try_from(index).expect("the tree is small");
        *leaves.get_mut(at).expect("the index is in the tree") = merkle::leaf_hash(&entry.body);
        let root = merkle::root(&leaves);
        let digest = |hash: &Hash| Digest::from_bytes(DigestAlgorithm::Sha256, hash).expect("32 bytes");
        InclusionProof {
            log_index: index,
            root_hash: digest(&root),
            tree_size: TREE_SIZE,
            hashes: inclusion_proof(at, &leaves).iter().map(digest).collect(),
            checkpoint: Some(self.checkpoint(TREE_SIZE, root, witnesses)),
        }
    }
}

/// The proof that the leaf at `index` is in the tree over `leaves` (RFC 6962 §2.1.1), lowest sibling first.
pub fn inclusion_proof(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = match index.checked_sub(left.len()) {
        None => (inclusion_proof(index, left), merkle::root(right)),
        Some(index) => (inclusion_proof(index, right), merkle::root(left)),
    };
    proof.push(sibling);
    proof
}

/// A witness: an Ed25519 or ML-DSA-44 key under a name.
pub struct Witness {
    key: Key,
    name: String,
    /// When it cosigns, in seconds since 1970.
    pub time: u64,
}

impl Witness {
    /// A new witness.
    pub fn new(name: &str, algorithm: KeyAlgorithm, time: u64) -> Self {
        Self { key: Key::new(algorithm), name: name.to_owned(), time }
    }

    /// The key that verifies its cosignatures.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::witness(&self.name, self.key.public().clone()).expect("the key cosigns")
    }

    fn cosign(&self, checkpoint: &Checkpoint) -> NoteSignature {
        let message = cosignature::message(checkpoint, &self.verifier(), self.time);
        let signature = self.key.sign(&message.expect("the checkpoint can be cosigned"));
        cosignature::line(&self.verifier(), self.time, &signature)
    }
}

/// Not a power of two, so that the tree has a ragged edge.
const TREE_SIZE: u64 = 13;
