//! A monitor over a double of Rekor v1.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use signet_crypto::{Digest, KeyAlgorithm, PublicKey};
use signet_formats::note::VerifierKey;
use signet_formats::trusted_root::TrustedRoot;
use signet_formats::{base64, pem};
use signet_keys::PrivateKey;
use signet_testkit::RekorV1Log;

use super::*;
use crate::clock::ManualClock;
use crate::monitor::{Monitor, MonitorConfig, Source, What};

const ELSEWHERE: &str = "https://elsewhere.example.com/api/v1";

struct Api {
    log: Mutex<RekorV1Log>,
    /// What another place shows; without, nothing is there.
    elsewhere: Mutex<Option<RekorV1Log>>,
    /// In answers about entries, this text is shown as that one.
    spoil: Mutex<Option<(String, String)>>,
    /// How often several entries were asked for at once, and whether that is not known here.
    asked: AtomicUsize,
    is_old: bool,
}

impl Api {
    fn new() -> Arc<Self> {
        Self::of(false)
    }

    fn of(is_old: bool) -> Arc<Self> {
        let (log, elsewhere, spoil, asked) =
            (Mutex::new(RekorV1Log::new()), Default::default(), Default::default(), Default::default());
        Arc::new(Self { log, elsewhere, spoil, asked, is_old })
    }

    fn add(&self, keys: &[&str]) {
        keys.iter().for_each(|key| self.log.lock().unwrap().push(entry(key).as_bytes()));
    }

    fn rotate(&self) {
        self.log.lock().unwrap().rotate();
    }

    /// What a place shows.
    fn at(&self, url: &str) -> RekorV1Log {
        match url == ELSEWHERE {
            true => self.elsewhere.lock().unwrap().clone().unwrap(),
            false => self.log.lock().unwrap().clone(),
        }
    }
}

#[async_trait]
impl LogReader for Api {
    async fn read(&self, url: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let Some(answer) = self.at(url).get(path) else { return Ok(None) };
        let mut answer = answer.to_string();
        if let Some((this, that)) = self.spoil.lock().unwrap().as_ref().filter(|_| path.contains("entries")) {
            answer = answer.replace(this, that);
        }
        assert!(answer.len() <= limit, "{path}");
        Ok(Some(answer.into_bytes()))
    }

    async fn ask(
        &self,
        url: &str,
        path: &str,
        question: Vec<u8>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, String> {
        assert_eq!(path, "log/entries/retrieve");
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_old {
            return Err("status 405".to_owned());
        }
        let mut answer = self.at(url).retrieve(&question).to_string();
        if let Some((this, that)) = self.spoil.lock().unwrap().as_ref() {
            answer = answer.replace(this, that);
        }
        assert!(answer.len() <= limit, "{path}");
        Ok(Some(answer.into_bytes()))
    }
}

/// Of a public key that is these bytes.
fn entry(key: &str) -> String {
    let public = base64::encode(pem::encode(pem::PUBLIC_KEY, key.as_bytes()));
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": Digest::sha256(b"").hex()}},
            "signature": {"content": "c2ln", "publicKey": {"content": public}},
        },
    })
    .to_string()
}

fn monitor(dir: &Path, api: &Arc<Api>, key: VerifierKey, from_now: bool) -> Monitor {
    monitor_of(dir, api, &key, &["https://rekor.example.com/api/v1/"], from_now)
}

fn monitor_of(dir: &Path, api: &Arc<Api>, key: &VerifierKey, urls: &[&str], from_now: bool) -> Monitor {
    let source = |url: &&str| {
        let (url, origin) = ((*url).to_owned(), "rekor.example.com".to_owned());
        Source { url, origin, key: key.clone(), witnesses: None, max_age: None, is_opaque: false }
    };
    let watch = format!("watch:\n  - name: ours\n    key: {}\n", Digest::sha256(b"ours"));
    let watches = MonitorConfig::from_yaml(&watch).unwrap().watches().unwrap();
    let reader: Arc<dyn LogReader> = api.clone();
    let clock = Arc::new(ManualClock::at(1_800_000_000));
    let sources = urls.iter().map(source).collect();
    Monitor::open(dir.join("state"), sources, watches, &reader, clock, from_now).unwrap()
}

fn opened(dir: &Path, api: &Arc<Api>, from_now: bool) -> Monitor {
    let key = api.log.lock().unwrap().verifier();
    monitor(dir, api, key, from_now)
}

async fn whats(monitor: &mut Monitor) -> Vec<What> {
    monitor.round().await.unwrap().into_iter().map(|finding| finding.what).collect()
}

async fn indexes(monitor: &mut Monitor) -> Vec<u64> {
    let index = |what| match what {
        What::Entry { index, .. } => index,
        other => panic!("{other:?}"),
    };
    whats(monitor).await.into_iter().map(index).collect()
}

#[tokio::test]
async fn entries_are_found_once_through_every_tree() {
    let (dir, api) = (tempfile::tempdir().unwrap(), Api::new());
    api.add(&["theirs"; 20]);
    api.add(&["ours"]);
    api.rotate();
    api.add(&["theirs", "ours", "theirs"]);
    let mut first = opened(dir.path(), &api, false);
    assert_eq!(indexes(&mut first).await, [20, 22]);
    assert_eq!(indexes(&mut first).await, [0_u64; 0]);
    drop(first);
    let mut first = opened(dir.path(), &api, false);
    assert_eq!(indexes(&mut first).await, [20, 22], "nobody was told yet");
    first.keep(true).unwrap();
    drop(first);
    // The tree that was read ends, one is skipped, and another is begun.
    api.add(&["ours"]);
    api.rotate();
    api.rotate();
    api.add(&["ours", "theirs"]);
    let mut second = opened(dir.path(), &api, false);
    assert_eq!(indexes(&mut second).await, [24, 25]);
    second.keep(true).unwrap();
    drop(second);
    assert_eq!(indexes(&mut opened(dir.path(), &api, false)).await, [0_u64; 0]);
}

#[tokio::test]
async fn ten_entries_are_asked_for_at_once_and_one_where_that_is_not_answered() {
    for is_old in [false, true] {
        let (dir, api) = (tempfile::tempdir().unwrap(), Api::of(is_old));
        api.add(&["theirs"; 4]);
        api.rotate();
        api.add(&["theirs"; 90]);
        api.add(&["ours"]);
        assert_eq!(indexes(&mut opened(dir.path(), &api, false)).await, [94], "{is_old}");
        assert_eq!(api.asked.load(Ordering::Relaxed), 1 + 10, "{is_old}");
    }
}

#[tokio::test]
async fn it_can_begin_at_the_newest_entry() {
    for (before, size) in [(0, 0), (3, 0), (0, 1), (7, 8), (3, 9), (0, 100)] {
        let (dir, api) = (tempfile::tempdir().unwrap(), Api::new());
        api.add(&vec!["ours"; before]);
        if before > 0 {
            api.rotate();
        }
        api.add(&vec!["ours"; size]);
        let mut monitor = opened(dir.path(), &api, true);
        let newest: Vec<u64> =
            (size > 0).then(|| u64::try_from(before + size - 1).unwrap()).into_iter().collect();
        assert_eq!(indexes(&mut monitor).await, newest, "{before} and {size}");
        api.add(&["theirs", "ours"]);
        assert_eq!(indexes(&mut monitor).await, [u64::try_from(before + size + 1).unwrap()]);
    }
}

#[tokio::test]
async fn a_second_history_is_kept_as_evidence() {
    let (dir, api) = (tempfile::tempdir().unwrap(), Api::new());
    api.add(&["a"; 5]);
    let mut other = api.log.lock().unwrap().clone();
    api.add(&["b"; 4]);
    let mut monitor = opened(dir.path(), &api, false);
    assert_eq!(whats(&mut monitor).await, []);
    // Of the same history so far.
    let honest = std::mem::replace(&mut *api.log.lock().unwrap(), other.clone());
    assert_eq!(whats(&mut monitor).await, [What::Stale { size: 5, known: 9 }]);
    for size in 6..12 {
        other.push(entry("c").as_bytes());
        *api.log.lock().unwrap() = other.clone();
        let found = whats(&mut monitor).await;
        let [What::Fork { evidence, .. }] = found.as_slice() else { panic!("{size}: {found:?}") };
        let evidence = std::fs::read_to_string(evidence).unwrap();
        assert!(evidence.contains("\n9\n") && evidence.contains(&format!("\n{size}\n")), "{evidence}");
    }
    *api.log.lock().unwrap() = honest;
    api.add(&["ours"]);
    assert_eq!(indexes(&mut monitor).await, [9]);
}

#[tokio::test]
async fn a_place_that_lags_in_a_new_tree_of_fewer_entries_is_no_alarm() {
    let (dir, api) = (tempfile::tempdir().unwrap(), Api::new());
    api.add(&["theirs"; 9]);
    *api.elsewhere.lock().unwrap() = Some(api.log.lock().unwrap().clone());
    let key = api.log.lock().unwrap().verifier();
    let urls = ["https://rekor.example.com/api/v1", ELSEWHERE];
    let monitor = monitor_of(dir.path(), &api, &key, &urls, false);
    let mut monitor = monitor.with_heartbeat(Some(dir.path().join("heartbeat"))).unwrap();
    assert_eq!(whats(&mut monitor).await, []);
    api.rotate();
    api.add(&["theirs"; 2]);
    *api.elsewhere.lock().unwrap() = Some(api.log.lock().unwrap().clone());
    api.add(&["theirs"; 3]);
    assert_eq!(whats(&mut monitor).await, [], "2 entries of 5, after 9 of the tree before");
    monitor.keep(true).unwrap();
    let heartbeat: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("heartbeat")).unwrap()).unwrap();
    assert_eq!((&heartbeat["logs"][0]["size"], &heartbeat["logs"][0]["behind"]), (&5.into(), &0.into()));
}

#[tokio::test]
async fn what_does_not_fit_is_told_and_is_no_fork() {
    let (dir, api) = (tempfile::tempdir().unwrap(), Api::new());
    api.add(&["a"; 5]);
    let mut monitor = opened(dir.path(), &api, false);
    assert_eq!(whats(&mut monitor).await, []);
    api.add(&["a"; 2]);
    let told = |found: &[What], why: &str| {
        let [What::Unreadable(said)] = found else { panic!("{why}: {found:?}") };
        assert!(said.contains(why), "{said}");
    };
    let spoil = |this: String, that: String| *api.spoil.lock().unwrap() = Some((this, that));
    spoil(base64::encode(entry("a")), base64::encode(entry("b")));
    told(&whats(&mut monitor).await, "its entries are not those");
    spoil("\"body\"".to_owned(), "\"corpse\"".to_owned());
    told(&whats(&mut monitor).await, "`log/entries?logIndex=5`");
    let elsewhere = tempfile::tempdir().unwrap();
    told(&whats(&mut opened(elsewhere.path(), &api, true)).await, "`log/entries?logIndex=6`");
    spoil("\"hashes\":[\"".to_owned(), format!("\"hashes\":[\"{}\",\"", "00".repeat(32)));
    told(&whats(&mut opened(elsewhere.path(), &api, true)).await, "is not one");
    *api.spoil.lock().unwrap() = None;
    assert_eq!(whats(&mut monitor).await, []);

    let stranger = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().public_key().clone();
    let stranger = VerifierKey::log("rekor.example.com", stranger).unwrap();
    told(
        &whats(&mut self::monitor(elsewhere.path(), &api, stranger, false)).await,
        "no signature by this key",
    );
    *api.log.lock().unwrap() = RekorV1Log::new();
    api.rotate();
    let before = whats(&mut monitor).await;
    told(&before, "no signature by this key");
}

#[tokio::test]
async fn a_tree_that_is_gone_is_told() {
    let (dir, api) = (tempfile::tempdir().unwrap(), Api::new());
    let mut one = api.log.lock().unwrap().clone();
    one.push(entry("a").as_bytes());
    api.rotate();
    api.add(&["b"]);
    let mut monitor = opened(dir.path(), &api, true);
    assert_eq!(whats(&mut monitor).await, []);
    *api.log.lock().unwrap() = one;
    let found = whats(&mut monitor).await;
    assert!(
        matches!(found.as_slice(), [What::Unreadable(said)] if said.contains("does not show the tree")),
        "{found:?}"
    );
}

/// An entry of the public instance and the proof that the log gave with it, in the tree that ended with it.
struct Recorded(TlogEntry);

#[async_trait]
impl LogReader for Recorded {
    async fn read(&self, _: &str, path: &str, _: usize) -> Result<Option<Vec<u8>>, String> {
        let Self(entry) = self;
        let proof = entry.proof.as_ref().unwrap();
        let hex: Vec<String> = proof.hashes.iter().map(Digest::hex).collect();
        let tree =
            |id: &str, size: u64, head: &str| json!({"treeID": id, "treeSize": size, "signedTreeHead": head});
        let mut log = tree("2605736670972794746", proof.tree_size, proof.checkpoint.as_ref().unwrap());
        log["inactiveShards"] = json!([tree("3904496407287907110", entry.log_index - proof.log_index, "")]);
        let inclusion = json!({"logIndex": proof.log_index, "rootHash": proof.root_hash.hex(), "treeSize": proof.tree_size, "hashes": hex});
        let answer = json!({"uuid": {
            "body": base64::encode(&entry.body),
            "integratedTime": entry.integrated_time,
            "logID": "00".repeat(32),
            "logIndex": entry.log_index,
            "verification": {"inclusionProof": inclusion},
        }});
        match path {
            "log" => Ok(Some(log.to_string().into_bytes())),
            "log/entries?logIndex=79571823" => Ok(Some(answer.to_string().into_bytes())),
            other => panic!("{other}"),
        }
    }

    async fn ask(&self, _: &str, _: &str, _: Vec<u8>, _: usize) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

#[tokio::test]
async fn the_newest_entry_of_the_public_instance_is_read() {
    let Some(vectors) = signet_testkit::vectors("sigstore") else { return };
    let read = |path: &str| std::fs::read(vectors.join(path)).unwrap();
    let bundle: serde_json::Value =
        serde_json::from_slice(&read("bundle-verify/happy-path-v0.3/bundle.sigstore.json")).unwrap();
    let entry = bundle.pointer("/verificationMaterial/tlogEntries/0").unwrap().to_string();
    let entry = TlogEntry::parse(entry.as_bytes(), 1 << 20).unwrap();
    let root = TrustedRoot::parse(&read("public-good-trusted_root.json")).unwrap();
    let key = PublicKey::from_spki_der(&root.tlogs[0].public_key).unwrap();
    let source = Source {
        url: "https://rekor.sigstore.dev/api/v1".to_owned(),
        origin: "rekor.sigstore.dev".to_owned(),
        key: VerifierKey::log("rekor.sigstore.dev", key).unwrap(),
        witnesses: None,
        max_age: None,
        is_opaque: false,
    };
    let watch = "watch:\n  - name: beacon\n    identity: {pattern: '^https://github[.]com/sigstore-conformance/.*$'}\n";
    let watches = MonitorConfig::from_yaml(watch).unwrap().watches().unwrap();
    let reader: Arc<dyn LogReader> = Arc::new(Recorded(entry));
    let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(1_800_000_000)));
    let monitor = Monitor::open(dir.path().to_owned(), vec![source], watches, &reader, clock, true);
    assert_eq!(indexes(&mut monitor.unwrap()).await, [79_571_823]);
}

#[test]
fn only_a_url_of_its_api_is_one() {
    for (url, is) in [
        ("https://rekor.sigstore.dev/api/v1", true),
        ("https://log.example.org/api/v2", false),
        ("file:///log", false),
    ] {
        assert_eq!(is_at(url), is, "{url}");
    }
}
