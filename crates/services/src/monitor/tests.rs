//! A monitor over logs in this process, honest ones and others.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::rekor::{EntrySignatureV002, HashedRekordV002, PublicKeyDetails, Verifier};
use signet_formats::tlog::Resource;
use signet_keys::{Payload, PrivateKey};

use super::*;
use crate::clock::ManualClock;
use crate::log::{Config, Log, LogSigner};

const ORIGIN: &str = "example.org/log";

/// Reads a log, until it is given another.
struct Shown {
    log: Mutex<Log>,
    /// What is changed of what is read.
    spoil: Mutex<Option<&'static str>>,
    /// What cannot be read.
    withhold: Mutex<Vec<&'static str>>,
    /// What another URL shows; without, the same.
    elsewhere: Mutex<Option<Log>>,
    /// An older checkpoint in the place of the log's; then nothing partial is there, either.
    tidied: Mutex<Option<Vec<u8>>>,
}

impl Shown {
    fn new(log: &Log) -> Arc<Self> {
        let (spoil, withhold, elsewhere, tidied) = Default::default();
        Arc::new(Self { log: Mutex::new(log.clone()), spoil, withhold, elsewhere, tidied })
    }

    fn show(&self, log: &Log) {
        *self.log.lock().unwrap() = log.clone();
    }
}

#[async_trait]
impl LogReader for Shown {
    async fn read(&self, url: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let other = self.elsewhere.lock().unwrap().clone().filter(|_| url.contains("elsewhere"));
        let log = other.unwrap_or_else(|| self.log.lock().unwrap_or_else(PoisonError::into_inner).clone());
        match self.tidied.lock().unwrap().clone() {
            Some(checkpoint) if path == "checkpoint" => return Ok(Some(checkpoint)),
            Some(_) if path.contains(".p/") => return Ok(None),
            _ => {}
        }
        if self.withhold.lock().unwrap().iter().any(|what| path.contains(what)) {
            return Err("status 502".to_owned());
        }
        let bytes = match path.parse().unwrap() {
            Resource::Checkpoint => Some(log.head().note.to_vec()),
            Resource::Tile(tile) => log.tile(tile).unwrap(),
            Resource::Entries(bundle) => log.entries(bundle).unwrap(),
        };
        let spoilt = self.spoil.lock().unwrap().is_some_and(|what| path.contains(what));
        assert!(bytes.as_ref().is_none_or(|bytes| bytes.len() <= limit), "{path}");
        Ok(bytes.map(|mut bytes| {
            if spoilt {
                *bytes.last_mut().unwrap() ^= 1;
            }
            bytes
        }))
    }

    async fn ask(&self, _: &str, path: &str, _: Vec<u8>, _: usize) -> Result<Option<Vec<u8>>, String> {
        panic!("{path}: tiles are only read")
    }
}

fn signer() -> LogSigner {
    LogSigner::new(ORIGIN, Arc::new(PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap()), None).unwrap()
}

async fn log(dir: &Path, signer: &LogSigner) -> Log {
    let mut config = Config::new(dir.to_owned());
    config.limits.interval = std::time::Duration::ZERO;
    Log::open(config, signer.clone()).await.unwrap()
}

fn entry(number: u64, key: &str) -> Vec<u8> {
    let verifier = Verifier::PublicKey(key.as_bytes().to_vec());
    let key_details = PublicKeyDetails::PkixEcdsaP256Sha256;
    let signature = EntrySignatureV002 { signature: number.to_be_bytes().to_vec(), verifier, key_details };
    HashedRekordV002 { digest: Digest::sha256(&number.to_be_bytes()), signature }.to_body().unwrap()
}

async fn add(log: &Log, numbers: std::ops::Range<u64>, key: &str) {
    for number in numbers {
        log.add(entry(number, key).into()).await.unwrap();
    }
}

fn source(signer: &LogSigner) -> Source {
    let key = signer.keys().next().unwrap().clone();
    Source {
        url: "https://log.example.org/".into(),
        origin: ORIGIN.into(),
        key,
        witnesses: None,
        max_age: None,
        is_opaque: false,
    }
}

/// A monitor that looks at a log from two places.
fn monitor_of_two(dir: &Path, source: &Source, reader: &Arc<Shown>) -> Monitor {
    let second = Source { url: "https://elsewhere.example.org/".into(), ..source.clone() };
    let reader: Arc<dyn LogReader> = reader.clone();
    let clock = Arc::new(ManualClock::at(1_800_000_000));
    let sources = vec![source.clone(), second];
    Monitor::open(dir.join("state"), sources, Vec::new(), &reader, clock, false).unwrap()
}

fn monitor(dir: &Path, source: Source, reader: &Arc<Shown>, watch: &str, from_now: bool) -> Monitor {
    let watches = MonitorConfig::from_yaml(watch).unwrap().watches().unwrap();
    let reader: Arc<dyn LogReader> = reader.clone();
    let clock = Arc::new(ManualClock::at(1_800_000_000));
    let monitor = Monitor::open(dir.join("state"), vec![source], watches, &reader, clock, from_now).unwrap();
    monitor.with_heartbeat(Some(dir.join("heartbeat"))).unwrap()
}

fn watch_for(key: &str) -> String {
    format!("watch:\n  - name: ours\n    key: {}\n", Digest::sha256(key.as_bytes()))
}

async fn whats(monitor: &mut Monitor) -> Vec<What> {
    monitor.round().await.unwrap().into_iter().map(|finding| finding.what).collect()
}

#[tokio::test]
async fn each_entry_is_found_once_also_after_a_restart() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    add(&log, 0..300, "theirs").await;
    add(&log, 300..302, "ours").await;
    let open = || monitor(dir.path(), source(&signer), &reader, &watch_for("ours"), false);
    let mut first = open();
    let found: Vec<u64> = whats(&mut first)
        .await
        .into_iter()
        .map(|what| match what {
            What::Entry { index, watch, .. } if watch == "ours" => index,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [300, 301]);
    assert_eq!(whats(&mut first).await, []);
    drop(first);
    let mut first = open();
    assert_eq!(whats(&mut first).await.len(), 2, "nobody was told yet");
    first.keep(true).unwrap();
    add(&log, 302..303, "ours").await;
    drop(first);
    let mut second = open();
    let found = whats(&mut second).await;
    assert!(matches!(found.as_slice(), [What::Entry { index: 302, .. }]), "{found:?}");
    second.keep(true).unwrap();
    let heartbeat = std::fs::read_to_string(dir.path().join("heartbeat")).unwrap();
    assert!(heartbeat.contains("\"time\": 1800000000") && heartbeat.contains("\"size\": 303"), "{heartbeat}");
}

#[tokio::test]
async fn a_monitor_can_begin_at_the_newest_entry() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    add(&log, 0..777, "ours").await;
    let mut monitor = monitor(dir.path(), source(&signer), &reader, &watch_for("ours"), true);
    assert_eq!(whats(&mut monitor).await, []);
    add(&log, 777..1030, "theirs").await;
    add(&log, 1030..1031, "ours").await;
    let found = whats(&mut monitor).await;
    assert!(matches!(found.as_slice(), [What::Entry { index: 1030, .. }]), "{found:?}");
}

#[tokio::test]
async fn a_second_history_is_kept_as_evidence() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let (one, other) =
        (log(&dir.path().join("one"), &signer).await, log(&dir.path().join("two"), &signer).await);
    add(&one, 0..300, "a").await;
    add(&other, 0..270, "a").await;
    add(&other, 270..271, "b").await;
    let reader = Shown::new(&one);
    let mut monitor = monitor(dir.path(), source(&signer), &reader, "", false);
    assert_eq!(whats(&mut monitor).await, []);
    reader.show(&other);
    for size in [271, 300, 301, 600] {
        add(&other, 271..size, "b").await;
        let found = whats(&mut monitor).await;
        let [What::Fork { evidence, .. }] = found.as_slice() else { panic!("{size}: {found:?}") };
        let evidence = std::fs::read_to_string(evidence).unwrap();
        assert!(evidence.contains("\n300\n") && evidence.contains(&format!("\n{size}\n")), "{evidence}");
        assert_eq!(evidence.matches("\u{2014} example.org/log").count(), 2);
    }
    // Longer than the known one, it shows less of another history again.
    reader.show(&one);
    add(&one, 300..302, "a").await;
    assert_eq!(whats(&mut monitor).await, [], "the first history goes on");
}

#[tokio::test]
async fn entries_that_are_not_those_of_the_checkpoint_are_no_fork() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    add(&log, 0..300, "a").await;
    let mut monitor = monitor(dir.path(), source(&signer), &reader, "", false);
    assert_eq!(whats(&mut monitor).await, []);
    add(&log, 300..310, "a").await;
    for (what, why) in [("entries", "its entries are not those"), ("checkpoint", "note")] {
        *reader.spoil.lock().unwrap() = Some(what);
        let found = whats(&mut monitor).await;
        let [What::Unreadable(said)] = found.as_slice() else { panic!("{what}: {found:?}") };
        assert!(said.contains(why), "{said}");
    }
    *reader.spoil.lock().unwrap() = None;
    assert_eq!(whats(&mut monitor).await, []);
}

#[tokio::test]
async fn another_key_and_too_few_cosignatures_are_told() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    let witness = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap().public_key().clone();
    let witness = VerifierKey::witness("w", witness).unwrap();
    let policy = WitnessPolicy::parse(format!("witness w {witness}\nquorum w").as_bytes()).unwrap();
    let stranger =
        LogSigner::new(ORIGIN, Arc::new(PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap()), None);
    for (source, why) in [
        (source(&stranger.unwrap()), "no signature by this key"),
        (Source { witnesses: Some(policy), ..source(&signer) }, "cosignatures of the witness policy"),
        (Source { origin: "other".into(), ..source(&signer) }, "it is the log `example.org/log`"),
    ] {
        let found = whats(&mut monitor(dir.path(), source, &reader, "", false)).await;
        assert!(matches!(found.as_slice(), [What::Unreadable(said)] if said.contains(why)), "{found:?}");
    }
}

#[test]
fn a_configuration_that_could_miss_what_is_meant_is_refused() {
    let config = "logs:\n  - url: https://l.example.org\n    key: k\nwatch:\n  - name: a\n    identity: {pattern: '^.*@example[.]org$'}\n    issuer: https://i.example.org\nwebhook: https://h.example.org\n";
    let read = MonitorConfig::from_yaml(config).unwrap();
    assert_eq!((read.logs.len(), read.watches().unwrap().len()), (1, 1));
    let watch = &read.watches().unwrap()[0];
    let mut facts = EntryFacts { identities: vec!["a@example.org".into()], ..EntryFacts::default() };
    assert!(!watch.sees(&facts), "the issuer is another's");
    facts.issuer = Some("https://i.example.org".into());
    assert!(watch.sees(&facts));
    facts.identities = vec!["a@example.org.evil.example".into()];
    assert!(!watch.sees(&facts));
    for wrong in [
        "watch:\n  - name: a\n    identity: {pattern: 'example[.]org'}\n",
        "watch:\n  - name: a\n    issuer: https://i.example.org\n",
        "watch:\n  - name: a\n",
    ] {
        assert!(MonitorConfig::from_yaml(wrong).unwrap().watches().is_err(), "{wrong}");
    }
    for wrong in [
        "watches: []\n",
        "watch:\n  - name: a\n    identiy: b\n",
        "watch:\n  - name: a\n    digest: sha256:x\n",
    ] {
        assert!(MonitorConfig::from_yaml(wrong).is_err(), "{wrong}");
    }
}

/// A log and another of the same name and key that has `same` entries in common with it.
async fn fork_of(dir: &Path, signer: &LogSigner, sizes: (u64, u64), same: u64) -> (Log, Log) {
    let (one, other) = (log(&dir.join("one"), signer).await, log(&dir.join("two"), signer).await);
    add(&one, 0..sizes.0, "a").await;
    add(&other, 0..same, "a").await;
    add(&other, same..sizes.1, "b").await;
    (one, other)
}

#[tokio::test]
async fn a_fork_of_fewer_entries_is_kept_as_evidence_also_after_a_restart() {
    for (sizes, same) in [((5, 4), 3), ((700, 400), 399), ((1_900, 1_530), 100)] {
        let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
        let (one, other) = fork_of(dir.path(), &signer, sizes, same).await;
        let reader = Shown::new(&one);
        let open = || monitor(dir.path(), source(&signer), &reader, "", false);
        let mut first = open();
        assert_eq!(whats(&mut first).await, []);
        first.keep(true).unwrap();
        drop(first);
        reader.show(&other);
        let found = whats(&mut open()).await;
        let [What::Fork { evidence, .. }] = found.as_slice() else { panic!("{sizes:?}: {found:?}") };
        let evidence = std::fs::read_to_string(evidence).unwrap();
        assert!(
            evidence.contains(&format!("\n{}\n", sizes.0)) && evidence.contains(&format!("\n{}\n", sizes.1))
        );
    }
}

/// What nothing tells at once is kept, and told once it is proven.
#[tokio::test]
async fn a_signed_head_is_never_thrown_away() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let (one, other) = fork_of(dir.path(), &signer, (1_100, 520), 515).await;
    let reader = Shown::new(&one);
    let mut monitor = monitor(dir.path(), source(&signer), &reader, "", false);
    assert_eq!(whats(&mut monitor).await, []);
    // The first 512 are the same, and the other eight too long ago.
    reader.show(&other);
    let found = whats(&mut monitor).await;
    let [What::Unproven { size: 520, known: 1_100, kept }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(std::fs::read(kept).unwrap(), other.head().note.to_vec());
    reader.show(&one);
    let found = whats(&mut monitor).await;
    let [What::Fork { evidence, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert!(std::fs::read_to_string(evidence).unwrap().contains("\n520\n") && !kept.exists());
    assert_eq!(whats(&mut monitor).await, [], "it is told once");

    // More entries, which are withheld, and so is all that would prove anything: then what would is there.
    add(&other, 520..1_300, "b").await;
    reader.show(&other);
    *reader.withhold.lock().unwrap() = vec!["tile/"];
    let found = whats(&mut monitor).await;
    assert!(matches!(found.as_slice(), [What::Unreadable(why)] if why.contains("status 502")), "{found:?}");
    add(&one, 1_100..1_400, "a").await;
    reader.show(&one);
    *reader.withhold.lock().unwrap() = Vec::new();
    let found = whats(&mut monitor).await;
    assert!(matches!(found.as_slice(), [What::Fork { .. }]), "{found:?}");
}

#[tokio::test]
async fn what_was_read_before_an_entry_that_cannot_be_is_told_and_kept() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    add(&log, 0..2, "ours").await;
    add(&log, 2..600, "theirs").await;
    add(&log, 600..601, "ours").await;
    let open = || monitor(dir.path(), source(&signer), &reader, &watch_for("ours"), false);
    let mut first = open();
    *reader.withhold.lock().unwrap() = vec!["entries/001"];
    let found = whats(&mut first).await;
    first.keep(false).unwrap();
    let lagging = heartbeat(dir.path());
    assert_eq!(
        (&lagging["size"], &lagging["shown"], &lagging["behind"]),
        (&256.into(), &601.into(), &345.into())
    );
    let [What::Entry { index: 0, .. }, What::Entry { index: 1, .. }, What::Unreadable(_)] = found.as_slice()
    else {
        panic!("{found:?}")
    };
    first.keep(false).unwrap();
    drop(first);
    let mut second = open();
    assert!(matches!(whats(&mut second).await.as_slice(), [What::Unreadable(_)]), "nothing is told twice");
    *reader.withhold.lock().unwrap() = Vec::new();
    let found = whats(&mut second).await;
    assert!(matches!(found.as_slice(), [What::Entry { index: 600, .. }]), "{found:?}");
}

#[tokio::test]
async fn an_entry_is_not_told_of_before_it_is_proven() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    add(&log, 0..1, "ours").await;
    add(&log, 1..3, "theirs").await;
    let mut monitor = monitor(dir.path(), source(&signer), &reader, &watch_for("ours"), false);
    *reader.spoil.lock().unwrap() = Some("entries");
    let found = whats(&mut monitor).await;
    assert!(matches!(found.as_slice(), [What::Unreadable(_)]), "{found:?}");
}

#[tokio::test]
async fn what_could_hide_what_is_watched_for_is_told() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    add(&log, 0..1, "theirs").await;
    let verifier = Verifier::Certificate(b"no certificate of ours".to_vec());
    let key_details = PublicKeyDetails::PkixEcdsaP256Sha256;
    let signature = EntrySignatureV002 { signature: vec![1], verifier, key_details };
    let partial = HashedRekordV002 { digest: Digest::sha256(b"x"), signature }.to_body().unwrap();
    let broken = br#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{}}"#.to_vec();
    let other = br#"{"apiVersion":"0.0.1","kind":"helm","spec":{}}"#.to_vec();
    for entry in [partial, broken, other] {
        log.add(entry.into()).await.unwrap();
    }
    let mut monitor = monitor(dir.path(), source(&signer), &reader, &watch_for("ours"), false);
    assert_eq!(whats(&mut monitor).await, [What::Unread { first: 1, count: 2 }]);
    assert_eq!(whats(&mut monitor).await, []);
    monitor.keep(true).unwrap();
    assert_eq!(heartbeat(dir.path())["unread"], 2);
    drop(monitor);
    let mut monitor = self::monitor(dir.path(), source(&signer), &reader, &watch_for("ours"), false);
    monitor.keep(true).unwrap();
    assert_eq!(heartbeat(dir.path())["unread"], 2, "also after a restart");
    assert_eq!(heartbeat(dir.path())["shown"], serde_json::Value::Null, "nobody has looked yet");
}

/// sigstore-python takes the proto's own names of fields, and a bundle with such a leaf is one that it verifies.
#[tokio::test]
async fn no_spelling_of_an_entry_is_passed_over_in_silence() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    let leaf = String::from_utf8(entry(1, "ours")).unwrap();
    let spelt = |from: &str, to: &str| {
        assert!(leaf.contains(from), "{leaf}");
        leaf.replace(from, to)
    };
    let spellings = [
        leaf.clone(),
        spelt("{", "{ "),
        spelt("apiVersion", "api_version"),
        spelt("apiVersion", "api_version").replace("hashedRekordV002", "hashed_rekord_v002"),
        spelt("\"kind\"", "\"Kind\""),
        spelt("\"kind\":\"hashedrekord\"", "\"kind\":null"),
        format!("\u{feff}{leaf}"),
        spelt("\"kind\":\"hashedrekord\"", "\"kind\":\"helm\",\"kind\":\"hashedrekord\""),
        spelt("hashedrekord", "hashedrekord2"),
        "no entry at all".to_owned(),
    ];
    for spelling in spellings {
        log.add(spelling.into_bytes().into()).await.unwrap();
    }
    let mut monitor = monitor(dir.path(), source(&signer), &reader, &watch_for("ours"), false);
    let found = whats(&mut monitor).await;
    let [What::Entry { index: 0, .. }, What::Entry { index: 1, .. }, unread] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(*unread, What::Unread { first: 2, count: 8 });
}

#[tokio::test]
async fn no_watch_is_for_a_log_of_other_things() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    log.add(b"no entry at all".to_vec().into()).await.unwrap();
    let opaque = Source { is_opaque: true, ..source(&signer) };
    let mut monitor = monitor(dir.path(), opaque, &reader, &watch_for("ours"), false);
    assert_eq!(whats(&mut monitor).await, []);
}

/// Of a share that is not mounted, whoever watches it would be told nothing.
#[tokio::test]
async fn a_heartbeat_is_written_only_where_there_is_a_place_for_it() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    let share = dir.path().join("share");
    let open = || monitor(dir.path(), source(&signer), &reader, "", false);
    assert!(open().with_heartbeat(Some(share.join("alive"))).is_err() && !share.exists());
    std::fs::create_dir(&share).unwrap();
    let mut monitor = open().with_heartbeat(Some(share.join("alive"))).unwrap();
    monitor.keep(true).unwrap();
    std::fs::remove_dir_all(&share).unwrap();
    let gone = monitor.keep(true).unwrap_err().to_string();
    assert!(gone.contains("the directory of the heartbeat") && !share.exists(), "{gone}");
}

/// What the heartbeat says of the only log.
fn heartbeat(dir: &Path) -> serde_json::Value {
    let heartbeat = std::fs::read(dir.join("heartbeat")).unwrap();
    serde_json::from_slice::<serde_json::Value>(&heartbeat).unwrap()["logs"][0].take()
}

#[tokio::test]
async fn what_stays_wrong_is_news_once_and_again_after_a_day() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    add(&log, 0..3, "ours").await;
    let clock = Arc::new(ManualClock::at(1_800_000_000));
    let open = || {
        let watches = MonitorConfig::from_yaml(&watch_for("ours")).unwrap().watches().unwrap();
        let reader: Arc<dyn LogReader> = reader.clone();
        Monitor::open(dir.path().join("state"), vec![source(&signer)], watches, &reader, clock.clone(), false)
            .unwrap()
    };
    let mut monitor = open();
    let news = async |monitor: &mut Monitor, withheld: &[&'static str]| {
        *reader.withhold.lock().unwrap() = withheld.to_vec();
        let found = monitor.round().await.unwrap();
        assert_eq!(monitor.put_in_line(&found), 0);
        let mut news = 0;
        while monitor.first_in_line().is_some() {
            monitor.told_first();
            news += 1;
        }
        monitor.keep(false).unwrap();
        (found.len(), news)
    };
    assert_eq!(news(&mut monitor, &["entries"]).await, (1, 1));
    clock.advance(Duration::from_secs(86_399));
    assert_eq!(news(&mut monitor, &["entries"]).await, (1, 0));
    drop(monitor);
    let mut monitor = open();
    assert_eq!(news(&mut monitor, &["entries"]).await, (1, 0), "also after a restart");
    clock.advance(Duration::from_secs(1));
    assert_eq!(news(&mut monitor, &["entries"]).await, (1, 1), "a day has passed");
    assert_eq!(news(&mut monitor, &[]).await, (3, 3), "each entry is news");
    assert_eq!(news(&mut monitor, &["checkpoint"]).await, (1, 1), "it had ended");
    *reader.spoil.lock().unwrap() = Some("checkpoint");
    assert_eq!(news(&mut monitor, &[]).await, (1, 1), "it is another one");
}

#[tokio::test]
async fn two_monitors_do_not_share_what_they_keep() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    let reader = Shown::new(&log);
    let _first = monitor(dir.path(), source(&signer), &reader, "", false);
    let reader: Arc<dyn LogReader> = reader.clone();
    let clock = Arc::new(ManualClock::at(1_800_000_000));
    let state = dir.path().join("state");
    let second = Monitor::open(state, vec![source(&signer)], Vec::new(), &reader, clock, false);
    assert!(matches!(second.err().unwrap(), signet_store::OpenError::InUse { .. }));
}

#[tokio::test]
async fn a_head_that_the_witnesses_have_not_seen_lately_is_told() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    add(&log, 0..3, "a").await;
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let witness = VerifierKey::witness("w", key.public_key().clone()).unwrap();
    let policy = WitnessPolicy::parse(format!("witness w {witness}\nquorum w").as_bytes()).unwrap();
    // Of a witness whose clock is ahead nobody knows when it saw it.
    for (age, is_old) in [(60, false), (61, true), (-300, false), (-301, true)] {
        let time = 1_800_000_000_u64.saturating_add_signed(-age);
        let mut note = SignedCheckpoint::parse(&log.head().note).unwrap().note().clone();
        let message = cosignature::message(&log.head().checkpoint, &witness, time).unwrap();
        let signed = key.sign(Scheme::Ed25519, Payload::Message(&message)).unwrap();
        note.push(cosignature::line(&witness, time, &signed)).unwrap();
        let reader = Cosigned { shown: Shown::new(&log), note: note.to_string() };
        let max_age = Some(Duration::from_secs(60));
        let source = Source { witnesses: Some(policy.clone()), max_age, ..source(&signer) };
        let reader: Arc<dyn LogReader> = Arc::new(reader);
        let clock = Arc::new(ManualClock::at(1_800_000_000));
        let state = dir.path().join(format!("{age}"));
        let mut monitor = Monitor::open(state, vec![source], Vec::new(), &reader, clock, false).unwrap();
        let old = is_old.then_some(What::Old { size: 3 });
        assert_eq!(whats(&mut monitor).await, old.into_iter().collect::<Vec<_>>());
    }
}

/// A log with another note.
struct Cosigned {
    shown: Arc<Shown>,
    note: String,
}

#[async_trait]
impl LogReader for Cosigned {
    async fn read(&self, url: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
        match path {
            "checkpoint" => Ok(Some(self.note.clone().into_bytes())),
            _ => self.shown.read(url, path, limit).await,
        }
    }

    async fn ask(
        &self,
        url: &str,
        path: &str,
        question: Vec<u8>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, String> {
        self.shown.ask(url, path, question, limit).await
    }
}

/// Each place by itself is honest: only whoever looks from both sees it.
#[tokio::test]
async fn a_log_that_shows_two_places_two_trees_is_found() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let [one, other] =
        [log(&dir.path().join("one"), &signer).await, log(&dir.path().join("other"), &signer).await];
    for (log, last) in [(&one, "theirs"), (&other, "ours")] {
        add(log, 0..3, "theirs").await;
        add(log, 3..4, last).await;
    }
    let reader = Shown::new(&one);
    *reader.elsewhere.lock().unwrap() = Some(other);
    let mut monitor = monitor_of_two(dir.path(), &source(&signer), &reader);
    for _ in 0..2 {
        let found = whats(&mut monitor).await;
        assert!(matches!(found.as_slice(), [What::Fork { .. }]), "{found:?}");
    }
}

#[tokio::test]
async fn a_place_that_lags_is_no_alarm_and_one_that_goes_back_is() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let [one, other, less] = ["one", "other", "less"].map(|name| dir.path().join(name));
    let (one, other) = (log(&one, &signer).await, log(&other, &signer).await);
    add(&one, 0..10, "theirs").await;
    add(&other, 0..7, "theirs").await;
    let reader = Shown::new(&one);
    *reader.elsewhere.lock().unwrap() = Some(other.clone());
    let mut monitor = monitor_of_two(dir.path(), &source(&signer), &reader);
    assert_eq!(whats(&mut monitor).await, []);
    add(&other, 7..11, "theirs").await;
    assert_eq!(whats(&mut monitor).await, [], "the other is ahead now");
    let less = log(&less, &signer).await;
    add(&less, 0..9, "theirs").await;
    *reader.elsewhere.lock().unwrap() = Some(less);
    assert_eq!(whats(&mut monitor).await, [What::Stale { size: 9, known: 11 }]);
}

/// C2SP tlog-tiles lets a log drop what is partial once the full tile is there.
#[tokio::test]
async fn where_a_partial_tile_is_gone_the_full_one_is_read() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = log(&dir.path().join("log"), &signer).await;
    add(&log, 0..300, "theirs").await;
    let old = log.head().note.to_vec();
    add(&log, 300..600, "theirs").await;
    let reader = Shown::new(&log);
    *reader.tidied.lock().unwrap() = Some(old);
    let mut monitor = monitor(dir.path(), source(&signer), &reader, "watch: []", false);
    assert_eq!(whats(&mut monitor).await, []);
}
