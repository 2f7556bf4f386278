//! Power loss: what a disk may hold when the power goes, from the journal of all that was done to it.
//!
//! The model is a POSIX file system at its worst: bytes last once their file was synced, names once their directory
//! was, each for itself and in no order. What was not synced may have reached the disk or not: a file may end
//! anywhere in what was written to it, or have the length and zeros for the bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use signet_store::fs::{Faults, Step};

use super::random::Random;

/// Writes down what is done to a disk, and what clients know meanwhile.
#[derive(Default)]
pub(super) struct Journal<K> {
    events: Mutex<Vec<Event<K>>>,
}

/// Something done to the disk, or told to a client.
#[derive(Clone)]
pub(super) enum Event<K> {
    Create(PathBuf),
    Known(Box<K>),
    MakeDir(PathBuf),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    SyncDir(PathBuf),
    SyncFile(PathBuf),
    Write(PathBuf, Vec<u8>),
}

impl<K: Clone> Journal<K> {
    pub(super) fn know(&self, known: &K) {
        self.push(Event::Known(Box::new(known.clone())));
    }

    pub(super) fn events(&self) -> Vec<Event<K>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, event: Event<K>) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl<K: Clone + Send> Faults for Journal<K> {
    /// What changes the disk may have done so as soon as it began; a sync counts once it is over.
    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        let path = path.to_owned();
        self.push(match step {
            Step::Create => Event::Create(path),
            Step::MakeDir => Event::MakeDir(path),
            Step::Remove | Step::RemoveDir => Event::Remove(path),
            Step::Rename { from } => Event::Rename(from.to_owned(), path),
            Step::Write(bytes) => Event::Write(path, bytes.to_owned()),
            Step::SyncDir | Step::SyncFile => return Ok(()),
        });
        Ok(())
    }

    fn after(&self, step: Step<'_>, path: &Path) {
        match step {
            Step::SyncFile => self.push(Event::SyncFile(path.to_owned())),
            Step::SyncDir => self.push(Event::SyncDir(path.parent().unwrap_or(path).to_owned())),
            _ => {}
        }
    }
}

/// The disk after part of a journal.
#[derive(Default)]
pub(super) struct Model<K> {
    files: Vec<File>,
    /// As programs see it.
    seen: BTreeMap<PathBuf, Entry>,
    /// As it certainly is after the power came back.
    durable: BTreeMap<PathBuf, Entry>,
    /// What clients know.
    pub(super) known: K,
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    /// So many of them are durable.
    synced: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Directory,
    /// Which of the files.
    File(usize),
}

/// What becomes of that which was not synced.
pub(super) enum Unsynced {
    /// It is lost.
    Lost,
    /// Some of it is lost.
    Random(Random),
}

impl<K: Clone> Model<K> {
    pub(super) fn apply(&mut self, event: &Event<K>) {
        match event {
            Event::Create(path) if !self.seen.contains_key(path) => {
                self.files.push(File::default());
                self.seen.insert(path.clone(), Entry::File(self.files.len() - 1));
            }
            Event::Create(_) => {}
            Event::Known(known) => self.known = (**known).clone(),
            Event::MakeDir(path) => drop(self.seen.insert(path.clone(), Entry::Directory)),
            Event::Remove(path) => self.remove(path),
            Event::Rename(from, to) => {
                if let Some(entry) = self.seen.remove(from) {
                    self.seen.insert(to.clone(), entry);
                }
            }
            Event::SyncDir(dir) => self.sync_dir(dir),
            Event::SyncFile(path) => {
                self.file(path).into_iter().for_each(|file| file.synced = file.bytes.len())
            }
            Event::Write(path, bytes) => {
                self.file(path).into_iter().for_each(|file| file.bytes.extend_from_slice(bytes));
            }
        }
    }

    /// Makes the directory `to` what `from` is after the power came back.
    pub(super) fn restore(&self, from: &Path, to: &Path, unsynced: &mut Unsynced) -> io::Result<()> {
        // Shorter paths come first, so directories do before what is in them.
        for (path, entry) in self.survivors(unsynced) {
            let Ok(below) = path.strip_prefix(from) else { continue };
            let target = to.join(below);
            if !target.parent().is_some_and(Path::is_dir) {
                continue;
            }
            match entry {
                Entry::Directory => fs::create_dir(&target)?,
                Entry::File(number) => {
                    let file = self.files.get(number);
                    fs::write(&target, file.map(|file| file.survives(unsynced)).unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }

    fn survivors(&self, unsynced: &mut Unsynced) -> BTreeMap<PathBuf, Entry> {
        let mut survivors = self.durable.clone();
        let Unsynced::Random(random) = unsynced else { return survivors };
        for path in self.seen.keys().chain(self.durable.keys()) {
            let (seen, durable) = (self.seen.get(path), self.durable.get(path));
            if seen == durable || random.coin() {
                continue;
            }
            match seen {
                Some(entry) => drop(survivors.insert(path.clone(), *entry)),
                None => drop(survivors.remove(path)),
            }
        }
        survivors
    }

    fn remove(&mut self, path: &Path) {
        // The step comes before it is known whether a directory is empty; then nothing happens.
        let is_above = |other: &PathBuf| other != path && other.starts_with(path);
        if !self.seen.keys().any(is_above) {
            self.seen.remove(path);
        }
    }

    fn sync_dir(&mut self, dir: &Path) {
        self.durable.retain(|path, _| path.parent() != Some(dir));
        let entries = self.seen.iter().filter(|(path, _)| path.parent() == Some(dir));
        self.durable.extend(entries.map(|(path, entry)| (path.clone(), *entry)));
    }

    fn file(&mut self, path: &Path) -> Option<&mut File> {
        match self.seen.get(path) {
            Some(Entry::File(number)) => self.files.get_mut(*number),
            _ => None,
        }
    }
}

impl File {
    fn survives(&self, unsynced: &mut Unsynced) -> Vec<u8> {
        let Unsynced::Random(random) = unsynced else {
            return self.bytes.get(..self.synced).unwrap_or_default().to_vec();
        };
        let end = self.synced + random.below(self.bytes.len() - self.synced + 1);
        let mut bytes = self.bytes.get(..end).unwrap_or_default().to_vec();
        if random.coin() {
            bytes.iter_mut().skip(self.synced).for_each(|byte| *byte = 0);
        }
        bytes
    }
}
