//! The numbers of tokens: in the order they are given out, never one twice, whatever happens between.
//!
//! Trusted? Yes: who can write the file can make numbers repeat. May it be lost? No: without it the
//! authority does not start, because numbers that it gave out would come again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use signet_keys::random;
use signet_store::fs::Disk;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;

/// Gives out numbers from blocks that are reserved on the disk first. After a crash the rest of a block
/// is left out.
pub(super) struct Serials {
    disk: Disk,
    path: PathBuf,
    /// In front of every number: two directories may hold the same key.
    directory: u32,
    state: Mutex<State>,
    /// Held by whoever reserves the next block.
    reserving: AsyncMutex<()>,
}

struct State {
    next: u64,
    /// The first number that is not reserved.
    end: u64,
    /// A write failed: what is on the disk is unknown from then on, so nothing is given out any more.
    failed: bool,
}

impl Serials {
    /// Starts counting, in a file that is not there yet.
    pub(super) fn create(disk: &Disk, path: &Path) -> io::Result<()> {
        let directory = u32::from_be_bytes(random().map_err(io::Error::other)?);
        write(disk, path, &Stored { reserved: 1, directory })
    }

    /// Whether the file can be read.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        serde_json::from_slice::<Stored>(&std::fs::read(path)?).map(drop).map_err(io::Error::other)
    }

    /// Goes on after all that may have been given out, and not below what the time says: so that numbers
    /// do not come again if an older copy of the directory is restored, or the key gets a new one.
    pub(super) fn open(disk: Disk, path: PathBuf, now: i64) -> io::Result<Self> {
        let stored: Stored = serde_json::from_slice(&std::fs::read(&path)?)?;
        let by_time = u64::try_from(now).unwrap_or(0).saturating_mul(MAX_PER_SECOND);
        let next = stored.reserved.max(by_time);
        let state = State { next, end: next, failed: false };
        Ok(Self {
            disk,
            path,
            directory: stored.directory,
            state: Mutex::new(state),
            reserving: AsyncMutex::new(()),
        })
    }

    /// The next number, if `stamp` agrees; `stamp` is called while no other number can be given out, so
    /// that numbers are in the order of what it reads. Waits for the disk once every [`BLOCK`] numbers.
    pub(super) async fn take<T>(
        &self,
        mut stamp: impl FnMut() -> Option<T>,
    ) -> Result<Option<(u128, T)>, Ended> {
        loop {
            if let Some(taken) = self.try_take(&mut stamp)? {
                return Ok(taken);
            }
            let _reserving = self.reserving.lock().await;
            if !self.is_exhausted()? {
                continue;
            }
            self.reserve().await?;
        }
    }

    /// Whether the disk failed, so that no number is given out any more.
    pub(super) fn have_ended(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failed
    }

    /// `None` if there is no number in reserve.
    fn try_take<T>(&self, stamp: &mut impl FnMut() -> Option<T>) -> Result<Option<Option<(u128, T)>>, Ended> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.failed, state.next < state.end) {
            (true, _) => Err(Ended),
            (false, false) => Ok(None),
            (false, true) => {
                let Some(stamped) = stamp() else { return Ok(Some(None)) };
                let serial = u128::from(self.directory) << u64::BITS | u128::from(state.next);
                state.next += 1;
                Ok(Some(Some((serial, stamped))))
            }
        }
    }

    fn is_exhausted(&self) -> Result<bool, Ended> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.failed {
            true => Err(Ended),
            false => Ok(state.next >= state.end),
        }
    }

    async fn reserve(&self) -> Result<(), Ended> {
        let end = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.end.checked_add(BLOCK)
        };
        let (disk, path, directory) = (self.disk.clone(), self.path.clone(), self.directory);
        let written = match end {
            Some(reserved) => {
                let stored = Stored { reserved, directory };
                spawn_blocking(move || write(&disk, &path, &stored)).await.ok().and_then(Result::ok)
            }
            None => None,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (written, end) {
            (Some(()), Some(end)) => state.end = end,
            _ => state.failed = true,
        }
        if state.failed { Err(Ended) } else { Ok(()) }
    }
}

/// No number can be given out any more, because the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended;

#[derive(Serialize, Deserialize)]
struct Stored {
    /// All numbers below may have been given out.
    reserved: u64,
    /// What tells the numbers of this directory from those of any other.
    #[serde(default)]
    directory: u32,
}

fn write(disk: &Disk, path: &Path, stored: &Stored) -> io::Result<()> {
    let scratch = path.parent().unwrap_or(Path::new("."));
    disk.put(scratch, path, &serde_json::to_vec(stored)?)
}

/// How many numbers one write to the disk reserves.
const BLOCK: u64 = 65_536;
/// More numbers than an authority can give out in a second, on average over its life.
const MAX_PER_SECOND: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use signet_store::fs::{Faults, Step};

    use super::*;

    /// The next number, without what stands in front of it.
    async fn next(serials: &Serials) -> Result<u64, Ended> {
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

    /// Fails one kind of step.
    struct Failing(IsMeant);

    /// Whether a step is one that is to fail.
    type IsMeant = fn(Step<'_>) -> bool;

    impl Faults for Failing {
        fn before(&self, step: Step<'_>, _: &Path) -> io::Result<()> {
            if self.0(step) { Err(io::Error::other("injected")) } else { Ok(()) }
        }
    }

    #[tokio::test]
    async fn a_write_that_fails_at_any_step_ends_the_numbers_for_good() {
        let steps: [(&str, IsMeant); 5] = [
            ("create", |step| step == Step::Create),
            ("write", |step| matches!(step, Step::Write(_))),
            ("sync", |step| step == Step::SyncFile),
            ("rename", |step| matches!(step, Step::Rename { .. })),
            ("sync directory", |step| step == Step::SyncDir),
        ];
        for (name, step) in steps {
            let dir = tempfile::tempdir().unwrap();
            Serials::create(&Disk::default(), &dir.path().join("serials.json")).unwrap();
            let serials = open(dir.path(), Disk::with_faults(Arc::new(Failing(step))));
            assert!(!serials.have_ended(), "{name}");
            assert_eq!(next(&serials).await, Err(Ended), "{name}");
            assert!(serials.have_ended(), "{name}");
            assert_eq!(next(&serials).await, Err(Ended), "{name}");
            // The next process reads whatever is there, and gives out nothing that was given out.
            assert!(next(&open(dir.path(), Disk::default())).await.is_ok(), "{name}");
        }
    }
}
