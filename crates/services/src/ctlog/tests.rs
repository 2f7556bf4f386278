//! What a log of certificates promises, on a real disk.

use std::time::Duration;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::merkle;
use signet_formats::note::{KeyKind, VerifierKey};
use signet_formats::static_ct::{tile_leaves, verify_tree_head};
use signet_formats::tlog::Tile;
use signet_formats::x509::{NewExtension, TbsCertificate, distinguished_name, oid};
use signet_keys::PrivateKey;

use super::*;
use crate::authority::{Issuer, Subject, make_root, random_serial};
use crate::clock::ManualClock;

mod sharded;

const NOW: i64 = 1_795_000_000;
const ORIGIN: &str = "ct.example";

/// A root of some name, and the chain that consists of it.
async fn root(name: &str) -> Issuer {
    let subject = Subject { organization: "o", common_name: name };
    let (key, root) = make_root(&subject, (NOW - 1, NOW + 1_000_000)).await.unwrap();
    Issuer::new(Arc::new(key), vec![root]).unwrap()
}

/// A certificate, or with `poisoned` a precertificate, and its chain.
async fn chain(issuer: &Issuer, poisoned: bool) -> Vec<Certificate> {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let own = issuer.certificate().unwrap();
    let mut tbs = TbsCertificate {
        serial: random_serial().unwrap(),
        issuer: own.subject().der().to_vec(),
        subject: distinguished_name(&[]),
        not_before: NOW,
        not_after: NOW + 600,
        key: key.public_key().clone(),
        extensions: vec![NewExtension::purpose(oid::CODE_SIGNING, false)],
    };
    tbs.extensions.extend(poisoned.then(NewExtension::poison));
    let issued = issuer.issue(&tbs).await.unwrap();
    [vec![issued], issuer.chain().to_vec()].concat()
}

async fn open(dir: &Path) -> CertificateLog {
    shards(dir).await.active().unwrap()
}

async fn shards(dir: &Path) -> CertificateLogs {
    let clock = Arc::new(ManualClock::at(NOW as u64));
    CertificateLogs::open_home(&dir.join("ct"), ORIGIN, clock).await.unwrap()
}

fn leaves(log: &CertificateLog) -> Vec<TileLeaf> {
    let size = log.log().head().checkpoint.size;
    let tile = log.log().entries(EntryBundle::of_log(0, size).unwrap()).unwrap().unwrap();
    tile_leaves(&tile).collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn what_is_promised_is_in_the_tree_that_the_checkpoint_signs() {
    let dir = tempfile::tempdir().unwrap();
    let (log, issuer) = (open(dir.path()).await, root("a").await);
    log.inner.roots.set(issuer.chain().to_vec());
    let (precertificate, certificate) = (chain(&issuer, true).await, chain(&issuer, false).await);
    let promise = log.submit(&precertificate, ChainKind::Precertificate).await.unwrap();
    let key_hash = Digest::sha256(issuer.certificate().unwrap().spki());
    let tbs = precertificate[0].unpoisoned_tbs().unwrap();
    promise.verify(log.public_key(), &key_hash, &tbs).unwrap();
    assert_eq!((promise.leaf_index(), promise.timestamp()), (Some(0), NOW as u64 * 1000));
    let second = log.submit(&certificate, ChainKind::Certificate).await.unwrap();
    assert_eq!(second.leaf_index(), Some(1));

    let leaves = leaves(&log);
    assert_eq!(leaves.iter().map(|leaf| leaf.index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(leaves[1].entry, SignedEntry::Certificate(certificate[0].der().to_vec()));
    let hashes: Vec<_> = leaves.iter().map(|leaf| leaf.hash().unwrap()).collect();
    let head = log.log().head();
    let signed = SignedCheckpoint::parse(&head.note).unwrap();
    assert_eq!((signed.checkpoint().size, signed.checkpoint().root), (2, merkle::root(&hashes)));
    let tile = log.log().tile(Tile::of_tree(0, 0, 2).unwrap()).unwrap().unwrap();
    assert_eq!(tile, hashes.as_flattened());
    let key = VerifierKey::certificate_log(log.log().signer().origin(), log.public_key().clone()).unwrap();
    assert_eq!(verify_tree_head(&signed, &key), Ok(NOW as u64 * 1000));
    let other = VerifierKey::certificate_log("other.example", log.public_key().clone()).unwrap();
    assert!(verify_tree_head(&signed, &other).is_err(), "its name is in the id of its key");
    for issuer in &precertificate[1..] {
        let found = log.issuer(&issuer.fingerprint()).unwrap();
        assert_eq!(found.as_deref(), Some(issuer.der()));
    }
    assert_eq!(log.issuer(&precertificate[0].fingerprint()).unwrap(), None);
    log.log().close().await;
    let report = log::fsck(&dir.path().join("ct")).unwrap();
    assert_eq!((report.size, report.findings), (2, Vec::<String>::new()));
}

#[tokio::test]
async fn it_goes_on_after_a_restart_and_knows_its_newest_entries() {
    let dir = tempfile::tempdir().unwrap();
    let (log, issuer) = (open(dir.path()).await, root("a").await);
    log.inner.roots.set(issuer.chain().to_vec());
    let submitted = chain(&issuer, true).await;
    let first = log.submit(&submitted, ChainKind::Precertificate).await.unwrap();
    let again = log.submit(&submitted, ChainKind::Precertificate).await.unwrap();
    log.log().close().await;
    drop(log);
    let log = open(dir.path()).await;
    log.inner.roots.set(issuer.chain().to_vec());
    let later = log.submit(&submitted, ChainKind::Precertificate).await.unwrap();
    for promise in [&again, &later] {
        assert_eq!((promise.leaf_index(), promise.timestamp()), (Some(0), first.timestamp()));
    }
    let next = chain(&issuer, true).await;
    let next = log.submit(&next, ChainKind::Precertificate).await.unwrap();
    assert_eq!(next.leaf_index(), Some(1));
}

#[tokio::test]
async fn chains_that_do_not_belong_to_it_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (log, ours, theirs) = (open(dir.path()).await, root("a").await, root("a").await);
    log.inner.roots.set(ours.chain().to_vec());
    let refused = async |chain: &[Certificate], kind| match log.submit(chain, kind).await {
        Err(SubmitError::Chain(error)) => error,
        other => panic!("{other:?}"),
    };
    let (pre, good) = (chain(&ours, true).await, chain(&ours, false).await);
    let foreign = chain(&theirs, true).await;
    let kind = ChainKind::Precertificate;
    assert_eq!(refused(&[], kind).await, ChainError::Empty);
    assert_eq!(refused(&foreign, kind).await, ChainError::Root);
    assert_eq!(
        refused(&foreign[..1], kind).await,
        ChainError::Root,
        "a root of the same name, and another key"
    );
    assert_eq!(refused(&[foreign[0].clone(), pre[1].clone()], kind).await, ChainError::Broken);
    assert_eq!(refused(&good, kind).await, ChainError::Kind);
    assert_eq!(refused(&pre, ChainKind::Certificate).await, ChainError::Kind);
    let long = [vec![pre[0].clone()], vec![pre[1].clone(); 16]].concat();
    assert_eq!(refused(&long, kind).await, ChainError::TooLarge);
    assert!(log.submit(&pre[..1], kind).await.is_ok(), "the root itself may be left out");
    assert_eq!(log.log().head().checkpoint.size, 1);
}

/// The tree's hash covers neither the precertificate nor the issuers.
#[tokio::test]
async fn damage_that_no_hash_of_the_tree_shows_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (log, issuer) = (open(dir.path()).await, root("a").await);
    log.inner.roots.set(issuer.chain().to_vec());
    let submitted = chain(&issuer, true).await;
    log.submit(&submitted, ChainKind::Precertificate).await.unwrap();
    log.log().close().await;
    drop(log);
    let path = dir.path().join("ct").join("entries").join(format!("{:020}.2", 0));
    let good = fs::read(&path).unwrap();
    let own = submitted[0].der();
    let precertificate = good.windows(own.len()).position(|window| window == own).unwrap();
    for at in [precertificate, precertificate + own.len() + 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        let report = log::fsck(&dir.path().join("ct")).unwrap();
        assert!(!report.findings.is_empty(), "{at}");
        let clock = Arc::new(ManualClock::at(NOW as u64));
        assert!(CertificateLogs::open_home(&dir.path().join("ct"), ORIGIN, clock).await.is_err(), "{at}");
    }
}

#[tokio::test]
async fn a_directory_of_another_kind_of_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    assert_eq!(log.log().signer().keys().next().unwrap().kind(), KeyKind::CertificateLog);
    log.log().close().await;
    drop(log);
    let options = log::HomeOptions { origin: Some(ORIGIN.to_owned()), ml_dsa: false };
    let config = log::Config::new(dir.path().join("ct"));
    assert!(Log::open_home(Disk::default(), config, options).await.is_err());
}

/// Readers take a log for gone whose newest tree head is older than its merge delay, also if nothing was added.
#[tokio::test]
async fn an_idle_log_signs_its_head_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW as u64));
    let refresh = Some(Duration::from_millis(5));
    let config = log::Config { refresh, ..log::Config::new(dir.path().join("ct")) };
    let open = async || {
        let options = CertificateOptions::new(clock.clone());
        CertificateLogs::open(Disk::default(), config.clone(), options).await.unwrap().active().unwrap()
    };
    let log = open().await;
    let key = VerifierKey::certificate_log(log.log().signer().origin(), log.public_key().clone()).unwrap();
    let time = |log: &CertificateLog| {
        let signed = SignedCheckpoint::parse(&log.log().head().note).unwrap();
        (signed.checkpoint().size, verify_tree_head(&signed, &key).unwrap())
    };
    assert_eq!(time(&log), (0, NOW as u64 * 1000));
    clock.advance(Duration::from_secs(3_600));
    let later = (0, (NOW as u64 + 3_600) * 1000);
    while time(&log) != later {
        tokio::task::yield_now().await;
    }
    log.log().freeze().await.unwrap();
    // One that began before it was frozen may yet come.
    tokio::time::sleep(Duration::from_millis(20)).await;
    clock.advance(Duration::from_secs(3_600));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(time(&log), later, "what a frozen log says last stays");
    let last = log.log().head().note.clone();
    log.log().close().await;
    drop(log);
    let log = open().await;
    assert_eq!(log.log().head().note, last, "also after a start");
    log.log().close().await;
}
