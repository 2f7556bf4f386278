//! What is posted to `/api/v1/log/entries` of Rekor v1, and what it answers (rekor, `openapi.yaml`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, DigestAlgorithm};

use super::body::{Body, RekorError, Verifier};
use super::entry::{InclusionProof, MAX_PROOF_HASHES, TlogEntry};
use crate::base64::Base64;
use crate::bounded::List;
use crate::json::{self, JsonError};
use crate::pem;
use crate::proto_json::{self, FieldError};

/// The largest answer that is read, in bytes: the body, in base64, and what stands around it.
pub const MAX_ANSWER_V1_BYTES: usize = 12 * 1024 * 1024;

/// The most entries that Rekor v1 is asked for at once (`openapi.yaml`).
pub const MAX_RETRIEVED_V1: usize = 10;

/// The largest answer about several entries that is read, in bytes.
pub const MAX_ANSWERS_V1_BYTES: usize = 32 * 1024 * 1024;

/// An entry to propose to Rekor v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryV1<'a> {
    /// `hashedrekord` 0.0.1: a signature over a digest.
    HashedRekord {
        /// The digest of what was signed.
        digest: &'a Digest,
        /// The signature.
        signature: &'a [u8],
        /// What verifies it.
        verifier: &'a Verifier,
    },
    /// `dsse` 0.0.1: an envelope, of which the log keeps digests and signatures.
    Dsse {
        /// The envelope as JSON.
        envelope: &'a str,
        /// What verifies its signature.
        verifier: &'a Verifier,
    },
}

impl EntryV1<'_> {
    /// The proposal as it is posted.
    pub fn to_json(&self) -> Result<Vec<u8>, RekorError> {
        let written = match self {
            Self::HashedRekord { digest, signature, verifier } => proposal(
                "hashedrekord",
                HashedRekord {
                    data: Data {
                        hash: Hash { algorithm: digest.algorithm().to_string(), value: digest.hex() },
                    },
                    signature: Signature {
                        content: Base64(signature.to_vec()),
                        public_key: PublicKey { content: pem_of(verifier) },
                    },
                },
            ),
            Self::Dsse { envelope, verifier } => proposal(
                "dsse",
                Dsse { proposed_content: Proposed { envelope, verifiers: [pem_of(verifier)] } },
            ),
        };
        written.map_err(|error| RekorError::Json(JsonError::Malformed(error.to_string())))
    }
}

/// Reads the answer to a proposal, or to a question for one entry: exactly one, under its uuid. Nothing of it
/// is verified.
pub fn read_answer_v1(bytes: &[u8]) -> Result<TlogEntry, RekorError> {
    let entries: BTreeMap<String, Entry> =
        json::parse(bytes, MAX_ANSWER_V1_BYTES).map_err(RekorError::Json)?;
    let count = entries.len();
    let mut entries = entries.into_values();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => entry.read(),
        _ => Err(FieldError::Count { field: "entries", count, limit: 1 }.into()),
    }
}

/// Reads the answer to a question for several entries. Nothing of it is verified.
pub fn read_answers_v1(bytes: &[u8]) -> Result<Vec<TlogEntry>, RekorError> {
    let answers: List<BTreeMap<String, Entry>, MAX_RETRIEVED_V1> =
        json::parse(bytes, MAX_ANSWERS_V1_BYTES).map_err(RekorError::Json)?;
    let answers = proto_json::list(Some(answers), "entries")?;
    answers.into_iter().flat_map(BTreeMap::into_values).map(Entry::read).collect()
}

/// Rekor v1's entry. What the log stores beside it (`attestation`) is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: Base64,
    #[serde(default)]
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: u64,
    verification: Verification,
}

impl Entry {
    fn read(self) -> Result<TlogEntry, RekorError> {
        let log_id = Digest::from_hex(DigestAlgorithm::Sha256, &self.log_id);
        let log_id = log_id.map_err(|_| RekorError::Digest { field: "logID" })?;
        Ok(TlogEntry {
            log_index: self.log_index,
            log_id: log_id.as_bytes().try_into().map_err(|_| RekorError::Digest { field: "logID" })?,
            kind: Body::stated_kind(&self.body.0)?,
            integrated_time: Some(self.integrated_time).filter(|time| *time > 0),
            promise: self.verification.signed_entry_timestamp.map(|set| set.0),
            proof: self.verification.inclusion_proof.map(Proof::read).transpose()?,
            body: self.body.0,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    #[serde(default)]
    inclusion_proof: Option<Proof>,
    #[serde(default)]
    signed_entry_timestamp: Option<Base64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    log_index: u64,
    root_hash: String,
    tree_size: u64,
    #[serde(default)]
    hashes: Option<List<String, MAX_PROOF_HASHES>>,
    #[serde(default)]
    checkpoint: Option<String>,
}

impl Proof {
    fn read(self) -> Result<InclusionProof, RekorError> {
        let hash = |hex: &str, field| {
            Digest::from_hex(DigestAlgorithm::Sha256, hex).map_err(|_| RekorError::Digest { field })
        };
        let hashes = proto_json::list(self.hashes, "inclusionProof.hashes")?;
        Ok(InclusionProof {
            log_index: self.log_index,
            root_hash: hash(&self.root_hash, "inclusionProof.rootHash")?,
            tree_size: self.tree_size,
            hashes: hashes.iter().map(|hex| hash(hex, "inclusionProof.hashes")).collect::<Result<_, _>>()?,
            checkpoint: self.checkpoint.filter(|text| !text.is_empty()),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proposal<T> {
    api_version: &'static str,
    kind: &'static str,
    spec: T,
}

#[derive(Serialize)]
struct HashedRekord {
    data: Data,
    signature: Signature,
}

#[derive(Serialize)]
struct Data {
    hash: Hash,
}

#[derive(Serialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signature {
    content: Base64,
    public_key: PublicKey,
}

#[derive(Serialize)]
struct PublicKey {
    content: Base64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dsse<'a> {
    proposed_content: Proposed<'a>,
}

#[derive(Serialize)]
struct Proposed<'a> {
    envelope: &'a str,
    verifiers: [Base64; 1],
}

fn proposal<T: Serialize>(kind: &'static str, spec: T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Proposal { api_version: "0.0.1", kind, spec })
}

/// Rekor v1 wants base64 of the PEM.
fn pem_of(verifier: &Verifier) -> Base64 {
    let text = match verifier {
        Verifier::Certificate(der) => pem::encode(pem::CERTIFICATE, der),
        Verifier::PublicKey(spki) => pem::encode(pem::PUBLIC_KEY, spki),
    };
    Base64(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::base64;

    fn answer() -> Value {
        let body = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {}}).to_string();
        json!({ "24296fb2": {
            "body": base64::encode(body), "integratedTime": 1_700_000_000, "logID": "ab".repeat(32),
            "logIndex": 7, "attestation": {"data": "e30="},
            "verification": {
                "signedEntryTimestamp": "AQID",
                "inclusionProof": {
                    "logIndex": 3, "rootHash": "cd".repeat(32), "treeSize": 9,
                    "hashes": ["ef".repeat(32)], "checkpoint": "note",
                },
            },
        }})
    }

    #[test]
    fn an_answer_has_one_entry_with_all_of_its_evidence() {
        let entry = read_answer_v1(answer().to_string().as_bytes()).unwrap();
        assert_eq!(
            (entry.log_index, entry.log_id, entry.integrated_time),
            (7, [0xab; 32], Some(1_700_000_000))
        );
        assert_eq!(
            (entry.kind.kind.as_str(), entry.promise.as_deref()),
            ("hashedrekord", Some(&[1, 2, 3][..]))
        );
        let proof = entry.proof.unwrap();
        assert_eq!((proof.log_index, proof.tree_size, proof.hashes.len()), (3, 9, 1));
        assert_eq!(proof.checkpoint.as_deref(), Some("note"));
    }

    #[test]
    fn other_answers_are_refused() {
        let mut two = answer();
        two["other"] = two["24296fb2"].clone();
        let mut id = answer();
        id["24296fb2"]["logID"] = json!("ab");
        let mut hashes = answer();
        hashes["24296fb2"]["verification"]["inclusionProof"]["hashes"] = json!(vec!["ef".repeat(32); 65]);
        for (document, why) in [
            (json!({}), RekorError::from(FieldError::Count { field: "entries", count: 0, limit: 1 })),
            (two, FieldError::Count { field: "entries", count: 2, limit: 1 }.into()),
            (id, RekorError::Digest { field: "logID" }),
            (hashes, FieldError::Count { field: "inclusionProof.hashes", count: 65, limit: 64 }.into()),
        ] {
            assert_eq!(read_answer_v1(document.to_string().as_bytes()), Err(why));
        }
        assert!(matches!(read_answer_v1(b"[]"), Err(RekorError::Json(_))));
    }

    /// What is proposed is, for a hashedrekord, what the log stores.
    #[test]
    fn a_proposal_reads_as_the_body_that_it_becomes() {
        let (digest, verifier) = (Digest::sha256(b"x"), Verifier::Certificate(vec![1, 2]));
        let proposal = EntryV1::HashedRekord { digest: &digest, signature: b"sig", verifier: &verifier };
        let kind = super::super::EntryKind { kind: "hashedrekord".into(), version: "0.0.1".into() };
        let Body::HashedRekordV001(body) = Body::parse(&proposal.to_json().unwrap(), &kind).unwrap() else {
            panic!("another kind")
        };
        assert_eq!((body.digest, body.signature.signature.as_slice()), (digest, &b"sig"[..]));
        assert_eq!(body.signature.verifier, verifier);
        let dsse = EntryV1::Dsse { envelope: "{}", verifier: &verifier }.to_json().unwrap();
        let dsse: Value = serde_json::from_slice(&dsse).unwrap();
        assert_eq!(dsse["spec"]["proposedContent"]["envelope"], "{}");
    }
}
