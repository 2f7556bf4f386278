//! A log whose witnesses have seen more of it than there is.

use super::crash::copy;
use super::witnessed::{TWO_OF_THREE, Village};
use super::*;

/// The village, and a directory of its log as it was after one entry, of three.
async fn put_back(signer: &LogSigner) -> (Arc<Village>, tempfile::TempDir) {
    let (dir, yesterday) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let village = Village::new(signer).await;
    let log = village.open(dir.path(), signer).await;
    add(&log, 0).await;
    copy(&dir.path().join("log"), &yesterday.path().join("log"));
    add(&log, 1).await;
    add(&log, 2).await;
    log.close().await;
    (village, yesterday)
}

/// What it signed next would be a second history under its name.
#[tokio::test]
async fn a_log_that_was_put_back_signs_nothing() {
    let signer = signer();
    let (village, dir) = put_back(&signer).await;
    let log = village.open(dir.path(), &signer).await;
    let refused = log.add(entry(100)).await.unwrap_err();
    let why = "the log has 1 entries, but a checkpoint of 3 was published";
    assert!(matches!(&refused, AddError::Failed(failed) if failed.contains(why)), "{refused}");
    assert_eq!((log.head().checkpoint.size, log.durable(), village.contradictions()), (1, 1, 0));
}

#[tokio::test]
async fn where_nobody_proves_that_it_was_put_back_it_signs_nothing_either() {
    let signer = signer();
    let (village, dir) = put_back(&signer).await;
    village.is_shy.store(true, Ordering::Relaxed);
    let log = village.open(dir.path(), &signer).await;
    for _ in 0..2 {
        let refused = log.add(entry(100)).await.unwrap_err();
        let why = "it has seen 3 entries of this log, more than there are";
        assert!(matches!(&refused, AddError::Unwitnessed(said) if said.contains(why)), "{refused}");
    }
    assert_eq!((log.durable(), village.contradictions()), (1, 0), "nothing was written or signed");
    assert!(add(&log, 0).await.duplicate, "what is published is found");
    assert!(log.failure().is_none() && !log.is_confirmed(), "a word alone ends nothing");
    village.is_shy.store(false, Ordering::Relaxed);
    while log.failure().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Two processes have the same key, and the other went on first.
#[tokio::test]
async fn of_a_log_in_two_places_the_second_ends() {
    let signer = signer();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let village = Village::new(&signer).await;
    let log = village.open(one.path(), &signer).await;
    add(&log, 0).await;
    copy(&one.path().join("log"), &other.path().join("log"));
    let second = village.open(other.path(), &signer).await;
    assert!(add(&second, 0).await.duplicate, "it has asked, and nobody has seen more");
    for number in 1..4 {
        add(&log, number).await;
    }
    let refused = second.add(entry(100)).await.unwrap_err();
    assert!(matches!(refused, AddError::Failed(_)), "{refused}");
}

#[tokio::test]
async fn one_witness_alone_does_not_stop_a_log_by_its_word() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let log = village.open(dir.path(), &signer).await;
    add(&log, 0).await;
    log.close().await;
    drop(log);
    village.lying.lock().unwrap().push("one");
    let log = village.open(dir.path(), &signer).await;
    assert_eq!(add(&log, 1).await.index, 1);
}

/// Its first entry is made before those are there who are started beside it.
#[tokio::test]
async fn a_new_log_keeps_entries_before_its_witnesses_are_there() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    village.set_down(&["one", "two", "three"]);
    let log = village.open(dir.path(), &signer).await;
    assert!(matches!(log.add(entry(0)).await, Err(AddError::Unwitnessed(_))));
    assert_eq!(log.durable(), 1);
    log.close().await;
    drop(log);
    let log = village.open(dir.path(), &signer).await;
    assert!(matches!(log.add(entry(1)).await, Err(AddError::Unwitnessed(_))));
    assert_eq!(log.durable(), 1, "it might be one that was put back");
    village.set_down(&[]);
    while !log.is_published() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(log.head().checkpoint.size == 1 && log.is_confirmed());
}

/// It is asked again with each head, although the others suffice.
#[tokio::test]
async fn a_witness_that_was_away_at_the_start_is_heard_later() {
    for seen in [3, 5] {
        let signer = signer();
        let village = Village::new(&signer).await;
        let (dir, yesterday) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        village.set_down(&["one", "two"]);
        let log = village.open_for(dir.path(), &signer, "quorum three\n").await;
        add(&log, 0).await;
        copy(&dir.path().join("log"), &yesterday.path().join("log"));
        for number in 1..seen {
            add(&log, number).await;
        }
        log.close().await;
        village.set_down(&["three"]);
        let log = village.open_for(yesterday.path(), &signer, "quorum one\n").await;
        assert_eq!(add(&log, 100).await.index, 1, "who could tell is away");
        village.set_down(&[]);
        for number in 101..110 {
            let Err(refused) = log.add(entry(number)).await else { continue };
            let why = ["was published", "other entries than its checkpoint"];
            assert!(why.iter().any(|why| refused.to_string().contains(why)), "{refused}");
            break;
        }
        assert!(log.failure().is_some(), "it signs nothing more");
    }
}

/// Else those who send it entries would be told that it takes them.
#[tokio::test]
async fn a_log_is_not_confirmed_before_its_witnesses_were_asked() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let log = village.open(dir.path(), &signer).await;
    assert!(log.is_confirmed(), "nobody has seen anything of a new one");
    add(&log, 0).await;
    log.close().await;
    drop(log);
    village.silence(&["one", "two", "three"]);
    let config = village.config_of(dir.path(), TWO_OF_THREE, Duration::from_millis(500));
    let log = Log::open(config, signer).await.unwrap();
    assert!(!log.is_confirmed());
    log.close().await;
}
