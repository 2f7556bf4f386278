//! One log, from what was seen of it to what it shows now.

use std::io;
use std::sync::Arc;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::merkle::{leaf_hash, verify_consistency};
use signet_formats::note::KeyKind;
use signet_formats::rekor::EntryFacts;

use super::range::Range;
use super::rekor_v1::{self, RekorTree};
use super::state::{Seen, StateDir};
use super::tiles::TileTree;
use super::tree::{Shown, Tree};
use super::{Finding, LogReader, Progress, Source, Watch, What};

/// Follows one log.
pub(super) struct Follower {
    source: Source,
    reader: Arc<dyn LogReader>,
    seen: Option<Seen>,
    /// Whether that is on disk.
    is_kept: bool,
    from_now: bool,
}

/// Why a round did not come to its end.
enum Trouble {
    /// What there is to tell.
    Tell(What),
    /// The monitor's own disk failed.
    Disk(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Tell(What::Unreadable(why))
    }
}

impl Follower {
    pub(super) fn open(
        source: Source,
        reader: Arc<dyn LogReader>,
        state: &StateDir,
        from_now: bool,
    ) -> io::Result<Self> {
        let seen = state.load(&source.origin)?;
        Ok(Self { source, reader, seen, is_kept: true, from_now })
    }

    pub(super) fn progress(&self) -> Progress {
        let size = self.seen.as_ref().map_or(0, |seen| seen.range.size());
        Progress { origin: self.source.origin.clone(), size }
    }

    /// Keeps how far the log was read.
    pub(super) fn keep(&mut self, state: &StateDir) -> io::Result<()> {
        if let Some(seen) = self.seen.as_ref().filter(|_| !self.is_kept) {
            state.keep(&self.source.origin, seen)?;
            self.is_kept = true;
        }
        Ok(())
    }

    /// Reads what is new. What is found is told once.
    pub(super) async fn round(&mut self, watches: &[Watch], state: &StateDir) -> io::Result<Vec<Finding>> {
        let mut found = Vec::new();
        match self.catch_up(watches, state, &mut found).await {
            Ok(()) => {}
            Err(Trouble::Tell(what)) => found.push(what),
            Err(Trouble::Disk(error)) => return Err(error),
        }
        Ok(found.into_iter().map(|what| Finding { origin: self.source.origin.clone(), what }).collect())
    }

    async fn catch_up(
        &mut self,
        watches: &[Watch],
        state: &StateDir,
        found: &mut Vec<What>,
    ) -> Result<(), Trouble> {
        for Shown { origin, checkpoint, tree } in self.shown().await? {
            let shown = self.verified(&origin, &checkpoint)?;
            self.follow(shown, tree.as_ref(), watches, state, found).await?;
        }
        Ok(())
    }

    /// The trees that there is something to read in, in their order.
    async fn shown(&self) -> Result<Vec<Shown>, Trouble> {
        let Source { url, origin, .. } = &self.source;
        let url = url.trim_end_matches('/');
        let mut trees = match rekor_v1::is_at(url) {
            true => RekorTree::show(&self.reader, url, origin).await?,
            false => TileTree::show(&self.reader, url, origin).await?,
        };
        let first = match &self.seen {
            Some(seen) => trees.iter().position(|tree| tree.origin == seen.checkpoint.checkpoint().origin),
            None if self.from_now => trees.len().checked_sub(1),
            None => Some(0),
        };
        let first = first.ok_or("it does not show the tree any more that was read").map_err(str::to_owned)?;
        Ok(trees.split_off(first))
    }

    /// Goes on in one tree.
    async fn follow(
        &mut self,
        shown: SignedCheckpoint,
        tree: &dyn Tree,
        watches: &[Watch],
        state: &StateDir,
        found: &mut Vec<What>,
    ) -> Result<(), Trouble> {
        let is_of_it = |seen: &&Seen| seen.checkpoint.checkpoint().origin == shown.checkpoint().origin;
        let (known, seen) = match self.seen.as_ref().filter(is_of_it) {
            Some(seen) => (Some(seen.range.size()), seen.clone()),
            None => (None, self.begin(&shown, tree).await?),
        };
        let size = shown.checkpoint().size;
        if size < seen.range.size() {
            return self.look_back(&seen, &shown, tree, state).await;
        }
        let mut range = seen.range.clone();
        while range.size() < size {
            for entry in tree.entries(range.size(), size).await? {
                found.extend(look(&entry, tree.first_index() + range.size(), watches));
                range.push(leaf_hash(&entry));
            }
        }
        if range.root() != shown.checkpoint().root {
            return self.disagree(&seen, &shown, tree, state).await;
        }
        self.is_kept = self.is_kept && known == Some(size);
        self.seen = Some(Seen { checkpoint: shown, range });
        Ok(())
    }

    /// A checkpoint, signed by the log and by those who have to cosign.
    fn verified(&self, origin: &str, checkpoint: &[u8]) -> Result<SignedCheckpoint, String> {
        let signed = SignedCheckpoint::parse(checkpoint).map_err(|error| error.to_string())?;
        let key = &self.source.key;
        let verified = match key.kind() {
            KeyKind::SubtreeV1 => cosignature::verify(&signed, key).map(drop),
            _ => signed.note().verify(key),
        };
        verified.map_err(|error| error.to_string())?;
        if signed.checkpoint().origin != origin {
            return Err(format!("it is the log `{}`", signed.checkpoint().origin));
        }
        let cosigned = |place: usize| {
            let witness = self.source.witnesses.as_ref().and_then(|policy| policy.witnesses().get(place));
            witness.is_some_and(|witness| cosignature::verify(&signed, &witness.key).is_ok())
        };
        match self.source.witnesses.as_ref().is_none_or(|policy| policy.is_met(cosigned)) {
            true => Ok(signed),
            false => Err("the checkpoint does not have the cosignatures of the witness policy".to_owned()),
        }
    }

    /// Where to begin with a tree of which nothing is known.
    async fn begin(&self, shown: &SignedCheckpoint, tree: &dyn Tree) -> Result<Seen, Trouble> {
        let range = match self.from_now && self.seen.is_none() {
            true => tree.newest(shown.checkpoint().size).await?,
            // Nothing is claimed of it yet: an empty tree is the beginning of any.
            false => Range::default(),
        };
        Ok(Seen { checkpoint: shown.clone(), range })
    }

    /// The log shows less than it did: of the same history, as a slow copy does, or of another.
    async fn look_back(
        &self,
        seen: &Seen,
        shown: &SignedCheckpoint,
        tree: &dyn Tree,
        state: &StateDir,
    ) -> Result<(), Trouble> {
        let stale = What::Stale { size: shown.checkpoint().size, known: seen.range.size() };
        match is_consistent(tree, shown, &seen.checkpoint).await {
            Ok(false) => self.fork(seen, shown, state),
            // What a slow copy does not have yet cannot be compared.
            Ok(true) | Err(_) => Err(Trouble::Tell(stale)),
        }
    }

    /// The entries do not give the checkpoint: either they are not the log's, or the checkpoint is of another history.
    async fn disagree(
        &self,
        seen: &Seen,
        shown: &SignedCheckpoint,
        tree: &dyn Tree,
        state: &StateDir,
    ) -> Result<(), Trouble> {
        match seen.range.size() == 0 || is_consistent(tree, &seen.checkpoint, shown).await? {
            true => Err("its entries are not those of its checkpoint".to_owned().into()),
            false => self.fork(seen, shown, state),
        }
    }

    fn fork(&self, seen: &Seen, shown: &SignedCheckpoint, state: &StateDir) -> Result<(), Trouble> {
        let (old, new) = (seen.range.size(), shown.checkpoint().size);
        let evidence = state.keep_evidence(&self.source.origin, &seen.checkpoint, shown)?;
        let why = format!("its checkpoint of {new} entries and that of {old} are not of one history");
        Err(Trouble::Tell(What::Fork { evidence, why }))
    }
}

/// Whether the log itself proves that one checkpoint goes on from another.
async fn is_consistent(
    tree: &dyn Tree,
    old: &SignedCheckpoint,
    new: &SignedCheckpoint,
) -> Result<bool, String> {
    let (old, new) = (old.checkpoint(), new.checkpoint());
    if old.size == new.size {
        return Ok(old.root == new.root);
    }
    let proof = tree.consistency(old.size, new.size).await?;
    Ok(verify_consistency(old.size, new.size, &old.root, &new.root, &proof).is_ok())
}

/// The watches that an entry is for.
fn look(entry: &[u8], index: u64, watches: &[Watch]) -> Vec<What> {
    let Some(facts) = (!watches.is_empty()).then(|| EntryFacts::of(entry)).flatten() else {
        return Vec::new();
    };
    let seen = watches.iter().filter(|watch| watch.sees(&facts));
    seen.map(|watch| What::Entry { watch: watch.name.clone(), index, facts: Box::new(facts.clone()) })
        .collect()
}
