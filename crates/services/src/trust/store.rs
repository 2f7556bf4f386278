//! What a client keeps: each file whole or not at all, and the metadata byte for byte as it came.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use signet_store::fs::Disk;
use signet_verify::tuf::Change;

/// A directory of trusted metadata, by the names of the roles.
#[derive(Clone)]
pub struct Store {
    dir: PathBuf,
    /// Where files are until they are whole.
    scratch: PathBuf,
    disk: Disk,
}

impl Store {
    /// The store in this directory, an absolute path, which is made when it is first written to.
    pub fn new(disk: Disk, dir: PathBuf) -> Self {
        Self { scratch: dir.clone(), dir, disk }
    }

    /// The same, with files that are not whole yet kept in another directory of the file system.
    #[must_use]
    pub(super) fn scratch(self, scratch: PathBuf) -> Self {
        Self { scratch, ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// A file of at most `limit` bytes, or `None` if it is not there. A larger one is read no further than one
    /// byte beyond, so that nobody takes it for the file it was.
    pub fn read(&self, name: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| self.at(name, error))?,
        };
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut bytes).map_err(|error| self.at(name, error))?;
        Ok(Some(bytes))
    }

    /// Puts a file there, durably.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let put = self.disk.put(&self.scratch, &self.dir.join(name), bytes);
        put.map_err(|error| self.at(name, error))
    }

    /// Makes a change, durably.
    pub fn apply(&self, change: &Change) -> io::Result<()> {
        match change {
            Change::Store { name, bytes } => self.put(name, bytes),
            Change::Remove(name) => {
                let removed = self.disk.remove(&self.dir.join(name));
                removed.map(drop).map_err(|error| self.at(name, error))
            }
        }
    }

    /// The error, with the file that it is about.
    fn at(&self, name: &str, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("`{}`: {error}", self.dir.join(name).display()))
    }
}
