//! What clients know: for each thing that can be observed, the values it may have.

use std::collections::{BTreeMap, BTreeSet};

/// Something a client can ask the registry about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A blob or manifest by its digest: its path.
    Content(String),
    /// Whether the list at a path has a digest.
    Referrer(String, String),
    /// What a tag names: its path.
    Tag(String),
    /// An upload in progress: its path.
    Upload(String),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Absent,
    /// At least so many bytes.
    Bytes(u64),
    /// That digest.
    Names(String),
    There,
}

impl Value {
    fn accepts(&self, observed: &Self) -> bool {
        match (self, observed) {
            (Self::Bytes(acknowledged), Self::Bytes(found)) => found >= acknowledged,
            _ => self == observed,
        }
    }
}

/// The effect of a request: what its keys have afterwards.
pub(super) type Changes = Vec<(Key, Value)>;

/// What one client was told, and what it asked for without having an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// One value, or several if a request was not answered. What is not here is absent.
    entries: BTreeMap<Key, Vec<Value>>,
    /// What a manifest keeps: by its digest, itself, its blobs and its place in a list.
    keeps: BTreeMap<String, Vec<Key>>,
    /// By the digest of the subject, the digests of what refers to it.
    referrers: BTreeMap<String, BTreeSet<String>>,
}

impl Ledger {
    /// A request is about to be sent: from now on each key may have either value.
    pub(super) fn begin(&mut self, changes: &Changes) {
        for (key, value) in changes {
            let values = self.entries.entry(key.clone()).or_insert_with(|| vec![Value::Absent]);
            values.push(value.clone());
        }
    }

    /// The request was acknowledged.
    pub(super) fn acknowledge(&mut self, changes: &Changes) {
        for (key, value) in changes {
            self.entries.insert(key.clone(), vec![value.clone()]);
        }
    }

    /// The request was refused: it changed nothing.
    pub(super) fn withdraw(&mut self, changes: &Changes) {
        for (key, _) in changes {
            self.entries.get_mut(key).and_then(Vec::pop);
        }
    }

    /// The registry failed. An upload whose bytes may be lost is given up then.
    pub(super) fn fail(&mut self, changes: &Changes) {
        for (key, _) in changes.iter().filter(|(key, _)| matches!(key, Key::Upload(_))) {
            self.entries.entry(key.clone()).or_default().push(Value::Absent);
        }
    }

    /// What a manifest keeps alive as long as it is kept itself: itself first.
    pub(super) fn keep(&mut self, manifest: &str, keys: Vec<Key>) {
        self.keeps.insert(manifest.to_owned(), keys);
    }

    pub(super) fn refers(&mut self, manifest: &str, subject: &str) {
        self.referrers.entry(subject.to_owned()).or_default().insert(manifest.to_owned());
    }

    /// Where garbage is collected at once, what lost its tag is nobody's business any more. Its blobs
    /// may be another's too.
    pub(super) fn forget(&mut self, manifest: &str) {
        for (place, key) in self.keeps.remove(manifest).into_iter().flatten().enumerate() {
            if place == 0 || matches!(key, Key::Referrer(..)) {
                self.entries.remove(&key);
            }
        }
        for referrer in self.referrers.remove(manifest).into_iter().flatten() {
            self.forget(&referrer);
        }
    }

    /// Everything that is known.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.entries.keys().cloned().collect()
    }

    /// The tags, and what is kept because a tag names it, directly or through what it refers to.
    pub(super) fn kept(&self) -> Vec<Key> {
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        let mut pending = Vec::new();
        for (key, values) in &self.entries {
            if let (Key::Tag(_), [Value::Names(digest)]) = (key, values.as_slice()) {
                pending.push(digest.clone());
            }
        }
        keys.extend(self.entries.keys().filter(|key| matches!(key, Key::Tag(_))).cloned());
        while let Some(digest) = pending.pop() {
            keys.extend(self.keeps.get(&digest).into_iter().flatten().cloned());
            let referrers = self.referrers.get(&digest).into_iter().flatten();
            pending.extend(referrers.filter(|digest| self.is_there(digest)).cloned());
        }
        keys.into_iter().collect()
    }

    /// What a tag names for certain.
    pub(super) fn named(&self, tag: &str) -> Option<&str> {
        match self.entries.get(&Key::Tag(tag.to_owned()))?.as_slice() {
            [Value::Names(digest)] => Some(digest),
            _ => None,
        }
    }

    /// The upload in progress at `path`, if it certainly has so many bytes.
    pub(super) fn uploads(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().filter_map(|(key, values)| match (key, values.as_slice()) {
            (Key::Upload(path), [Value::Bytes(offset)]) => Some((path.as_str(), *offset)),
            _ => None,
        })
    }

    /// Whether a manifest is there for certain.
    fn is_there(&self, manifest: &str) -> bool {
        let key = self.keeps.get(manifest).and_then(|keys| keys.first());
        key.and_then(|key| self.entries.get(key)).is_some_and(|values| *values == [Value::There])
    }

    /// Judges what was observed; from now on it stands.
    pub(super) fn observe(&mut self, key: &Key, observed: Value) -> Result<(), String> {
        let absent = [Value::Absent];
        let allowed = self.entries.get(key).map_or(&absent[..], Vec::as_slice);
        if !allowed.iter().any(|value| value.accepts(&observed)) {
            return Err(format!("{key:?} is {observed:?}; clients were told {allowed:?}"));
        }
        self.entries.insert(key.clone(), vec![observed]);
        Ok(())
    }
}
