//! What a log has published before: it goes on from nothing less.

use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::note::NoteError;
use signet_formats::tlog::{WitnessPolicy, tree_root};

use super::{Loaded, OpenError};
use crate::log::fsck::verify_head;
use crate::log::{Config, Head, LogSigner, policy};

impl Loaded {
    /// Refuses to go on from less than was published, or from something else.
    pub(super) fn refuse_less_than(
        &self,
        floor: Option<&Checkpoint>,
        ours: &Checkpoint,
    ) -> Result<(), OpenError> {
        let kept = self.archive.layout.kept()?;
        for published in kept.as_ref().map(SignedCheckpoint::checkpoint).into_iter().chain(floor) {
            if published.origin != ours.origin {
                let (found, wanted) = (published.origin.clone(), ours.origin.clone());
                return Err(OpenError::WrongOrigin { found, wanted });
            }
            if published.size > ours.size {
                return Err(OpenError::WentBack { found: ours.size, published: published.size });
            }
            if tree_root(&self.archive, published.size)? != published.root {
                return Err(OpenError::Forked { size: published.size });
            }
        }
        Ok(())
    }

    /// Keeps the policy. What a frozen log has published whole was cosigned as its own policy says: no later one is for it.
    pub(super) fn settle_policy(
        &mut self,
        signer: &LogSigner,
        given: Option<&WitnessPolicy>,
    ) -> Result<(), OpenError> {
        match given.is_some() && self.is_over()? {
            true => Ok(()),
            false => policy::settle(self.dir.disk(), &self.archive.layout, signer, &mut self.identity, given),
        }
    }

    /// Whether nothing comes any more: it is frozen, and all of it was published and cosigned.
    fn is_over(&self) -> Result<bool, OpenError> {
        let layout = &self.archive.layout;
        let known = match policy::kept(&layout.root) {
            // It cannot say whether the log is: another is given.
            Err(OpenError::Damaged(_)) => None,
            known => known?,
        };
        let head = layout.kept()?;
        let is_whole = |head: &SignedCheckpoint| head.checkpoint().size == self.archive.tree.size();
        let both = known.zip(head.filter(is_whole)).filter(|_| self.identity.frozen);
        Ok(both.is_some_and(|(known, head)| policy::is_met(&known, &head)))
    }

    /// Whether something is to be published yet: entries, or cosignatures of what is shown.
    pub(super) fn is_behind(&self, config: &Config, head: &Head) -> Result<bool, OpenError> {
        let Some(witnesses) = config.witnesses.as_ref().filter(|_| head.checkpoint.size > 0) else {
            return Ok(head.checkpoint.size < self.archive.tree.size());
        };
        let signed =
            SignedCheckpoint::parse(&head.note).map_err(|error| OpenError::Damaged(error.to_string()))?;
        let is_met = policy::is_met(witnesses.policy(), &signed) || self.is_over()?;
        Ok(!is_met || head.checkpoint.size < self.archive.tree.size())
    }

    /// What a frozen log of this size has said last, and will go on to say: a signature that says when must not become a later one.
    pub(super) fn said_last(&self, signer: &LogSigner, size: u64) -> Option<Head> {
        let last = self.identity.frozen.then(|| self.published(signer))?;
        last.ok().filter(|last| last.checkpoint.size == size)
    }

    /// What was published last: where witnesses have to cosign, nothing newer is shown before they have.
    pub(super) fn published(&self, signer: &LogSigner) -> Result<Head, OpenError> {
        let kept = self.archive.layout.kept()?;
        let kept = kept.ok_or_else(|| OpenError::Damaged("`checkpoint` is missing".to_owned()))?;
        let ours = signer.keys().next().ok_or(NoteError::NoSignatureByKey);
        ours.and_then(|key| verify_head(&kept, key))
            .map_err(|error| OpenError::Damaged(format!("`checkpoint`: {error}")))?;
        Ok(Head { checkpoint: kept.checkpoint().clone(), note: kept.note().to_string().into() })
    }
}
