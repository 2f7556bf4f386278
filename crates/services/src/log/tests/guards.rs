//! When a log refuses to start.

use super::crash::{copy, segment};
use super::*;

/// A directory of a closed log with some entries, and its signer.
async fn closed(entries: u64) -> (tempfile::TempDir, LogSigner) {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    for number in 0..entries {
        add(&log, number).await;
    }
    log.close().await;
    (dir, signer)
}

async fn refused(dir: &Path, signer: &LogSigner) -> OpenError {
    match Log::open(config(dir), signer.clone()).await {
        Ok(log) => panic!("it started with {} entries", log.head().checkpoint.size),
        Err(error) => error,
    }
}

#[tokio::test]
async fn one_process_writes() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let error = refused(dir.path(), &signer).await;
    assert!(matches!(error, OpenError::Dir(signet_store::OpenError::InUse { .. })), "{error}");
    log.close().await;
    drop(log);
    open(dir.path(), &signer).await;
}

#[tokio::test]
async fn another_logs_directory_is_refused() {
    let (dir, _) = closed(1).await;
    let error = refused(dir.path(), &signer()).await;
    assert!(matches!(error, OpenError::WrongKey { .. }), "{error}");
    let other = LogSigner::new("example.org/other", key(KeyAlgorithm::Ed25519), None).unwrap();
    let error = refused(dir.path(), &other).await;
    assert!(matches!(error, OpenError::WrongOrigin { .. }), "{error}");
    fs::remove_file(dir.path().join("log/log.json")).unwrap();
    let error = refused(dir.path(), &signer()).await;
    assert!(matches!(error, OpenError::Damaged(_)), "{error}");
}

#[tokio::test]
async fn a_log_does_not_go_back() {
    let (dir, signer) = closed(3).await;
    let old = tempfile::tempdir().unwrap();
    copy(&dir.path().join("log"), &old.path().join("log"));
    let log = open(dir.path(), &signer).await;
    add(&log, 3).await;
    let newest = log.head().checkpoint.clone();
    log.close().await;
    drop(log);
    // Yesterday's copy, today's checkpoint: beside it, or given by somebody who kept it.
    let mut config = config(old.path());
    config.floor = Some(newest);
    let error = Log::open(config, signer.clone()).await.err().unwrap();
    assert!(matches!(error, OpenError::WentBack { found: 3, published: 4 }), "{error}");
    fs::copy(dir.path().join("log/checkpoint"), old.path().join("log/checkpoint")).unwrap();
    let error = refused(old.path(), &signer).await;
    assert!(matches!(error, OpenError::WentBack { found: 3, published: 4 }), "{error}");
    assert_eq!(fsck(&old.path().join("log")).unwrap().findings.len(), 1);
}

#[tokio::test]
async fn a_second_history_is_refused() {
    let (dir, signer) = closed(2).await;
    let old = tempfile::tempdir().unwrap();
    copy(&dir.path().join("log"), &old.path().join("log"));
    for (path, number) in [(dir.path(), 2), (old.path(), 3)] {
        let log = open(path, &signer).await;
        add(&log, number).await;
        log.close().await;
    }
    fs::copy(dir.path().join("log/checkpoint"), old.path().join("log/checkpoint")).unwrap();
    let error = refused(old.path(), &signer).await;
    assert!(matches!(error, OpenError::Forked { size: 3 }), "{error}");
}

#[tokio::test]
async fn damage_before_the_end_is_refused_not_cut_off() {
    let (dir, signer) = closed(3).await;
    let path = segment(dir.path(), 0);
    let sound = fs::read(&path).unwrap();
    // All of the first two batches, without a checkpoint that would tell.
    fs::remove_file(dir.path().join("log/checkpoint")).unwrap();
    for at in 0..sound.len() * 2 / 3 {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = refused(dir.path(), &signer).await;
        assert!(matches!(error, OpenError::Damaged(_)), "byte {at}: {error}");
        assert!(!fsck(&dir.path().join("log")).unwrap().findings.is_empty(), "byte {at}");
    }
    fs::remove_file(&path).unwrap();
    fs::write(segment(dir.path(), 1), b"").unwrap();
    refused(dir.path(), &signer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_or_missing_hashes_are_refused() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    add_all(&log, 0..CHUNK_WIDTH + 1).await;
    log.close().await;
    drop(log);
    let chunk = dir.path().join("log/hashes/000000000000");
    let sound = fs::read(&chunk).unwrap();
    let (leaves, end) = (usize::try_from(CHUNK_WIDTH).unwrap() * 32, sound.len());
    for at in [leaves, leaves + 9000, end - 33, end - 1] {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&chunk, bytes).unwrap();
        let error = refused(dir.path(), &signer).await;
        assert!(matches!(error, OpenError::Damaged(_)), "byte {at}: {error}");
    }
    fs::write(&chunk, &sound[..end - 1]).unwrap();
    assert!(matches!(refused(dir.path(), &signer).await, OpenError::Damaged(_)));
    // The first of two: a gap.
    fs::rename(&chunk, dir.path().join("log/hashes/000000000001")).unwrap();
    assert!(matches!(refused(dir.path(), &signer).await, OpenError::Damaged(_)));
    // A leaf's hash is not needed to start; fsck sees it.
    fs::remove_file(dir.path().join("log/hashes/000000000001")).unwrap();
    let mut bytes = sound;
    bytes[77] ^= 1;
    fs::write(&chunk, bytes).unwrap();
    assert_eq!(fsck(&dir.path().join("log")).unwrap().findings.len(), 1);
}

#[tokio::test]
async fn a_log_without_its_checkpoint_is_damaged() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    assert!(dir.path().join("log/checkpoint").is_file(), "a new log has one");
    add(&log, 0).await;
    log.close().await;
    drop(log);
    fs::remove_file(dir.path().join("log/checkpoint")).unwrap();
    let refused = Log::open(config(dir.path()), signer).await.err().unwrap();
    assert!(
        matches!(&refused, OpenError::Damaged(why) if why.contains("`checkpoint` is missing")),
        "{refused}"
    );
}

/// It would end in an hour without.
#[tokio::test]
async fn a_log_that_is_to_end_does_not_wait_for_its_next_checkpoint() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let mut config = config(dir.path());
    config.limits.interval = Duration::from_secs(3_600);
    let log = Log::open(config, signer).await.unwrap();
    add(&log, 0).await;
    let (second, waiting) = (log.clone(), tokio::sync::oneshot::channel());
    second.submit(entry(1), move |added| drop(waiting.0.send(added)));
    log.close().await;
    assert_eq!(waiting.1.await.unwrap().unwrap().index, 1, "what waited is written");
}

/// A volume that is not mounted, a partial copy: the name and the key are given again, and the entries are gone.
#[tokio::test]
async fn a_log_of_which_only_the_checkpoint_is_left_does_not_begin_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = || HomeOptions { origin: Some("example.org/log".to_owned()), ml_dsa: false };
    let open = || Log::open_home(Disk::default(), config(dir.path()), options());
    let log = open().await.unwrap();
    add(&log, 0).await;
    log.close().await;
    drop(log);
    let data = dir.path().join("log");
    for lost in [&["log.json", "entries", "keys"][..], &["log.json", "entries"], &["log.json"], &["keys"]] {
        let copied = tempfile::tempdir().unwrap();
        copy(&data, &copied.path().join("log"));
        for name in lost {
            let path = copied.path().join("log").join(name);
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        let refused = Log::open_home(Disk::default(), config(copied.path()), options()).await.err().unwrap();
        assert!(matches!(refused, HomeError::Open(OpenError::Damaged(_))), "{lost:?}: {refused}");
        assert!(!lost.contains(&"keys") || !copied.path().join("log/keys").exists(), "{lost:?}");
    }
    assert_eq!(fsck_keys(&data), Vec::<String>::new());
    fs::remove_file(data.join("keys/ed25519.key")).unwrap();
    assert_eq!(fsck_keys(&data), ["`keys/ed25519.key` is missing"]);
}

/// A start that was cut off before the log had a name has published nothing.
#[tokio::test]
async fn a_log_that_was_never_named_begins() {
    let (dir, signer) = closed(0).await;
    fs::remove_file(dir.path().join("log/log.json")).unwrap();
    fs::remove_dir_all(dir.path().join("log/entries")).unwrap();
    assert_eq!(open(dir.path(), &signer).await.head().checkpoint.size, 0);
}
