//! A tree of Rekor v1, which is read an entry at a time.
//!
//! One log is many trees, one after the other; only the last one grows. The proof that an entry is in a tree has all that
//! a range before the entry is made of.

use std::sync::Arc;

use async_trait::async_trait;
use signet_formats::merkle::Hash;
use signet_formats::rekor::{
    MAX_ANSWER_V1_BYTES, MAX_LOG_V1_BYTES, TlogEntry, TreeV1, read_answer_v1, read_consistency_v1,
    read_log_v1,
};
use tokio::task::JoinSet;

use super::LogReader;
use super::range::Range;
use super::tree::{Shown, Tree, get};

/// Whether what is at a URL is a Rekor v1.
pub(super) fn is_at(url: &str) -> bool {
    url.ends_with("/api/v1")
}

/// One tree of the log at a URL. Clones are the same tree.
#[derive(Clone)]
pub(super) struct RekorTree {
    reader: Arc<dyn LogReader>,
    url: Arc<str>,
    id: u64,
    first_index: u64,
}

impl RekorTree {
    /// The trees of the log at this URL, which have its name and their ids in their checkpoints. The oldest is the first.
    pub(super) async fn show(
        reader: &Arc<dyn LogReader>,
        url: &str,
        origin: &str,
    ) -> Result<Vec<Shown>, String> {
        let log = get(reader.as_ref(), url, "log", MAX_LOG_V1_BYTES).await?;
        let trees = read_log_v1(&log).map_err(|error| format!("`log`: {error}"))?;
        let url: Arc<str> = url.into();
        let show = |TreeV1 { id, first_index, checkpoint }| {
            let tree = Self { reader: Arc::clone(reader), url: Arc::clone(&url), id, first_index };
            Shown {
                origin: format!("{origin} - {id}"),
                checkpoint: checkpoint.into_bytes(),
                tree: Box::new(tree),
            }
        };
        Ok(trees.into_iter().map(show).collect())
    }

    async fn entry(&self, index: u64) -> Result<TlogEntry, String> {
        let path = format!("log/entries?logIndex={}", self.first_index.saturating_add(index));
        let answer = get(self.reader.as_ref(), &self.url, &path, MAX_ANSWER_V1_BYTES).await?;
        read_answer_v1(&answer).map_err(|error| format!("`{path}`: {error}"))
    }
}

#[async_trait]
impl Tree for RekorTree {
    fn first_index(&self) -> u64 {
        self.first_index
    }

    async fn newest(&self, size: u64) -> Result<Range, String> {
        let Some(index) = size.checked_sub(1) else { return Ok(Range::default()) };
        let proof = self.entry(index).await?.proof.ok_or("its newest entry has no proof")?;
        let hash = |digest: &signet_crypto::Digest| digest.as_bytes().try_into().unwrap_or_default();
        let hashes: Vec<Hash> = proof.hashes.iter().map(hash).collect();
        let range = Range::before(index, proof.tree_size, &hashes);
        range.ok_or_else(|| "the proof of its newest entry is not one".to_owned())
    }

    async fn entries(&self, next: u64, size: u64) -> Result<Vec<Vec<u8>>, String> {
        let mut asked = JoinSet::new();
        for index in next..size.min(next.saturating_add(AT_ONCE)) {
            let tree = self.clone();
            asked.spawn(async move { (index, tree.entry(index).await) });
        }
        let mut answers = asked.join_all().await;
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer.map(|entry| entry.body)).collect()
    }

    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        let path = format!("log/proof?firstSize={old}&lastSize={new}&treeID={}", self.id);
        let answer = get(self.reader.as_ref(), &self.url, &path, MAX_LOG_V1_BYTES).await?;
        read_consistency_v1(&answer).map_err(|error| format!("`{path}`: {error}"))
    }
}

/// How many entries are asked for at once.
const AT_ONCE: u64 = 8;

#[cfg(test)]
mod tests;
