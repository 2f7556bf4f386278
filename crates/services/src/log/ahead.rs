//! Whether the witnesses have seen more of a log than it has: then it was put back to an old copy, or goes on in two places,
//! and what it signed next would be a second history under its name.
//!
//! They are asked at each start, before anything new is signed: about the head that was published last, which says nothing new.
//! Whoever has seen more is asked for what it saw; only the log's own signature proves it. A word without that stops the
//! log only as far as the others are no quorum.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::tree_root;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::newest::Unsure;
use super::witnessing::{Asking, GRACE, Nothing, Target, Witnesses};
use super::{OpenError, Shared, verify_head};

/// A witness that has seen something else than the log published last.
pub(super) struct Ahead {
    /// Of how many entries.
    pub(super) size: u64,
    /// Its newest checkpoint, if it shows it.
    pub(super) head: Option<SignedCheckpoint>,
}

/// What a witness said of the head that was published last.
struct Opinion {
    places: Vec<usize>,
    said: Said,
}

enum Said {
    /// It has seen nothing newer.
    NoMore,
    /// It has, or contradicts it, in words.
    Other(Ahead, String),
    /// Nothing that tells, in words.
    Nothing(String),
}

impl Shared {
    /// Asks the witnesses whether they have seen more than what was published. Why too few of them say no; an error if the log
    /// itself has signed more, or something else.
    pub(super) async fn compare(&self, witnesses: &Arc<Witnesses>) -> Result<Result<(), String>, OpenError> {
        let published = SignedCheckpoint::parse(&self.head().note);
        let published = published.map_err(|error| OpenError::Damaged(error.to_string()))?;
        let (mut opinions, policy) = (witnesses.opinions(&published), witnesses.policy());
        let (mut sure, mut doubts) = (BTreeSet::new(), Vec::new());
        loop {
            let is_enough = policy.is_met(|place| sure.contains(&place));
            // Those who answer at once are heard, too.
            let next = match is_enough {
                true => timeout(GRACE, opinions.recv()).await.ok().flatten(),
                false => opinions.recv().await,
            };
            let Some(Opinion { places, said }) = next else {
                let doubts = doubts.join("; ");
                let why = || format!("too few witnesses say that they have seen nothing newer ({doubts})");
                return Ok(if is_enough { Ok(()) } else { Err(why()) });
            };
            match self.judge(said)? {
                None => sure.extend(places),
                Some(doubt) => doubts.push(doubt),
            }
        }
    }

    /// Why a witness's word leaves doubt; none if it has seen nothing but what there is.
    fn judge(&self, said: Said) -> Result<Option<String>, OpenError> {
        match said {
            Said::NoMore => Ok(None),
            Said::Nothing(why) => Ok(Some(why)),
            Said::Other(ahead, why) => Ok(self.refuse_if_behind(&ahead)?.then_some(why)),
        }
    }

    /// Whether it is only said that there was more. An error if the log has signed it.
    pub(super) fn refuse_if_behind(&self, ahead: &Ahead) -> Result<bool, OpenError> {
        let found = self.tree.read().unwrap_or_else(PoisonError::into_inner).size();
        let is_ours = |head: &&SignedCheckpoint| {
            head.checkpoint().origin == self.signer.origin()
                && self.signer.keys().any(|key| verify_head(head, key).is_ok())
        };
        let seen = ahead.head.as_ref().filter(is_ours).map(SignedCheckpoint::checkpoint);
        match seen {
            Some(seen) if seen.size > found => {
                return Err(OpenError::WentBack { found, published: seen.size });
            }
            Some(seen) if tree_root(&self.nodes(), seen.size)? != seen.root => {
                return Err(OpenError::Forked { size: seen.size });
            }
            _ => {}
        }
        Ok(ahead.size > found)
    }
}

impl Witnesses {
    /// What each of them says of this head, as it comes.
    fn opinions(self: &Arc<Self>, published: &SignedCheckpoint) -> mpsc::UnboundedReceiver<Opinion> {
        let (sender, opinions) = mpsc::unbounded_channel();
        for target in self.targets() {
            let asking = self.asking(target, published, Arc::new(Nothing));
            let sender = sender.clone();
            tokio::spawn(async move { drop(sender.send(asking.opinion().await)) });
        }
        opinions
    }

    /// The newest checkpoint that a witness has of the log, if it shows it.
    pub(super) async fn shown(&self, target: &Target, origin: &str) -> Option<SignedCheckpoint> {
        let asked = timeout(self.within(), self.client().newest(&target.url(), origin)).await;
        SignedCheckpoint::parse(asked.ok()?.ok()??.as_bytes()).ok()
    }
}

impl Asking {
    async fn opinion(self) -> Opinion {
        let (url, places) = (self.target.url(), self.target.places.clone());
        let within = self.witnesses.within();
        let late = || Err(Unsure::Silent(format!("no answer within {} ms", within.as_millis())));
        let said = match timeout(within, self.reaffirmed()).await.unwrap_or_else(|_| late()) {
            Ok(_) | Err(Unsure::Older { .. }) => Said::NoMore,
            Err(Unsure::Silent(why)) => Said::Nothing(format!("`{url}`: {why}")),
            Err(unsure) => {
                let size = if let Unsure::Newer { published } = unsure { published } else { u64::MAX };
                let head = self.witnesses.shown(&self.target, &self.signed.checkpoint().origin).await;
                Said::Other(Ahead { size, head }, format!("`{url}`: {unsure}"))
            }
        };
        Opinion { places, said }
    }
}
