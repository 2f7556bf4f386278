//! Locks on files that are not there yet, or are replaced.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::system;

/// Held by whoever makes a file anew from what it was: nobody else does meanwhile. It is a lock on a hidden file beside it.
#[derive(Debug)]
pub struct WriterLock {
    _locked: File,
    hidden: PathBuf,
}

impl WriterLock {
    /// The lock of whoever writes `path`, once nobody else has it. If that takes long, `waiting` is called once.
    pub fn on(path: &Path, waiting: &(dyn Fn() + Sync)) -> io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".lock");
        let hidden = path.with_file_name(name);
        let (taken, is_taken) = mpsc::channel::<()>();
        let say = move || {
            if is_taken.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                waiting();
            }
        };
        thread::scope(|scope| {
            scope.spawn(say);
            let lock = Self::taken(hidden);
            drop(taken);
            lock
        })
    }

    fn taken(hidden: PathBuf) -> io::Result<Self> {
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&hidden)?;
            file.lock()?;
            // Whoever had it before took the name away, and a third one may have made another file of that name.
            if system::is_named(&file, &hidden)? {
                return Ok(Self { _locked: file, hidden });
            }
        }
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        system::take_name(&self.hidden);
    }
}

/// After how long whoever waits is told so.
const LONG: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_long_for_the_lock_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive");
        let held = std::sync::Mutex::new(Some(WriterLock::on(&path, &|| panic!("nobody has it")).unwrap()));
        let said = std::sync::atomic::AtomicU32::new(0);
        let waiting = || {
            said.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            drop(held.lock().unwrap().take());
        };
        let _lock = WriterLock::on(&path, &waiting).unwrap();
        assert_eq!(said.into_inner(), 1);
    }

    #[test]
    fn one_writer_at_a_time_has_the_lock_and_no_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let counter = directory.path().join("counter");
        std::fs::write(&counter, "0").unwrap();
        let count = || {
            let _lock = WriterLock::on(&counter, &|| ()).unwrap();
            let read: u32 = std::fs::read_to_string(&counter).unwrap().parse().unwrap();
            std::thread::yield_now();
            std::fs::write(&counter, (read + 1).to_string()).unwrap();
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| count()));
            }
        });
        assert_eq!(std::fs::read_to_string(&counter).unwrap(), "200");
        assert!(cfg!(not(unix)) || directory.path().read_dir().unwrap().count() == 1);
    }
}
