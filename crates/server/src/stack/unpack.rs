//! The files of a backup. It is read once, from its beginning to its end, because it may come through a pipe.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::{Component, Path};

use signet_crypto::{DigestAlgorithm, Hasher};
use signet_platform::{Access, Staged};
use signet_store::fs::Disk;
use tar::{Archive, Entry, EntryType};

use super::backup::{ABOUT, About, BackupError, Copied, Hashing, LIST, List, ORDER};

/// Writes the files of an archive below `root`, each of them synced; what it says of itself is not one. Refused if it does
/// not have the end that it was given.
pub(super) fn unpack(archive: impl Read, root: &Path) -> Result<(Copied, About), BackupError> {
    let foreign = |error: io::Error| BackupError::Foreign(error.to_string());
    let read = Cell::new(0);
    let mut archive = Archive::new(Counting { inner: archive, read: &read });
    let (mut unpacking, mut end) = (Unpacking::new(root), 0);
    for entry in archive.entries().map_err(foreign)? {
        let mut entry = entry.map_err(foreign)?;
        // The next header begins at a whole block.
        end = (entry.raw_file_position() + entry.size()).next_multiple_of(BLOCK);
        unpacking.take(&mut entry)?;
    }
    match read.get() > end {
        true => unpacking.end(),
        false => Err(BackupError::Foreign("its end is missing".to_owned())),
    }
}

struct Unpacking<'a> {
    root: &'a Path,
    disk: Disk,
    copied: Copied,
    about: Option<About>,
    list: List,
    /// Whether the list has come, after which there is nothing.
    is_ended: bool,
}

impl<'a> Unpacking<'a> {
    fn new(root: &'a Path) -> Self {
        let (disk, copied, list) = (Disk::default(), Copied::default(), List::default());
        Self { root, disk, copied, about: None, list, is_ended: false }
    }

    fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), BackupError> {
        let foreign = |error: io::Error| BackupError::Foreign(error.to_string());
        let path = entry.path().map_err(foreign)?.into_owned();
        let is_file = entry.header().entry_type() == EntryType::Regular;
        let mut content = Hashing { inner: entry, hasher: Hasher::new(DigestAlgorithm::Sha256) };
        match path.to_str() {
            _ if self.is_ended || !is_file => return Err(misplaced(&path)),
            Some(LIST) => return self.compare(content.inner).map_err(foreign),
            Some(ABOUT) => self.about = Some(stated(&mut content).map_err(foreign)?),
            _ if !is_part(&path) => return Err(misplaced(&path)),
            _ => {
                let target = self.root.join(&path);
                let written = write(&self.disk, &target, &mut content);
                self.copied.bytes += written.map_err(|error| BackupError::Io { path: target, error })?;
                self.copied.files += 1;
            }
        }
        self.list.push(&path, &content.hasher.finish());
        Ok(())
    }

    /// Compares all that came with the list of it.
    fn compare(&mut self, list: &mut impl Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        // One byte more than it should have is enough to tell.
        list.take(self.list.len() + 1).read_to_end(&mut bytes)?;
        self.is_ended = self.list.is(&bytes);
        match self.is_ended {
            true => Ok(()),
            false => Err(io::Error::other(format!("its files are not those of its `{LIST}`"))),
        }
    }

    fn end(self) -> Result<(Copied, About), BackupError> {
        let about = self.about.ok_or_else(|| BackupError::Foreign(format!("it has no `{ABOUT}`")))?;
        match about.listed && !self.is_ended {
            true => Err(BackupError::Foreign(format!("its end is missing: there is no `{LIST}`"))),
            false => Ok((self.copied, about)),
        }
    }
}

/// Whether a file of this name belongs to a stack.
fn is_part(path: &Path) -> bool {
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    let first = path.components().next().map(|part| part.as_os_str().to_owned());
    is_below && first.is_some_and(|first| ORDER.iter().any(|known| first == **known))
}

fn misplaced(path: &Path) -> BackupError {
    BackupError::Foreign(format!("`{}` does not belong there", path.display()))
}

fn stated(content: &mut impl Read) -> io::Result<About> {
    let mut text = Vec::new();
    content.take(MAX_ABOUT_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn write(disk: &Disk, target: &Path, content: &mut impl Read) -> io::Result<u64> {
    if let Some(dir) = target.parent() {
        disk.make_dirs(dir)?;
    }
    let mut staged = Staged::beside(target, Access::Private)?;
    let length = io::copy(content, staged.file())?;
    staged.publish()?;
    Ok(length)
}

/// Counts what is read through it.
struct Counting<'a, R> {
    inner: R,
    read: &'a Cell<u64>,
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.set(self.read.get() + length as u64);
        Ok(length)
    }
}

/// What tar archives are made of.
const BLOCK: u64 = 512;
/// A time and two yeses or noes.
const MAX_ABOUT_BYTES: u64 = 4096;
