//! When a log refuses to start.

use super::crash::{copy, segment};
use super::seal::Seal;
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
async fn an_index_that_the_log_does_not_have_is_no_damage() {
    let (dir, _) = closed(2).await;
    let data = dir.path().join("log");
    assert!(prove(&data, 1).is_ok());
    assert!(matches!(prove(&data, 2).err().unwrap(), OpenError::NoEntry { index: 2, size: 2 }));
}

/// Until its next checkpoint the old one would lack a signature that the log says it has.
#[tokio::test]
async fn a_key_that_is_added_signs_the_checkpoint_that_is_there() {
    for entries in [0, 2] {
        let (dir, old) = (tempfile::tempdir().unwrap(), key(KeyAlgorithm::Ed25519));
        let log = open(dir.path(), &LogSigner::new(ORIGIN, Arc::clone(&old) as _, None).unwrap()).await;
        for number in 0..entries {
            add(&log, number).await;
        }
        log.close().await;
        drop(log);
        let both = LogSigner::new(ORIGIN, old, Some(key(KeyAlgorithm::MlDsa44))).unwrap();
        let _log = open(dir.path(), &both).await;
        assert_eq!(fsck(&dir.path().join("log")).unwrap().findings, [""; 0], "{entries} entries");
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
    let (dir, signer) = closed(0).await;
    let (path, checkpoint) = (segment(dir.path(), 0), dir.path().join("log/checkpoint"));
    let first = fs::read(&checkpoint).unwrap();
    let log = open(dir.path(), &signer).await;
    for number in 0..3 {
        add(&log, number).await;
    }
    log.close().await;
    drop(log);
    let sound = fs::read(&path).unwrap();
    // The beginning and all of the first two batches, with a checkpoint that tells nothing.
    fs::write(checkpoint, first).unwrap();
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

/// An entry has in it what the header of a later batch would be, by all that its author can know.
#[tokio::test]
async fn an_entry_that_was_cut_off_cannot_look_like_damage() {
    for seal in [Seal::Plain, Seal::Salted([0; 16]), Seal::fresh().unwrap()] {
        let (dir, signer) = closed(0).await;
        let first = fs::read(dir.path().join("log/checkpoint")).unwrap();
        let log = open(dir.path(), &signer).await;
        add(&log, 0).await;
        let later = wal::Frame { first: 2, count: 1, root: leaf_hash(b"") };
        let forged = [b"an entry with ".as_slice(), &later.encode(&seal), b" in it"].concat();
        log.add(forged.into()).await.unwrap();
        log.close().await;
        drop(log);
        fs::write(dir.path().join("log/checkpoint"), first).unwrap();
        let bytes = fs::read(segment(dir.path(), 0)).unwrap();
        fs::write(segment(dir.path(), 0), &bytes[..bytes.len() - 1]).unwrap();
        let log = open(dir.path(), &signer).await;
        assert_eq!(log.head().checkpoint.size, 1, "{seal:?}");
    }
}

#[tokio::test]
async fn each_segment_has_a_secret_of_its_own() {
    let (dir, signer) = closed(1).await;
    tear(dir.path(), 0);
    let log = open(dir.path(), &signer).await;
    add(&log, 1).await;
    let [one, two] = [0, 1].map(|first| fs::read(segment(dir.path(), first)).unwrap());
    assert_eq!(one[..4], two[..4]);
    assert_ne!(one[4..20], two[4..20]);
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
    assert_eq!(fsck(&dir.path().join("log")).unwrap().findings, ["`checkpoint` is missing"]);
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

#[tokio::test]
async fn a_log_stays_what_it_was_made_for() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let of = |kind| Config { kind, ..config(dir.path()) };
    let log = Log::open(of(Some(Kind::Opaque)), signer.clone()).await.unwrap();
    add(&log, 0).await;
    log.close().await;
    drop(log);
    let another = Log::open(of(Some(Kind::HashedRekord)), signer.clone()).await.err().unwrap();
    assert!(
        matches!(another, OpenError::OtherKind { found: Kind::Opaque, wanted: Kind::HashedRekord }),
        "{another}"
    );
    assert_eq!(Log::open(of(None), signer.clone()).await.unwrap().kind(), Some(Kind::Opaque));
}

/// Earlier versions did not keep it.
#[tokio::test]
async fn what_a_log_from_before_was_made_for_is_told_by_its_entries() {
    let (dir, signer) = closed(0).await;
    let of = |kind| Config { kind: Some(kind), ..config(dir.path()) };
    let log = Log::open(config(dir.path()), signer.clone()).await.unwrap();
    assert_eq!(log.kind(), None);
    add(&log, 0).await;
    log.close().await;
    drop(log);
    let another = Log::open(of(Kind::HashedRekord), signer.clone()).await.err().unwrap();
    assert!(matches!(another, OpenError::OtherKind { found: Kind::Opaque, .. }), "{another}");
    let log = Log::open(of(Kind::Opaque), signer.clone()).await.unwrap();
    log.close().await;
    drop(log);
    assert_eq!(Log::open(config(dir.path()), signer).await.unwrap().kind(), Some(Kind::Opaque), "it is kept");
}

/// Else it would die of its restarts: each segment costs a file, and more than a few were once kept open.
#[tokio::test]
async fn a_start_goes_on_in_the_last_segment_unless_its_end_is_torn() {
    let (dir, signer) = closed(1).await;
    let names = || fs::read_dir(dir.path().join("log/entries")).unwrap().count();
    for (number, tears, segments) in [(1, false, 1), (2, true, 2), (3, false, 2), (4, true, 3)] {
        if tears {
            tear(dir.path(), if number == 2 { 0 } else { 2 });
        }
        let log = open(dir.path(), &signer).await;
        assert_eq!((add(&log, number).await.index, names()), (number, segments));
        check_all(&log, 1);
        log.close().await;
    }
    assert_eq!(fsck(&dir.path().join("log")).unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn few_of_many_segments_are_open_and_all_are_read() {
    let (dir, signer) = closed(0).await;
    for number in 0..30 {
        let log = open(dir.path(), &signer).await;
        add(&log, number).await;
        log.close().await;
        drop(log);
        tear(dir.path(), number);
    }
    let log = open(dir.path(), &signer).await;
    add(&log, 30).await;
    check_all(&log, 1);
    let segments = log.shared.segments.read().unwrap().clone();
    assert_eq!((segments.last(), segments.count_open()), (Some(30), 8));
}

/// An operator who saw such a log called damaged would put back a copy of a sound one, and fork it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_log_writes_meanwhile_is_not_damage() {
    let (dir, signer) = closed(0).await;
    let log = open(dir.path(), &signer).await;
    add(&log, 0).await;
    let (writer, runtime) = (log.clone(), tokio::runtime::Handle::current());
    let mut archive = archive::Archive::bare(&dir.path().join("log"), Form::Bytes).unwrap();
    let replayed = tokio::task::spawn_blocking(move || {
        let replayed = archive.replay(None, &mut |archive| {
            let size = archive.tree.size();
            runtime.block_on(async {
                for number in size..size + 3 {
                    add(&writer, number).await;
                }
            });
            Ok(())
        });
        (replayed, archive.tree.size(), archive.torn)
    });
    let (replayed, size, torn) = replayed.await.unwrap();
    replayed.unwrap();
    assert_eq!((size, torn, log.durable()), (1, 0, 4), "what came since is later");
}

/// As a write that was cut off leaves a segment.
fn tear(dir: &Path, first: u64) {
    let mut bytes = fs::read(segment(dir, first)).unwrap();
    bytes.push(0);
    fs::write(segment(dir, first), bytes).unwrap();
}
