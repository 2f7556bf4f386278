//! Whether the witnesses have seen more of a log than it has: then it was put back to an old copy, or goes on in two places,
//! and what it signed next would be a second history under its name.
//!
//! They are asked at each start, before anything new is signed: about the head that was published last, which says nothing new.
//! Whoever has seen more is asked for what it saw; only the log's own signature proves it. A word without that stops the
//! log only as far as the others are no quorum. Who was away then is heard as soon as it refuses to cosign.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::tree_root;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::newest::Unsure;
use super::witnessing::{Asking, GRACE, Nothing, Witnesses};
use super::{OpenError, Shared, verify_head};

/// What a witness has seen that has seen something else than the log publishes.
pub(super) struct Ahead {
    /// Of how many entries, if it says so.
    size: Option<u64>,
    /// Its newest checkpoint, if it shows it.
    head: Option<SignedCheckpoint>,
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
            Said::Other(ahead, why) => {
                let is_more = self.refuse_if_behind(&ahead)?;
                Ok((is_more || ahead.size.is_none()).then_some(why))
            }
        }
    }

    /// Whether it is said that there was more, and only said. An error if the log has signed it, or something else.
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
        Ok(ahead.size.is_some_and(|size| size > found))
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
}

impl Asking {
    async fn opinion(self) -> Opinion {
        let places = self.target.places.clone();
        let said = match self.in_time(self.reaffirmed()).await {
            Ok(_) | Err(Unsure::Older { .. }) => Said::NoMore,
            Err(unsure) => {
                let why = format!("`{}`: {unsure}", self.target.url());
                match self.seen_instead(&unsure).await {
                    Some(ahead) => Said::Other(ahead, why),
                    None => Said::Nothing(why),
                }
            }
        };
        Opinion { places, said }
    }

    /// What a witness has seen that answered this; nothing, if it does not contradict.
    pub(super) async fn seen_instead(&self, unsure: &Unsure) -> Option<Ahead> {
        let size = match unsure {
            Unsure::Newer { published } => Some(*published),
            Unsure::Refused(_) => None,
            Unsure::Older { .. } | Unsure::Silent(_) => return None,
        };
        Some(Ahead { size, head: self.shown().await })
    }

    /// The newest checkpoint that the witness has of the log, if it shows it.
    async fn shown(&self) -> Option<SignedCheckpoint> {
        let (url, origin) = (self.target.url(), &self.signed.checkpoint().origin);
        let asked = timeout(self.witnesses.within(), self.witnesses.client().newest(&url, origin)).await;
        SignedCheckpoint::parse(asked.ok()?.ok()??.as_bytes()).ok()
    }
}
