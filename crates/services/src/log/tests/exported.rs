//! What others read of a log's directory, beside the running log.

use super::crash::copy;
use super::*;

/// Without witnesses the checkpoint is on the disk up to a second after it was answered with.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_proven_exported_and_found_at_once() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let data = dir.path().join("log");
    for number in 0..3 {
        let index = add(&log, number).await.index;
        assert_eq!(prove(&data, index).unwrap().index, index);
        add(&log, 100 + number).await;
        let places = [Place { data: data.clone(), origin: None }];
        assert_eq!(search(&places, &Query { limit: 1, ..Query::default() }).unwrap().size, log.durable());
        assert_eq!(export(&data, &dir.path().join("static")).unwrap(), log.durable());
    }
}

#[tokio::test]
async fn an_export_goes_on_where_the_one_before_ended() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    add_all(&log, 0..600).await;
    log.close().await;
    drop(log);
    let (data, target) = (dir.path().join("log"), dir.path().join("static"));
    assert_eq!(export(&data, &target).unwrap(), 600);
    let file = |path: &str| target.join(path);
    let made = |path: &str| fs::metadata(file(path)).unwrap().modified().unwrap();
    let full = ["tile/0/000", "tile/entries/001"];
    let before = full.map(made);
    // What the checkpoint there does not cover may be of an export that was cut off.
    fs::write(file("tile/entries/002"), b"half").unwrap();
    fs::remove_file(file("tile/0/001")).unwrap();
    let log = open(dir.path(), &signer).await;
    add_all(&log, 600..800).await;
    log.close().await;
    drop(log);
    assert_eq!(export(&data, &target).unwrap(), 800);
    assert_eq!(full.map(made), before, "nothing is written twice");
    let key = signer.keys().next().unwrap();
    assert_eq!(fsck_tiles(&target, Some(key)).unwrap().findings, [""; 0]);
}

/// It would show those who read the export that the log went back, or another log under this one's URL.
#[tokio::test]
async fn an_export_is_never_replaced_by_less_or_another() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let [older, fork, strange] = ["older", "fork", "strange"].map(|name| dir.path().join(name));
    let log = open(dir.path(), &signer).await;
    add(&log, 0).await;
    log.close().await;
    drop(log);
    let (data, target) = (dir.path().join("log"), dir.path().join("static"));
    copy(&data, &older.join("log"));
    copy(&data, &fork.join("log"));
    for (dir, numbers) in [(dir.path(), 1..3), (&fork, 3..7)] {
        let log = open(dir, &signer).await;
        for number in numbers {
            add(&log, number).await;
        }
        log.close().await;
    }
    let another = LogSigner::new("example.org/other", key(KeyAlgorithm::Ed25519), None).unwrap();
    open(&strange, &another).await.close().await;
    assert_eq!(export(&data, &target).unwrap(), 3);
    let refused = |dir: &Path| export(&dir.join("log"), &target).unwrap_err();
    let checkpoint = fs::read(target.join("checkpoint")).unwrap();
    assert!(matches!(refused(&older), OpenError::WentBack { found: 1, published: 3 }));
    assert!(matches!(refused(&fork), OpenError::Forked { size: 3 }));
    let why = refused(&strange).to_string();
    assert!(why.contains("it is of the log `") && why.contains("not `example.org/other`"), "{why}");
    let same_name = LogSigner::new(ORIGIN, key(KeyAlgorithm::Ed25519), None).unwrap();
    open(&dir.path().join("same"), &same_name).await.close().await;
    let why = refused(&dir.path().join("same")).to_string();
    assert!(why.contains("no key of the log has signed it"), "{why}");
    assert_eq!(fs::read(target.join("checkpoint")).unwrap(), checkpoint);
    fs::write(target.join("checkpoint"), b"no checkpoint").unwrap();
    assert!(matches!(refused(dir.path()), OpenError::NotOurs { .. }));
}

#[tokio::test]
async fn two_exports_into_one_directory_do_not_mix() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    open(dir.path(), &signer).await.close().await;
    let (data, target) = (dir.path().join("log"), dir.path().join("static"));
    export(&data, &target).unwrap();
    let first = signet_store::lock(&target.join(".export")).unwrap();
    let refused = export(&data, &target).unwrap_err();
    assert!(matches!(refused, OpenError::Dir(signet_store::OpenError::InUse { .. })), "{refused}");
    drop(first);
    export(&data, &target).unwrap();
}
