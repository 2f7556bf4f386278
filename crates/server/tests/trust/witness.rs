use std::sync::Arc;
use std::time::Duration;

use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::merkle::{leaf_hash, root};
use signet_formats::note::VerifierKey;
use signet_formats::tlog::AddCheckpoint;
use signet_keys::{Payload, PrivateKey};
use signet_server::witness::{operators, router};
use signet_services::clock::ManualClock;
use signet_services::witness::{Config, Cosigner, Witness, WitnessedLog};
use signet_store::fs::Disk;

use crate::harness::Served;
use crate::lines::Lines;

const ORIGIN: &str = "example.org/log";

/// Anybody can send a true checkpoint with a wrong proof, as often as they like.
#[tokio::test]
async fn wrong_proofs_do_not_fill_the_log_and_are_counted() {
    let lines = Lines::of_this_thread();
    let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(1_800_000_000)));
    let key = || PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let log = key();
    let log_key = VerifierKey::log(ORIGIN, log.public_key().clone()).unwrap();
    let known = WitnessedLog { origin: ORIGIN.into(), keys: vec![log_key.clone()], per_day: None };
    let config = Config { data: dir.path().to_owned(), logs: vec![known], clock: clock.clone() };
    let witness =
        Witness::open_on(Disk::default(), config, Cosigner::new("w", Arc::new(key()), None).unwrap());
    let witness = witness.await.unwrap();
    let served = Served::start(Served::listen().await, router(witness.clone()));
    let send = async |old_size, size| {
        let leaves: Vec<_> = (0..size).map(|leaf: u8| leaf_hash(&[leaf])).collect();
        let (origin, size) = (ORIGIN.to_owned(), u64::from(size));
        let checkpoint = Checkpoint { origin, size, root: root(&leaves), extensions: Vec::new() };
        let message = checkpoint.message(&log_key).unwrap();
        let signature = log.sign(Scheme::Ed25519, Payload::Message(&message)).unwrap();
        let note = checkpoint.signed(&[(log_key.clone(), signature)]).unwrap();
        let checkpoint = SignedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
        let request = AddCheckpoint { old_size, proof: Vec::new(), checkpoint };
        served.post("/add-checkpoint", "text/plain", request.to_string()).send().await.unwrap().status()
    };
    assert_eq!(send(0, 3).await, 200);
    for minute in [0, 1] {
        clock.advance(Duration::from_secs(minute * 60));
        for _ in 0..20 {
            assert_eq!(send(3, 5).await, 422);
        }
    }
    let said = lines.said();
    let said: Vec<_> = said.iter().filter(|line| line.contains("does not prove")).collect();
    let [first, second] = said.as_slice() else { panic!("{said:?}") };
    assert!(first.contains("unsaid=0") && second.contains("unsaid=19"), "{said:?}");
    let admin = Served::start(Served::listen().await, operators(witness));
    let metrics = admin.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nsignet_witness_unproven_total 40\n"), "{metrics}");
}
