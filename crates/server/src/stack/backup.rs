//! The state of a stack as one file; [`super::restore`] has the way back.
//!
//! A backup is taken while the stack runs. It is consistent because of its order: what refers to something is
//! read before what it refers to (tags before manifests before content; a log's checkpoint before its entries), and what is
//! referred to stays. What can be made again is left out. Nothing in it is encrypted: it holds every private key.
//!
//! Its last entry lists all others with their SHA-256, as `sha256sum` does: an archive whose end is missing is none.
//!
//! A move is the backup of a stack that does not run, and never will again where it was: its logs can go on elsewhere.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use signet_services::log::is_request;
use signet_store::{DataDir, Kind, OpenError};
use tar::{Builder, EntryType, Header};

use super::made;
use super::names::{Line, Names};
use super::output::{Output, is_of_output};

/// What was written or read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Why nothing was written or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The directory cannot be opened.
    #[error(transparent)]
    Dir(#[from] OpenError),
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
    /// The backup would become a part of the stack.
    #[error("`{}` is in the stack's own directory", path.display())]
    Inside {
        /// Where it was to be.
        path: PathBuf,
    },
    /// A log in the backup is damaged.
    #[error("the log in `{}` cannot be restored: {why}", path.display())]
    Log {
        /// Its directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Something that was begun is not there as it was.
    #[error("{0}")]
    Lost(String),
    /// The names of the logs cannot be read.
    #[error("{0}")]
    Names(String),
    /// Where the archive goes.
    #[error("the archive cannot be written: {0}")]
    Output(io::Error),
    /// The directory is not empty.
    #[error("`{}` is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
}

/// Writes the stack in `data`, which may be running, as a tar archive.
pub fn backup(data: &Path, out: impl Write, now: i64) -> Result<Copied, BackupError> {
    write_archive(data, out, &About { taken: now, moved: false, listed: true })
}

/// The same of a stack that is not running, and has moved by that: [`is_moved`] from now on, unless `keep` fails. That
/// has the archive written, and is done when the archive is where it is to stay.
pub fn move_out<E: From<BackupError>>(
    data: &Path,
    now: i64,
    keep: impl FnOnce(&dyn Fn(&mut dyn Write) -> Result<Copied, BackupError>) -> Result<Copied, E>,
) -> Result<Copied, E> {
    let root = DataDir::open(data, Kind::Stack).map_err(BackupError::from)?;
    let marker = root.path().join(MOVED);
    let failed = |error| BackupError::Io { path: marker.clone(), error };
    // First: an archive that says that the stack has moved must never be beside one that could start.
    root.disk().put(root.path(), &marker, b"").map_err(failed)?;
    let kept = keep(&|out| write_archive(data, out, &About { taken: now, moved: true, listed: true }));
    if kept.is_err() {
        fs::remove_file(&marker).map_err(failed)?;
    }
    kept
}

/// Whether the stack in this directory has moved: what it was is in an archive.
pub(super) fn is_moved(data: &Path) -> bool {
    data.join(MOVED).exists()
}

fn write_archive(data: &Path, out: impl Write, about: &About) -> Result<Copied, BackupError> {
    let failed = |error| failure(data, error);
    refuse_half(data)?;
    let (archive, list) = (Builder::new(Output(out)), List::default());
    let mut writer = Writer { root: data, archive, copied: Copied::default(), list };
    writer.archive.mode(tar::HeaderMode::Deterministic);
    let text = serde_json::to_vec(about).map_err(|error| failed(error.into()))?;
    writer.append(Path::new(ABOUT), text.len() as u64, text.as_slice()).map_err(failed)?;
    for path in ORDER {
        writer.add(Path::new(path))?;
    }
    writer.end().and_then(Write::flush).map_err(failed)?;
    Ok(writer.copied)
}

/// Refuses a stack of which a part is gone: the backup could not be restored.
fn refuse_half(data: &Path) -> Result<(), BackupError> {
    let names = Names::read_in(data).map_err(|error| BackupError::Names(error.to_string()))?;
    let lost = made::lost(names.as_ref(), data).into_iter().next();
    lost.map_or(Ok(()), |lost| Err(BackupError::Lost(lost.to_string())))
}

/// What an archive says of itself, in its first entry.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// When it was begun, in seconds since 1970.
    pub(super) taken: i64,
    /// Whether the stack has moved.
    pub(super) moved: bool,
    /// Whether a list of all entries is the last one; before there was one it was not said.
    #[serde(default)]
    pub(super) listed: bool,
}

/// The list of all entries, as it grows: a line of each, with its SHA-256 and its name.
#[derive(Default)]
pub(super) struct List(String);

impl List {
    pub(super) fn push(&mut self, path: &Path, digest: &Digest) {
        // As the archive has it, on every system.
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        self.0.extend([digest.hex().as_str(), "  ", &names.join("/"), "\n"]);
    }

    /// Whether these bytes are the same list.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.0.as_bytes() == bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

struct Writer<'a, W: Write> {
    root: &'a Path,
    archive: Builder<Output<W>>,
    copied: Copied,
    list: List,
}

impl<W: Write> Writer<'_, W> {
    /// A file, or all that is in a directory, if it is there.
    fn add(&mut self, path: &Path) -> Result<(), BackupError> {
        if is_left_out(path) {
            return Ok(());
        }
        let whole = self.root.join(path);
        let failed = |error| failure(&whole, error);
        let kind = match fs::symlink_metadata(&whole) {
            // A part of the stack may be on another disk.
            Ok(found) if found.is_symlink() && path.iter().count() <= 2 => {
                fs::metadata(&whole).map_err(failed)?.file_type()
            }
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
        let failed = |error| failure(whole, error);
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
        self.append(path, length, file.take(length))?;
        self.copied.files += 1;
        self.copied.bytes += length;
        Ok(())
    }

    fn append(&mut self, path: &Path, length: u64, content: impl Read) -> io::Result<()> {
        let mut content = Hashing { inner: content, hasher: Hasher::new(DigestAlgorithm::Sha256) };
        self.archive.append_data(&mut header(length), path, &mut content)?;
        self.list.push(path, &content.hasher.finish());
        Ok(())
    }

    /// The list, and the end of the archive.
    fn end(&mut self) -> io::Result<&mut Output<W>> {
        let text = std::mem::take(&mut self.list.0);
        self.archive.append_data(&mut header(text.len() as u64), LIST, text.as_bytes())?;
        self.archive.finish()?;
        Ok(self.archive.get_mut())
    }
}

/// What failed: where the archive goes, or what is at this path.
fn failure(path: &Path, error: io::Error) -> BackupError {
    match is_of_output(&error) {
        true => BackupError::Output(error),
        false => BackupError::Io { path: path.to_owned(), error },
    }
}

/// What is read through it is hashed.
pub(super) struct Hashing<R> {
    pub(super) inner: R,
    pub(super) hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

/// The header of a file, but for its name.
fn header(length: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(length);
    header.set_mode(0o600);
    header.set_entry_type(EntryType::Regular);
    header
}

/// Locks, what is unfinished, and what is made again from the rest.
fn is_left_out(path: &Path) -> bool {
    let is_of_logs = [Line::Log, Line::Ct].iter().any(|line| path.parent() == Some(Path::new(line.dir())));
    if is_of_logs && is_request(path) {
        return true;
    }
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    matches!(
        parts.as_slice(),
        ["ca" | "tsa" | "trust", "lock"]
            | ["registry", "lock" | "scratch" | "damaged"]
            | ["log" | "ct", _, "lock" | "tmp" | "hashes" | "index" | "torn"]
            | ["registry", "repositories", .., "_uploads"]
    )
}

/// What a stack consists of. What refers to something comes before it.
pub(super) const ORDER: [&str; 7] = ["stack.json", "trust", "ca", "tsa", "registry", "ct", "log"];
/// Within a directory, what comes before the rest.
const FIRST: [&str; 11] = [
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
    "made.json",
];
/// What the archive says of itself.
pub(super) const ABOUT: &str = "backup.json";
/// What it says of all other entries.
pub(super) const LIST: &str = "SHA256SUMS";
/// In a stack that has moved.
const MOVED: &str = "moved";

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn where_an_archive_has_no_room_no_file_of_the_stack_is_blamed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tsa")).unwrap();
        fs::write(dir.path().join("tsa/key"), vec![0; 4096]).unwrap();
        for room in [0, 2048, 4096] {
            let failed = backup(dir.path(), Full(room), 0).unwrap_err();
            assert!(matches!(&failed, BackupError::Output(_)), "{room}: {failed}");
        }
    }
}
