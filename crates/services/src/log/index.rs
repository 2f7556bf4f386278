//! Which entries are there already: exact, on disk, of bounded memory.
//!
//! The newest chunks are maps in memory; every older one is in a run: a file, sorted by the first eight
//! bytes of leaf hashes, written once. Runs of one size are merged eight to one, so that there are few. A filter
//! in memory (ten bits an entry) says of nearly every new entry that no run has it.
//!
//! Trusted? No: what is found is compared with the leaf's hash; what is missing costs a duplicate, which
//! `fsck` reports. May it be lost? Yes: it is made again from the hashes.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use signet_formats::merkle::Hash;

use super::chunk::{CHUNK_WIDTH, Layout, leaves};
use super::run::{Run, RunName};

/// The runs, shared between who looks up and who merges.
#[derive(Clone, Default)]
pub(super) struct Runs {
    /// By the entries that they cover, without a gap.
    list: Arc<RwLock<Arc<Vec<Arc<Run>>>>>,
}

impl Runs {
    /// Opens those in the directory. What a merge or a crash left over is removed.
    pub(super) fn open(layout: &Layout) -> io::Result<Self> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&layout.index)? {
            let name = entry?.file_name();
            let parsed = name.to_str().and_then(RunName::parse);
            names.push(parsed.ok_or_else(|| io::Error::other(format!("{name:?} is no part of the index")))?);
        }
        // The longest of those that begin at one place is the merged one.
        names.sort_by_key(|name| (name.from, u64::MAX - name.to));
        let mut list = Vec::new();
        let mut end = 0;
        for name in names {
            match name.from == end {
                true => {
                    list.push(Arc::new(Run::open(layout, name)?));
                    end = name.to;
                }
                false => fs::remove_file(layout.index.join(name.to_string()))?,
            }
        }
        Ok(Self { list: Arc::new(RwLock::new(Arc::new(list))) })
    }

    /// Reads all of them: sorted, each with as many entries as its name says.
    pub(super) fn check(layout: &Layout) -> io::Result<()> {
        for entry in fs::read_dir(&layout.index)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().and_then(RunName::parse) else { continue };
            match Run::open(layout, name) {
                // A running log has merged it since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                run => run?.check()?,
            }
        }
        Ok(())
    }

    /// The entries that they cover: all below this index.
    pub(super) fn end(&self) -> u64 {
        self.snapshot().last().map_or(0, |run| run.name().to)
    }

    /// Adds the run of the next chunk.
    pub(super) fn push(&self, run: Run) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut list).push(Arc::new(run));
    }

    /// Where an entry with this leaf hash is, if a run has it.
    pub(super) fn find(&self, layout: &Layout, leaf: &Hash) -> io::Result<Option<u64>> {
        for run in self.snapshot().iter().rev() {
            for index in run.candidates(leaf)? {
                if leaves(layout, index, 1)?.first() == Some(leaf) {
                    return Ok(Some(index));
                }
            }
        }
        Ok(None)
    }

    /// Merges the runs of one size where there are eight; whether there were.
    pub(super) fn merge(&self, layout: &Layout, disk: &signet_store::fs::Disk) -> io::Result<bool> {
        let runs = self.snapshot();
        let equal =
            |runs: &[Arc<Run>]| runs.windows(2).all(|pair| matches!(pair, [a, b] if a.len() == b.len()));
        let Some(at) = runs.windows(FAN_IN).position(equal) else { return Ok(false) };
        let parts = runs.get(at..at + FAN_IN).unwrap_or_default();
        let merged = Arc::new(Run::merge(layout, disk, parts)?);
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        // Others only append.
        Arc::make_mut(&mut list).splice(at..at + FAN_IN, [merged]);
        drop(list);
        for part in parts {
            disk.remove(&layout.index.join(part.name().to_string()))?;
        }
        Ok(true)
    }

    fn snapshot(&self) -> Arc<Vec<Arc<Run>>> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The entries of the newest chunks, and the runs below.
pub(super) struct Index {
    runs: Runs,
    /// The chunks that no run has yet, by number.
    recent: VecDeque<(u64, HashMap<Hash, u64>)>,
}

impl Index {
    pub(super) fn new(runs: Runs) -> Self {
        Self { runs, recent: VecDeque::new() }
    }

    /// Notes an entry. Indices come in order.
    pub(super) fn insert(&mut self, leaf: Hash, index: u64) {
        let chunk = index / CHUNK_WIDTH;
        if self.recent.back().is_none_or(|(last, _)| *last != chunk) {
            self.forget_covered();
            self.recent.push_back((chunk, HashMap::new()));
        }
        if let Some((_, map)) = self.recent.back_mut() {
            map.insert(leaf, index);
        }
    }

    /// Where an entry with this leaf hash is.
    pub(super) fn find(&self, layout: &Layout, leaf: &Hash) -> io::Result<Option<u64>> {
        match self.recent.iter().rev().find_map(|(_, map)| map.get(leaf)) {
            Some(index) => Ok(Some(*index)),
            None => self.runs.find(layout, leaf),
        }
    }

    fn forget_covered(&mut self) {
        let covered = self.runs.end() / CHUNK_WIDTH;
        while self.recent.front().is_some_and(|(chunk, _)| *chunk < covered) {
            self.recent.pop_front();
        }
    }
}

/// How many runs become one.
const FAN_IN: usize = 8;
