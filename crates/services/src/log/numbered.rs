//! Shards by numbers: the first is the data directory itself, the others are in `shards/<number>`. `active` says which one
//! takes entries; what is in the next place was prepared.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_store::fs::Disk;

use super::OpenError;
use super::shards::{Book, Place};

pub(super) struct Numbered {
    disk: Disk,
    root: PathBuf,
    /// The name of the first.
    origin: Option<String>,
}

impl Numbered {
    pub(super) fn new(disk: Disk, root: PathBuf, origin: Option<String>) -> Self {
        Self { disk, root, origin }
    }

    fn place(&self, number: usize, origin: Option<String>) -> Place {
        let data = match number {
            0 => self.root.clone(),
            _ => self.root.join("shards").join(format!("{number:04}")),
        };
        Place { data, origin }
    }

    fn active(&self) -> Result<usize, OpenError> {
        match fs::read_to_string(self.root.join(ACTIVE)) {
            Ok(text) => text
                .parse()
                .ok()
                .filter(|number| *number < MAX_SHARDS)
                .ok_or_else(|| OpenError::Damaged(format!("`{ACTIVE}` is no number of a shard"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl Book for Numbered {
    fn root(&self) -> &Path {
        &self.root
    }

    fn shards(&self) -> Result<Vec<Place>, OpenError> {
        let of_first = |number| self.origin.clone().filter(|_| number == 0);
        Ok((0..=self.active()?).map(|number| self.place(number, of_first(number))).collect())
    }

    fn next(&self, origin: Option<String>) -> Result<Place, OpenError> {
        Ok(self.place(self.active()? + 1, origin))
    }

    fn turn(&self) -> io::Result<()> {
        let next = self.active().map_err(io::Error::other)? + 1;
        self.disk.put(&self.root.join("tmp"), &self.root.join(ACTIVE), next.to_string().as_bytes())
    }
}

const ACTIVE: &str = "active";
const MAX_SHARDS: usize = 1_000;
