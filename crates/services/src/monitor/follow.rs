//! One log, from what was seen of it to what it shows now.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::merkle::{Hash, MerkleError, leaf_hash, verify_consistency};
use signet_formats::note::{KeyKind, MAX_NOTE_BYTES};
use signet_formats::rekor::EntryFacts;
use signet_formats::tlog::{
    Entries, EntryBundle, MAX_ENTRY_BYTES, Nodes, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile,
    consistency_proof, peaks,
};

use super::range::Range;
use super::state::{Seen, StateDir};
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
            state.keep(seen)?;
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
        let shown = self.checkpoint().await?;
        let seen = match &self.seen {
            Some(seen) => seen.clone(),
            None => self.begin(&shown).await?,
        };
        let (known, size) = (seen.range.size(), shown.checkpoint().size);
        if size < known {
            return self.look_back(&seen, &shown, state).await;
        }
        let mut range = seen.range.clone();
        while range.size() < size {
            self.read_bundle(&mut range, size, watches, found).await?;
        }
        if range.root() != shown.checkpoint().root {
            return self.disagree(&seen, &shown, state).await;
        }
        self.is_kept = self.is_kept && self.seen.is_some() && size == known;
        self.seen = Some(Seen { checkpoint: shown, range });
        Ok(())
    }

    /// The checkpoint that the log shows, signed by it and by those who have to cosign.
    async fn checkpoint(&self) -> Result<SignedCheckpoint, Trouble> {
        let bytes = self.get("checkpoint", MAX_NOTE_BYTES).await?;
        let signed = SignedCheckpoint::parse(&bytes).map_err(|error| error.to_string())?;
        let key = &self.source.key;
        let verified = match key.kind() {
            KeyKind::SubtreeV1 => cosignature::verify(&signed, key).map(drop),
            _ => signed.note().verify(key),
        };
        verified.map_err(|error| error.to_string())?;
        if signed.checkpoint().origin != self.source.origin {
            return Err(format!("it is the log `{}`", signed.checkpoint().origin).into());
        }
        let cosigned = |place: usize| {
            let witness = self.source.witnesses.as_ref().and_then(|policy| policy.witnesses().get(place));
            witness.is_some_and(|witness| cosignature::verify(&signed, &witness.key).is_ok())
        };
        match self.source.witnesses.as_ref().is_none_or(|policy| policy.is_met(cosigned)) {
            true => Ok(signed),
            false => {
                Err("the checkpoint does not have the cosignatures of the witness policy".to_owned().into())
            }
        }
    }

    /// Where to begin with a log of which nothing is known.
    async fn begin(&self, shown: &SignedCheckpoint) -> Result<Seen, Trouble> {
        let size = shown.checkpoint().size;
        if !self.from_now {
            // Nothing is claimed of it yet: an empty log is the beginning of any.
            return Ok(Seen { checkpoint: shown.clone(), range: Range::default() });
        }
        let mut hashes = Vec::new();
        for (height, index) in peaks(0, size) {
            hashes.push((height, self.node(height, index, size).await?));
        }
        let range = Range::new(size, hashes).filter(|range| range.root() == shown.checkpoint().root);
        let range = range.ok_or("its tiles are not those of its checkpoint").map_err(str::to_owned)?;
        Ok(Seen { checkpoint: shown.clone(), range })
    }

    /// The root of a complete subtree, out of the tile that has it or what is below it.
    async fn node(&self, height: u8, index: u64, size: u64) -> Result<Hash, Trouble> {
        let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = index << within;
        let tile = Tile::of_tree(level, first / TILE_WIDTH, size)
            .ok_or("a tile outside of the tree")
            .map_err(str::to_owned)?;
        let bytes = self.get(&tile.to_string(), TILE_BYTES).await?;
        let start = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let hashes = bytes.as_chunks::<32>().0.get(start..start.saturating_add(1 << within));
        let hashes = hashes.ok_or_else(|| format!("`{tile}` is too short"))?;
        Ok(signet_formats::merkle::root(hashes))
    }

    /// The entries of the bundle in which the next one is.
    async fn read_bundle(
        &self,
        range: &mut Range,
        size: u64,
        watches: &[Watch],
        found: &mut Vec<What>,
    ) -> Result<(), Trouble> {
        let next = range.size();
        let bundle = EntryBundle::of_log(next / TILE_WIDTH, size)
            .ok_or("an entry outside of the log")
            .map_err(str::to_owned)?;
        let bytes = self.get(&bundle.to_string(), MAX_BUNDLE_BYTES).await?;
        let skip = usize::try_from(next - bundle.first_entry()).unwrap_or(usize::MAX);
        for entry in Entries::new(&bytes).skip(skip).take(usize::from(bundle.width()).saturating_sub(skip)) {
            let entry = entry.map_err(|error| error.to_string())?;
            found.extend(look(entry, range.size(), watches));
            range.push(leaf_hash(entry));
        }
        match range.size() == bundle.first_entry() + u64::from(bundle.width()) {
            true => Ok(()),
            false => Err(format!("`{bundle}` has too few entries").into()),
        }
    }

    /// The log shows less than it did: of the same history, as a slow copy does, or of another.
    async fn look_back(
        &self,
        seen: &Seen,
        shown: &SignedCheckpoint,
        state: &StateDir,
    ) -> Result<(), Trouble> {
        let stale = What::Stale { size: shown.checkpoint().size, known: seen.range.size() };
        match self.is_consistent(shown, &seen.checkpoint).await {
            Ok(false) => self.fork(seen, shown, state),
            // What a slow copy does not have yet cannot be compared.
            Ok(true) | Err(Trouble::Tell(_)) => Err(Trouble::Tell(stale)),
            Err(disk) => Err(disk),
        }
    }

    /// The entries do not give the checkpoint: either they are not the log's, or the checkpoint is of another history.
    async fn disagree(&self, seen: &Seen, shown: &SignedCheckpoint, state: &StateDir) -> Result<(), Trouble> {
        match seen.range.size() == 0 || self.is_consistent(&seen.checkpoint, shown).await? {
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

    /// Whether the log's own tiles prove that one checkpoint goes on from another.
    async fn is_consistent(&self, old: &SignedCheckpoint, new: &SignedCheckpoint) -> Result<bool, Trouble> {
        let (old, new) = (old.checkpoint(), new.checkpoint());
        if old.size == new.size {
            return Ok(old.root == new.root);
        }
        let wanted = Wanted::default();
        consistency_proof(&wanted, old.size, new.size).map_err(|error| error.to_string())?;
        let mut nodes = BTreeMap::new();
        for (height, index) in wanted.0.into_inner() {
            nodes.insert((height, index), self.node(height, index, new.size).await?);
        }
        let proof = consistency_proof(&Got(nodes), old.size, new.size).map_err(|error| error.to_string())?;
        Ok(verify_consistency(old.size, new.size, &old.root, &new.root, &proof).is_ok())
    }

    async fn get(&self, path: &str, limit: usize) -> Result<Vec<u8>, Trouble> {
        let read = self.reader.read(self.source.url.trim_end_matches('/'), path, limit).await;
        Ok(read.map_err(|why| format!("`{path}`: {why}"))?.ok_or_else(|| format!("`{path}` is not there"))?)
    }
}

/// Notes which nodes a proof is made of.
#[derive(Default)]
struct Wanted(RefCell<Vec<(u8, u64)>>);

impl Nodes for Wanted {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        self.0.borrow_mut().push((level, index));
        Ok(Hash::default())
    }
}

/// Those nodes.
struct Got(BTreeMap<(u8, u64), Hash>);

impl Nodes for Got {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        self.0.get(&(level, index)).copied().ok_or(MerkleError::ProofLength)
    }
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

/// A bundle of the longest entries.
const MAX_BUNDLE_BYTES: usize = 256 * (MAX_ENTRY_BYTES + 2);
