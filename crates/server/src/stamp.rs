//! Whether a file that is followed has changed.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// When a file was written last, and its size; `None` while it is not there.
pub(crate) type Stamp = Option<(SystemTime, u64)>;

/// The stamp of a file as it is now.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
