//! `TransparencyLogEntry` of sigstore_rekor.proto, as bundles and the API of Rekor v2 carry it.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, DigestAlgorithm};

use super::body::{Body, RekorError};
use crate::base64;
use crate::bounded::List;
use crate::json;
use crate::merkle::Hash;
use crate::proto_json::{self, FieldError, Int64, Text};

/// The most hashes an inclusion proof can need: a tree's size has 64 bits.
pub const MAX_PROOF_HASHES: usize = 64;

/// One entry of a log and the evidence that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogEntry {
    /// The index in the log: over all shards for Rekor v1, in the log itself for v2.
    pub log_index: u64,
    /// The log: SHA-256 of its key (v1), or of its name and key (v2, C2SP signed-note).
    pub log_id: [u8; 32],
    /// The type of the body, as stated beside it.
    pub kind: EntryKind,
    /// When Rekor v1 says it took the entry, in Unix seconds; `None` (or zero on the wire) for v2.
    pub integrated_time: Option<i64>,
    /// The signed entry timestamp: a signature over [`TlogEntry::set_payload`].
    pub promise: Option<Vec<u8>>,
    /// The proof of inclusion in the Merkle tree.
    pub proof: Option<InclusionProof>,
    /// The bytes that are the leaf, `canonicalizedBody`.
    pub body: Vec<u8>,
}

impl TlogEntry {
    /// Reads the answer of Rekor v2 to a new entry: one `TransparencyLogEntry` in proto3 JSON.
    pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Self, RekorError> {
        let wire: WireEntry<'_> = json::parse(bytes, max_bytes).map_err(RekorError::Json)?;
        Ok(wire.read()?)
    }

    /// What the body says. That [`TlogEntry::kind`] says the same is checked.
    pub fn decode_body(&self) -> Result<Body, RekorError> {
        Body::parse(&self.body, &self.kind)
    }

    /// The bytes under the signed entry timestamp of Rekor v1: the canonical JSON (RFC 8785) of
    /// `{body, integratedTime, logID, logIndex}`; `None` without an integrated time.
    pub fn set_payload(&self) -> Option<Vec<u8>> {
        let log_id = hex::encode(self.log_id);
        let body = base64::encode(&self.body);
        // Names in order, base64 and hex without characters to escape: this is canonical as it stands.
        let payload = format!(
            r#"{{"body":"{body}","integratedTime":{},"logID":"{log_id}","logIndex":{}}}"#,
            self.integrated_time?, self.log_index
        );
        Some(payload.into_bytes())
    }
}

/// An entry that a log of Rekor v2 has just taken: what is written of a [`TlogEntry`] thousands of times a second, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct LoggedEntry<'a> {
    /// The index in the log.
    pub log_index: u64,
    /// The log.
    pub log_id: &'a [u8; 32],
    /// The number of leaves of the tree that has it.
    pub tree_size: u64,
    /// The root of that tree.
    pub root: &'a Hash,
    /// The proof that it is there: siblings, lowest first.
    pub proof: &'a [Hash],
    /// The signed note over size and root.
    pub checkpoint: &'a str,
    /// The leaf, a `hashedrekord` 0.0.2.
    pub body: &'a [u8],
}

impl LoggedEntry<'_> {
    /// Writes the `TransparencyLogEntry` in proto3 JSON, as Rekor v2 answers it: what [`WireEntry`] would be serialized to,
    /// without a serializer between. Only the checkpoint has characters to escape.
    pub fn write_json(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let Self { log_index, tree_size, .. } = self;
        write!(out, r#"{{"logIndex":"{log_index}","logId":{{"keyId":""#)?;
        base64::write(self.log_id, out)?;
        out.write_all(br#""},"kindVersion":{"kind":"hashedrekord","version":"0.0.2"},"inclusionProof":{"#)?;
        write!(out, r#""logIndex":"{log_index}","rootHash":""#)?;
        base64::write(self.root, out)?;
        write!(out, r#"","treeSize":"{tree_size}","hashes":["#)?;
        for (number, hash) in self.proof.iter().enumerate() {
            out.write_all(if number == 0 { br#"""# } else { br#",""# })?;
            base64::write(hash, out)?;
            out.write_all(br#"""#)?;
        }
        out.write_all(br#"],"checkpoint":{"envelope":"#)?;
        serde_json::to_writer(&mut *out, self.checkpoint)?;
        out.write_all(br#"}},"canonicalizedBody":""#)?;
        base64::write(self.body, out)?;
        out.write_all(br#""}"#)
    }
}

/// The type and version of an entry's body, such as `hashedrekord` and `0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryKind {
    /// The type.
    pub kind: String,
    /// The version.
    pub version: String,
}

/// A proof that a leaf is in a Merkle tree (RFC 6962 §2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The index of the leaf in this tree.
    pub log_index: u64,
    /// The root that the proof leads to.
    pub root_hash: Digest,
    /// The number of leaves.
    pub tree_size: u64,
    /// The siblings, lowest first; at most [`MAX_PROOF_HASHES`].
    pub hashes: Vec<Digest>,
    /// The signed note over size and root, if there is one.
    pub checkpoint: Option<String>,
}

/// The entry as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireEntry<'a> {
    #[serde(alias = "log_index", default, skip_serializing_if = "Option::is_none")]
    log_index: Option<Int64>,
    #[serde(borrow, alias = "log_id", default, skip_serializing_if = "Option::is_none")]
    log_id: Option<WireLogId<'a>>,
    #[serde(borrow, alias = "kind_version", default, skip_serializing_if = "Option::is_none")]
    kind_version: Option<WireKindVersion<'a>>,
    #[serde(alias = "integrated_time", default, skip_serializing_if = "Option::is_none")]
    integrated_time: Option<Int64>,
    #[serde(borrow, alias = "inclusion_promise", default, skip_serializing_if = "Option::is_none")]
    inclusion_promise: Option<WirePromise<'a>>,
    #[serde(borrow, alias = "inclusion_proof", default, skip_serializing_if = "Option::is_none")]
    inclusion_proof: Option<WireProof<'a>>,
    #[serde(borrow, alias = "canonicalized_body", default, skip_serializing_if = "Option::is_none")]
    canonicalized_body: Option<Text<'a>>,
}

impl<'a> WireEntry<'a> {
    pub(crate) fn read(self) -> Result<TlogEntry, FieldError> {
        let kind = proto_json::required(self.kind_version, "kindVersion")?;
        let promise = self.inclusion_promise.map(|promise| promise.signed_entry_timestamp);
        Ok(TlogEntry {
            log_index: proto_json::unsigned(self.log_index, "logIndex")?,
            log_id: proto_json::array(self.log_id.and_then(|id| id.key_id), "logId")?,
            kind: EntryKind {
                kind: proto_json::required(kind.kind, "kindVersion.kind")?.into_str().into_owned(),
                version: proto_json::required(kind.version, "kindVersion.version")?.into_str().into_owned(),
            },
            integrated_time: integrated_time(self.integrated_time)?,
            promise: promise.map(|set| proto_json::bytes(set, "signedEntryTimestamp")).transpose()?,
            proof: self.inclusion_proof.map(WireProof::read).transpose()?,
            body: proto_json::bytes(self.canonicalized_body, "canonicalizedBody")?,
        })
    }

    pub(crate) fn of(entry: &'a TlogEntry) -> Self {
        Self {
            // No number of ours exceeds what was read from an i64 or counted in memory.
            log_index: Some(signed(entry.log_index)),
            log_id: Some(WireLogId { key_id: Some(Text::Base64(&entry.log_id)) }),
            kind_version: Some(WireKindVersion {
                kind: Some(entry.kind.kind.as_str().into()),
                version: Some(entry.kind.version.as_str().into()),
            }),
            integrated_time: entry.integrated_time.map(Int64),
            inclusion_promise: entry
                .promise
                .as_ref()
                .map(|set| WirePromise { signed_entry_timestamp: Some(Text::Base64(set)) }),
            inclusion_proof: entry.proof.as_ref().map(WireProof::of),
            canonicalized_body: Some(Text::Base64(&entry.body)),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireLogId<'a> {
    #[serde(borrow, alias = "key_id", default)]
    key_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireKindVersion<'a> {
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    version: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WirePromise<'a> {
    #[serde(borrow, alias = "signed_entry_timestamp", default)]
    signed_entry_timestamp: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireProof<'a> {
    #[serde(alias = "log_index", default)]
    log_index: Option<Int64>,
    #[serde(borrow, alias = "root_hash", default)]
    root_hash: Option<Text<'a>>,
    #[serde(alias = "tree_size", default)]
    tree_size: Option<Int64>,
    #[serde(borrow, default)]
    hashes: Option<List<Text<'a>, MAX_PROOF_HASHES>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<WireCheckpoint<'a>>,
}

impl<'a> WireProof<'a> {
    fn read(self) -> Result<InclusionProof, FieldError> {
        let hashes = proto_json::list(self.hashes, "inclusionProof.hashes")?;
        let checkpoint = self.checkpoint.and_then(|checkpoint| checkpoint.envelope);
        Ok(InclusionProof {
            log_index: proto_json::unsigned(self.log_index, "inclusionProof.logIndex")?,
            root_hash: sha256(self.root_hash, "inclusionProof.rootHash")?,
            tree_size: proto_json::unsigned(self.tree_size, "inclusionProof.treeSize")?,
            hashes: hashes
                .into_iter()
                .map(|hash| sha256(Some(hash), "inclusionProof.hashes"))
                .collect::<Result<_, _>>()?,
            checkpoint: checkpoint.map(|text| text.into_str().into_owned()).filter(|text| !text.is_empty()),
        })
    }

    fn of(proof: &'a InclusionProof) -> Self {
        Self {
            log_index: Some(signed(proof.log_index)),
            root_hash: Some(Text::Base64(proof.root_hash.as_bytes())),
            tree_size: Some(signed(proof.tree_size)),
            hashes: Some(proof.hashes.iter().map(|hash| Text::Base64(hash.as_bytes())).collect()),
            checkpoint: proof
                .checkpoint
                .as_deref()
                .map(|envelope| WireCheckpoint { envelope: Some(envelope.into()) }),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireCheckpoint<'a> {
    #[serde(borrow, default)]
    envelope: Option<Text<'a>>,
}

/// Zero is how proto3 says that Rekor v2 states no time.
fn integrated_time(value: Option<Int64>) -> Result<Option<i64>, FieldError> {
    match value.map_or(0, |number| number.0) {
        0 => Ok(None),
        value if value < 0 => Err(FieldError::Negative { field: "integratedTime", value }),
        value => Ok(Some(value)),
    }
}

fn sha256(value: Option<Text<'_>>, field: &'static str) -> Result<Digest, FieldError> {
    let bytes: [u8; 32] = proto_json::array(value, field)?;
    Digest::from_bytes(DigestAlgorithm::Sha256, &bytes).map_err(|_| FieldError::Length { field, bytes: 32 })
}

fn signed(value: u64) -> Int64 {
    Int64(i64::try_from(value).unwrap_or(i64::MAX))
}
