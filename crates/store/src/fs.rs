//! Durable writes: the only code of this crate that changes the disk.
//!
//! Whatever a function here says is done has reached the disk, the directory entries included, when
//! the function returns. After a sync that failed nothing is written any more: the system may have
//! dropped the bytes it could not write and call the next sync of the same file a success.
//! [`Faults`] sees each step: tests make one fail, the crash harness kills the process or cuts the power there.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use signet_platform::Directory;
pub use signet_platform::{is_named, read_exact_at};
use uuid::Uuid;

/// The disk below a data directory.
#[derive(Clone, Default)]
pub struct Disk {
    faults: Option<Arc<dyn Faults>>,
    /// Directories whose entry in their parent is known to be on disk; forgotten when it grows.
    durable_dirs: Arc<Mutex<HashSet<PathBuf>>>,
    /// A sync failed: what the disk has is not known any more.
    failed: Arc<AtomicBool>,
}

impl Disk {
    /// A disk whose every step `faults` sees first.
    pub fn with_faults(faults: Arc<dyn Faults>) -> Self {
        Self { faults: Some(faults), ..Self::default() }
    }

    /// Whether a sync failed, so that only another start can write again.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Makes `dir` and its missing parents.
    pub fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        // Held throughout: nobody may build on a directory that another thread has made but not synced.
        let mut durable = self.durable_dirs.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_dirs_locked(dir, &mut durable)
    }

    /// Puts a file of `bytes` at `target`, whole or not at all, replacing what is there. `scratch`
    /// is a directory on the same file system.
    pub fn put(&self, scratch: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = scratch.join(Uuid::new_v4().to_string());
        let written = self.create(&temporary).and_then(|mut file| {
            self.write(&mut file, &temporary, bytes)?;
            self.sync(&file, &temporary)?;
            self.rename(&temporary, target)
        });
        if written.is_err() {
            // The scratch directory is emptied at the next start; this only tidies sooner.
            self.discard(&temporary);
        }
        written
    }

    /// The same, unless the file has these bytes already: then nothing is written, which a full disk would refuse.
    pub fn keep(&self, scratch: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
        match std::fs::read(target) {
            Ok(kept) if kept == bytes => Ok(()),
            _ => self.put(scratch, target, bytes),
        }
    }

    /// Makes sure that an empty file is at `path`, and makes its modification time now.
    pub fn mark(&self, path: &Path) -> io::Result<()> {
        self.make_parent(path)?;
        self.step(Step::Create, path)?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_modified(SystemTime::now())?;
        self.sync_parent(path)
    }

    /// Makes a new file, not yet durable.
    pub fn create(&self, path: &Path) -> io::Result<File> {
        self.make_parent(path)?;
        self.step(Step::Create, path)?;
        OpenOptions::new().create_new(true).read(true).write(true).open(path)
    }

    /// Writes at the file's position, not yet durable.
    pub fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step(Step::Write(bytes), path)?;
        file.write_all(bytes)
    }

    /// Makes the file's content durable.
    pub fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.synced(Step::SyncFile, path, || file.sync_data())
    }

    /// Makes the entries of the directory that holds `path` durable.
    pub fn sync_parent(&self, path: &Path) -> io::Result<()> {
        let dir = Directory::open(parent(path)?)?;
        self.synced(Step::SyncDir, path, || dir.sync())
    }

    /// Moves a synced file to `target`, replacing what is there.
    pub fn rename(&self, from: &Path, target: &Path) -> io::Result<()> {
        self.make_parent(target)?;
        self.step(Step::Rename { from }, target)?;
        fs::rename(from, target)?;
        self.sync_parent(target)
    }

    /// Removes a file; whether it was there.
    pub fn remove(&self, path: &Path) -> io::Result<bool> {
        self.step(Step::Remove, path)?;
        match fs::remove_file(path) {
            Ok(()) => self.sync_parent(path).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a file that nobody relies on, as far as that is possible: also after a sync failed.
    pub fn discard(&self, path: &Path) {
        let _ = fs::remove_file(path);
    }

    /// Removes a directory if it is empty; otherwise leaves it. Loses nothing if it does not last.
    pub fn remove_empty_dir(&self, dir: &Path) {
        let mut durable = self.durable_dirs.lock().unwrap_or_else(PoisonError::into_inner);
        if self.step(Step::RemoveDir, dir).and_then(|()| fs::remove_dir(dir)).is_ok() {
            durable.remove(dir);
        }
    }

    fn make_parent(&self, path: &Path) -> io::Result<()> {
        self.make_dirs(parent(path)?)
    }

    fn make_dirs_locked(&self, dir: &Path, durable: &mut HashSet<PathBuf>) -> io::Result<()> {
        if durable.contains(dir) {
            return Ok(());
        }
        // The root of the file system is there. Paths are absolute.
        let Some(above) = dir.parent() else { return Ok(()) };
        if !dir.is_dir() {
            self.make_dirs_locked(above, durable)?;
            self.step(Step::MakeDir, dir)?;
            fs::create_dir(dir).or_else(ignore_existing)?;
        }
        // Also if it was there: a crash may have come between its making and this sync.
        self.sync_parent(dir)?;
        if durable.len() >= MAX_DURABLE_DIRS {
            durable.clear();
        }
        durable.insert(dir.to_owned());
        Ok(())
    }

    fn synced(&self, step: Step<'_>, path: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.refuse_if_failed()?;
        let done = self.before(step, path).and_then(|()| sync());
        match (&done, &self.faults) {
            (Ok(()), Some(faults)) => faults.after(step, path),
            (Ok(()), None) => {}
            (Err(_), _) => self.failed.store(true, Ordering::Release),
        }
        done
    }

    fn step(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        self.refuse_if_failed()?;
        self.before(step, path)
    }

    fn refuse_if_failed(&self) -> io::Result<()> {
        match self.has_failed() {
            true => Err(io::Error::other("an earlier sync failed: check the disk, then start again")),
            false => Ok(()),
        }
    }

    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        match &self.faults {
            Some(faults) => faults.before(step, path),
            None => Ok(()),
        }
    }
}

/// Sees every step, and may fail it.
pub trait Faults: Send + Sync {
    /// Called before `step` is done to `path`; an error takes the step's place.
    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()>;

    /// Called after a sync succeeded.
    fn after(&self, _step: Step<'_>, _path: &Path) {}
}

/// What [`Faults`] is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A file is made.
    Create,
    /// A directory is made.
    MakeDir,
    /// A file is removed.
    Remove,
    /// An empty directory is removed; if it is not empty, nothing happens.
    RemoveDir,
    /// A file is moved to the path.
    Rename {
        /// Where it was.
        from: &'a Path,
    },
    /// The entries of the directory that holds the path are made durable.
    SyncDir,
    /// A file's content is made durable.
    SyncFile,
    /// Bytes are written at the end.
    Write(&'a [u8]),
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::other("a path without a parent directory"))
}

fn ignore_existing(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    }
}

const MAX_DURABLE_DIRS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails the first step of a kind.
    struct FirstOf(Step<'static>, AtomicBool);

    impl Faults for FirstOf {
        fn before(&self, step: Step<'_>, _: &Path) -> io::Result<()> {
            match step == self.0 && !self.1.swap(true, Ordering::AcqRel) {
                true => Err(io::Error::other("the disk failed")),
                false => Ok(()),
            }
        }
    }

    #[test]
    fn after_a_failed_sync_nothing_is_written_any_more() {
        for kind in [Step::SyncFile, Step::SyncDir] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Disk::with_faults(Arc::new(FirstOf(kind, AtomicBool::new(false))));
            let (path, other) = (dir.path().join("file"), dir.path().join("other"));
            assert!(disk.put(dir.path(), &path, b"content").is_err());
            assert!(disk.has_failed());
            // The second try would succeed on the disk, which may have dropped what the first one had.
            assert!(disk.put(dir.path(), &path, b"content").is_err());
            assert!(disk.create(&other).is_err() && disk.mark(&other).is_err());
            assert!(disk.make_dirs(&other).is_err() && !other.exists());
            assert!(disk.remove(&path).is_err());
        }
    }

    #[test]
    fn what_is_there_already_needs_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "content").unwrap();
        let disk = Disk::with_faults(Arc::new(FirstOf(Step::Create, AtomicBool::new(false))));
        disk.keep(dir.path(), &path, b"content").unwrap();
        assert!(disk.keep(dir.path(), &path, b"another").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }

    #[test]
    fn what_failed_before_a_sync_can_be_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::with_faults(Arc::new(FirstOf(Step::Create, AtomicBool::new(false))));
        let path = dir.path().join("file");
        assert!(disk.put(dir.path(), &path, b"content").is_err());
        disk.put(dir.path(), &path, b"content").unwrap();
        assert_eq!((disk.has_failed(), fs::read(&path).unwrap()), (false, b"content".to_vec()));
    }
}
