//! Shards by numbers: the first is the data directory itself, the others are in `shards/<number>`. `active` says which one
//! takes entries; what is in the next place was prepared.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_store::fs::Disk;

use super::OpenError;
use super::chunk::Layout;
use super::identity::Identity;
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

    /// Refuses to begin again what is gone: a shard that took entries, or the word which one does.
    fn refuse_lost(&self, active: usize) -> Result<(), OpenError> {
        for number in 1..=active {
            let data = self.place(number, None).data;
            // What is damaged is there, and tells it itself: the others are sound.
            if matches!(Identity::begun(&data), Ok(None)) {
                return Err(OpenError::Damaged(format!("the shard in `{}` is gone", data.display())));
            }
        }
        // One that is only prepared has no entries.
        match Layout::new(&self.place(active + 1, None).data).published()? {
            0 => Ok(()),
            _ => Err(OpenError::Damaged(format!(
                "`{ACTIVE}` is missing, or names an earlier shard than the last"
            ))),
        }
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
        let (active, of_first) = (self.active()?, |number| self.origin.clone().filter(|_| number == 0));
        if let Err(lost) = self.refuse_lost(active) {
            // A log that runs may have gone on to another shard meanwhile.
            return if self.active()? == active { Err(lost) } else { self.shards() };
        }
        Ok((0..=active).map(|number| self.place(number, of_first(number))).collect())
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
