//! What a log promises, on a real disk.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use signet_crypto::{KeyAlgorithm, PublicKey, Scheme};
use signet_formats::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use signet_formats::tlog::{Entries, EntryBundle, Tile};
use signet_keys::{Payload, PrivateKey, SignError, Signer};
use signet_store::fs::{Disk, Faults, Step};

use super::chunk::CHUNK_WIDTH;
use super::*;

mod ahead;
mod crash;
mod exported;
mod guards;
mod newest;
mod searched;
mod sharded;
mod witnessed;

const ORIGIN: &str = "example.org/log";

fn key(algorithm: KeyAlgorithm) -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(algorithm).unwrap())
}

fn signer() -> LogSigner {
    LogSigner::new(ORIGIN, key(KeyAlgorithm::Ed25519), None).unwrap()
}

/// A log that does not wait for more entries.
fn config(dir: &Path) -> Config {
    let limits = Limits { interval: Duration::ZERO, ..Limits::default() };
    Config { limits, ..Config::new(dir.join("log")) }
}

async fn open(dir: &Path, signer: &LogSigner) -> Log {
    Log::open(config(dir), signer.clone()).await.unwrap()
}

fn entry(number: u64) -> Bytes {
    format!("entry {number}").into()
}

async fn add(log: &Log, number: u64) -> Added {
    log.add(entry(number)).await.unwrap()
}

/// Adds many at once. Returns their indices.
async fn add_all(log: &Log, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let tasks: Vec<_> = numbers
        .map(|number| {
            let log = log.clone();
            tokio::spawn(async move {
                loop {
                    match log.add(entry(number)).await {
                        Ok(added) => break added.index,
                        Err(AddError::Busy) => tokio::task::yield_now().await,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let mut indices = Vec::new();
    for task in tasks {
        indices.push(task.await.unwrap());
    }
    indices
}

/// Every leaf, proof, tile and bundle of what is published agrees.
fn check_all(log: &Log, sample: usize) {
    let head = log.head();
    let checkpoint = &head.checkpoint;
    let mut leaves = Vec::new();
    for index in 0.. {
        let Some(bundle) = EntryBundle::of_log(index, checkpoint.size) else { break };
        let bytes = log.entries(bundle).unwrap().unwrap();
        leaves.extend(Entries::new(&bytes).map(|entry| leaf_hash(entry.unwrap())));
        let tile = log.tile(Tile::of_tree(0, index, checkpoint.size).unwrap()).unwrap().unwrap();
        let first = usize::try_from(bundle.first_entry()).unwrap();
        assert_eq!(tile, leaves[first..].as_flattened());
    }
    assert_eq!(leaves.len() as u64, checkpoint.size);
    for (index, leaf) in (0..).zip(&leaves).step_by(sample) {
        let proof = log.inclusion_proof(index, checkpoint.size).unwrap();
        assert_eq!(verify_inclusion(index, checkpoint.size, leaf, &proof, &checkpoint.root), Ok(()));
    }
}

#[tokio::test]
async fn an_entry_is_proven_kept_and_found_again() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let added = add(&log, 1).await;
    let checkpoint = &added.head.checkpoint;
    assert_eq!((added.index, added.duplicate, checkpoint.size), (0, false, 1));
    let proof = log.inclusion_proof(0, checkpoint.size).unwrap();
    assert_eq!(verify_inclusion(0, 1, &leaf_hash(&entry(1)), &proof, &checkpoint.root), Ok(()));
    log.close().await;
    assert_eq!(log.add(entry(2)).await.unwrap_err(), AddError::Closed);
    drop(log);

    let log = open(dir.path(), &signer).await;
    let again = add(&log, 1).await;
    assert_eq!((again.index, again.duplicate), (0, true));
    assert_eq!(add(&log, 2).await.index, 1);
    assert_eq!(log.head().checkpoint.size, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_many_get_one_index_each() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let empty = log.head();
    let mut both = add_all(&log, 0..1500).await;
    let before = log.head();
    assert_eq!(add_all(&log, 0..1500).await, both, "a duplicate has the index of the first");
    both.sort_unstable();
    assert_eq!(both, (0..1500).collect::<Vec<_>>());
    add_all(&log, 1500..1800).await;
    check_all(&log, 7);
    let head = log.head();
    for old in [&empty.checkpoint, &before.checkpoint] {
        let (new, proof) = (&head.checkpoint, log.consistency_proof(old.size, head.checkpoint.size).unwrap());
        assert_eq!(verify_consistency(old.size, new.size, &old.root, &new.root, &proof), Ok(()));
    }
    let counters = log.counters();
    assert_eq!(counters.added.load(Ordering::Relaxed), 1800);
    assert_eq!(counters.duplicates.load(Ordering::Relaxed), 1500);
    assert_eq!(counters.queued_bytes.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn checkpoints_are_signed_by_both_keys_and_a_key_is_added_later() {
    let dir = tempfile::tempdir().unwrap();
    let (ed25519, ml_dsa) = (key(KeyAlgorithm::Ed25519), key(KeyAlgorithm::MlDsa44));
    let one = LogSigner::new(ORIGIN, ed25519.clone(), None).unwrap();
    let both = LogSigner::new(ORIGIN, ed25519, Some(ml_dsa)).unwrap();
    let log = open(dir.path(), &one).await;
    add(&log, 1).await;
    log.close().await;
    drop(log);
    let log = open(dir.path(), &both).await;
    add(&log, 2).await;
    log.close().await;
    drop(log);
    let report = fsck(&dir.path().join("log")).unwrap();
    assert_eq!((report.size, report.findings), (2, vec![]), "both signatures verify");
    assert!(matches!(Log::open(config(dir.path()), one).await, Err(OpenError::WrongKey { .. })));
    let swapped = LogSigner::new(ORIGIN, key(KeyAlgorithm::MlDsa44), None);
    assert!(swapped.is_err(), "every log has an Ed25519 key");
}

#[tokio::test]
async fn what_cannot_be_an_entry_is_refused() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    assert_eq!(log.add(Bytes::new()).await.unwrap_err(), AddError::Empty);
    let long = log.add(vec![1; MAX_ENTRY_BYTES + 1].into()).await.unwrap_err();
    assert_eq!(long, AddError::TooLong { bytes: MAX_ENTRY_BYTES + 1 });
    assert_eq!(log.add(vec![1; MAX_ENTRY_BYTES].into()).await.unwrap().index, 0);
    assert_eq!(log.head().checkpoint.size, 1);
    check_all(&log, 1);
}

#[tokio::test]
async fn readers_get_nothing_that_is_not_published() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    add_all(&log, 0..3).await;
    assert!(log.tile(Tile::of_tree(0, 0, 4).unwrap()).unwrap().is_none());
    assert!(log.entries(EntryBundle::of_log(0, 4).unwrap()).unwrap().is_none());
    assert!(log.inclusion_proof(0, 4).is_err());
    assert!(log.consistency_proof(0, 4).is_err());
    assert_eq!(log.tile(Tile::of_tree(0, 0, 2).unwrap()).unwrap().unwrap().len(), 64);
}

#[tokio::test]
async fn a_frozen_log_is_read_only_after_a_restart_too() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    add(&log, 1).await;
    log.freeze().await.unwrap();
    assert_eq!(log.add(entry(2)).await.unwrap_err(), AddError::Frozen);
    log.close().await;
    drop(log);
    let log = open(dir.path(), &signer).await;
    assert_eq!(log.add(entry(1)).await.unwrap_err(), AddError::Frozen);
    assert_eq!(log.head().checkpoint.size, 1);
}

/// A script that notes how many it has must not note fewer than are acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_log_has_all_that_it_will_ever_have() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let tasks: Vec<_> = (0..400)
        .map(|number| {
            let log = log.clone();
            tokio::spawn(async move { log.add(entry(number)).await.map(|added| added.index).ok() })
        })
        .collect();
    add(&log, 1_000).await;
    log.freeze().await.unwrap();
    let (durable, published) = (log.durable(), log.head().checkpoint.size);
    let mut acknowledged = 1;
    for task in tasks {
        acknowledged += u64::from(task.await.unwrap().is_some());
    }
    log.close().await;
    assert_eq!((durable, published), (acknowledged, acknowledged));
    assert_eq!(fsck(&dir.path().join("log")).unwrap().size, acknowledged);
}

#[tokio::test]
async fn a_frozen_log_stays_so_without_its_mark() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    log.freeze().await.unwrap();
    log.close().await;
    drop(log);
    fs::remove_file(dir.path().join("log/frozen")).unwrap();
    assert_eq!(open(dir.path(), &signer).await.add(entry(1)).await.unwrap_err(), AddError::Frozen);
}

/// Signs while it may.
struct Gate {
    key: Arc<PrivateKey>,
    open: Arc<AtomicBool>,
}

#[async_trait]
impl Signer for Gate {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn schemes(&self) -> &[Scheme] {
        self.key.schemes()
    }

    async fn sign(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, SignError> {
        match self.open.load(Ordering::Acquire) {
            true => self.key.sign(scheme, payload),
            false => Err(SignError::Backend { reason: "out of order".to_owned() }),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_signer_fails_few_wait_and_more_are_refused() {
    let (dir, open) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(true)));
    let gate = Arc::new(Gate { key: key(KeyAlgorithm::Ed25519), open: Arc::clone(&open) });
    let mut config = config(dir.path());
    config.limits.queue = 2;
    let log = Log::open(config, LogSigner::new(ORIGIN, gate, None).unwrap()).await.unwrap();
    open.store(false, Ordering::Release);
    let first = {
        let log = log.clone();
        tokio::spawn(async move { add(&log, 0).await })
    };
    while log.counters().signing_failures.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let waiting: Vec<_> = [1, 2]
        .map(|number| {
            let log = log.clone();
            tokio::spawn(async move { add(&log, number).await })
        })
        .into();
    while log.counters().queued_bytes.load(Ordering::Relaxed) < 2 * entry(1).len() {
        tokio::task::yield_now().await;
    }
    // Both may still be on their way from the counter to the queue.
    while log.add(entry(3)).await.is_ok() {}
    assert_eq!(log.head().checkpoint.size, 0, "nothing is published unsigned");
    open.store(true, Ordering::Release);
    assert_eq!(first.await.unwrap().index, 0);
    for added in waiting {
        assert!(added.await.unwrap().index < 3);
    }
}

#[tokio::test]
async fn bytes_that_wait_are_bounded_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.limits.queue_bytes = 10;
    let log = Log::open(config, signer()).await.unwrap();
    assert_eq!(log.add(vec![1; 11].into()).await.unwrap_err(), AddError::Busy);
    assert!(log.add(vec![1; 10].into()).await.is_ok());
    assert_eq!(log.counters().refused.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_filed_and_read_back() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    add_all(&log, 0..CHUNK_WIDTH + 300).await;
    log.close().await;
    check_all(&log, 4001);
    drop(log);
    let data = dir.path().join("log");
    assert_eq!(fsck(&data).unwrap().findings, Vec::<String>::new());

    let log = open(dir.path(), &signer).await;
    check_all(&log, 4001);
    for number in [0, 77, CHUNK_WIDTH - 1, CHUNK_WIDTH, CHUNK_WIDTH + 299] {
        assert!(add(&log, number).await.duplicate, "{number}");
    }
    assert_eq!(add(&log, CHUNK_WIDTH + 300).await.index, CHUNK_WIDTH + 300);
    log.close().await;
    drop(log);

    // What is made from the entries is made again.
    fs::remove_dir_all(data.join("hashes")).unwrap();
    fs::remove_dir_all(data.join("index")).unwrap();
    let log = open(dir.path(), &signer).await;
    assert!(add(&log, 5).await.duplicate);
    log.close().await;
    check_all(&log, 4001);
    assert_eq!(fsck(&data).unwrap().findings, Vec::<String>::new());
    let target = dir.path().join("static");
    assert_eq!(export(&data, &target).unwrap(), CHUNK_WIDTH + 301);
    let tile = fs::read(target.join("tile/1/001.p/1")).unwrap();
    assert_eq!(tile, log.tile(Tile::of_tree(1, 1, CHUNK_WIDTH + 301).unwrap()).unwrap().unwrap());
    assert_eq!(fs::read(target.join("checkpoint")).unwrap(), log.head().note);
    assert!(target.join("tile/2/000.p/1").is_file() && target.join("tile/entries/257.p/45").is_file());
    let bundle = fs::read(target.join("tile/entries/000")).unwrap();
    let first = Entries::new(&bundle).next().unwrap().unwrap();
    assert_eq!(prove(&data, 0).unwrap().verify(first), Ok(()));
    check_export(&target, signer.keys().next().unwrap());
}

/// The files of an export are sound, and damage of each kind of them is found.
fn check_export(dir: &Path, ours: &signet_formats::note::VerifierKey) {
    let findings = || fsck_tiles(dir, Some(ours)).map(|report| report.findings);
    assert_eq!(findings().unwrap(), Vec::<String>::new());
    for (file, found) in [
        ("tile/0/007", "`tile/0/007` is not of the entries"),
        ("tile/1/001.p/1", "`tile/1/001.p/1` is not of the entries"),
        ("tile/2/000.p/1", "`tile/2/000.p/1` is not of the entries"),
        ("tile/entries/257.p/45", "the entries are not those of the checkpoint"),
    ] {
        let sound = fs::read(dir.join(file)).unwrap();
        let mut spoilt = sound.clone();
        *spoilt.last_mut().unwrap() ^= 1;
        fs::write(dir.join(file), spoilt).unwrap();
        assert!(findings().unwrap().iter().any(|finding| finding == found), "{file}");
        fs::remove_file(dir.join(file)).unwrap();
        let missing = format!("`{file}` is missing");
        match findings() {
            Ok(findings) => assert_eq!(findings, [missing]),
            Err(error) => assert!(error.to_string().contains(&missing), "{error}"),
        }
        fs::write(dir.join(file), sound).unwrap();
    }
    let other = LogSigner::new(ORIGIN, key(KeyAlgorithm::Ed25519), None).unwrap();
    let unsigned = fsck_tiles(dir, other.keys().next()).unwrap().findings;
    assert_eq!(unsigned, ["`checkpoint`: the note has no signature by this key"]);
}
