//! Where a stack is restored: a directory that is absent or empty, and stays what it is, perhaps where a disk is mounted.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};

use super::backup::BackupError;

/// The directory of a stack that is being restored. The stack is in one below it until it is whole: half a stack would make
/// the missing half anew.
pub(super) struct Place {
    target: PathBuf,
    /// Whether it was there before.
    is_kept: bool,
}

impl Place {
    /// Takes a directory, which is made if it is absent, and refused if there is something in it.
    pub(super) fn take(data: &Path) -> Result<Self, BackupError> {
        let failed = |error| BackupError::Io { path: data.to_owned(), error };
        // Without a slash at its end.
        let target: PathBuf = std::path::absolute(data).map_err(failed)?.components().collect();
        let is_kept = match fs::read_dir(&target).map(|mut entries| entries.next().is_none()) {
            Ok(true) => true,
            Ok(false) => return Err(BackupError::NotEmpty { path: data.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        Disk::default().make_dirs(&target).map_err(failed)?;
        // Before any key is in it.
        signet_platform::restrict(&target).map_err(failed)?;
        Ok(Self { target, is_kept })
    }

    /// The directory for the stack until it is whole.
    pub(super) fn open(&self) -> Result<DataDir, BackupError> {
        Ok(DataDir::open(&self.target.join(UNFINISHED), Kind::Stack)?)
    }

    /// Puts the whole stack in its place. Last what says that it is one: until then nobody takes it for one.
    pub(super) fn reveal(&self, root: &DataDir) -> Result<(), BackupError> {
        let failed = |error| BackupError::Io { path: self.target.clone(), error };
        let entries = fs::read_dir(root.path()).map_err(failed)?;
        let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
        let mut names = names.map_err(failed)?;
        // Who opens the stack makes a lock of its own.
        names.retain(|name| name != LOCK);
        names.sort_by_key(|name| name == OsStr::new(FORMAT));
        for name in names {
            root.disk().rename(&root.path().join(&name), &self.target.join(&name)).map_err(failed)?;
        }
        fs::remove_dir_all(root.path()).map_err(failed)
    }

    /// Leaves nothing: there are private keys in it.
    pub(super) fn clear(&self) -> Result<(), BackupError> {
        let failed = |error| BackupError::Io { path: self.target.clone(), error };
        if !self.is_kept {
            return fs::remove_dir_all(&self.target).map_err(failed);
        }
        for entry in fs::read_dir(&self.target).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            match path.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            }
            .map_err(failed)?;
        }
        Ok(())
    }
}

const UNFINISHED: &str = ".restoring";
/// The files of a data directory itself.
const FORMAT: &str = "signet.json";
const LOCK: &str = "lock";
