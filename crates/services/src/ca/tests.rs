use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};
use signet_formats::sct::Sct;
use signet_formats::static_ct::{SignedEntry, tile_leaves};
use signet_formats::tlog::EntryBundle;
use signet_formats::x509::{SubjectAltName, oid};
use signet_keys::{Payload, PrivateKey};
use signet_store::fs::{Faults, Step};

use super::*;
use crate::clock::ManualClock;
use crate::ctlog::{CertificateLog, CertificateLogs};
use crate::oidc::dev::{Bearer, DevIssuer};
use crate::oidc::{Fetch, FetchError, KeySource};

const NOW: i64 = 1_795_000_000;

struct Nothing;

#[async_trait]
impl Fetch for Nothing {
    async fn get(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<u8>, FetchError> {
        Err(FetchError("nothing is fetched here".to_owned()))
    }
}

struct Stage {
    dir: tempfile::TempDir,
    dev: DevIssuer,
    clock: Arc<ManualClock>,
    log: Arc<CertificateLogs>,
}

impl Stage {
    async fn new() -> Self {
        Self::on(Disk::default()).await
    }

    /// With the log of certificates on this disk.
    async fn on(disk: Disk) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dev = DevIssuer::open(&Disk::default(), dir.path(), "http://127.0.0.1:1").unwrap();
        let clock = Arc::new(ManualClock::at(NOW as u64));
        let path = dir.path().join("ct");
        let log = CertificateLogs::open_home_on(disk, &path, "ct.example", clock.clone()).await.unwrap();
        Self { dir, dev, clock, log: Arc::new(log) }
    }

    /// The shard that takes certificates.
    fn shard(&self) -> CertificateLog {
        self.log.active().unwrap()
    }

    fn config(&self) -> Config {
        let mut issuers = Issuers::default();
        self.dev.issuers().into_iter().for_each(|issuer| issuers.add(issuer).unwrap());
        let own: HashMap<_, _> =
            issuers.iter().map(|(issuer, _)| (issuer.url.clone(), self.dev.keys())).collect();
        let keys = KeySource::with_own(Arc::new(Nothing), own);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let log = Arc::clone(&self.log) as _;
        Config::new(Verifier::new(issuers, keys, Arc::clone(&clock)), log, clock)
    }

    async fn ca(&self, change: impl FnOnce(&mut Config)) -> Ca {
        let mut config = self.config();
        change(&mut config);
        Ca::open(&self.dir.path().join("ca"), config).await.unwrap()
    }

    fn token(&self) -> String {
        self.dev.mint(&Bearer::Email("a@example.com".into()), self.clock.seconds()).unwrap()
    }
}

fn proof(key: &PrivateKey, challenge: &str) -> Proof {
    let scheme = key.schemes()[0];
    let signature = key.sign(scheme, Payload::Message(challenge.as_bytes())).unwrap();
    Proof::Signature { key: key.public_key().clone(), signature }
}

fn key() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

#[tokio::test]
async fn a_certificate_says_what_the_token_does_and_its_promise_holds() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let key = key();
    let chain = ca.issue(&stage.token(), &proof(&key, "a@example.com")).await.unwrap();
    let [leaf, intermediate, root] = chain.as_slice() else { panic!("{chain:?}") };
    leaf.verify_issued_by(&intermediate.public_key().unwrap()).unwrap();
    intermediate.verify_issued_by(&root.public_key().unwrap()).unwrap();
    root.verify_issued_by(&root.public_key().unwrap()).unwrap();
    assert!(intermediate.is_ca() && root.is_ca() && !leaf.is_ca());
    assert_eq!(leaf.subject_alt_names(), [SubjectAltName::Email("a@example.com".into())]);
    assert!(leaf.subject().is_empty() && leaf.is_critical(oid::SUBJECT_ALT_NAME));
    assert_eq!((leaf.not_before(), leaf.not_after()), (NOW, NOW + 600));
    assert_eq!(leaf.public_key().unwrap(), *key.public_key());
    assert_eq!(leaf.extended_key_usage().unwrap().purposes, [oid::CODE_SIGNING]);
    assert_eq!(leaf.fulcio().unwrap().issuer(), Some("http://127.0.0.1:1/email"));
    assert_eq!(leaf.fulcio().unwrap().value(24), Some("a@example.com"));
    assert_eq!(leaf.authority_key_id(), intermediate.subject_key_id());
    assert_eq!(leaf.serial().len(), 20);
    assert!(leaf.extension(oid::PRECERT_POISON).is_none());
    let scts = leaf.scts().unwrap();
    scts[0]
        .verify(stage.shard().public_key(), &Digest::sha256(intermediate.spki()), &leaf.precert_tbs())
        .unwrap();
    assert_eq!((scts.len(), scts[0].leaf_index()), (1, Some(0)));
    assert_eq!(ca.counts(), Counts { issued: 1, ..Counts::default() });
    assert_eq!(ca.chains(), [&chain[1..]]);
}

/// The bare bytes up to .6, a UTF8String from .8 on: sigstore/fulcio, `docs/oid-info.md`.
#[tokio::test]
async fn extensions_are_encoded_byte_for_byte_as_fulcio_does() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let reference = "refs/heads/main".to_owned();
    let bearer = Bearer::GitHub { repository: "o/r".into(), workflow: "w.yml".into(), reference };
    let token = stage.dev.mint(&bearer, NOW).unwrap();
    let chain = ca.issue(&token, &proof(&key(), "repo:o/r:ref:refs/heads/main")).await.unwrap();
    let extension = |n: u32| {
        let oid = const_oid::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1").push_arc(n).unwrap();
        chain[0].extension(oid).unwrap().to_vec()
    };
    assert_eq!(extension(2), b"push");
    assert_eq!(extension(5), b"o/r");
    assert_eq!(extension(20), b"\x0c\x04push");
    assert_eq!(extension(12), b"\x0c\x16https://github.com/o/r");
    assert_eq!(extension(24), b"\x0c\x1crepo:o/r:ref:refs/heads/main");
}

#[tokio::test]
async fn every_kind_of_key_that_clients_have_is_certified_and_others_are_not() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa { bits: 2048 },
    ] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let chain = ca.issue(&stage.token(), &proof(&key, "a@example.com")).await.unwrap();
        assert_eq!(chain[0].public_key().unwrap(), *key.public_key(), "{algorithm}");
    }
    let quantum = PrivateKey::generate(KeyAlgorithm::MlDsa44).unwrap();
    let refused = ca.issue(&stage.token(), &proof(&quantum, "a@example.com")).await;
    assert!(matches!(refused, Err(IssueError::Proof(ProofError::KeyAlgorithm(_)))));
}

#[tokio::test]
async fn an_rsa_key_with_a_small_exponent_is_not_certified() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let sound = PrivateKey::generate(KeyAlgorithm::Rsa { bits: 2048 }).unwrap();
    for (exponent, is_small) in
        [(&[3][..], true), (&[127, 255], true), (&[1, 0, 1], false), (&[1, 0, 0, 1], false)]
    {
        // SEQUENCE { modulus, exponent }, the sequence's length in bytes 2 and 3.
        let mut bits = sound.public_key().bits().strip_suffix(&[2, 3, 1, 0, 1]).unwrap().to_vec();
        bits.extend([&[2, u8::try_from(exponent.len()).unwrap()], exponent].concat());
        let length = u16::try_from(bits.len() - 4).unwrap();
        bits[2..4].copy_from_slice(&length.to_be_bytes());
        let key = PublicKey::from_bits(KeyAlgorithm::Rsa { bits: 2048 }, &bits).unwrap();
        let refused = ca.issue(&stage.token(), &Proof::Signature { key, signature: Vec::new() }).await;
        let says_so = matches!(refused, Err(IssueError::Proof(ProofError::SmallExponent)));
        assert_eq!(says_so, is_small, "{exponent:?}");
    }
}

#[tokio::test]
async fn without_a_proof_of_possession_there_is_no_certificate() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let (mine, theirs) = (key(), key());
    let Proof::Signature { signature, .. } = proof(&mine, "a@example.com") else { unreachable!() };
    let stolen = Proof::Signature { key: theirs.public_key().clone(), signature };
    for bad in [stolen, proof(&mine, "b@example.com"), proof(&mine, "")] {
        let refused = ca.issue(&stage.token(), &bad).await.unwrap_err();
        assert!(matches!(refused, IssueError::Proof(ProofError::Challenge { .. })), "{refused}");
    }
    assert_eq!(ca.counts(), Counts { refused: 3, ..Counts::default() });
    assert_eq!(std::fs::read_to_string(stage.dir.path().join("ca/audit.jsonl")).unwrap(), "");
}

#[tokio::test]
async fn an_expired_token_gets_no_certificate() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let token = stage.token();
    stage.clock.advance(Duration::from_secs(600 + 30));
    let refused = ca.issue(&token, &proof(&key(), "a@example.com")).await.unwrap_err();
    assert!(refused.to_string().contains("claim `exp`"), "{refused}");
}

/// Whoever watches for failures sees it: the token may be good.
#[tokio::test]
async fn an_outage_of_an_issuer_is_a_failure_and_no_refusal() {
    let stage = Stage::new().await;
    let ca = stage
        .ca(|config| {
            let mut issuers = Issuers::default();
            stage.dev.issuers().into_iter().for_each(|issuer| issuers.add(issuer).unwrap());
            let clock = Arc::clone(&config.clock);
            config.verifier = Verifier::new(issuers, KeySource::new(Arc::new(Nothing)), clock);
        })
        .await;
    let error = ca.issue(&stage.token(), &proof(&key(), "a@example.com")).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Issuer, "{error}");
    assert_eq!(ca.counts(), Counts { without_keys: 1, ..Counts::default() });
    ca.issue("no token", &proof(&key(), "a@example.com")).await.unwrap_err();
    assert_eq!(ca.counts(), Counts { without_keys: 1, refused: 1, ..Counts::default() });
}

#[tokio::test]
async fn every_certificate_is_recorded_and_logged_before_anyone_has_it() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let mut serials = Vec::new();
    for _ in 0..3 {
        let chain = ca.issue(&stage.token(), &proof(&key(), "a@example.com")).await.unwrap();
        serials.push(chain[0].clone());
    }
    let lines = |file: &str| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(stage.dir.path().join("ca").join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let audit = lines("audit.jsonl");
    let bundle = EntryBundle::of_log(0, stage.shard().log().head().checkpoint.size).unwrap();
    let tile = stage.shard().log().entries(bundle).unwrap().unwrap();
    let log: Vec<_> = tile_leaves(&tile).map(Result::unwrap).collect();
    assert_eq!((audit.len(), log.len()), (3, 3));
    for ((issued, record), logged) in serials.iter().zip(&audit).zip(&log) {
        assert_eq!(record["certificate"], issued.fingerprint().to_string());
        assert_eq!(record["identity"], "a@example.com");
        let SignedEntry::Precertificate { precertificate, .. } = &logged.entry else { panic!("{logged:?}") };
        let precertificate = Certificate::from_der(precertificate).unwrap();
        assert!(precertificate.is_critical(oid::PRECERT_POISON));
        assert_eq!(precertificate.serial(), issued.serial());
    }
}

#[tokio::test]
async fn one_identity_cannot_have_all_certificates() {
    let stage = Stage::new().await;
    let ca = stage.ca(|config| config.per_identity = Rate { count: 2, per: Duration::from_secs(60) }).await;
    let issue = || async { ca.issue(&stage.token(), &proof(&key(), "a@example.com")).await };
    assert!(issue().await.is_ok() && issue().await.is_ok());
    let refused = issue().await.unwrap_err();
    assert!(matches!(refused, IssueError::RateLimited { wait } if wait == Duration::from_secs(30)));
    let other = stage.dev.mint(&Bearer::Email("b@example.com".into()), NOW).unwrap();
    assert!(ca.issue(&other, &proof(&key(), "b@example.com")).await.is_ok());
    stage.clock.advance(Duration::from_secs(30));
    assert!(issue().await.is_ok());
}

/// A log whose promises are of another key than these.
struct Liar(Vec<PublicKey>, PrivateKey);

#[async_trait]
impl CtLog for Liar {
    fn keys(&self) -> Option<&[PublicKey]> {
        Some(&self.0)
    }

    async fn add_pre_chain(&self, entry: &PrecertEntry) -> Result<Sct, CtError> {
        let signed = signet_formats::sct::signed_data(1, &[], &entry.issuer_key_hash(), &entry.tbs);
        let signature = self.1.sign(Scheme::EcdsaP256Sha256, Payload::Message(&signed)).unwrap();
        Ok(Sct::new([0; 32], 1, Vec::new(), signature))
    }
}

#[tokio::test]
async fn a_promise_that_does_not_hold_is_no_promise() {
    let stage = Stage::new().await;
    let issue = async |keys, signer| {
        let ca = stage.ca(|config| config.log = Arc::new(Liar(keys, signer))).await;
        ca.issue(&stage.token(), &proof(&key(), "a@example.com")).await
    };
    let [one, next] = [key(), key()];
    let keys = vec![one.public_key().clone(), next.public_key().clone()];
    assert!(matches!(issue(keys.clone(), key()).await, Err(IssueError::Log(_))));
    assert!(matches!(issue(Vec::new(), one).await, Err(IssueError::Log(_))));
    assert!(issue(keys, next).await.is_ok(), "of the shard that it goes on in");
}

/// Fails every sync of what is written below this directory, once it is told to.
struct FailsBelow(&'static str, AtomicBool);

impl FailsBelow {
    fn fail(&self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

impl Faults for FailsBelow {
    fn before(&self, step: Step<'_>, path: &Path) -> std::io::Result<()> {
        let is_below = step == Step::SyncFile && path.components().any(|part| part.as_os_str() == self.0);
        match is_below && self.1.load(Ordering::SeqCst) {
            true => Err(std::io::Error::other("injected")),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn without_a_record_or_a_log_entry_on_the_disk_nobody_gets_a_certificate() {
    for failing in ["audit.jsonl", "entries"] {
        let faults = Arc::new(FailsBelow(failing, false.into()));
        let disk = || Disk::with_faults(faults.clone());
        let stage = Stage::on(disk()).await;
        let ca = Ca::open_on(disk(), &stage.dir.path().join("ca"), stage.config()).await.unwrap();
        faults.fail();
        for _ in 0..2 {
            let refused = ca.issue(&stage.token(), &proof(&key(), "a@example.com")).await;
            assert!(matches!(refused, Err(IssueError::Audit(_) | IssueError::Log(_))), "{failing}");
        }
    }
}

/// A disk without room for the certificates of issuers.
struct Full(AtomicBool);

impl Faults for Full {
    fn before(&self, step: Step<'_>, path: &Path) -> std::io::Result<()> {
        let is_issuer =
            matches!(step, Step::Rename { .. }) && path.parent().is_some_and(|it| it.ends_with("issuers"));
        match is_issuer && self.0.load(Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

/// They are written first, so that the log itself has not failed.
#[tokio::test]
async fn an_authority_whose_log_cannot_keep_issuers_is_not_ready_until_it_can() {
    let full = Arc::new(Full(true.into()));
    let stage = Stage::on(Disk::with_faults(full.clone())).await;
    let ca = stage.ca(|_| {}).await;
    let issue = async || ca.issue(&stage.token(), &proof(&key(), "a@example.com")).await;
    assert!(ca.is_ready());
    assert!(matches!(issue().await, Err(IssueError::Log(_))));
    assert!(!ca.is_ready() && !ca.is_ready());
    full.0.store(false, Ordering::SeqCst);
    assert!(ca.is_ready(), "it is known though nobody who reads that it is not ready would ask");
    issue().await.unwrap();
}

/// No other log shows what it has promised, and clients know its key.
#[tokio::test]
async fn a_log_that_an_authority_keeps_itself_is_not_begun_a_second_time() {
    let stage = Stage::new().await;
    let dir = DataDir::open(&stage.dir.path().join("own"), Kind::Ca).unwrap();
    let open = async || own_log(&dir, stage.clock.clone()).await;
    let origin = async |log: CertificateLogs| {
        log.close().await;
        log.logs()[0].signer().origin().to_owned()
    };
    let first = origin(open().await.unwrap()).await;
    assert_eq!(origin(open().await.unwrap()).await, first);
    std::fs::rename(dir.path().join("ct"), dir.path().join("aside")).unwrap();
    let lost = open().await.err();
    let is_told =
        matches!(&lost, Some(CaError::Authority(AuthorityError::Lost { path })) if path.ends_with("ct"));
    assert!(is_told && !dir.path().join("ct").exists(), "{lost:?}");
    assert_eq!(crate::key_files::fsck(dir.path()), Vec::<String>::new());
    std::fs::rename(dir.path().join("aside"), dir.path().join("ct")).unwrap();
    assert_eq!(origin(open().await.unwrap()).await, first);
}

#[tokio::test]
async fn after_a_restart_it_is_the_same_authority() {
    let stage = Stage::new().await;
    let first = stage.ca(|_| {}).await;
    let chains = first.chains();
    first.issue(&stage.token(), &proof(&key(), "a@example.com")).await.unwrap();
    drop(first);
    let second = stage.ca(|_| {}).await;
    assert_eq!(second.chains(), chains);
    let chain = second.issue(&stage.token(), &proof(&key(), "a@example.com")).await.unwrap();
    assert_eq!(chain[0].scts().unwrap()[0].leaf_index(), Some(1), "the log goes on");
}

/// Nobody starts it again for years.
#[tokio::test]
async fn a_ca_that_runs_for_years_changes_its_intermediate_by_itself() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let key = key();
    let issue = async || ca.issue(&stage.token(), &proof(&key, "a@example.com")).await.unwrap();
    let first = issue().await;
    assert!(!ca.renew().await.unwrap(), "it is not time");
    let day = Duration::from_secs(24 * 3_600);
    stage.clock.advance(day * (3 * 365 - 59));
    assert!(ca.renew().await.unwrap(), "verifiers learn of the next one");
    assert_eq!(ca.chains().len(), 2);
    assert!(!ca.renew().await.unwrap(), "once is enough");
    assert_eq!(issue().await[1], first[1], "it is not used before they could");
    stage.clock.advance(day * 8);
    let second = issue().await;
    assert_ne!(second[1], first[1]);
    assert_eq!(second[2], first[2], "below the same root");
    stage.clock.advance(day * 60);
    assert!(ca.is_ready(), "the first has ended");
    issue().await;
    assert_eq!(ca.roots()[0], first[2]);
}

/// Operators do that to change them, and may forget to stop it first.
#[tokio::test]
async fn a_ca_that_runs_makes_no_others_while_its_keys_are_moved_away() {
    let stage = Stage::new().await;
    let ca = stage.ca(|_| {}).await;
    let dir = stage.dir.path().join("ca");
    for name in ["made.json", "root.key", "root.pem", "intermediate-0.key", "intermediate-0.pem"] {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    assert!(matches!(ca.renew().await, Err(AuthorityError::Lost { path }) if path.ends_with("made.json")));
    assert!(!dir.join("root.key").exists());
}

#[tokio::test]
async fn a_ca_that_cannot_record_is_not_ready_and_has_nothing_promised() {
    let stage = Stage::new().await;
    let faults = Arc::new(FailsBelow("audit.jsonl", false.into()));
    let disk = Disk::with_faults(faults.clone());
    let ca = Ca::open_on(disk, &stage.dir.path().join("ca"), stage.config()).await.unwrap();
    let issue = async || ca.issue(&stage.token(), &proof(&key(), "a@example.com")).await;
    issue().await.unwrap();
    assert!(ca.is_ready());
    faults.fail();
    assert!(matches!(issue().await, Err(IssueError::Audit(_))));
    assert!(!ca.is_ready(), "it cannot issue any more, whatever becomes of the disk");
    let promised = stage.shard().log().head().checkpoint.size;
    for _ in 0..3 {
        assert!(matches!(issue().await, Err(IssueError::Audit(_))));
    }
    assert_eq!(stage.shard().log().head().checkpoint.size, promised, "nothing is promised for it");
    assert_eq!(ca.counts(), Counts { issued: 1, failed: 4, ..Counts::default() });
}
