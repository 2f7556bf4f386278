//! Data directories: format version, kind, exclusive lock.
//!
//! Trusted? The directory is as trusted as its owner; what is read from it is rechecked by the store
//! that lives in it. What an attacker who can write it gains is said by that store. May it be lost? The
//! two files made here can be made again by hand; the lock holds nothing.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fs::Disk;

/// A directory that one process owns, in a format that this build knows.
pub struct DataDir {
    path: PathBuf,
    disk: Disk,
    format: Format,
    /// Locked as long as it is open.
    _lock: File,
}

impl DataDir {
    /// Opens the data directory of `kind` at `path`, making it if it is absent or empty.
    pub fn open(path: &Path, kind: Kind) -> Result<Self, OpenError> {
        Self::open_on(Disk::default(), path, kind)
    }

    /// The same, on a disk that may inject faults.
    pub fn open_on(disk: Disk, path: &Path, kind: Kind) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io { path: path.to_owned(), error };
        // Every directory below has a parent to sync, and a later change of directory changes nothing.
        let path = &std::path::absolute(path).map_err(io)?;
        let io = |error| OpenError::Io { path: path.clone(), error };
        let fresh = is_absent_or_empty(path).map_err(io)?;
        if fresh {
            disk.make_dirs(path).map_err(io)?;
            signet_platform::restrict(path).map_err(io)?;
        } else if !path.join(FORMAT_FILE).is_file() && !is_half_made(path).map_err(io)? {
            // Someone's home directory, given by mistake, is not to be filled with blobs.
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        let lock = lock(path)?;
        let newest = Format { kind, version: kind.format_version() };
        let format = match path.join(FORMAT_FILE).is_file() {
            true => Format::read(path)?,
            false => newest.write(&disk, path).map(|()| newest).map_err(io)?,
        };
        match format.kind == kind {
            true => Ok(Self { path: path.to_owned(), disk, format, _lock: lock }),
            false => Err(OpenError::Kind { path: path.to_owned(), found: format.kind, wanted: kind }),
        }
    }

    /// States the newest format from now on: called before anything is written in it that earlier versions cannot read.
    pub fn upgrade(&mut self) -> io::Result<()> {
        let Format { kind, version } = self.format;
        let newest = Format { kind, version: kind.format_version() };
        if version != newest.version {
            newest.write(&self.disk, &self.path)?;
            self.format = newest;
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk to write through.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
}

/// What the data directory at `path` is for. It is not opened; refused if it is none, or if a later Signet wrote it.
pub fn format_of(path: &Path) -> Result<Kind, OpenError> {
    let io = |error| OpenError::Io { path: path.to_owned(), error };
    fs::metadata(path).map_err(io)?;
    match path.join(FORMAT_FILE).is_file() {
        true => Format::read(path).map(|format| format.kind),
        false if is_half_made(path).map_err(io)? => Err(OpenError::NotBegun { path: path.to_owned() }),
        false => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

/// What the data directory at `path` is for, as far as that can be read. It is not opened.
pub fn kind_of(path: &Path) -> Option<Kind> {
    let text = fs::read(path.join(FORMAT_FILE)).ok()?;
    serde_json::from_slice::<Format>(&text).ok().map(|format| format.kind)
}

/// Makes a directory one process's, as long as the file is open that is returned.
pub fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK_FILE);
    let io = |error| OpenError::Io { path: path.clone(), error };
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Whether a process has a directory for itself now.
pub fn is_locked(dir: &Path) -> bool {
    matches!(lock(dir), Err(OpenError::InUse { .. }))
}

/// What a data directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A certificate authority.
    Ca,
    /// A log of certificates.
    Ct,
    /// A transparency log.
    Log,
    /// An issuer of identity tokens for development.
    OidcDev,
    /// The registry's repositories.
    Registry,
    /// A repository of trust.
    Trust,
    /// What a client of a repository of trust keeps.
    TrustClient,
    /// A whole stack of services, each in a directory of its own below.
    Stack,
    /// A timestamp authority.
    Tsa,
    /// A witness of logs.
    Witness,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "ca",
            Self::Ct => "ct",
            Self::Log => "log",
            Self::OidcDev => "oidc-dev",
            Self::Registry => "registry",
            Self::Trust => "trust",
            Self::TrustClient => "trust-client",
            Self::Stack => "stack",
            Self::Tsa => "tsa",
            Self::Witness => "witness",
        })
    }
}

impl Kind {
    /// The version of the on-disk format that this build writes; it reads all earlier ones.
    pub fn format_version(self) -> u32 {
        match self {
            // Headers of batches are sealed with a secret.
            Self::Log | Self::Ct => 2,
            _ => 1,
        }
    }
}

/// Why a data directory was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It holds files that are not Signet's.
    #[error("`{}` is not empty and not a data directory of Signet", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("`{}` is in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("cannot open `{}`: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It belongs to another service.
    #[error("`{}` holds the data of `{found}`, not of `{wanted}`", path.display())]
    Kind {
        /// The directory.
        path: PathBuf,
        /// What it is for.
        found: Kind,
        /// What was asked for.
        wanted: Kind,
    },
    /// The format file cannot be read.
    #[error("`{}` is malformed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// It is empty, or its first start was cut off.
    #[error("nothing was begun in `{}`, or its first start did not end", path.display())]
    NotBegun {
        /// The directory.
        path: PathBuf,
    },
    /// A later Signet wrote it.
    #[error("`{}` has format version {found}; this build reads up to {known}", path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that this build knows.
        known: u32,
    },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Format {
    kind: Kind,
    version: u32,
}

impl Format {
    /// What stands in a directory, if this build can read it.
    fn read(dir: &Path) -> Result<Self, OpenError> {
        let file = dir.join(FORMAT_FILE);
        let text = fs::read(&file).map_err(|error| OpenError::Io { path: file.clone(), error })?;
        let format: Self =
            serde_json::from_slice(&text).map_err(|_| OpenError::Malformed { path: file.clone() })?;
        let known = format.kind.format_version();
        match format.version {
            0 => Err(OpenError::Malformed { path: file }),
            found if found > known => Err(OpenError::Newer { path: dir.to_owned(), found, known }),
            _ => Ok(format),
        }
    }

    fn write(&self, disk: &Disk, dir: &Path) -> io::Result<()> {
        disk.put(dir, &dir.join(FORMAT_FILE), &serde_json::to_vec(self).map_err(io::Error::other)?)
    }
}

fn is_absent_or_empty(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// A crash while the directory was made leaves the lock and an unfinished format file under a
/// temporary name, nothing else.
fn is_half_made(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let temporary = name.to_str().is_some_and(|name| uuid::Uuid::parse_str(name).is_ok());
        if name != LOCK_FILE && !temporary {
            return Ok(false);
        }
    }
    Ok(true)
}

const FORMAT_FILE: &str = "signet.json";
const LOCK_FILE: &str = "lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_once_and_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        drop(DataDir::open(&path, Kind::Registry).unwrap());
        assert_eq!(fs::read_to_string(path.join(FORMAT_FILE)).unwrap(), r#"{"kind":"registry","version":1}"#);
        DataDir::open(&path, Kind::Registry).unwrap();
    }

    /// It would be found sound, and belong to whoever looked at it: an unmounted disk is such a directory.
    #[test]
    fn who_asks_what_a_directory_is_for_makes_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(format_of(&dir.path().join("absent")), Err(OpenError::Io { .. })));
        assert!(matches!(format_of(dir.path()), Err(OpenError::NotBegun { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        drop(lock(dir.path()).unwrap());
        assert!(matches!(format_of(dir.path()), Err(OpenError::NotBegun { .. })));
        fs::write(dir.path().join("letter"), "dear").unwrap();
        assert!(matches!(format_of(dir.path()), Err(OpenError::Foreign { .. })));
    }

    #[test]
    fn two_processes_do_not_share_one() {
        let dir = tempfile::tempdir().unwrap();
        let _first = DataDir::open(dir.path(), Kind::Registry).unwrap();
        assert!(matches!(DataDir::open(dir.path(), Kind::Registry), Err(OpenError::InUse { .. })));
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FORMAT_FILE), r#"{"kind":"registry","version":2}"#).unwrap();
        let refused = DataDir::open(dir.path(), Kind::Registry);
        assert!(matches!(refused, Err(OpenError::Newer { found: 2, .. })));
    }

    #[test]
    fn an_older_format_is_opened_and_stated_anew_when_it_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (file, old) = (dir.path().join(FORMAT_FILE), r#"{"kind":"log","version":1}"#);
        fs::write(&file, old).unwrap();
        let mut opened = DataDir::open(dir.path(), Kind::Log).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), old);
        opened.upgrade().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), r#"{"kind":"log","version":2}"#);
        assert_eq!(format_of(dir.path()).unwrap(), Kind::Log);
        fs::write(&file, r#"{"kind":"log","version":3}"#).unwrap();
        assert!(matches!(format_of(dir.path()), Err(OpenError::Newer { found: 3, known: 2, .. })));
    }

    #[test]
    fn someone_elses_directory_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        assert!(matches!(DataDir::open(dir.path(), Kind::Registry), Err(OpenError::Foreign { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_crash_while_it_was_made_is_healed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(LOCK_FILE), "").unwrap();
        fs::write(dir.path().join(uuid::Uuid::new_v4().to_string()), "{").unwrap();
        DataDir::open(dir.path(), Kind::Registry).unwrap();
    }
}
