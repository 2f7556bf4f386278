//! A tree of Rekor v1, which is asked for a few entries at a time.
//!
//! One log is many trees, one after the other; only the last one grows. The proof that an entry is in a tree has all that
//! a range before the entry is made of.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use signet_formats::merkle::Hash;
use signet_formats::rekor::{
    MAX_ANSWER_V1_BYTES, MAX_ANSWERS_V1_BYTES, MAX_LOG_V1_BYTES, MAX_RETRIEVED_V1, TlogEntry, TreeV1,
    read_answer_v1, read_answers_v1, read_consistency_v1, read_log_v1,
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

    /// The bodies of these entries: in one answer, or one after the other if the log, or what is before it, gives no such answer.
    async fn some(&self, indexes: Range64) -> Result<Vec<Vec<u8>>, String> {
        if let Some(bodies) = self.retrieve(indexes.clone()).await {
            return Ok(bodies);
        }
        let mut bodies = Vec::new();
        for index in indexes {
            bodies.push(self.entry(index).await?.body);
        }
        Ok(bodies)
    }

    async fn retrieve(&self, indexes: Range64) -> Option<Vec<Vec<u8>>> {
        let wanted: Vec<u64> = indexes.map(|index| self.first_index.saturating_add(index)).collect();
        let question = serde_json::to_vec(&json!({ "logIndexes": wanted })).ok()?;
        let asked = self.reader.ask(&self.url, "log/entries/retrieve", question, MAX_ANSWERS_V1_BYTES);
        let mut entries = read_answers_v1(&asked.await.ok()??).ok()?;
        entries.sort_unstable_by_key(|entry| entry.log_index);
        let is_whole = entries.iter().map(|entry| entry.log_index).eq(wanted);
        is_whole.then(|| entries.into_iter().map(|entry| entry.body).collect())
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
        let end = size.min(next.saturating_add(AT_ONCE * IN_ONE));
        let mut asked = JoinSet::new();
        for first in (next..end).step_by(usize::try_from(IN_ONE).unwrap_or(1)) {
            let (tree, last) = (self.clone(), end.min(first.saturating_add(IN_ONE)));
            asked.spawn(async move { (first, tree.some(first..last).await) });
        }
        let mut answers = asked.join_all().await;
        answers.sort_unstable_by_key(|(first, _)| *first);
        let mut entries = Vec::new();
        for (_, answer) in answers {
            match answer {
                Ok(some) => entries.extend(some),
                // What came before it can be used.
                Err(_) if !entries.is_empty() => break,
                Err(why) => return Err(why),
            }
        }
        Ok(entries)
    }

    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        let path = format!("log/proof?firstSize={old}&lastSize={new}&treeID={}", self.id);
        let answer = get(self.reader.as_ref(), &self.url, &path, MAX_LOG_V1_BYTES).await?;
        read_consistency_v1(&answer).map_err(|error| format!("`{path}`: {error}"))
    }
}

type Range64 = std::ops::Range<u64>;

/// How many questions are asked at once, and for how many entries each.
const AT_ONCE: u64 = 4;
const IN_ONE: u64 = MAX_RETRIEVED_V1 as u64;

#[cfg(test)]
mod tests;
