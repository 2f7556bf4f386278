//! What a log promises, on a real disk.

use std::path::Path;

use signet_crypto::KeyAlgorithm;
use signet_formats::merkle::verify_inclusion;
use signet_keys::PrivateKey;

use super::*;

fn signer(origin: &str) -> LogSigner {
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    LogSigner::new(origin, Arc::new(key), None).unwrap()
}

async fn open(dir: &Path, signer: &LogSigner) -> Log {
    Log::open(Config::new(dir.join("log")), signer.clone()).await.unwrap()
}

async fn add(log: &Log, entry: &str) -> Added {
    log.add(Bytes::copy_from_slice(entry.as_bytes())).await.unwrap()
}

#[tokio::test]
async fn an_entry_is_proven_kept_and_found_again() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer("example.org/log"));
    let log = open(dir.path(), &signer).await;
    let added = add(&log, "one").await;
    let checkpoint = &added.head.checkpoint;
    assert_eq!((added.index, added.duplicate, checkpoint.size), (0, false, 1));
    let proof = log.inclusion_proof(0, checkpoint.size).unwrap();
    assert_eq!(verify_inclusion(0, 1, &leaf_hash(b"one"), &proof, &checkpoint.root), Ok(()));
    log.close().await;
    drop(log);

    let log = open(dir.path(), &signer).await;
    let again = add(&log, "one").await;
    assert_eq!((again.index, again.duplicate), (0, true));
    assert_eq!(add(&log, "two").await.index, 1);
    assert_eq!(log.head().checkpoint.size, 2);
}
