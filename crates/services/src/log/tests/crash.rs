//! The process dies at each step that it takes on the disk.

use std::io;

use super::*;

/// A process that dies before one of its steps: that one and all later ones fail.
struct DeadAfter(Mutex<usize>);

impl Faults for DeadAfter {
    fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("dead"))?;
        Ok(())
    }
}

/// One step fails, once.
struct FailsOnce {
    sync: bool,
    below: &'static str,
    armed: AtomicBool,
}

impl Faults for FailsOnce {
    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        let hit = matches!(step, Step::SyncFile) == self.sync
            && matches!(step, Step::SyncFile | Step::Write(_))
            && path.to_string_lossy().contains(self.below);
        match hit && self.armed.swap(false, Ordering::AcqRel) {
            true => Err(io::Error::other("the disk failed (injected)")),
            false => Ok(()),
        }
    }
}

/// What somebody was told.
#[derive(Default)]
struct Told {
    indices: Vec<(u64, u64)>,
    heads: Vec<Arc<Head>>,
}

/// Adds entries until the log dies. Returns what was acknowledged, and whether it lived.
async fn play(disk: Disk, dir: &Path, signer: &LogSigner, numbers: std::ops::Range<u64>) -> (Told, bool) {
    let mut told = Told::default();
    let Ok(log) = Log::open_on(disk, config(dir), signer.clone()).await else { return (told, false) };
    told.heads.push(log.head());
    for number in numbers {
        let Ok(added) = log.add(entry(number)).await else { break };
        told.indices.push((number, added.index));
        told.heads.push(added.head);
    }
    log.close().await;
    let lived = log.failure().is_none();
    (told, lived)
}

/// A start after it finds all that was told, and nothing wrong.
async fn check(dir: &Path, signer: &LogSigner, told: &Told, what: &str) {
    let log = Log::open(config(dir), signer.clone()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let now = log.head();
    for head in &told.heads {
        let (old, new) = (&head.checkpoint, &now.checkpoint);
        assert!(old.size <= new.size, "{what}: it went back");
        let proof = log.consistency_proof(old.size, new.size).unwrap();
        assert_eq!(verify_consistency(old.size, new.size, &old.root, &new.root, &proof), Ok(()), "{what}");
    }
    for (number, index) in &told.indices {
        let again = add(&log, *number).await;
        assert_eq!((again.index, again.duplicate), (*index, true), "{what}: entry {number}");
    }
    let fresh = add(&log, u64::MAX).await;
    log.close().await;
    drop(log);
    let report = fsck(&dir.join("log")).unwrap();
    assert!(report.findings.is_empty() && report.size > fresh.index, "{what}: {:?}", report.findings);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_whenever_the_process_dies() {
    let signer = signer();
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::with_faults(Arc::new(DeadAfter(Mutex::new(step))));
        let (told, lived) = play(disk, dir.path(), &signer, 0..4).await;
        check(dir.path(), &signer, &told, &format!("dead after step {step}")).await;
        if lived {
            assert!(step > 20, "the steps were seen");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_it_dies_while_a_chunk_is_filed() {
    let (full, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(full.path(), &signer).await;
    add_all(&log, 0..CHUNK_WIDTH - 2).await;
    log.close().await;
    drop(log);
    // The other test dies while the log is opened.
    for step in steps_of_opening(full.path(), &signer).await.. {
        let dir = tempfile::tempdir().unwrap();
        copy(&full.path().join("log"), &dir.path().join("log"));
        let disk = Disk::with_faults(Arc::new(DeadAfter(Mutex::new(step))));
        let (told, lived) = play(disk, dir.path(), &signer, CHUNK_WIDTH..CHUNK_WIDTH + 4).await;
        check(dir.path(), &signer, &told, &format!("dead after step {step}")).await;
        if lived {
            assert!(step > 20, "the steps were seen");
            return;
        }
    }
}

/// How many steps it takes on the disk to open a log like this one.
async fn steps_of_opening(full: &Path, signer: &LogSigner) -> usize {
    let dir = tempfile::tempdir().unwrap();
    copy(&full.join("log"), &dir.path().join("log"));
    let faults = Arc::new(DeadAfter(Mutex::new(usize::MAX)));
    let log =
        Log::open_on(Disk::with_faults(faults.clone()), config(dir.path()), signer.clone()).await.unwrap();
    let taken = usize::MAX - *faults.0.lock().unwrap();
    log.close().await;
    taken
}

#[tokio::test]
async fn after_a_failed_write_or_sync_nothing_is_added_until_the_next_start() {
    for sync in [false, true] {
        let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
        let faults = Arc::new(FailsOnce { sync, below: "entries", armed: AtomicBool::new(false) });
        let disk = Disk::with_faults(faults.clone());
        let log = Log::open_on(disk, config(dir.path()), signer.clone()).await.unwrap();
        let told = add(&log, 0).await;
        faults.armed.store(true, Ordering::Release);
        for number in 1..3 {
            let refused = log.add(entry(number)).await.unwrap_err();
            assert!(matches!(refused, AddError::Failed(_)), "sync {sync}: {refused}");
        }
        assert!(log.failure().is_some_and(|why| why.contains("injected")));
        assert_eq!((log.head().checkpoint.size, log.durable()), (1, 1), "reading goes on");
        check_all(&log, 1);
        log.close().await;
        drop(log);
        let told = Told { indices: vec![(0, 0)], heads: vec![told.head] };
        check(dir.path(), &signer, &told, &format!("sync {sync}")).await;
    }
}

#[tokio::test]
async fn a_batch_that_was_cut_off_anywhere_is_no_batch() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let first = fs::read(dir.path().join("log/checkpoint")).unwrap();
    add(&log, 0).await;
    let whole = fs::read(segment(dir.path(), 0)).unwrap().len();
    // Not closed: the kept checkpoint says no more than one entry.
    add(&log, 1).await;
    let bytes = fs::read(segment(dir.path(), 0)).unwrap();
    log.close().await;
    drop(log);
    for cut in whole..bytes.len() {
        for zeros in [0, 1000] {
            let again = tempfile::tempdir().unwrap();
            copy(&dir.path().join("log"), &again.path().join("log"));
            fs::write(again.path().join("log/checkpoint"), &first).unwrap();
            fs::write(segment(again.path(), 0), [&bytes[..cut], &vec![0; zeros]].concat()).unwrap();
            let told = Told { indices: vec![(0, 0)], heads: vec![] };
            check(again.path(), &signer, &told, &format!("cut at {cut}, {zeros} zeros")).await;
        }
    }
}

#[tokio::test]
async fn what_was_cut_off_is_laid_aside_not_removed() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let first = fs::read(dir.path().join("log/checkpoint")).unwrap();
    add(&log, 0).await;
    log.close().await;
    drop(log);
    fs::write(dir.path().join("log/checkpoint"), first).unwrap();
    let bytes = fs::read(segment(dir.path(), 0)).unwrap();
    fs::write(segment(dir.path(), 0), &bytes[..bytes.len() - 1]).unwrap();
    let log = open(dir.path(), &signer).await;
    assert_eq!(log.head().checkpoint.size, 0);
    assert_eq!(add(&log, 1).await.index, 0);
    let torn: Vec<_> = fs::read_dir(dir.path().join("log/torn")).unwrap().collect();
    assert_eq!(torn.len(), 1);
    assert_eq!(fs::read(torn[0].as_ref().unwrap().path()).unwrap(), bytes[..bytes.len() - 1]);
}

pub(super) fn segment(dir: &Path, first: u64) -> std::path::PathBuf {
    dir.join("log/entries").join(wal::segment_name(first))
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}
