//! Whether a log that was brought back from a copy may go on: only if nothing newer than the copy was ever published. Else it
//! would sign a second history under its name.
//!
//! A head of the log proves that it existed, never that nothing followed; any number of old heads can be had of a log that
//! went on. What can prove it is whoever the log could not publish without: its witnesses. One that cosigns this head
//! after the log has ended has seen nothing newer, and if those that did not say so are too few for a quorum, nothing newer
//! was published.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::note::VerifierKey;
use signet_formats::tlog::MAX_WITNESS_SKEW;

use super::chunk::Layout;
use super::fsck::{fsck_at, verify_head};
use super::home::keys_of;
use super::identity::Identity;
use super::{OpenError, Witnesses};

/// What is known of what a log has published.
#[derive(Clone, Default)]
pub struct Evidence {
    /// Checkpoints that others have seen of it; those of other logs say nothing.
    pub heads: Vec<SignedCheckpoint>,
    /// Whether the copy was taken after its end, and nobody could go on with what it was taken from.
    pub ended: bool,
    /// Who had to cosign all that it published to its end. They are asked now.
    pub witnesses: Option<Arc<Witnesses>>,
    /// When it had ended for certain, in seconds since 1970: cosignatures of [`MAX_WITNESS_SKEW`] later count, also without
    /// asking.
    pub since: Option<i64>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// Why it cannot be ruled out that something newer was published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// Something newer was.
    #[error("a checkpoint of {published} entries was published, and there are {here}")]
    Newer {
        /// How many entries it had.
        published: u64,
        /// How many there are.
        here: u64,
    },
    /// Something else was.
    #[error("a checkpoint of {size} entries was published that is not of these entries")]
    Other {
        /// How many entries it had.
        size: u64,
    },
    /// The policy is not the one that it published under.
    #[error("what it published last does not meet the witness policy")]
    Unwitnessed,
    /// Those that did not say so could have been a quorum.
    #[error("too few of its witnesses say that nothing newer was published{0}")]
    Unconfirmed(String),
    /// Nobody is there who could say it.
    #[error("nobody says that nothing newer was published")]
    Unknown,
}

/// Whether nothing newer than what is in this directory was published.
pub async fn is_newest(data: &Path, evidence: &Evidence) -> Result<Result<(), Doubt>, OpenError> {
    let identity = Identity::demand(data)?;
    let keys = keys_of(data)?;
    let kept = Layout::new(data).kept()?;
    let is_ours = |head: &&SignedCheckpoint| {
        head.checkpoint().origin == identity.origin && keys.iter().any(|key| verify_head(head, key).is_ok())
    };
    let heads: Vec<&SignedCheckpoint> = evidence.heads.iter().filter(is_ours).chain(&kept).collect();
    let (report, roots) = fsck_at(data, heads.iter().map(|head| head.checkpoint().size))?;
    if let Some(finding) = report.findings.first() {
        return Err(OpenError::Damaged(finding.clone()));
    }
    for head in heads.iter().map(|head| head.checkpoint()) {
        match roots.get(&head.size) {
            None => return Ok(Err(Doubt::Newer { published: head.size, here: report.size })),
            Some(root) if *root != head.root => return Ok(Err(Doubt::Other { size: head.size })),
            Some(_) => {}
        }
    }
    if evidence.ended {
        return Ok(Ok(()));
    }
    let Some(witnesses) = &evidence.witnesses else { return Ok(Err(Doubt::Unknown)) };
    Ok(evidence.confirm(witnesses, &heads, &keys).await)
}

impl Evidence {
    /// Whether the witnesses say so. `heads` are the log's, and of what is here; the newest of them is asked about.
    async fn confirm(
        &self,
        witnesses: &Arc<Witnesses>,
        heads: &[&SignedCheckpoint],
        keys: &[VerifierKey],
    ) -> Result<(), Doubt> {
        let policy = witnesses.policy();
        let newest = heads.iter().max_by_key(|head| head.checkpoint().size).ok_or(Doubt::Unwitnessed)?;
        let names_it = policy.logs().is_empty() || policy.logs().iter().any(|log| keys.contains(&log.key));
        let cosigned = |when: RangeInclusive<u64>| -> BTreeSet<usize> {
            heads.iter().flat_map(|head| policy.cosigners(head, when.clone())).collect()
        };
        let ever = cosigned(1..=u64::MAX);
        if !names_it || !policy.is_met(|place| ever.contains(&place)) {
            return Err(Doubt::Unwitnessed);
        }
        let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
        let (earliest, latest) =
            (seconds(self.now).saturating_sub(MAX_WITNESS_SKEW), seconds(self.now) + MAX_WITNESS_SKEW);
        // A witness whose clock is ahead says of what it saw before the end that it was after it.
        let after_its_end = |since| seconds(since).saturating_add(MAX_WITNESS_SKEW)..=latest;
        let mut confirmed = self.since.map(|since| cosigned(after_its_end(since))).unwrap_or_default();
        let mut missing = String::new();
        for (url, said) in witnesses.reaffirm(newest).await {
            match said {
                Ok(answer) => confirmed.extend(policy.cosigners(&answer, earliest..=latest)),
                Err(Unsure::Newer { published }) => {
                    return Err(Doubt::Newer { published, here: newest.checkpoint().size });
                }
                Err(unsure) => missing += &format!("; `{url}`: {unsure}"),
            }
        }
        match policy.is_met(|place| !confirmed.contains(&place)) {
            false => Ok(()),
            true => Err(Doubt::Unconfirmed(missing)),
        }
    }
}

/// Why a witness did not say that it has seen just this.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsure {
    /// It has seen something newer.
    #[error("it has seen {published} entries of this log, more than there are")]
    Newer {
        /// How many entries.
        published: u64,
    },
    /// It has not seen so much.
    #[error("it has seen no more than {size} entries")]
    Older {
        /// How many entries.
        size: u64,
    },
    /// It refuses it, in words.
    #[error("{0}")]
    Refused(String),
    /// It says nothing that tells, in words.
    #[error("{0}")]
    Silent(String),
}
