use std::collections::BTreeMap;

use signet_testkit::forge::TrustRepository;
use signet_verify::tuf::{Change, Found, Freshness, Refusal, SearchStep, Source, Step, Updater};

/// The time of every test that does not choose its own.
pub(crate) const NOW: i64 = 1_795_000_000;

/// A client that keeps its store in memory, and notes what it asked for.
pub(crate) struct Client {
    pub(crate) store: BTreeMap<String, Vec<u8>>,
    pub(crate) asked: Vec<String>,
    pub(crate) at: i64,
    pub(crate) freshness: Freshness,
}

impl Client {
    /// A client that has pinned the repository's first root.
    pub(crate) fn of(repository: &TrustRepository) -> Self {
        let root = repository.files["1.root.json"].clone();
        let store = BTreeMap::from([("root.json".to_owned(), root)]);
        Self { store, asked: Vec::new(), at: NOW, freshness: Freshness::Expiry }
    }

    pub(crate) fn update(&mut self, repository: &TrustRepository) -> Result<Updater, Refusal> {
        self.asked.clear();
        let root = self.store["root.json"].clone();
        let mut updater = Updater::new(&root, self.at, Source::Repository, self.freshness)?;
        loop {
            let file = match updater.step()? {
                Step::Done => return Ok(updater),
                Step::Read(name) => self.store.get(&name),
                Step::Fetch(wanted) => {
                    self.asked.push(wanted.name.clone());
                    repository.files.get(&wanted.name).filter(|file| file.len() <= wanted.max_bytes)
                }
            };
            let changes = updater.take(file.cloned().as_deref())?;
            self.apply(changes);
        }
    }

    /// What the store alone leads to.
    pub(crate) fn load(&self) -> Result<Updater, Refusal> {
        let mut updater = Updater::new(&self.store["root.json"], self.at, Source::Store, self.freshness)?;
        while let Step::Read(name) = updater.step()? {
            let changes = updater.take(self.store.get(&name).map(Vec::as_slice))?;
            assert_eq!(changes, []);
        }
        Ok(updater)
    }

    pub(crate) fn search(
        &mut self,
        updater: &Updater,
        repository: &TrustRepository,
        target: &str,
    ) -> Result<Option<Found>, Refusal> {
        self.asked.clear();
        let mut search = updater.search(target)?;
        loop {
            let file = match search.step()? {
                SearchStep::Done(found) => return Ok(found),
                SearchStep::Read(name) => self.store.get(&name),
                SearchStep::Fetch(wanted) => {
                    self.asked.push(wanted.name.clone());
                    repository.files.get(&wanted.name)
                }
            };
            let changes = search.take(file.cloned().as_deref())?;
            self.apply(changes);
        }
    }

    /// Updates, then searches.
    pub(crate) fn find(
        &mut self,
        repository: &TrustRepository,
        target: &str,
    ) -> Result<Option<Found>, Refusal> {
        let updater = self.update(repository)?;
        self.search(&updater, repository, target)
    }

    /// The version of what is stored of a role.
    pub(crate) fn version(&self, role: &str) -> Option<u64> {
        let file: serde_json::Value =
            serde_json::from_slice(self.store.get(&format!("{role}.json"))?).unwrap();
        file["signed"]["version"].as_u64()
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Store { name, bytes } => drop(self.store.insert(name, bytes)),
                Change::Remove(name) => drop(self.store.remove(&name)),
            }
        }
    }
}

/// Rewrites a served file's JSON, keeping its signatures.
pub(crate) fn rewrite(
    repository: &mut TrustRepository,
    name: &str,
    change: impl FnOnce(&mut serde_json::Value),
) {
    let mut file: serde_json::Value = serde_json::from_slice(&repository.files[name]).unwrap();
    change(&mut file);
    repository.files.insert(name.to_owned(), file.to_string().into_bytes());
}
