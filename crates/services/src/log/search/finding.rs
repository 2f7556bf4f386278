//! A query being answered: what the index names is read from the log and compared.

use std::fs::File;
use std::io;
use std::path::Path;

use signet_formats::rekor::EntryFacts;
use signet_formats::tlog::{Entries, EntryBundle, TILE_WIDTH};
use signet_store::fs::read_exact_at;

use super::{MAX_HITS, Query, Term, file_of};
use crate::log::ReadError;
use crate::log::chunk::{CHUNK_WIDTH, Layout};

/// A query being answered.
pub(super) struct Finding<'a> {
    query: &'a Query,
    layout: &'a Layout,
    read: &'a dyn Fn(EntryBundle) -> Result<Vec<u8>, ReadError>,
    size: u64,
    pub(super) hits: Vec<(u64, EntryFacts)>,
    /// How many entries that the index names may still be read.
    left: u64,
    /// What was read last: the next entry is often beside it.
    last: Option<(EntryBundle, Vec<u8>)>,
}

impl<'a> Finding<'a> {
    pub(super) fn new(
        query: &'a Query,
        layout: &'a Layout,
        read: &'a dyn Fn(EntryBundle) -> Result<Vec<u8>, ReadError>,
        size: u64,
    ) -> Self {
        Self { query, layout, read, size, hits: Vec::new(), left: 0, last: None }
    }

    /// Reads what the index names, at most so many entries. Returns where to go on.
    pub(super) fn by_term(
        &mut self,
        term: Term,
        filed: u64,
        recent: &[u64],
        most: u64,
    ) -> Result<Option<u64>, ReadError> {
        self.left = most;
        for number in self.query.from / CHUNK_WIDTH..filed / CHUNK_WIDTH {
            let named = lookup(&file_of(self.layout, number), term)?;
            if let Some(next) = self.consider(&named)? {
                return Ok(Some(next));
            }
        }
        self.consider(recent)
    }

    /// Looks at the entries at these indices. Where to go on, if enough were found or read.
    fn consider(&mut self, indices: &[u64]) -> Result<Option<u64>, ReadError> {
        let wanted = self.query.from..self.size;
        for index in indices.iter().filter(|index| wanted.contains(index)) {
            if self.is_full() || self.left == 0 {
                return Ok(Some(*index));
            }
            self.left -= 1;
            let facts = self.facts(*index)?;
            self.take(*index, facts);
        }
        Ok(None)
    }

    fn facts(&mut self, index: u64) -> Result<Option<EntryFacts>, ReadError> {
        let bundle = EntryBundle::of_log(index / TILE_WIDTH, self.size);
        let bundle = bundle.ok_or_else(|| io::Error::other("no such bundle"))?;
        let place = usize::try_from(index % TILE_WIDTH).map_err(io::Error::other)?;
        let bytes = match self.last.take().filter(|(last, _)| *last == bundle) {
            Some((_, bytes)) => bytes,
            None => (self.read)(bundle)?,
        };
        let facts = Entries::new(&bytes).nth(place).and_then(Result::ok).and_then(EntryFacts::of);
        self.last = Some((bundle, bytes));
        Ok(facts)
    }

    /// Reads so many entries from an index on. Where to go on.
    pub(super) fn by_reading(&mut self, from: u64, most: u64) -> Result<Option<u64>, ReadError> {
        let mut index = from;
        while let Some(bundle) = EntryBundle::of_log(index / TILE_WIDTH, self.size) {
            if index.saturating_sub(from) >= most {
                return Ok(Some(index));
            }
            let skip = usize::try_from(index - bundle.first_entry()).map_err(io::Error::other)?;
            let entries = facts_of(&(self.read)(bundle)?)?;
            if skip >= entries.len() {
                return Ok(None);
            }
            for facts in entries.into_iter().skip(skip) {
                if self.is_full() {
                    return Ok(Some(index));
                }
                self.take(index, facts);
                index += 1;
            }
        }
        Ok(None)
    }

    fn take(&mut self, index: u64, facts: Option<EntryFacts>) {
        if let Some(facts) = facts.filter(|facts| self.query.is_met(facts)) {
            self.hits.push((index, facts));
        }
    }

    fn is_full(&self) -> bool {
        self.hits.len() >= self.query.limit.clamp(1, MAX_HITS)
    }
}

/// The facts of each entry of a bundle; `None` for those of another kind.
pub(super) fn facts_of(bundle: &[u8]) -> io::Result<Vec<Option<EntryFacts>>> {
    Entries::new(bundle).map(|entry| entry.map(EntryFacts::of).map_err(io::Error::other)).collect()
}

/// The indices under a term in a file.
fn lookup(path: &Path, term: Term) -> io::Result<Vec<u64>> {
    let file = File::open(path)?;
    let count = file.metadata()?.len() / RECORD_BYTES;
    let record = |number: u64| {
        let mut halves = [[0; 8]; 2];
        read_exact_at(&file, halves.as_flattened_mut(), number * RECORD_BYTES)?;
        Ok::<_, io::Error>(halves)
    };
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        let [found, _] = record(middle)?;
        if found < term { low = middle + 1 } else { high = middle }
    }
    let mut indices = Vec::new();
    while low < count {
        let [found, index] = record(low)?;
        if found != term {
            break;
        }
        indices.push(u64::from_be_bytes(index));
        low += 1;
    }
    Ok(indices)
}

const RECORD_BYTES: u64 = 16;
