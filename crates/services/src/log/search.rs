//! Finding entries by digest, key, identity and time, in an index that is made from the log alone.
//!
//! For each 65,536 entries there is a file, sorted by the first eight bytes of a hash over what an entry can be found by;
//! the newest entries are in memory. The hash has a key, which stands beside the files for their owner only: who has the files
//! alone cannot ask them about addresses that he knows. What is found is read from the log and compared, so the index can be
//! wrong only by leaving out. Trusted? No. May it be lost? Yes: it is made again, also if only the key is lost.

mod finding;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use signet_crypto::Digest;
use signet_formats::rekor::EntryFacts;
use signet_formats::tlog::{EntryBundle, TILE_WIDTH};
use signet_keys::HashKey;
use signet_store::fs::Disk;

use super::archive::Archive;
use super::chunk::{CHUNK_WIDTH, Layout};
use super::{Log, ReadError};
use finding::{Finding, facts_of};

/// What is looked for. All that is given has to be met.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The digest of what was signed.
    pub digest: Option<Digest>,
    /// The SHA-256 of the public key.
    pub key: Option<Digest>,
    /// The subject of the certificate.
    pub identity: Option<String>,
    /// Certificates from this time on, in seconds since 1970.
    pub since: Option<i64>,
    /// Certificates until this time.
    pub until: Option<i64>,
    /// The shard to begin in; unset, the oldest.
    pub shard: Option<String>,
    /// The index in it to begin at.
    pub from: u64,
    /// How many entries are wanted, at most [`MAX_HITS`].
    pub limit: usize,
}

impl Query {
    fn is_met(&self, facts: &EntryFacts) -> bool {
        let in_time = |time: i64| {
            self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time <= until)
        };
        self.digest.as_ref().is_none_or(|digest| facts.digests.contains(digest))
            && self.key.as_ref().is_none_or(|key| facts.keys.contains(key))
            && self.identity.as_ref().is_none_or(|identity| facts.identities.contains(identity))
            && (self.since.is_none() && self.until.is_none() || facts.time.is_some_and(in_time))
    }

    /// What the index is asked for; nothing if only a time is given.
    fn term(&self, with: &HashKey) -> Option<Term> {
        let digest = self.digest.as_ref().map(|digest| term(with, "digest", &digest.to_string()));
        let key = || self.key.as_ref().map(|key| term(with, "key", &key.to_string()));
        let identity = || self.identity.as_ref().map(|identity| term(with, "identity", identity));
        digest.or_else(key).or_else(identity)
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries, by rising index, those of the oldest shard first.
    pub hits: Vec<Hit>,
    /// Where to go on, if there may be more.
    pub next: Option<Next>,
    /// How many entries of the log were searched, all pages together.
    pub size: u64,
}

/// Where a search goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The shard to begin in.
    pub shard: String,
    /// The index in it to begin at.
    pub from: u64,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The name of the shard that has it.
    pub shard: String,
    /// Its index there.
    pub index: u64,
    /// What it says.
    pub facts: EntryFacts,
}

/// What was found in one shard.
pub(super) struct Part {
    /// The entries, by rising index.
    pub(super) hits: Vec<(u64, EntryFacts)>,
    /// The index to go on at, if there may be more.
    pub(super) next: Option<u64>,
}

/// The index of a running shard. It follows the log when it is asked.
pub(super) struct Search {
    log: Log,
    key: HashKey,
    newest: Mutex<Newest>,
}

/// What no file has yet.
#[derive(Default)]
struct Newest {
    /// The index of the first entry that is not in a file.
    first: u64,
    /// The index of the first entry that is not here either.
    end: u64,
    terms: BTreeSet<(Term, u64)>,
}

impl Search {
    /// The index of this log; what is missing of it is made while the log runs. Reads the disk.
    pub(super) fn open(log: Log) -> io::Result<Self> {
        let layout = &log.shared.layout;
        log.shared.dir.disk().make_dirs(&directory(layout))?;
        let key = settled_key(layout)?;
        let mut first = 0;
        while file_of(layout, first / CHUNK_WIDTH).is_file() {
            first += CHUNK_WIDTH;
        }
        Ok(Self { log, key, newest: Mutex::new(Newest { first, end: first, terms: BTreeSet::new() }) })
    }

    /// Takes in what the log has published since; at most a chunk at a time. Whether there is more.
    pub(super) fn follow(&self) -> Result<bool, ReadError> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.log.head().checkpoint.size;
        while newest.end < size {
            let bundle = newest.end / TILE_WIDTH;
            let bundle =
                EntryBundle::of_log(bundle, size).ok_or_else(|| io::Error::other("no such bundle"))?;
            let entries = facts_of(&self.log.shared.bundle(bundle)?)?;
            let new = usize::try_from(newest.end - bundle.first_entry()).map_err(io::Error::other)?;
            for facts in entries.iter().skip(new) {
                let index = newest.end;
                newest
                    .terms
                    .extend(facts.iter().flat_map(|facts| terms(&self.key, facts)).map(|term| (term, index)));
                newest.end += 1;
            }
            if newest.end - newest.first == CHUNK_WIDTH {
                newest.file(&self.log.shared.layout, self.log.shared.dir.disk())?;
                return Ok(newest.end < size);
            }
        }
        Ok(false)
    }

    /// The shard's name.
    pub(super) fn shard(&self) -> &str {
        self.log.signer().origin()
    }

    /// What an identity is shown as to those who are not to learn it: the same for the same one. It is not what the index has.
    pub(super) fn tag(&self, identity: &str) -> Digest {
        self.key.hash(format!("shown {identity}").as_bytes())
    }

    /// How many entries the index has.
    pub(super) fn size(&self) -> u64 {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).end
    }

    /// Looks for entries, as far as the index has them. Reads the disk.
    pub(super) fn find(&self, query: &Query) -> Result<Part, ReadError> {
        self.follow()?;
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let term = query.term(&self.key);
        let recent = term.map(|term| newest.named(term)).unwrap_or_default();
        let (filed, size) = (newest.first, newest.end);
        drop(newest);
        let read = |bundle| self.log.shared.bundle(bundle);
        let mut finding = Finding::new(query, &self.log.shared.layout, &read, size);
        let next = match term {
            Some(term) => finding.by_term(term, filed, &recent, MAX_NAMED)?,
            None => finding.by_reading(query.from, MAX_READ)?,
        };
        Ok(Part { hits: finding.hits, next })
    }
}

impl Newest {
    fn named(&self, term: Term) -> Vec<u64> {
        self.terms.range((term, 0)..=(term, u64::MAX)).map(|(_, index)| *index).collect()
    }

    /// Writes the file of a whole chunk: records of term and index, sorted.
    fn file(&mut self, layout: &Layout, disk: &Disk) -> io::Result<()> {
        let bytes: Vec<u8> =
            self.terms.iter().flat_map(|(term, index)| [*term, index.to_be_bytes()].concat()).collect();
        disk.put(&layout.scratch, &file_of(layout, self.first / CHUNK_WIDTH), &bytes)?;
        *self = Self { first: self.end, end: self.end, terms: BTreeSet::new() };
        Ok(())
    }
}

/// Looks for entries of a shard that does not run here, as far as its checkpoint goes. Where there is no index, it reads:
/// whatever `limit` says, to the end.
pub(super) fn find_in(archive: &Archive, size: u64, query: &Query) -> Result<Part, ReadError> {
    let key = HashKey::read(&key_of(&archive.layout))?;
    let mut filed = 0;
    while key.is_some()
        && filed + CHUNK_WIDTH <= size
        && file_of(&archive.layout, filed / CHUNK_WIDTH).is_file()
    {
        filed += CHUNK_WIDTH;
    }
    let read = |bundle| Ok(archive.bundle(bundle)?);
    let mut finding = Finding::new(query, &archive.layout, &read, size);
    let next = match key.as_ref().and_then(|key| query.term(key)) {
        Some(term) => match finding.by_term(term, filed, &[], u64::MAX)? {
            Some(next) => Some(next),
            None => finding.by_reading(filed.max(query.from), u64::MAX)?,
        },
        None => finding.by_reading(query.from, u64::MAX)?,
    };
    Ok(Part { hits: finding.hits, next })
}

type Term = [u8; 8];

fn term(key: &HashKey, kind: &str, value: &str) -> Term {
    let hash = key.hash(format!("{kind} {value}").as_bytes());
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Each of them: whoever logs an entry could hide a name behind others. Readers of certificates bound how many there are.
fn terms(with: &HashKey, facts: &EntryFacts) -> Vec<Term> {
    let digests = facts.digests.iter().map(|digest| term(with, "digest", &digest.to_string()));
    let keys = facts.keys.iter().map(|key| term(with, "key", &key.to_string()));
    let identities = facts.identities.iter().map(|identity| term(with, "identity", identity));
    let mut terms: Vec<Term> = digests.chain(keys).chain(identities).collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}

fn directory(layout: &Layout) -> PathBuf {
    layout.root.join("search")
}

fn file_of(layout: &Layout, chunk: u64) -> PathBuf {
    directory(layout).join(format!("{chunk:012}.3"))
}

fn key_of(layout: &Layout) -> PathBuf {
    directory(layout).join(KEY)
}

/// The key of the index. Files that were made without it go: those of a key that is lost, and those that earlier versions made
/// without any.
fn settled_key(layout: &Layout) -> io::Result<HashKey> {
    let known = HashKey::read(&key_of(layout))?;
    for entry in fs::read_dir(directory(layout))? {
        let path = entry?.path();
        let is_ours =
            path.ends_with(KEY) || known.is_some() && path.extension().is_some_and(|end| end == "3");
        if !is_ours {
            fs::remove_file(path)?;
        }
    }
    known.map_or_else(|| HashKey::make(&key_of(layout)), Ok)
}

/// The most entries of a page.
pub const MAX_HITS: usize = 1_000;
/// The most entries that a page without a term reads.
const MAX_READ: u64 = 4_096;
/// The most entries that a page with a term reads: each of them may lie in another bundle.
const MAX_NAMED: u64 = 1_000;
/// Below the index's directory.
const KEY: &str = "key";
