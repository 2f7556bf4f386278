//! What Rekor v1 says of itself (rekor, `openapi.yaml`): `/api/v1/log` and `/api/v1/log/proof`.

use serde::Deserialize;
use signet_crypto::{Digest, DigestAlgorithm};

use super::body::RekorError;
use super::entry::MAX_PROOF_HASHES;
use crate::bounded::List;
use crate::json;
use crate::merkle::Hash;
use crate::proto_json::{self, Int64};

/// The largest description of a log, and proof, that is read, in bytes.
pub const MAX_LOG_V1_BYTES: usize = 1024 * 1024;

/// The most trees that one log may have had.
pub const MAX_TREES_V1: usize = 256;

/// One of the trees that a Rekor v1 has written to, of which each goes on where the one before ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeV1 {
    /// Its id.
    pub id: u64,
    /// The index in the whole log of the first entry of the tree.
    pub first_index: u64,
    /// Its newest signed checkpoint, as text.
    pub checkpoint: String,
}

/// Reads which trees a log has: the one that it writes to is the last. Nothing of it is verified.
pub fn read_log_v1(bytes: &[u8]) -> Result<Vec<TreeV1>, RekorError> {
    let log: WireLog = json::parse(bytes, MAX_LOG_V1_BYTES).map_err(RekorError::Json)?;
    let mut trees = proto_json::list(log.inactive_shards, "inactiveShards")?;
    trees.push(log.active);
    let mut first_index = 0_u64;
    let mut read = Vec::with_capacity(trees.len());
    for tree in trees {
        let id = proto_json::unsigned(Some(tree.id), "treeID")?;
        read.push(TreeV1 { id, first_index, checkpoint: tree.signed_tree_head });
        // There are no entries where this saturates.
        first_index = first_index.saturating_add(proto_json::unsigned(Some(tree.size), "treeSize")?);
    }
    Ok(read)
}

/// Reads a proof that a tree only appends.
pub fn read_consistency_v1(bytes: &[u8]) -> Result<Vec<Hash>, RekorError> {
    let proof: WireProof = json::parse(bytes, MAX_LOG_V1_BYTES).map_err(RekorError::Json)?;
    let hashes = proto_json::list(proof.hashes, "hashes")?;
    let hash = |hex: &String| {
        let digest = Digest::from_hex(DigestAlgorithm::Sha256, hex).ok()?;
        digest.as_bytes().try_into().ok()
    };
    hashes.iter().map(|hex| hash(hex).ok_or(RekorError::Digest { field: "hashes" })).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    #[serde(flatten)]
    active: WireTree,
    #[serde(default)]
    inactive_shards: Option<List<WireTree, MAX_TREES_V1>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTree {
    #[serde(rename = "treeID")]
    id: Int64,
    #[serde(rename = "treeSize")]
    size: Int64,
    signed_tree_head: String,
}

#[derive(Deserialize)]
struct WireProof {
    #[serde(default)]
    hashes: Option<List<String, { 2 * MAX_PROOF_HASHES }>>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::JsonError;
    use crate::proto_json::FieldError;

    fn tree(id: &str, size: i64) -> Value {
        json!({"treeID": id, "treeSize": size, "rootHash": "00", "signedTreeHead": format!("of {id}")})
    }

    fn log(inactive: Vec<Value>, mut active: Value) -> Vec<u8> {
        active["inactiveShards"] = inactive.into();
        active.to_string().into_bytes()
    }

    #[test]
    fn trees_go_on_from_each_other() {
        let read =
            read_log_v1(&log(vec![tree("3904496407287907110", 7), tree("1", 5)], tree("2", 9))).unwrap();
        let read: Vec<_> =
            read.iter().map(|tree| (tree.id, tree.first_index, tree.checkpoint.as_str())).collect();
        assert_eq!(
            read,
            [(3_904_496_407_287_907_110, 0, "of 3904496407287907110"), (1, 7, "of 1"), (2, 12, "of 2")]
        );
        let alone = read_log_v1(tree("2", 9).to_string().as_bytes()).unwrap();
        assert_eq!(alone.len(), 1);
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let negative = |field, value| Err(FieldError::Negative { field, value }.into());
        assert_eq!(read_log_v1(&log(vec![], tree("-1", 1))), negative("treeID", -1));
        assert_eq!(read_log_v1(&log(vec![tree("1", -7)], tree("2", 1))), negative("treeSize", -7));
        for wrong in [tree("1&x=2", 1), tree("", 1), json!({}), json!([])] {
            let refused = read_log_v1(wrong.to_string().as_bytes());
            assert!(
                matches!(refused, Err(RekorError::Json(JsonError::Malformed(_)))),
                "{wrong}: {refused:?}"
            );
        }
        let most = vec![tree("1", 1); MAX_TREES_V1];
        assert_eq!(read_log_v1(&log(most.clone(), tree("2", 1))).unwrap().len(), MAX_TREES_V1 + 1);
        let more = [most, vec![tree("1", 1)]].concat();
        assert!(matches!(read_log_v1(&log(more, tree("2", 1))), Err(RekorError::Field(_))));
        let huge = vec![b' '; MAX_LOG_V1_BYTES + 1];
        assert!(matches!(read_log_v1(&huge), Err(RekorError::Json(JsonError::TooLarge { .. }))));
    }

    #[test]
    fn a_proof_is_hashes() {
        let proof = |hashes: Value| {
            read_consistency_v1(json!({"hashes": hashes, "rootHash": ""}).to_string().as_bytes())
        };
        assert_eq!(proof(json!(["11".repeat(32)])), Ok(vec![[0x11; 32]]));
        assert_eq!(proof(Value::Null), Ok(vec![]));
        for wrong in ["11".repeat(31), "zz".repeat(32)] {
            assert_eq!(proof(json!([wrong])), Err(RekorError::Digest { field: "hashes" }));
        }
        assert!(proof(vec!["11".repeat(32); 2 * MAX_PROOF_HASHES].into()).is_ok());
        assert!(proof(vec!["11".repeat(32); 2 * MAX_PROOF_HASHES + 1].into()).is_err());
    }
}
