//! The state of a stack as one file, and back.
//!
//! A backup is taken while the stack runs. It is consistent because of its order: what refers to something is
//! read before what it refers to (tags before manifests before content; a log's checkpoint before its entries), and what is
//! referred to stays. What can be made again is left out. Nothing in it is encrypted: it holds every private key.
//!
//! A log that is restored may be older than what it has published. To go on with it would be a second history under one name:
//! it is frozen, and another begins beside it, unless somebody else's head proves that nothing newer exists.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use signet_formats::checkpoint::SignedCheckpoint;
use signet_platform::{Access, Staged};
use signet_services::log;
use signet_services::trust::mark_restored;
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};
use tar::{Archive, Builder, EntryType, Header};

use super::names::{Names, Shard};
use super::trust;

/// What was written or read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// What a restore made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What was read.
    pub copied: Copied,
    /// The logs that go on, because a head proved that nothing newer exists.
    pub resumed: Vec<String>,
    /// The logs that are frozen: others begin in their places.
    pub frozen: Vec<String>,
}

/// Why nothing was written or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is no backup of a stack.
    #[error("it is no backup of a stack: {0}")]
    Foreign(String),
    /// The disk failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A log in the backup is damaged.
    #[error("the log in `{}` cannot be restored: {why}", path.display())]
    Log {
        /// Its directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The directory is not empty.
    #[error("`{}` is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
}

/// Writes the stack in `data`, which may be running, as a tar archive.
pub fn backup(data: &Path, out: impl Write) -> Result<Copied, BackupError> {
    let mut writer = Writer { root: data, archive: Builder::new(out), copied: Copied::default() };
    writer.archive.mode(tar::HeaderMode::Deterministic);
    for path in ORDER {
        writer.add(Path::new(path))?;
    }
    let failed = |error| BackupError::Io { path: data.to_owned(), error };
    writer.archive.into_inner().and_then(|mut out| out.flush()).map_err(failed)?;
    Ok(writer.copied)
}

/// Makes the stack of a backup in `data`, which has to be absent or empty. `heads` are the newest checkpoints that others saw of
/// its logs.
pub fn restore(
    archive: impl Read,
    data: &Path,
    heads: &[SignedCheckpoint],
    now: i64,
) -> Result<Restored, BackupError> {
    let failed = |error| BackupError::Io { path: data.to_owned(), error };
    let data = &std::path::absolute(data).map_err(failed)?;
    // Under its name only once it is whole: half a stack would make the missing half anew.
    let mut unfinished = data.clone().into_os_string();
    unfinished.push(".restoring");
    let unfinished = PathBuf::from(unfinished);
    for path in [data, &unfinished] {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                return Err(BackupError::NotEmpty { path: path.clone() });
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let root = DataDir::open(&unfinished, Kind::Stack)
        .map_err(|error| BackupError::Io { path: unfinished.clone(), error: io::Error::other(error) })?;
    let copied = unpack(archive, root.path())?;
    let mut restored = Restored { copied, ..Restored::default() };
    let names = settle(&root, heads, now, &mut restored)?;
    names.keep(&root).map_err(failed)?;
    root.disk().rename(&unfinished, data).map_err(failed)?;
    Ok(restored)
}

/// Decides about each log that was written to: it goes on, or another begins.
fn settle(
    root: &DataDir,
    heads: &[SignedCheckpoint],
    now: i64,
    restored: &mut Restored,
) -> Result<Names, BackupError> {
    let foreign = |error: &dyn std::fmt::Display| BackupError::Foreign(error.to_string());
    let mut names = Names::read(root)
        .map_err(|error| foreign(&error))?
        .ok_or_else(|| foreign(&"it has no `stack.json`"))?;
    // It may have been taken into use since; what takes its place is made anew.
    names.next = None;
    mark_restored(&root.path().join(trust::DIR)).map_err(|error| foreign(&error))?;
    for (kind, shards) in [("log", &mut names.log), ("ct", &mut names.ct)] {
        for shard in shards.iter() {
            let path = Names::dir(root, kind, shard);
            log::make_dirs(root.disk(), &path).map_err(|error| BackupError::Io { path, error })?;
        }
        let Some(current) = shards.last_mut() else { continue };
        let path = Names::dir(root, kind, current);
        match is_newest(&path, heads)? {
            true => restored.resumed.push(current.origin.clone()),
            false => {
                let marker = path.join("frozen");
                let put = root.disk().put(root.path(), &marker, b"");
                put.map_err(|error| BackupError::Io { path: marker, error })?;
                current.end = Some(now);
                restored.frozen.push(current.origin.clone());
                shards.push(Shard::new(kind, now));
            }
        }
    }
    Ok(names)
}

/// Whether one of the heads is of this log, signed by its key, and has exactly what is here.
fn is_newest(path: &Path, heads: &[SignedCheckpoint]) -> Result<bool, BackupError> {
    let unusable =
        |why: &dyn std::fmt::Display| BackupError::Log { path: path.to_owned(), why: why.to_string() };
    let found = log::fsck(path).map_err(|error| unusable(&error))?;
    if let Some(finding) = found.findings.first() {
        return Err(unusable(finding));
    }
    let keys = log::keys_of(path).map_err(|error| unusable(&error))?;
    Ok(heads.iter().any(|head| {
        let checkpoint = head.checkpoint();
        let is_here = (checkpoint.size, checkpoint.root) == (found.size, found.root);
        checkpoint.origin == found.origin
            && is_here
            && keys.iter().any(|key| log::verify_head(head, key).is_ok())
    }))
}

struct Writer<'a, W: Write> {
    root: &'a Path,
    archive: Builder<W>,
    copied: Copied,
}

impl<W: Write> Writer<'_, W> {
    /// A file, or all that is in a directory, if it is there.
    fn add(&mut self, path: &Path) -> Result<(), BackupError> {
        if is_left_out(path) {
            return Ok(());
        }
        let whole = self.root.join(path);
        let failed = |error| BackupError::Io { path: whole.clone(), error };
        let kind = match fs::symlink_metadata(&whole) {
            Ok(found) => found.file_type(),
            // Not made yet, or removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        match kind.is_dir() {
            true => self.add_dir(path, &whole),
            false => self.add_file(path, &whole).map_err(failed),
        }
    }

    fn add_dir(&mut self, path: &Path, whole: &Path) -> Result<(), BackupError> {
        let failed = |error| BackupError::Io { path: whole.to_owned(), error };
        let entries = fs::read_dir(whole).map_err(failed)?;
        let mut names: Vec<_> = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let rank = |name: &std::ffi::OsString| {
            FIRST.iter().position(|first| name.as_os_str() == *first).unwrap_or(FIRST.len())
        };
        names.sort_by_key(|name| (rank(name), name.clone()));
        names.iter().try_for_each(|name| self.add(&path.join(name)))
    }

    /// As much of a file as it has now: it may be growing.
    fn add_file(&mut self, path: &Path, whole: &Path) -> io::Result<()> {
        let file = match File::open(whole) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let mut header = Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_entry_type(EntryType::Regular);
        self.archive.append_data(&mut header, path, file.take(length))?;
        self.copied.files += 1;
        self.copied.bytes += length;
        Ok(())
    }
}

/// Locks, what is unfinished, and what is made again from the rest.
fn is_left_out(path: &Path) -> bool {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    matches!(
        parts.as_slice(),
        ["ca" | "tsa" | "trust", "lock"]
            | ["log", "log.request" | "log.answer"]
            | ["registry", "lock" | "scratch" | "damaged"]
            | ["log" | "ct", _, "lock" | "tmp" | "hashes" | "index" | "torn"]
            | ["registry", "repositories", .., "_uploads"]
    )
}

/// Writes the files of an archive below `root`, each of them synced.
fn unpack(archive: impl Read, root: &Path) -> Result<Copied, BackupError> {
    let foreign = |error: io::Error| BackupError::Foreign(error.to_string());
    let (disk, mut copied) = (Disk::default(), Copied::default());
    let mut archive = Archive::new(archive);
    for entry in archive.entries().map_err(foreign)? {
        let mut entry = entry.map_err(foreign)?;
        let path = entry.path().map_err(foreign)?.into_owned();
        let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
        let first = path.components().next().map(|part| part.as_os_str().to_owned());
        let is_ours = first.is_some_and(|first| ORDER.iter().any(|known| first == **known));
        if !is_below || !is_ours || entry.header().entry_type() != EntryType::Regular {
            return Err(BackupError::Foreign(format!("`{}` does not belong there", path.display())));
        }
        let target = root.join(&path);
        let written = write(&disk, &target, &mut entry);
        copied.bytes += written.map_err(|error| BackupError::Io { path: target, error })?;
        copied.files += 1;
    }
    Ok(copied)
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

/// What a stack consists of. What refers to something comes before it.
const ORDER: [&str; 7] = ["stack.json", "trust", "ca", "tsa", "registry", "ct", "log"];
/// Within a directory, what comes before the rest.
const FIRST: [&str; 10] = [
    "_tags",
    "_referrers",
    "_indexes",
    "_manifests",
    "repositories",
    "checkpoint",
    "log.json",
    "entries",
    "repository",
    "timestamp.json",
];
