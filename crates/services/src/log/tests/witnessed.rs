//! A log whose checkpoints witnesses have to cosign.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;

use signet_crypto::Digest;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::note::VerifierKey;
use signet_formats::tlog::{AddCheckpoint, WitnessPolicy};

use super::*;
use crate::clock::ManualClock;
use crate::witness::{self, Cosigner, Refusal, Witness, WitnessedLog};

/// Three witnesses in this process, `one`, `two` and `three`, some of them down or silent.
pub(super) struct Village {
    witnesses: BTreeMap<&'static str, Witness>,
    down: Mutex<Vec<&'static str>>,
    silent: Mutex<Vec<&'static str>>,
    pub(super) lying: Mutex<Vec<&'static str>>,
    asked: AtomicU32,
    /// Whether they show nobody what they have seen.
    pub(super) is_shy: AtomicBool,
    _dir: tempfile::TempDir,
}

impl Village {
    pub(super) async fn new(signer: &LogSigner) -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut witnesses = BTreeMap::new();
        for name in ["one", "two", "three"] {
            let keys = signer.keys().cloned().collect();
            let log = WitnessedLog { origin: ORIGIN.into(), keys, per_day: None };
            let config =
                witness::Config { data: dir.path().join(name), logs: vec![log], clock: village_clock() };
            let ml_dsa: Option<Arc<dyn Signer>> = (name == "one").then(|| key(KeyAlgorithm::MlDsa44) as _);
            let cosigner = Cosigner::new(name, key(KeyAlgorithm::Ed25519), ml_dsa).unwrap();
            let witness = Witness::open_on(Disk::default(), config, cosigner).await.unwrap();
            witnesses.insert(name, witness);
        }
        let (down, silent, lying) = Default::default();
        Arc::new(Self {
            witnesses,
            down,
            silent,
            lying,
            asked: AtomicU32::new(0),
            is_shy: AtomicBool::new(false),
            _dir: dir,
        })
    }

    pub(super) fn policy(&self, rest: &str) -> WitnessPolicy {
        let mut text = String::new();
        for (name, witness) in &self.witnesses {
            for (key, place) in witness.keys().zip(["", "-ml-dsa"]) {
                text += &format!("witness {name}{place} {key} http://{name}/\n");
            }
        }
        WitnessPolicy::parse(format!("{text}{rest}").as_bytes()).unwrap()
    }

    /// A log that needs two of the three.
    fn config(self: &Arc<Self>, dir: &Path) -> Config {
        self.config_of(dir, TWO_OF_THREE, PATIENT)
    }

    pub(super) fn config_of(self: &Arc<Self>, dir: &Path, policy: &str, within: Duration) -> Config {
        let witnesses = Witnesses::new(self.policy(policy), Arc::clone(self) as _, within);
        let witnesses = witnesses.by_clock(village_clock());
        Config { witnesses: Some(Arc::new(witnesses)), ..config(dir) }
    }

    pub(super) async fn open(self: &Arc<Self>, dir: &Path, signer: &LogSigner) -> Log {
        Log::open(self.config(dir), signer.clone()).await.unwrap()
    }

    /// As [`Village::open`], of a log that needs others.
    pub(super) async fn open_for(self: &Arc<Self>, dir: &Path, signer: &LogSigner, policy: &str) -> Log {
        Log::open(self.config_of(dir, policy, PATIENT), signer.clone()).await.unwrap()
    }

    pub(super) fn silence(&self, names: &[&'static str]) {
        *self.silent.lock().unwrap() = names.to_vec();
    }

    pub(super) fn set_down(&self, names: &[&'static str]) {
        *self.down.lock().unwrap() = names.to_vec();
    }

    /// How often the log contradicted itself.
    pub(super) fn contradictions(&self) -> u64 {
        self.witnesses.values().map(|witness| witness.counters().contradictions.load(Ordering::Relaxed)).sum()
    }

    fn key(&self, name: &str) -> VerifierKey {
        self.witnesses[name].keys().next().unwrap().clone()
    }
}

#[async_trait]
impl WitnessClient for Village {
    async fn add_checkpoint(&self, url: &str, request: String) -> Result<WitnessAnswer, String> {
        let name = url.strip_prefix("http://").unwrap();
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.silent.lock().unwrap().contains(&name) {
            std::future::pending::<()>().await;
        }
        if self.lying.lock().unwrap().contains(&name) {
            return Ok(WitnessAnswer::Conflict(1_000));
        }
        if self.down.lock().unwrap().contains(&name) {
            return Err("connection refused".to_owned());
        }
        let request = AddCheckpoint::parse(request.as_bytes()).map_err(|error| error.to_string())?;
        Ok(match self.witnesses[name].add_checkpoint(request).await {
            Ok(lines) => WitnessAnswer::Cosigned(lines.iter().map(|line| format!("{line}\n")).collect()),
            Err(Refusal::Conflict { size }) => WitnessAnswer::Conflict(size),
            Err(refusal) => WitnessAnswer::Refused(refusal.to_string()),
        })
    }

    async fn newest(&self, url: &str, origin: &str) -> Result<Option<String>, String> {
        let name = url.strip_prefix("http://").unwrap();
        let shown = self.witnesses[name].checkpoint(&Digest::sha256(origin.as_bytes())).await;
        Ok(shown
            .filter(|_| !self.is_shy.load(Ordering::Relaxed))
            .map(|note| String::from_utf8(note.into()).unwrap()))
    }
}

fn cosigned(head: &Head, key: &VerifierKey) -> bool {
    cosignature::verify(&SignedCheckpoint::parse(&head.note).unwrap(), key).is_ok()
}

#[tokio::test]
async fn what_is_published_is_cosigned() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let everybody =
        village.config_of(dir.path(), "group all all one one-ml-dsa two three\nquorum all\n", PATIENT);
    let log = Log::open(everybody, signer.clone()).await.unwrap();
    for number in 0..3 {
        let added = add(&log, number).await;
        assert!(["one", "two", "three"].into_iter().all(|name| cosigned(&added.head, &village.key(name))));
        let note = SignedCheckpoint::parse(&added.head.note).unwrap();
        assert_eq!(note.note().verify(signer.keys().next().unwrap()), Ok(()));
    }
    let head = log.head();
    assert!(cosigned(&head, village.witnesses["one"].keys().nth(1).unwrap()), "by ML-DSA-44, too");
    log.close().await;
    drop(log);
    // After a start it is shown as it was, although nobody cosigns.
    village.set_down(&["one", "two", "three"]);
    let log = village.open(dir.path(), &signer).await;
    assert_eq!(log.head().note, head.note);
    assert!(log.is_published());
    assert!(add(&log, 1).await.duplicate);
}

#[tokio::test]
async fn without_the_quorum_nothing_is_published() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let log = village.open(dir.path(), &signer).await;
    let before = add(&log, 0).await.head;
    village.set_down(&["one", "three"]);
    for _ in 0..2 {
        let refused = log.add(entry(1)).await.unwrap_err();
        assert!(
            matches!(&refused, AddError::Unwitnessed(why) if why.contains("connection refused")),
            "{refused}"
        );
    }
    assert_eq!((log.head().note.clone(), log.is_published()), (before.note.clone(), false));
    assert!(log.inclusion_proof(1, 2).is_err() && log.leaf(1).is_err(), "it is not told of either");
    assert!(add(&log, 0).await.duplicate, "what is published is found");
    assert!(log.failure().is_none());
    log.close().await;
    drop(log);

    let log = village.open(dir.path(), &signer).await;
    assert_eq!((log.head().note.clone(), log.is_published()), (before.note.clone(), false));
    village.set_down(&["three"]);
    // Nobody adds: what is durable is published all the same.
    while !log.is_published() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(log.head().checkpoint.size, 2);
    let found = add(&log, 1).await;
    assert_eq!((found.index, found.duplicate), (1, true));
    let statuses = log.witnesses();
    let third = statuses.iter().find(|status| status.url == "http://three").unwrap();
    assert_eq!((third.cosigned, third.last_error.as_deref()), (0, Some("connection refused")));
}

#[tokio::test]
async fn a_silent_witness_delays_nothing_that_does_not_need_it() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    village.silence(&["two"]);
    let log = village.config_of(dir.path(), TWO_OF_THREE, Duration::from_secs(3));
    let log = Log::open(log, signer).await.unwrap();
    for number in 0..3 {
        assert!(!cosigned(&add(&log, number).await.head, &village.key("two")));
    }
    village.set_down(&["three"]);
    let refused = log.add(entry(3)).await.unwrap_err();
    assert!(refused.to_string().contains("no answer within 3000 ms"), "{refused}");
}

/// One of three suffices: the two that take a request and never answer it cost no more, however many checkpoints there are.
#[tokio::test]
async fn silent_witnesses_hold_a_task_each_and_not_one_for_each_checkpoint() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let policy = "group any 1 one two three\nquorum any\n";
    let log = village.config_of(dir.path(), policy, Duration::from_secs(3_600));
    let log = Log::open(log, signer).await.unwrap();
    add(&log, 0).await;
    village.silence(&["two", "three"]);
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for number in 1..8 {
        let head = add(&log, number).await.head;
        assert!(cosigned(&head, &village.key("one")) && !cosigned(&head, &village.key("two")));
    }
    let after = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(after <= before + 2, "{before} tasks, and {after} later");
}

#[tokio::test]
async fn a_witness_that_was_away_catches_up() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    village.set_down(&["three"]);
    let log = village.open(dir.path(), &signer).await;
    for number in 0..5 {
        add(&log, number).await;
    }
    log.close().await;
    drop(log);
    village.set_down(&[]);
    let log = village.open(dir.path(), &signer).await;
    village.set_down(&["two"]);
    let head = add(&log, 5).await.head;
    assert!(cosigned(&head, &village.key("three")), "it was asked from size 0");
    add(&log, 6).await;
}

#[tokio::test]
async fn a_lost_witness_policy_is_damage_and_no_policy_of_none() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let log = village.open(dir.path(), &signer).await;
    add(&log, 0).await;
    log.close().await;
    drop(log);
    let (data, policy) = (dir.path().join("log"), dir.path().join("log/witness-policy"));
    let sound = fs::read(&policy).unwrap();
    for (left, why) in [(None, "is missing"), (Some("quorum none\n"), "is another than the log had")] {
        fs::remove_file(&policy).unwrap();
        left.into_iter().for_each(|text| fs::write(&policy, text).unwrap());
        let refused = Log::open(config(dir.path()), signer.clone()).await.err().unwrap();
        assert!(matches!(&refused, OpenError::Damaged(damaged) if damaged.contains(why)), "{refused}");
        assert!(fsck(&data).unwrap().findings.iter().any(|finding| finding.contains(why)));
        fs::write(&policy, &sound).unwrap();
    }
    fs::remove_file(&policy).unwrap();
    let log = village.open(dir.path(), &signer).await;
    assert!(cosigned(&add(&log, 1).await.head, &village.key("one")), "it was given again");
    assert_eq!(fs::read(&policy).unwrap(), sound);
}

#[tokio::test]
async fn lines_by_other_keys_are_no_cosignatures() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let impostors = Village::new(&signer).await;
    let witnesses = Witnesses::new(village.policy("quorum one\n"), impostors, PATIENT);
    let config = Config { witnesses: Some(Arc::new(witnesses)), ..config(dir.path()) };
    let log = Log::open(config, signer).await.unwrap();
    let refused = log.add(entry(0)).await.unwrap_err();
    assert!(refused.to_string().contains("no cosignature by a key of the policy"), "{refused}");
}

/// What it cosigns now would be new for as long as its clock is ahead.
#[tokio::test]
async fn a_witness_whose_clock_is_ahead_does_not_count() {
    for (ahead, is_ahead) in [(300, false), (301, true)] {
        let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
        let village = Village::new(&signer).await;
        let witnesses = Witnesses::new(village.policy("quorum one\n"), Arc::clone(&village) as _, PATIENT);
        let witnesses = witnesses.by_clock(Arc::new(ManualClock::at(NOW.unsigned_abs() - ahead)));
        let config = Config { witnesses: Some(Arc::new(witnesses)), ..config(dir.path()) };
        let log = Log::open(config, signer).await.unwrap();
        let added = log.add(entry(0)).await.map(drop).map_err(|error| error.to_string());
        let refused =
            added.is_err_and(|why| why.contains("`http://one`: its clock is 301 s ahead of this one"));
        assert_eq!(refused, is_ahead);
    }
}

#[tokio::test]
async fn a_policy_that_wants_none_is_content_with_those_who_answer() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    village.set_down(&["one", "two"]);
    let log = village.open_for(dir.path(), &signer, "quorum none\n").await;
    let head = add(&log, 0).await.head;
    assert!(!cosigned(&head, &village.key("one")));
    while village.asked.load(Ordering::Relaxed) < 3 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_kept_checkpoint_that_the_log_did_not_sign_is_refused() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let log = village.open(dir.path(), &signer).await;
    let head = add(&log, 0).await.head;
    log.close().await;
    drop(log);
    let other = LogSigner::new(ORIGIN, key(KeyAlgorithm::Ed25519), None).unwrap();
    let forged = other.sign(&head.checkpoint).await.unwrap().to_string();
    fs::write(dir.path().join("log/checkpoint"), forged).unwrap();
    let refused = Log::open(village.config(dir.path()), signer).await.err().unwrap();
    assert!(matches!(refused, OpenError::Damaged(_)), "{refused}");
}

pub(super) const TWO_OF_THREE: &str = "group all 2 one two three\nquorum all\n";
/// Longer than any witness here takes that answers at all.
pub(super) const PATIENT: Duration = Duration::from_secs(60);
/// When it is for the witnesses.
pub(super) const NOW: i64 = 1_800_000_000;

pub(super) fn village_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW.unsigned_abs()))
}

/// Four entries, three of them witnessed.
async fn with_one_unwitnessed(village: &Arc<Village>, dir: &Path, signer: &LogSigner) -> Bytes {
    let log = village.open(dir, signer).await;
    for number in 0..3 {
        add(&log, number).await;
    }
    village.set_down(&["one", "two", "three"]);
    assert!(matches!(log.add(entry(3)).await, Err(AddError::Unwitnessed(_))));
    log.close().await;
    log.head().note.clone()
}

#[tokio::test]
async fn a_witnessed_log_signs_nothing_without_its_witnesses() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let note = with_one_unwitnessed(&village, dir.path(), &signer).await;
    let data = dir.path().join("log");
    let refused = Log::open(config(dir.path()), signer.clone()).await.err().unwrap();
    assert!(matches!(refused, OpenError::Witnessed), "{refused}");
    assert_eq!(fs::read(data.join("checkpoint")).unwrap(), note, "nothing was signed");

    // Opened only to be frozen, with the policy that it has.
    let log = village.open(dir.path(), &signer).await;
    log.freeze().await.unwrap();
    assert_eq!((log.durable(), log.head().checkpoint.size), (4, 3));
    log.close().await;
    drop(log);
    assert_eq!(fs::read(data.join("checkpoint")).unwrap(), note);
    let log = village.open(dir.path(), &signer).await;
    assert_eq!((log.head().note.clone(), log.is_published()), (note, false));
    village.set_down(&[]);
    while !log.is_published() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(log.head().checkpoint.size == 4 && cosigned(&log.head(), &village.key("one")));
}

#[tokio::test]
async fn a_head_that_the_policy_has_no_cosignatures_of_is_cosigned_at_once() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let log = open(dir.path(), &signer).await;
    add(&log, 0).await;
    log.close().await;
    drop(log);
    village.set_down(&["one", "two"]);
    let log = village.open(dir.path(), &signer).await;
    assert!(!log.is_published(), "it is not witnessed, as it has to be from now on");
    let findings = fsck(&dir.path().join("log")).unwrap().findings;
    assert_eq!(findings, ["the checkpoint does not have the cosignatures of the witness policy"]);
    village.set_down(&[]);
    while !log.is_published() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(cosigned(&log.head(), &village.key("one")));
    assert_eq!(fsck(&dir.path().join("log")).unwrap().findings, [""; 0]);
    log.freeze().await.unwrap();
    log.close().await;
    drop(log);
    // A later policy is not for what is over; who wants none says so.
    let log = village.open_for(dir.path(), &signer, "quorum one-ml-dsa\n").await;
    assert!(log.is_published());
}

#[tokio::test]
async fn a_policy_for_other_logs_is_refused_and_not_kept() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let village = Village::new(&signer).await;
    let other = LogSigner::new(ORIGIN, key(KeyAlgorithm::Ed25519), None).unwrap();
    let policy = |signer: &LogSigner| format!("log {}\nquorum one\n", signer.keys().next().unwrap());
    let refused = Log::open(village.config_of(dir.path(), &policy(&other), PATIENT), signer.clone()).await;
    assert!(matches!(refused.err().unwrap(), OpenError::PolicyOfOthers { .. }));
    let data = dir.path().join("log");
    assert!(policy_of(&data).unwrap().is_none());
    let log = village.open_for(dir.path(), &signer, &policy(&signer)).await;
    add(&log, 0).await;
    assert_eq!(policy_of(&data).unwrap().unwrap().logs().len(), 1);
}
