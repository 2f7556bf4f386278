//! What writers left behind that were killed. Nobody relies on its going: what cannot be removed stays.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File};
use std::path::Path;
use std::time::Duration;

use signet_crypto::Digest;

/// Removes the staging directories whose names begin with `prefix`. The caller is the only writer of what they are for.
pub(super) fn remove_staging(parent: &Path, prefix: &OsStr) {
    for entry in entries(parent) {
        let name = entry.file_name();
        let random = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        if random.is_some_and(is_random) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Removes the blobs of a layout that nobody goes on writing.
pub(super) fn remove_unfinished_blobs(root: &Path) {
    for algorithm in entries(&root.join("blobs")) {
        for entry in entries(&algorithm.path()) {
            if is_unfinished_blob(&algorithm, &entry) && is_left(&entry) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether an entry is called `.<hex>.<random>`.
fn is_unfinished_blob(algorithm: &DirEntry, entry: &DirEntry) -> bool {
    let (algorithm, name) = (algorithm.file_name(), entry.file_name());
    let (Some(algorithm), Some(name)) = (algorithm.to_str(), name.to_str()) else { return false };
    let parts = name.strip_prefix('.').and_then(|name| name.split_once('.'));
    parts.is_some_and(|(hex, random)| {
        format!("{algorithm}:{hex}").parse::<Digest>().is_ok() && is_random(random.as_bytes())
    })
}

/// Whether nobody has locked it; who has just made it is given time for that.
fn is_left(entry: &DirEntry) -> bool {
    let age = entry.metadata().ok().and_then(|made| made.modified().ok()?.elapsed().ok());
    let is_free = || File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
    age.is_some_and(|age| age > TIME_TO_LOCK) && is_free()
}

fn entries(directory: &Path) -> impl Iterator<Item = DirEntry> {
    fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok)
}

/// Whether this is what `tempfile` appends to the names it is given.
fn is_random(suffix: &[u8]) -> bool {
    suffix.len() == RANDOM_BYTES && suffix.iter().all(u8::is_ascii_alphanumeric)
}

const RANDOM_BYTES: usize = 6;
const TIME_TO_LOCK: Duration = Duration::from_secs(60);
