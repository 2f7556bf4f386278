//! One log, from what was seen of it to what it shows now.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::merkle::leaf_hash;
use signet_formats::note::KeyKind;
use signet_formats::rekor::EntryFacts;
use signet_formats::tlog::MAX_WITNESS_SKEW;

use super::judge::{is_consistent, is_prefix, tells_apart};
use super::range::{Grown, Range};
use super::rekor_v1::{self, RekorTree};
use super::state::{Seen, StateDir};
use super::tiles::TileTree;
use super::tree::{Shown, Tree};
use super::{Finding, LogReader, Source, Watch, What};

/// What a round is made with.
pub(super) struct Look<'a> {
    pub(super) watches: &'a [Watch],
    pub(super) state: &'a StateDir,
    /// In seconds since 1970.
    pub(super) now: i64,
    /// When to read no more, of a log that is slow.
    pub(super) until: Instant,
}

/// Follows one log.
pub(super) struct Follower {
    source: Source,
    reader: Arc<dyn LogReader>,
    /// Lent for a round: the other places that show the log have part in it.
    pub(super) known: Known,
    /// What it shows now; unset, while it cannot be read.
    shown: Option<Extent>,
    /// What it showed last.
    last_shown: Option<Extent>,
    from_now: bool,
    /// Whether nobody else shows the log.
    is_alone: bool,
    /// Whether it shows less than others do, and no less than it did.
    lags: bool,
    /// Whether the last round has left something to read.
    is_behind: bool,
}

/// How many entries there are in which of the log's trees: sizes of two trees say nothing of each other.
struct Extent {
    tree: String,
    size: u64,
}

/// What was seen of a log, wherever it was shown.
#[derive(Default)]
pub(super) struct Known {
    pub(super) seen: Option<Seen>,
    /// Whether it is not on disk yet.
    pub(super) is_fresh: bool,
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
    pub(super) fn new(source: Source, reader: Arc<dyn LogReader>, from_now: bool, is_alone: bool) -> Self {
        let (known, shown, last_shown, lags, is_behind) = Default::default();
        Self { source, reader, known, shown, last_shown, from_now, is_alone, lags, is_behind }
    }

    /// How many entries it shows now of a tree; nothing, while it cannot be read, or shows another.
    pub(super) fn shown_of(&self, tree: &str) -> Option<u64> {
        self.shown.as_ref().filter(|shown| shown.tree == tree).map(|shown| shown.size)
    }

    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Reads what is new, or as much of it as one round does. What is found is told once.
    pub(super) async fn round(&mut self, at: &Look<'_>) -> io::Result<Vec<Finding>> {
        let mut found = Vec::new();
        (self.is_behind, self.shown) = (false, None);
        match self.catch_up(at, &mut found).await {
            Ok(()) => {}
            Err(Trouble::Tell(What::Unreadable(why))) if !self.is_alone => {
                found.push(What::Unreadable(format!("at `{}`: {why}", self.source.url)));
            }
            Err(Trouble::Tell(what)) => found.push(what),
            Err(Trouble::Disk(error)) => return Err(error),
        }
        Ok(found.into_iter().map(|what| Finding { origin: self.source.origin.clone(), what }).collect())
    }

    async fn catch_up(&mut self, at: &Look<'_>, found: &mut Vec<What>) -> Result<(), Trouble> {
        for Shown { origin, checkpoint, tree } in self.shown().await? {
            let shown = self.verified(&origin, &checkpoint)?;
            self.show(origin, shown.checkpoint().size);
            self.follow(&shown, tree.as_ref(), at, found).await?;
            if self.is_behind {
                return Ok(());
            }
            self.settle(tree.as_ref(), at.state, found).await?;
            found.extend(self.age(&shown, at.now));
        }
        Ok(())
    }

    /// Remembers what is shown. Less than before of one tree is no lag, and of another tree there was nothing before.
    fn show(&mut self, tree: String, size: u64) {
        let last = self.last_shown.replace(Extent { tree: tree.clone(), size });
        self.lags = !self.is_alone && last.is_none_or(|last| last.tree != tree || last.size <= size);
        self.shown = Some(Extent { tree, size });
    }

    /// The trees that there is something to read in, in their order.
    async fn shown(&self) -> Result<Vec<Shown>, Trouble> {
        let Source { url, origin, .. } = &self.source;
        let url = url.trim_end_matches('/');
        let mut trees = match rekor_v1::is_at(url) {
            true => RekorTree::show(&self.reader, url, origin).await?,
            false => TileTree::show(&self.reader, url, origin).await?,
        };
        let first = match &self.known.seen {
            Some(seen) => trees.iter().position(|tree| tree.origin == seen.checkpoint.checkpoint().origin),
            None if self.from_now => trees.len().checked_sub(1),
            None => Some(0),
        };
        let first = first.ok_or("it does not show the tree any more that was read").map_err(str::to_owned)?;
        Ok(trees.split_off(first))
    }

    /// Goes on in one tree. What was read is proven to be of what it shows before anybody is told of it, and what was proven
    /// stays so if the rest cannot be read.
    async fn follow(
        &mut self,
        shown: &SignedCheckpoint,
        tree: &dyn Tree,
        at: &Look<'_>,
        found: &mut Vec<What>,
    ) -> Result<(), Trouble> {
        let is_of_it = |seen: &&Seen| seen.checkpoint.checkpoint().origin == shown.checkpoint().origin;
        let known = self.known.seen.as_ref().filter(is_of_it).cloned();
        let seen = match known.clone() {
            Some(seen) => seen,
            None => self.begin(shown, tree).await?,
        };
        let (size, known_size) = (shown.checkpoint().size, seen.checkpoint.checkpoint().size);
        if size < known_size {
            return self.look_back(&seen, shown, tree, at.state).await;
        }
        if seen.grown.range().size() < known_size {
            // Its entries do not show yet that it goes on from what it showed.
            self.compare(&seen, shown, tree, at.state).await?;
        }
        let mut grown = seen.grown.clone();
        let mut noticed = Noticed::of(if self.source.is_opaque { &[] } else { at.watches });
        let read = read(tree, &mut grown, size, at.until, &mut noticed).await;
        match is_prefix(tree, grown.range(), shown).await {
            Ok(true) => {}
            Ok(false) => {
                self.compare(&seen, shown, tree, at.state).await?;
                return Err("its entries are not those of its checkpoint".to_owned().into());
            }
            Err(why) => return self.put_by(&seen, shown, read.err().unwrap_or(why), at.state),
        }
        let is_same = known.is_some_and(|known| known.grown == grown && known_size == size);
        self.known.is_fresh |= !is_same;
        self.is_behind = read.is_ok() && grown.range().size() < size;
        let unread = seen.unread + noticed.unread.map_or(0, |(_, count)| count);
        self.known.seen = Some(Seen { checkpoint: shown.clone(), grown, unread });
        found.extend(noticed.found);
        found.extend(noticed.unread.map(|(first, count)| What::Unread { first, count }));
        Ok(read?)
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
        match self.source.witnesses.as_ref().is_none_or(|policy| policy.is_met_by(&signed, ..)) {
            true => Ok(signed),
            false => Err("the checkpoint does not have the cosignatures of the witness policy".to_owned()),
        }
    }

    /// Whether it is too long ago that the witnesses saw what it shows. One that says that it will see it says nothing of when.
    fn age(&self, shown: &SignedCheckpoint, now: i64) -> Option<What> {
        let (policy, max_age) = self.source.witnesses.as_ref().zip(self.source.max_age)?;
        let now = u64::try_from(now).unwrap_or_default();
        let lately = now.saturating_sub(max_age.as_secs())..=now.saturating_add(MAX_WITNESS_SKEW);
        (!policy.is_met_by(shown, lately)).then(|| What::Old { size: shown.checkpoint().size })
    }

    /// Where to begin with a tree of which nothing is known.
    async fn begin(&self, shown: &SignedCheckpoint, tree: &dyn Tree) -> Result<Seen, Trouble> {
        let range = match self.from_now && self.known.seen.is_none() {
            true => tree.newest(shown.checkpoint().size).await?,
            // Nothing is claimed of it yet: an empty tree is the beginning of any.
            false => Range::default(),
        };
        let unread = self.known.seen.as_ref().map_or(0, |seen| seen.unread);
        Ok(Seen { checkpoint: shown.clone(), grown: Grown::new(range, Vec::new()), unread })
    }

    /// The log shows less than it did: of the same history, as a slow copy does, or of another.
    async fn look_back(
        &self,
        seen: &Seen,
        shown: &SignedCheckpoint,
        tree: &dyn Tree,
        state: &StateDir,
    ) -> Result<(), Trouble> {
        let (size, known) = (shown.checkpoint().size, seen.checkpoint.checkpoint().size);
        match tells_apart(tree, seen, shown).await {
            Ok(true) => Err(Trouble::Tell(self.fork(seen, shown, state)?)),
            Ok(false) if self.lags => Ok(()),
            Ok(false) => Err(Trouble::Tell(What::Stale { size, known })),
            Err(_) => Err(Trouble::Tell(match state.keep_unproven(&self.source.origin, shown)? {
                Some(kept) => What::Unproven { size, known, kept },
                None => What::Stale { size, known },
            })),
        }
    }

    /// Refuses a checkpoint that does not go on from the one that was seen.
    async fn compare(
        &self,
        seen: &Seen,
        shown: &SignedCheckpoint,
        tree: &dyn Tree,
        state: &StateDir,
    ) -> Result<(), Trouble> {
        match is_consistent(tree, &seen.checkpoint, shown).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Trouble::Tell(self.fork(seen, shown, state)?)),
            Err(why) => self.put_by(seen, shown, why, state),
        }
    }

    /// Keeps a checkpoint until something is known of it.
    fn put_by(
        &self,
        seen: &Seen,
        shown: &SignedCheckpoint,
        why: String,
        state: &StateDir,
    ) -> Result<(), Trouble> {
        if seen.checkpoint.checkpoint() != shown.checkpoint() {
            state.keep_unproven(&self.source.origin, shown)?;
        }
        Err(why.into())
    }

    /// Asks again about the checkpoints of which nothing was known.
    async fn settle(&self, tree: &dyn Tree, state: &StateDir, found: &mut Vec<What>) -> Result<(), Trouble> {
        let Some(seen) = &self.known.seen else { return Ok(()) };
        let now = seen.checkpoint.checkpoint();
        for (path, head) in state.unproven(&self.source.origin)? {
            if head.checkpoint().origin != now.origin || head.checkpoint().size > now.size {
                continue;
            }
            match tells_apart(tree, seen, &head).await {
                Ok(true) => found.push(self.fork(seen, &head, state)?),
                Ok(false) => {}
                Err(_) => continue,
            }
            std::fs::remove_file(path)?;
        }
        Ok(())
    }

    fn fork(&self, seen: &Seen, shown: &SignedCheckpoint, state: &StateDir) -> io::Result<What> {
        let (old, new) = (seen.checkpoint.checkpoint().size, shown.checkpoint().size);
        let evidence = state.keep_evidence(&self.source.origin, &seen.checkpoint, shown)?;
        let why = format!("its checkpoint of {new} entries and that of {old} are not of one history");
        Ok(What::Fork { evidence, why })
    }
}

/// What was noticed in entries that were read.
struct Noticed<'a> {
    watches: &'a [Watch],
    found: Vec<What>,
    /// The first that could not be read, and how many.
    unread: Option<(u64, u64)>,
}

/// Reads on, as far as one round does. What was read before an error counts.
async fn read(
    tree: &dyn Tree,
    grown: &mut Grown,
    size: u64,
    until: Instant,
    noticed: &mut Noticed<'_>,
) -> Result<(), String> {
    let first = grown.range().size();
    let end = size.min(first.saturating_add(MAX_ROUND));
    while grown.range().size() < end && (grown.range().size() == first || Instant::now() < until) {
        for entry in tree.entries(grown.range().size(), size).await? {
            noticed.look(&entry, tree.first_index() + grown.range().size());
            grown.push(leaf_hash(&entry));
        }
    }
    Ok(())
}

impl<'a> Noticed<'a> {
    fn of(watches: &'a [Watch]) -> Self {
        Self { watches, found: Vec::new(), unread: None }
    }

    /// The watches that an entry is for. What is not certain to say nothing counts as unread: whoever is watched for may be
    /// in it, and others may be able to read it.
    fn look(&mut self, entry: &[u8], index: u64) {
        if self.watches.is_empty() {
            return;
        }
        let facts = EntryFacts::of(entry);
        if facts.as_ref().map_or_else(|| !EntryFacts::are_none_in(entry), |facts| facts.is_partial) {
            let (_, count) = self.unread.get_or_insert((index, 0));
            *count += 1;
        }
        let Some(facts) = facts else { return };
        let seen = self.watches.iter().filter(|watch| watch.sees(&facts));
        let what =
            |watch: &Watch| What::Entry { watch: watch.name.clone(), index, facts: Box::new(facts.clone()) };
        self.found.extend(seen.map(what));
    }
}

/// The most entries that a round reads of a log, but for the rest of what comes with the last one.
const MAX_ROUND: u64 = 16_384;
