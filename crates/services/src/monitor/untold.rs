//! What is to be told and was not taken yet: a webhook that is down for long may not fill the memory.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem::size_of;

use signet_crypto::Digest;
use signet_formats::rekor::EntryFacts;

use super::state::StateDir;
use super::{Finding, What};

/// Findings in a line, the oldest first. What finds no room is counted, and the line says so in its place; a fork always finds some.
pub(super) struct Untold {
    waiting: VecDeque<Finding>,
    /// How large these are, about.
    bytes: usize,
    /// How many findings of each log were dropped, ever.
    dropped: BTreeMap<String, u64>,
    /// Whether that is on disk.
    is_kept: bool,
}

impl Untold {
    pub(super) fn load(state: &StateDir) -> io::Result<Self> {
        let (waiting, bytes) = Default::default();
        Ok(Self { waiting, bytes, dropped: state.dropped()?, is_kept: true })
    }

    /// Puts findings at the end of the line; how many were dropped instead.
    pub(super) fn put(&mut self, news: Vec<Finding>) -> u64 {
        news.into_iter().map(|finding| u64::from(!self.put_one(finding))).sum()
    }

    pub(super) fn first(&self) -> Option<&Finding> {
        self.waiting.front()
    }

    pub(super) fn took_first(&mut self) {
        if let Some(finding) = self.waiting.pop_front() {
            self.bytes = self.bytes.saturating_sub(weight(&finding));
        }
    }

    /// How many findings of a log were dropped, ever.
    pub(super) fn dropped(&self, origin: &str) -> u64 {
        self.dropped.get(origin).copied().unwrap_or_default()
    }

    pub(super) fn keep(&mut self, state: &StateDir) -> io::Result<()> {
        if !self.is_kept {
            state.keep_dropped(&self.dropped)?;
            self.is_kept = true;
        }
        Ok(())
    }

    fn put_one(&mut self, finding: Finding) -> bool {
        let weight = weight(&finding);
        let has_room = self.waiting.len() < MAX_WAITING && self.bytes + weight <= MAX_WAITING_BYTES;
        if !has_room && !finding.what.is_fork() {
            self.drop_one(finding.origin);
            return false;
        }
        self.bytes += weight;
        self.waiting.push_back(finding);
        true
    }

    /// Whoever is told of the others is told how many are missing: by one finding of each log.
    fn drop_one(&mut self, origin: String) {
        *self.dropped.entry(origin.clone()).or_default() += 1;
        self.is_kept = false;
        let is_of_it = |finding: &&mut Finding| finding.origin == origin;
        let said =
            self.waiting.iter_mut().rev().filter(is_of_it).find_map(|finding| match &mut finding.what {
                What::Dropped { count } => Some(count),
                _ => None,
            });
        match said {
            Some(count) => *count += 1,
            None => {
                let finding = Finding { origin, what: What::Dropped { count: 1 } };
                self.bytes += weight(&finding);
                self.waiting.push_back(finding);
            }
        }
    }
}

/// About how much memory a finding takes.
fn weight(finding: &Finding) -> usize {
    let said = match &finding.what {
        What::Entry { watch, facts, .. } => watch.len() + weight_of_facts(facts),
        What::Fork { evidence, why } => evidence.as_os_str().len() + why.len(),
        What::Unproven { kept, .. } => kept.as_os_str().len(),
        What::Unreadable(why) => why.len(),
        What::Stale { .. } | What::Unread { .. } | What::Old { .. } | What::Dropped { .. } => 0,
    };
    size_of::<Finding>() + finding.origin.len() + said
}

fn weight_of_facts(facts: &EntryFacts) -> usize {
    let names = facts.identities.iter().chain(&facts.issuer);
    let texts: usize = names.map(|name| size_of::<String>() + name.len()).sum();
    size_of::<EntryFacts>() + texts + (facts.digests.len() + facts.keys.len()) * size_of::<Digest>()
}

/// The most findings that wait, but for forks and for what says that others were dropped.
const MAX_WAITING: usize = 10_000;
/// How much memory those take at most, about.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn line(dir: &tempfile::TempDir) -> (StateDir, Untold) {
        let state = StateDir::open(dir.path().to_owned()).unwrap();
        let line = Untold::load(&state).unwrap();
        (state, line)
    }

    fn entry(index: u64, identity: &str) -> Finding {
        let facts = EntryFacts { identities: vec![identity.to_owned()], ..EntryFacts::default() };
        let what = What::Entry { watch: "ours".to_owned(), index, facts: Box::new(facts) };
        Finding { origin: "a".to_owned(), what }
    }

    fn fork() -> Finding {
        let what = What::Fork { evidence: PathBuf::from("evidence"), why: "why".to_owned() };
        Finding { origin: "b".to_owned(), what }
    }

    fn taken(line: &mut Untold) -> Vec<Finding> {
        let mut taken = Vec::new();
        while let Some(finding) = line.first() {
            taken.push(finding.clone());
            line.took_first();
        }
        taken
    }

    #[test]
    fn what_a_webhook_does_not_take_is_bounded_and_no_fork_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let (state, mut line) = line(&dir);
        let most = MAX_WAITING as u64;
        assert_eq!(line.put((0..most).map(|index| entry(index, "who")).collect()), 0);
        assert_eq!(line.put(vec![entry(most, "who"), fork(), entry(most + 1, "who")]), 2);
        line.keep(&state).unwrap();
        let told = taken(&mut line);
        let (first, rest) = told.split_at(MAX_WAITING);
        assert!((0..).zip(first).all(|(index, finding)| *finding == entry(index, "who")), "the oldest first");
        let dropped = Finding { origin: "a".to_owned(), what: What::Dropped { count: 2 } };
        assert_eq!(rest, [dropped, fork()]);
        assert_eq!((line.bytes, line.dropped("a"), line.dropped("b")), (0, 2, 0));
        assert_eq!(line.put(vec![entry(0, "who")]), 0, "there is room again");
        let again = Untold::load(&state).unwrap();
        assert_eq!(again.dropped("a"), 2, "also after a restart");
    }

    #[test]
    fn what_a_webhook_does_not_take_is_bounded_in_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (_state, mut line) = line(&dir);
        let long = "w".repeat(MAX_WAITING_BYTES / 16);
        assert_eq!(line.put((0..20).map(|index| entry(index, &long)).collect()), 5);
        assert!(line.bytes <= MAX_WAITING_BYTES + weight(&fork()));
        assert_eq!(taken(&mut line).len(), 15 + 1);
    }
}
