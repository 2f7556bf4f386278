use std::path::Path;
use std::sync::Arc;

use reqwest::StatusCode;
use signet_crypto::{Digest, KeyAlgorithm};
use signet_formats::base64;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::note::VerifierKey;
use signet_formats::static_ct::{TileLeaf, tile_leaves, verify_tree_head};
use signet_formats::x509::{Certificate, NewExtension, TbsCertificate, distinguished_name};
use signet_keys::PrivateKey;
use signet_server::fulcio::HttpCtLog;
use signet_server::static_ct;
use signet_services::authority::{Issuer, Subject, make_root, random_serial};
use signet_services::ca::{CtLog, PrecertEntry};
use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLogs;

use crate::harness::{Served, json};

struct Stage {
    served: Served,
    log: Arc<CertificateLogs>,
    issuer: Issuer,
    path: String,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path()).await;
        let subject = Subject { organization: "o", common_name: "root" };
        let now = SystemClock::start().seconds();
        let (key, root) = make_root(&subject, (now - 60, now + 600)).await.unwrap();
        log.accept(vec![root.clone()]);
        let issuer = Issuer::new(Arc::new(key), vec![root]).unwrap();
        let served = Served::start(Served::listen().await, static_ct::router(Arc::clone(&log)));
        Self { served, path: format!("/ct/{ORIGIN}"), log, issuer, _dir: dir }
    }

    async fn issue(&self, poisoned: bool) -> Certificate {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let own = self.issuer.certificate().unwrap();
        let tbs = TbsCertificate {
            serial: random_serial().unwrap(),
            issuer: own.subject().der().to_vec(),
            subject: distinguished_name(&[]),
            not_before: own.not_before(),
            not_after: own.not_after(),
            key: key.public_key().clone(),
            extensions: poisoned.then(NewExtension::poison).into_iter().collect(),
        };
        self.issuer.issue(&tbs).await.unwrap()
    }

    async fn add(&self, endpoint: &str, chain: &[Certificate]) -> StatusCode {
        let chain: Vec<String> = chain.iter().map(|it| base64::encode(it.der())).collect();
        let body = serde_json::json!({ "chain": chain }).to_string();
        let path = format!("{}/ct/v1/{endpoint}", self.path);
        self.served.post(&path, "application/json", body).send().await.unwrap().status()
    }

    async fn get(&self, path: &str) -> (StatusCode, Vec<u8>) {
        let answer = self.served.get(&format!("{}/{path}", self.path)).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap().to_vec())
    }
}

async fn open(dir: &Path) -> Arc<CertificateLogs> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    Arc::new(CertificateLogs::open_home(&dir.join("ct"), ORIGIN, clock).await.unwrap())
}

const ORIGIN: &str = "ct.example";

/// As fulcio asks: RFC 6962 to write. Then as a monitor reads: C2SP static-ct-api.
#[tokio::test]
async fn another_ca_gets_promises_and_a_monitor_finds_the_entries() {
    let stage = Stage::start().await;
    let key = stage.log.active().unwrap().public_key().clone();
    let client = HttpCtLog::new(&format!("{}{}", stage.served.url, stage.path), vec![key.clone()]);
    let precertificate = stage.issue(true).await;
    let tbs = precertificate.unpoisoned_tbs().unwrap();
    let entry = PrecertEntry { precertificate, chain: stage.issuer.chain().to_vec(), tbs };
    let promise = client.add_pre_chain(&entry).await.unwrap();
    promise.verify(&key, &entry.issuer_key_hash(), &entry.tbs).unwrap();
    assert_eq!(promise.leaf_index(), Some(0));
    let elsewhere = format!("{}/elsewhere", stage.served.url);
    let astray = HttpCtLog::new(&elsewhere, vec![key.clone()]);
    let error = astray.add_pre_chain(&entry).await.unwrap_err().to_string();
    let asked = format!("`{elsewhere}/ct/v1/add-pre-chain`: ");
    assert!(error.contains(&asked) && error.contains("404"), "{error}");
    assert_eq!(stage.add("add-chain", &[stage.issue(false).await]).await, StatusCode::OK);

    let (status, note) = stage.get("checkpoint").await;
    let signed = SignedCheckpoint::parse(&note).unwrap();
    let key = VerifierKey::certificate_log(ORIGIN, key).unwrap();
    assert!(status == StatusCode::OK && verify_tree_head(&signed, &key).unwrap() >= promise.timestamp());
    assert_eq!(signed.checkpoint().size, 2);
    let (_, tile) = stage.get("tile/data/000.p/2").await;
    let leaves: Vec<TileLeaf> = tile_leaves(&tile).map(Result::unwrap).collect();
    let hashes: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.hash().unwrap()).collect();
    assert_eq!(stage.get("tile/0/000.p/2").await.1, hashes.as_flattened());
    let root = stage.issuer.certificate().unwrap();
    for leaf in &leaves {
        let [fingerprint] = leaf.chain.as_slice() else { panic!("{leaf:?}") };
        let named = Digest::from_bytes(signet_crypto::DigestAlgorithm::Sha256, fingerprint).unwrap();
        assert_eq!(stage.get(&format!("issuer/{}", named.hex())).await.1, root.der());
    }
    let roots =
        json(stage.served.get(&format!("{}/ct/v1/get-roots", stage.path)).send().await.unwrap()).await;
    assert_eq!(roots["certificates"][0], base64::encode(root.der()));
    stage.served.stop().await;
}

/// Whoever writes to the log by its URL, and not by a shard's name, does not notice.
#[tokio::test]
async fn another_ca_goes_on_at_the_same_url_while_the_log_rotates() {
    let stage = Stage::start().await;
    let old = stage.log.active().unwrap();
    let next = stage.log.prepare(None).await.unwrap().public_key().clone();
    let keys = vec![old.public_key().clone(), next];
    let client = HttpCtLog::new(&stage.served.url, keys.clone());
    let entry = async || {
        let precertificate = stage.issue(true).await;
        let tbs = precertificate.unpoisoned_tbs().unwrap();
        PrecertEntry { precertificate, chain: stage.issuer.chain().to_vec(), tbs }
    };
    for key in keys {
        let entry = entry().await;
        let promise = client.add_pre_chain(&entry).await.unwrap();
        promise.verify(&key, &entry.issuer_key_hash(), &entry.tbs).unwrap();
        assert_eq!(promise.leaf_index(), Some(0));
        stage.log.rotate(None).await.unwrap();
    }
    let roots = json(stage.served.get("/ct/v1/get-roots").send().await.unwrap()).await;
    let of_old =
        json(stage.served.get(&format!("{}/ct/v1/get-roots", stage.path)).send().await.unwrap()).await;
    assert_eq!((roots["certificates"].as_array().map(Vec::len), &roots), (Some(1), &of_old));
    let added = stage.add("add-pre-chain", &[stage.issue(true).await]).await;
    assert_eq!(added, StatusCode::FORBIDDEN, "a shard by its name is what it is");
    let (status, note) = stage.get("checkpoint").await;
    assert_eq!((status, note.as_slice()), (StatusCode::OK, old.log().head().note.as_ref()));
    assert_eq!(stage.get("tile/data/000.p/1").await.0, StatusCode::OK);
    let nobody = stage.served.get("/ct/nobody.example/checkpoint").send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::NOT_FOUND);
    stage.served.stop().await;
}

#[tokio::test]
async fn what_is_not_there_or_does_not_belong_is_refused() {
    let stage = Stage::start().await;
    for path in ["tile/data/000.p/1", "tile/0/000", "tile/entries/000.p/1", "tile/x", "issuer/00", "entry"] {
        assert_eq!(stage.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let (pre, own) = (stage.issue(true).await, stage.issue(false).await);
    let elsewhere = Stage::start().await;
    let foreign = elsewhere.issue(true).await;
    for (endpoint, chain) in [
        ("add-pre-chain", vec![own]),
        ("add-chain", vec![pre.clone()]),
        ("add-pre-chain", vec![foreign]),
        ("add-pre-chain", vec![]),
        ("add-pre-chain", vec![pre; 18]),
    ] {
        assert_eq!(stage.add(endpoint, &chain).await, StatusCode::BAD_REQUEST, "{endpoint}");
    }
    let large = stage.served.post(
        &format!("{}/ct/v1/add-chain", stage.path),
        "application/json",
        vec![b' '; 1 << 21],
    );
    assert_eq!(large.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let log = stage.log.active().unwrap();
    log.log().freeze().await.unwrap();
    assert_eq!(stage.add("add-chain", &[stage.issue(false).await]).await, StatusCode::FORBIDDEN);
    assert_eq!(log.log().head().checkpoint.size, 0);
}
