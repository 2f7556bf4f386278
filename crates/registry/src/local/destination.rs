//! The file that an archive is written to.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Where the content of `file` is, or is going to be. A link is followed: what it leads to is written, and not the link.
/// A pipe or a device is refused: an archive is put in its place whole.
pub(super) fn of(file: &Path) -> Result<PathBuf> {
    match fs::metadata(file) {
        Ok(found) if !found.is_file() => {
            let reason = "it is no regular file, and an archive is put in the place of one".to_owned();
            Err(Error::Io { path: file.display().to_string(), reason })
        }
        Ok(_) => fs::canonicalize(file).map_err(|error| Error::io(file, &error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(followed(file)),
        Err(error) => Err(Error::io(file, &error)),
    }
}

/// Who may do what with the file that is replaced.
pub(super) fn permissions(file: &Path) -> Option<Permissions> {
    fs::metadata(file).ok().map(|found| found.permissions())
}

/// The end of a chain of links that leads to nothing yet.
fn followed(file: &Path) -> PathBuf {
    let mut at = file.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&at) else { break };
        at = at.parent().unwrap_or(Path::new("")).join(next);
    }
    at
}

/// As many as Linux follows.
const MAX_LINKS: usize = 40;
