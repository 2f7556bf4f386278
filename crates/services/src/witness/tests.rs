//! What a witness promises, on a real disk.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use signet_crypto::KeyAlgorithm;
use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::cosignature;
use signet_formats::merkle::{self, Hash, leaf_hash};
use signet_formats::note::Note;
use signet_formats::tlog::{Nodes, consistency_proof};
use signet_keys::PrivateKey;
use signet_store::fs::{Disk, Faults, Step};

use super::*;
use crate::clock::ManualClock;
use crate::log::LogSigner;

const ORIGIN: &str = "example.org/log";
const NOW: u64 = 1_800_000_000;

fn key(algorithm: KeyAlgorithm) -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(algorithm).unwrap())
}

/// A log that signs what it likes.
struct Log {
    signer: LogSigner,
    leaves: Vec<Hash>,
}

impl Log {
    fn new() -> Self {
        let signer = LogSigner::new(ORIGIN, key(KeyAlgorithm::Ed25519), Some(key(KeyAlgorithm::MlDsa44)));
        Self {
            signer: signer.unwrap(),
            leaves: (0..100_u64).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect(),
        }
    }

    /// The same key, another history from entry 2 on.
    fn forked(&self) -> Self {
        let mut leaves = self.leaves.clone();
        leaves[2] = leaf_hash(b"other");
        Self { signer: self.signer.clone(), leaves }
    }

    async fn signed(&self, size: u64) -> SignedCheckpoint {
        let root = merkle::root(&self.leaves[..usize::try_from(size).unwrap()]);
        self.signed_as(Checkpoint { origin: ORIGIN.into(), size, root, extensions: vec![] }).await
    }

    async fn signed_as(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let note = self.signer.sign(&checkpoint).await.unwrap();
        SignedCheckpoint::parse(note.to_string().as_bytes()).unwrap()
    }

    async fn request(&self, old_size: u64, size: u64) -> AddCheckpoint {
        let proof = consistency_proof(self, old_size.min(size), size).unwrap();
        AddCheckpoint { old_size, proof, checkpoint: self.signed(size).await }
    }

    fn known(&self) -> WitnessedLog {
        WitnessedLog { origin: ORIGIN.into(), keys: self.signer.keys().cloned().collect(), per_day: None }
    }
}

impl Nodes for Log {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        let (start, end) = (index << level, (index + 1) << level);
        Ok(merkle::root(&self.leaves[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()]))
    }
}

fn cosigner() -> Cosigner {
    let ml_dsa: Option<Arc<dyn signet_keys::Signer>> = Some(key(KeyAlgorithm::MlDsa44));
    Cosigner::new("witness.example.org", key(KeyAlgorithm::Ed25519), ml_dsa).unwrap()
}

fn config(dir: &Path, logs: Vec<WitnessedLog>) -> Config {
    Config { data: dir.join("witness"), logs, clock: Arc::new(ManualClock::at(NOW)) }
}

async fn open(dir: &Path, log: &Log, cosigner: &Cosigner) -> Witness {
    Witness::open_on(Disk::default(), config(dir, vec![log.known()]), cosigner.clone()).await.unwrap()
}

#[tokio::test]
async fn its_lines_are_cosignatures_by_each_of_its_keys() {
    let (dir, log, cosigner) = (tempfile::tempdir().unwrap(), Log::new(), cosigner());
    let witness = open(dir.path(), &log, &cosigner).await;
    let request = log.request(0, 5).await;
    let lines = witness.add_checkpoint(request.clone()).await.unwrap();
    let mut note = request.checkpoint.note().clone();
    lines.into_iter().for_each(|line| note.push(line).unwrap());
    let cosigned = SignedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
    for key in witness.keys() {
        assert_eq!(cosignature::verify(&cosigned, key).unwrap().timestamp, NOW);
    }
    let published = witness.checkpoint(&Digest::sha256(ORIGIN.as_bytes())).await.unwrap();
    assert_eq!(SignedCheckpoint::parse(&published).unwrap(), cosigned);
    assert_eq!(witness.checkpoint(&Digest::sha256(b"other")).await, None);
}

#[tokio::test]
async fn it_follows_one_history_only() {
    let (dir, log, cosigner) = (tempfile::tempdir().unwrap(), Log::new(), cosigner());
    let fork = log.forked();
    let mut witness = open(dir.path(), &log, &cosigner).await;
    for (old, new) in [(0, 0), (0, 3), (3, 3), (3, 7), (7, 64), (64, 64)] {
        assert!(witness.add_checkpoint(log.request(old, new).await).await.is_ok(), "{old} to {new}");
        if new == 7 {
            drop(witness);
            witness = open(dir.path(), &log, &cosigner).await;
        }
    }
    let refused = async |request| witness.add_checkpoint(request).await.unwrap_err();
    assert_eq!(refused(log.request(7, 70).await).await, Refusal::Conflict { size: 64 });
    assert_eq!(refused(log.request(0, 70).await).await, Refusal::Conflict { size: 64 });
    assert_eq!(refused(log.request(70, 64).await).await, Refusal::Backwards { old: 70, new: 64 });
    assert!(matches!(refused(fork.request(64, 70).await).await, Refusal::Inconsistent(_)));
    assert_eq!(refused(fork.request(64, 64).await).await, Refusal::Inconsistent(MerkleError::RootMismatch));
    let mut longer = log.request(64, 70).await;
    longer.proof.push([0; 32]);
    assert!(matches!(refused(longer).await, Refusal::Inconsistent(_)));
    let evidence = fs::read_dir(dir.path().join("witness/evidence")).unwrap().next().unwrap().unwrap().path();
    let evidence =
        fs::read_to_string(fs::read_dir(evidence).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert_eq!(evidence.matches("\n64\n").count(), 2, "{evidence}");
    assert_eq!(witness.counters().contradictions.load(Ordering::Relaxed), 1);
    assert!(witness.add_checkpoint(log.request(64, 70).await).await.is_ok());
}

#[tokio::test]
async fn who_does_not_sign_gets_nothing() {
    let (dir, log, cosigner) = (tempfile::tempdir().unwrap(), Log::new(), cosigner());
    let witness = open(dir.path(), &log, &cosigner).await;
    let refused = async |request| witness.add_checkpoint(request).await.unwrap_err();
    let stranger = Log::new();
    assert_eq!(refused(stranger.request(0, 5).await).await, Refusal::Unsigned);
    // One line of a known key that is wrong spoils the others.
    let (good, other) = (log.request(0, 5).await, log.signed(6).await);
    let mut mixed = Note::new(good.checkpoint.note().text()).unwrap();
    mixed.push(good.checkpoint.note().signatures()[0].clone()).unwrap();
    mixed.push(other.note().signatures()[1].clone()).unwrap();
    let checkpoint = SignedCheckpoint::parse(mixed.to_string().as_bytes()).unwrap();
    assert_eq!(refused(AddCheckpoint { checkpoint, ..good }).await, Refusal::Unsigned);
    let unknown = LogSigner::new("example.org/unknown", key(KeyAlgorithm::Ed25519), None).unwrap();
    let (root, extensions) = (merkle::root(&[]), vec![]);
    let empty = Checkpoint { origin: "example.org/unknown".into(), size: 0, root, extensions };
    let checkpoint = Log { signer: unknown, leaves: vec![] }.signed_as(empty).await;
    let request = AddCheckpoint { old_size: 0, proof: vec![], checkpoint };
    assert_eq!(refused(request).await, Refusal::UnknownLog("example.org/unknown".into()));
    let lie = Checkpoint { origin: ORIGIN.into(), size: 0, root: [7; 32], extensions: vec![] };
    let request = AddCheckpoint { old_size: 0, proof: vec![], checkpoint: log.signed_as(lie).await };
    assert_eq!(refused(request).await, Refusal::Inconsistent(MerkleError::RootMismatch));
    assert_eq!(witness.counters().refused.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_log_gets_as_many_a_day_as_it_was_given() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::new());
    let clock = Arc::new(ManualClock::at(NOW));
    let known = WitnessedLog { per_day: Some(240), ..log.known() };
    let config = Config { clock: clock.clone(), ..config(dir.path(), vec![known]) };
    let witness = Witness::open_on(Disk::default(), config, cosigner()).await.unwrap();
    let mut old = 0;
    let mut ask = async |new| {
        let answer = witness.add_checkpoint(log.request(old, new).await).await;
        if answer.is_ok() {
            old = new;
        }
        answer.map(drop)
    };
    for new in 1..=10 {
        assert_eq!(ask(new).await, Ok(()));
    }
    assert_eq!(ask(11).await, Err(Refusal::TooMany { wait: Duration::from_secs(360) }));
    clock.advance(Duration::from_secs(361));
    assert_eq!(
        (ask(11).await, ask(12).await),
        (Ok(()), Err(Refusal::TooMany { wait: Duration::from_secs(359) }))
    );
}

#[tokio::test]
async fn a_restart_gives_a_log_nothing_back() {
    let (dir, log, ours) = (tempfile::tempdir().unwrap(), Log::new(), cosigner());
    let clock = Arc::new(ManualClock::at(NOW));
    let start = || {
        let known = WitnessedLog { per_day: Some(240), ..log.known() };
        let config = Config { clock: clock.clone(), ..config(dir.path(), vec![known]) };
        Witness::open_on(Disk::default(), config, ours.clone())
    };
    for round in 0..10 {
        let witness = start().await.unwrap();
        assert!(witness.add_checkpoint(log.request(round, round + 1).await).await.is_ok(), "{round}");
    }
    let eleventh = log.request(10, 11).await;
    let too_many = start().await.unwrap().add_checkpoint(eleventh.clone()).await;
    assert_eq!(too_many, Err(Refusal::TooMany { wait: Duration::from_secs(360) }));
    clock.step_to(Duration::from_secs(NOW - 86_400));
    assert!(start().await.unwrap().add_checkpoint(eleventh.clone()).await.is_err(), "the clock was set back");
    clock.step_to(Duration::from_secs(NOW + 361));
    assert!(start().await.unwrap().add_checkpoint(eleventh).await.is_ok());
}

/// The proof of a log that has forked leads from its other history.
#[tokio::test]
async fn a_fork_is_kept_also_if_the_log_has_grown_since() {
    let (dir, log, cosigner) = (tempfile::tempdir().unwrap(), Log::new(), cosigner());
    let witness = open(dir.path(), &log, &cosigner).await;
    witness.add_checkpoint(log.request(0, 7).await).await.unwrap();
    let forked = log.forked().request(7, 20).await;
    assert!(matches!(witness.add_checkpoint(forked.clone()).await, Err(Refusal::Inconsistent(_))));
    assert_eq!(witness.counters().contradictions.load(Ordering::Relaxed), 1);
    let kept = only_file(&dir.path().join("witness/evidence"));
    assert!(kept.contains("\n7\n") && kept.ends_with(&forked.to_string()), "{kept}");
    // A true checkpoint with a proof of nothing: anybody can send it.
    let wrong = AddCheckpoint { proof: vec![[7; 32]; 5], ..log.request(7, 20).await };
    assert!(matches!(witness.add_checkpoint(wrong).await, Err(Refusal::Inconsistent(_))));
    assert_eq!(witness.counters().contradictions.load(Ordering::Relaxed), 1);
    assert!(only_file(&dir.path().join("witness/unproven")).contains("\n20\n"));
}

/// The file of the only log in there.
fn only_file(dir: &Path) -> String {
    let only = |dir: &Path| {
        let [one] = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        one
    };
    let log: std::path::PathBuf = only(dir);
    fs::read_to_string(only(&log)).unwrap()
}

#[tokio::test]
async fn the_directory_of_another_and_a_damaged_one_are_refused() {
    let (dir, log, ours) = (tempfile::tempdir().unwrap(), Log::new(), cosigner());
    let witness = open(dir.path(), &log, &ours).await;
    witness.add_checkpoint(log.request(0, 5).await).await.unwrap();
    let again = |cosigner| Witness::open_on(Disk::default(), config(dir.path(), vec![log.known()]), cosigner);
    assert!(matches!(again(ours.clone()).await.err().unwrap(), OpenError::Dir(_)), "two cannot have it");
    drop(witness);
    assert!(matches!(again(cosigner()).await.err().unwrap(), OpenError::Other { .. }));
    let twice = config(dir.path(), vec![log.known(), log.known()]);
    let twice = Witness::open_on(Disk::default(), twice, ours.clone()).await;
    assert!(matches!(twice.err().unwrap(), OpenError::LogKey(_)));
    let file = fs::read_dir(dir.path().join("witness/logs")).unwrap().next().unwrap().unwrap().path();
    let sound = fs::read_to_string(&file).unwrap();
    for damaged in [sound.replace("\n5\n", "\n4\n"), String::new(), log.signed(3).await.note().to_string()] {
        fs::write(&file, damaged).unwrap();
        assert!(matches!(again(ours.clone()).await.err().unwrap(), OpenError::Damaged { .. }));
    }
    fs::write(&file, sound).unwrap();
    again(ours).await.unwrap();
}

/// A process that dies before one of its steps: that one and all later ones fail.
struct DeadAfter(Mutex<usize>);

impl Faults for DeadAfter {
    fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("dead"))?;
        Ok(())
    }
}

/// It had been ready all the while that no log got a cosignature.
#[tokio::test]
async fn on_a_full_disk_it_is_not_ready_until_it_could_write_or_may_be_asked_again() {
    struct Full(AtomicBool);
    impl Faults for Full {
        fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
            if self.0.load(Ordering::Acquire) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }
    let (dir, log, full) = (tempfile::tempdir().unwrap(), Log::new(), Arc::new(Full(false.into())));
    let clock = Arc::new(ManualClock::at(NOW));
    let config = Config { clock: clock.clone(), ..config(dir.path(), vec![log.known()]) };
    let witness = Witness::open_on(Disk::with_faults(full.clone()), config, cosigner()).await.unwrap();
    let ask = async |old, new| witness.add_checkpoint(log.request(old, new).await).await;
    full.0.store(true, Ordering::Release);
    assert!(matches!(ask(0, 1).await, Err(Refusal::Failed(_))) && !witness.is_cosigning());
    clock.advance(Duration::from_secs(60));
    assert!(witness.is_cosigning());
    assert!(matches!(ask(0, 1).await, Err(Refusal::Failed(_))) && !witness.is_cosigning());
    full.0.store(false, Ordering::Release);
    assert!(ask(0, 1).await.is_ok() && witness.is_cosigning());
}

#[tokio::test]
async fn whenever_it_dies_it_never_cosigns_a_second_history() {
    let (log, cosigner) = (Log::new(), cosigner());
    let fork = log.forked();
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::with_faults(Arc::new(DeadAfter(Mutex::new(step))));
        let mut cosigned = 0;
        let opened = Witness::open_on(disk, config(dir.path(), vec![log.known()]), cosigner.clone()).await;
        if let Ok(witness) = opened {
            for (old, new) in [(0, 3), (3, 5), (5, 9)] {
                match witness.add_checkpoint(log.request(old, new).await).await {
                    Ok(_) => cosigned = new,
                    Err(Refusal::Failed(_)) => break,
                    Err(other) => panic!("step {step}: {other}"),
                }
            }
        }
        let witness = open(dir.path(), &log, &cosigner).await;
        let conflict = witness.add_checkpoint(fork.request(99, 100).await).await.unwrap_err();
        let Refusal::Conflict { size } = conflict else { panic!("step {step}: {conflict}") };
        assert!(size >= cosigned, "step {step}: it cosigned {cosigned} and knows {size}");
        if size > 2 {
            let refused = witness.add_checkpoint(fork.request(size, 100).await).await.unwrap_err();
            assert!(matches!(refused, Refusal::Inconsistent(_)), "step {step}: {refused}");
        }
        assert!(witness.add_checkpoint(log.request(size, 100).await).await.is_ok());
        if cosigned == 9 {
            assert!(step > 20, "the steps were seen");
            return;
        }
    }
}

#[tokio::test]
async fn a_witness_with_keys_of_its_own_is_the_same_after_a_restart() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::new());
    let open = |options| Witness::open_home(Disk::default(), config(dir.path(), vec![log.known()]), options);
    let first = open(HomeOptions { ml_dsa: true, name: None }).await.unwrap();
    let keys: Vec<VerifierKey> = first.keys().cloned().collect();
    assert!(keys.len() == 2 && keys[0].name().starts_with("witness-"), "{keys:?}");
    drop(first);
    let second = open(HomeOptions::default()).await.unwrap();
    assert_eq!(second.keys().cloned().collect::<Vec<_>>(), keys);
    drop(second);
    let renamed = open(HomeOptions { name: Some("other".into()), ml_dsa: false }).await;
    assert!(matches!(renamed.err().unwrap(), OpenError::Other { .. }));
}

#[tokio::test]
async fn a_witness_that_has_lost_what_it_cosigned_does_not_begin_again() {
    let (dir, log, cosigner) = (tempfile::tempdir().unwrap(), Log::new(), cosigner());
    let witness = open(dir.path(), &log, &cosigner).await;
    witness.add_checkpoint(log.request(0, 5).await).await.unwrap();
    drop(witness);
    let data = dir.path().join("witness");
    let file = fs::read_dir(data.join("logs")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&file).unwrap();
    let refused = Witness::open_on(Disk::default(), config(dir.path(), vec![log.known()]), cosigner).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("what was cosigned last of `example.org/log` is gone"), "{refused}");
}

#[tokio::test]
async fn a_witness_of_which_a_directory_or_its_name_is_gone_does_not_begin_again() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::new());
    let open =
        || Witness::open_home(Disk::default(), config(dir.path(), vec![log.known()]), HomeOptions::default());
    let witness = open().await.unwrap();
    witness.add_checkpoint(log.request(0, 5).await).await.unwrap();
    drop(witness);
    let (data, aside) = (dir.path().join("witness"), dir.path().join("aside"));
    for part in ["logs", "cosigned", "witness.json", "keys"].map(|name| data.join(name)) {
        fs::rename(&part, &aside).unwrap();
        let refused = open().await.err().unwrap();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{}: {refused}", part.display());
        assert!(!part.exists(), "nothing is made in its place: {}", part.display());
        // Keys may be kept elsewhere.
        assert_eq!(fsck(&data).is_empty(), part.ends_with("keys"), "{}", part.display());
        fs::rename(&aside, &part).unwrap();
    }
    open().await.unwrap();
}

/// Anybody can have it, and could else use up what the log may have.
#[tokio::test]
async fn what_was_cosigned_last_is_said_again_and_not_counted() {
    let (dir, log) = (tempfile::tempdir().unwrap(), Log::new());
    let clock = Arc::new(ManualClock::at(NOW));
    let known = WitnessedLog { per_day: Some(240), ..log.known() };
    let config = Config { clock: clock.clone(), ..config(dir.path(), vec![known]) };
    let witness = Witness::open_on(Disk::default(), config, cosigner()).await.unwrap();
    let first = witness.add_checkpoint(log.request(0, 5).await).await.unwrap();
    for _ in 0..1_000 {
        assert_eq!(witness.add_checkpoint(log.request(5, 5).await).await.unwrap(), first);
    }
    clock.advance(Duration::from_secs(60));
    let later = witness.add_checkpoint(log.request(5, 5).await).await.unwrap();
    assert_ne!(later, first, "it is signed again, at a later time");
    for new in 6..=14 {
        assert!(witness.add_checkpoint(log.request(new - 1, new).await).await.is_ok(), "{new}");
    }
}
