//! The numbers of tokens: in the order they are given out, never one twice, whatever happens between.
//!
//! Trusted? Yes: who can write the file can make numbers repeat. May it be lost? No: without it the
//! authority does not start, because numbers that it gave out would come again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signet_keys::random;
use signet_store::fs::Disk;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;

/// Gives out numbers from blocks that are reserved on the disk first. After a crash the rest of a block
/// is left out.
pub(super) struct Serials {
    file: Reserve,
    state: Mutex<State>,
    /// Held by whoever reserves the next block.
    reserving: AsyncMutex<()>,
}

struct State {
    next: u64,
    /// The first number that is not reserved.
    end: u64,
    /// Why the last try to reserve numbers failed.
    failure: Option<String>,
}

impl Serials {
    /// Starts counting, in a file that is not there yet.
    pub(super) fn create(disk: &Disk, path: &Path) -> io::Result<()> {
        let directory = u32::from_be_bytes(random().map_err(io::Error::other)?);
        Reserve { disk: disk.clone(), path: path.to_owned(), directory }.up_to(1)
    }

    /// Whether the file can be read.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        serde_json::from_slice::<Stored>(&std::fs::read(path)?).map(drop).map_err(io::Error::other)
    }

    /// Goes on after all that may have been given out, and not below what the time says: so that numbers
    /// do not come again if an older copy of the directory is restored, or the key gets a new one. Reserves the first block:
    /// where that fails there are no numbers, as later, and it is tried again.
    pub(super) fn open(disk: Disk, path: PathBuf, now: i64) -> io::Result<Self> {
        let stored: Stored = serde_json::from_slice(&std::fs::read(&path)?)?;
        let by_time = u64::try_from(now).unwrap_or(0).saturating_mul(MAX_PER_SECOND);
        let next = stored.reserved.max(by_time);
        let serials = Self {
            file: Reserve { disk, path, directory: stored.directory },
            state: Mutex::new(State { next, end: next, failure: None }),
            reserving: AsyncMutex::new(()),
        };
        let end = next.saturating_add(BLOCK);
        let _ = serials.settle(end, serials.file.up_to(end));
        Ok(serials)
    }

    /// The next number, if `stamp` agrees; `stamp` is called while no other number can be given out, so
    /// that numbers are in the order of what it reads. Waits for the disk once every [`BLOCK`] numbers.
    pub(super) async fn take<T>(
        &self,
        mut stamp: impl FnMut() -> Option<T>,
    ) -> Result<Option<(u128, T)>, NoNumbers> {
        loop {
            if let Some(taken) = self.try_take(&mut stamp) {
                return Ok(taken);
            }
            self.reserve().await?;
        }
    }

    /// Why there are no numbers now, if the disk failed.
    pub(super) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// Tries again and again, for ever, to reserve numbers where that failed: whoever is asked only while it is ready would
    /// never be asked again.
    pub(super) async fn keep_reserved(&self) {
        loop {
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
            self.reserve_again().await;
        }
    }

    /// `None` if there is no number in reserve.
    fn try_take<T>(&self, stamp: &mut impl FnMut() -> Option<T>) -> Option<Option<(u128, T)>> {
        let mut state = self.state();
        if state.next >= state.end {
            return None;
        }
        let Some(stamped) = stamp() else { return Some(None) };
        let serial = u128::from(self.file.directory) << u64::BITS | u128::from(state.next);
        state.next += 1;
        Some(Some((serial, stamped)))
    }

    async fn reserve_again(&self) {
        if self.failure().is_some() && !self.file.disk.has_failed() {
            let _ = self.reserve().await;
        }
    }

    /// Reserves the next block, if nobody else has done it meanwhile.
    async fn reserve(&self) -> Result<(), NoNumbers> {
        let _reserving = self.reserving.lock().await;
        let end = {
            let state = self.state();
            if state.next < state.end {
                return Ok(());
            }
            state.end.checked_add(BLOCK).ok_or(NoNumbers)?
        };
        let file = self.file.clone();
        let written = spawn_blocking(move || file.up_to(end)).await.map_err(io::Error::other);
        self.settle(end, written.and_then(|written| written))
    }

    /// Numbers up to `end` are given out only if they are reserved on the disk. Where they are not, they may be all the same:
    /// reserving them once more gives none out twice. After a failed sync the disk itself refuses to.
    fn settle(&self, end: u64, written: io::Result<()>) -> Result<(), NoNumbers> {
        let mut state = self.state();
        match written {
            Ok(()) => {
                (state.end, state.failure) = (end, None);
                Ok(())
            }
            Err(error) => {
                // Once, not at every request.
                if state.failure.replace(error.to_string()).is_none() {
                    tracing::error!(%error, "no serial numbers can be reserved, so there are no timestamps");
                }
                Err(NoNumbers)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No number can be given out now, because the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoNumbers;

/// The file that says which numbers may have been given out.
#[derive(Clone)]
struct Reserve {
    disk: Disk,
    path: PathBuf,
    /// In front of every number: two directories may hold the same key.
    directory: u32,
}

impl Reserve {
    /// All numbers below `end` are reserved once this returns.
    fn up_to(&self, end: u64) -> io::Result<()> {
        let stored = Stored { reserved: end, directory: self.directory };
        let scratch = self.path.parent().unwrap_or(Path::new("."));
        self.disk.put(scratch, &self.path, &serde_json::to_vec(&stored)?)
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    /// All numbers below may have been given out.
    reserved: u64,
    /// What tells the numbers of this directory from those of any other.
    #[serde(default)]
    directory: u32,
}

/// How many numbers one write to the disk reserves.
const BLOCK: u64 = 65_536;
/// More numbers than an authority can give out in a second, on average over its life.
const MAX_PER_SECOND: u64 = 1 << 20;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use signet_store::fs::{Faults, Step};

    use super::*;

    /// The next number, without what stands in front of it.
    async fn next(serials: &Serials) -> Result<u64, NoNumbers> {
        Ok(serials.take(|| Some(())).await?.unwrap().0 as u64)
    }

    fn open(dir: &Path, disk: Disk) -> Serials {
        Serials::open(disk, dir.join("serials.json"), 0).unwrap()
    }

    #[tokio::test]
    async fn numbers_go_up_by_one_and_never_repeat_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        Serials::create(&Disk::default(), &dir.path().join("serials.json")).unwrap();
        let mut highest = 0;
        for _ in 0..3 {
            // Dropped without any word, as in a crash.
            let serials = open(dir.path(), Disk::default());
            let first = next(&serials).await.unwrap();
            assert!(first > highest);
            for serial in first + 1..first + 5 {
                assert_eq!(next(&serials).await, Ok(serial));
                highest = serial;
            }
        }
    }

    #[tokio::test]
    async fn numbers_do_not_come_again_from_an_older_copy_of_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serials.json");
        Serials::create(&Disk::default(), &path).unwrap();
        let copy = std::fs::read(&path).unwrap();
        let at = |now| Serials::open(Disk::default(), path.clone(), now).unwrap();
        let mut last = 0;
        for now in [1_000, 1_001, 1_001] {
            let serials = at(now);
            for _ in 0..10 {
                let serial = next(&serials).await.unwrap();
                assert!(serial > last);
                last = serial;
            }
        }
        std::fs::write(&path, copy).unwrap();
        assert!(next(&at(1_002)).await.unwrap() > last);
    }

    #[tokio::test]
    async fn two_directories_that_start_in_the_same_second_give_other_numbers() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut taken = Vec::new();
        for dir in [one.path(), other.path()] {
            Serials::create(&Disk::default(), &dir.join("serials.json")).unwrap();
            // A restart keeps what stands in front.
            for now in [1_000, 1_001] {
                let serials = Serials::open(Disk::default(), dir.join("serials.json"), now).unwrap();
                taken.push(serials.take(|| Some(())).await.unwrap().unwrap().0);
            }
        }
        assert!(taken[0] < taken[1] && taken[2] < taken[3]);
        assert_eq!((taken[0] >> 64, taken[2] >> 64), (taken[1] >> 64, taken[3] >> 64));
        assert_ne!(taken[0] >> 64, taken[2] >> 64);
    }

    #[tokio::test]
    async fn a_refused_stamp_uses_no_number() {
        let dir = tempfile::tempdir().unwrap();
        Serials::create(&Disk::default(), &dir.path().join("serials.json")).unwrap();
        let serials = open(dir.path(), Disk::default());
        assert_eq!(serials.take(|| None::<()>).await, Ok(None));
        assert_eq!(next(&serials).await, Ok(1));
    }

    #[tokio::test]
    async fn blocks_follow_each_other_without_a_gap_and_without_a_double_among_many_takers() {
        let dir = tempfile::tempdir().unwrap();
        Serials::create(&Disk::default(), &dir.path().join("serials.json")).unwrap();
        let serials = Arc::new(open(dir.path(), Disk::default()));
        serials.state.lock().unwrap().next = 1;
        next(&serials).await.unwrap();
        serials.state.lock().unwrap().next = BLOCK - 20;
        let takers: Vec<_> = (0..40)
            .map(|_| {
                let serials = Arc::clone(&serials);
                tokio::spawn(async move { next(&serials).await.unwrap() })
            })
            .collect();
        let mut taken = Vec::new();
        for taker in takers {
            taken.push(taker.await.unwrap());
        }
        taken.sort_unstable();
        assert_eq!(taken, (BLOCK - 20..BLOCK + 20).collect::<Vec<_>>());
    }

    /// While it is set, fails one kind of step.
    struct Failing(IsMeant, AtomicBool);

    /// Whether a step is one that is to fail.
    type IsMeant = fn(Step<'_>) -> bool;

    impl Faults for Failing {
        fn before(&self, step: Step<'_>, _: &Path) -> io::Result<()> {
            match self.1.load(Ordering::Acquire) && self.0(step) {
                true => Err(io::Error::other("injected")),
                false => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn a_write_that_fails_is_told_and_tried_again_unless_a_sync_failed() {
        let steps: [(&str, IsMeant, bool); 5] = [
            ("create", |step| step == Step::Create, true),
            ("write", |step| matches!(step, Step::Write(_)), true),
            ("sync", |step| step == Step::SyncFile, false),
            ("rename", |step| matches!(step, Step::Rename { .. }), true),
            ("sync directory", |step| step == Step::SyncDir, false),
        ];
        for (name, step, passes) in steps {
            let dir = tempfile::tempdir().unwrap();
            Serials::create(&Disk::default(), &dir.path().join("serials.json")).unwrap();
            let before = next(&open(dir.path(), Disk::default())).await.unwrap();
            let failing = Arc::new(Failing(step, true.into()));
            let serials = open(dir.path(), Disk::with_faults(failing.clone()));
            assert_eq!(serials.failure().as_deref(), Some("injected"), "{name}: told before anybody asks");
            assert_eq!(next(&serials).await, Err(NoNumbers), "{name}");
            failing.1.store(false, Ordering::Release);
            let again = next(&serials).await;
            assert_eq!((again.is_ok(), serials.failure().is_none()), (passes, passes), "{name}");
            assert!(again.is_ok_and(|serial| serial > before) == passes, "{name}");
            // The next process reads whatever is there, and gives out nothing that was given out.
            let later = next(&open(dir.path(), Disk::default())).await.unwrap();
            assert!(later > again.unwrap_or(before), "{name}");
        }
    }

    /// A load balancer sends nothing to what is not ready.
    #[tokio::test]
    async fn numbers_are_reserved_again_without_a_request() {
        let dir = tempfile::tempdir().unwrap();
        Serials::create(&Disk::default(), &dir.path().join("serials.json")).unwrap();
        let failing = Arc::new(Failing(|step| step == Step::Create, true.into()));
        let serials = open(dir.path(), Disk::with_faults(failing.clone()));
        serials.reserve_again().await;
        assert!(serials.failure().is_some());
        failing.1.store(false, Ordering::Release);
        serials.reserve_again().await;
        assert_eq!(serials.failure(), None);
        assert!(next(&serials).await.is_ok());
    }
}
