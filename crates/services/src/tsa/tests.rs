use std::io;

use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm};
use signet_formats::timestamp::{TimestampError, TimestampRequest, TimestampToken};
use signet_keys::{PrivateKey, Signer};

use super::*;
use crate::authority::AuthorityError;
use crate::clock::ManualClock;

const NOW: u64 = 1_795_000_000;

/// A bound that says what it is told to say.
struct Fixed(Option<Duration>);

impl ClockBound for Fixed {
    fn bound(&self, _: &Reading) -> Option<Duration> {
        self.0
    }

    fn sources(&self) -> Vec<SourceState> {
        Vec::new()
    }
}

fn config(bound: Option<Duration>) -> Config {
    let time = TimeSource::Bounded { accuracy: Duration::from_secs(1), bound: Arc::new(Fixed(bound)) };
    Config { time, ..Config::new(Arc::new(ManualClock::at(NOW))) }
}

async fn authority(dir: &Path, bound: Option<Duration>) -> Tsa {
    Tsa::open(dir, None, config(bound)).await.unwrap()
}

fn request(text: &[u8]) -> TimestampRequest {
    let imprint = Digest::sha256(text);
    TimestampRequest { imprint, policy: None, nonce: Some(0x8000_0000_0000_0001), with_certificates: true }
}

async fn refusal(tsa: &Tsa, request: &[u8]) -> String {
    match TimestampToken::from_response(&tsa.answer(request).await) {
        Err(TimestampError::Rejected { status: 2, reason }) => reason.rsplit(", ").next().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

const GOOD: Option<Duration> = Some(Duration::from_millis(20));

#[tokio::test]
async fn a_token_answers_its_request_and_is_the_authoritys() {
    let dir = tempfile::tempdir().unwrap();
    let tsa = authority(dir.path(), GOOD).await;
    let request = request(b"signature");
    let token = TimestampToken::from_response(&tsa.answer(&request.to_der()).await).unwrap();
    request.verify_answer(token.info()).unwrap();
    token.info().verify_imprint(b"signature").unwrap();
    token.verify(&tsa.chain()[0]).unwrap();
    assert_eq!(token.certificates(), &tsa.chain()[..1]);
    assert_eq!(token.info().seconds, NOW as i64);
    assert_eq!(token.info().accuracy, Some(Duration::from_secs(1)));
    assert_eq!(token.info().policy, DEFAULT_POLICY);
    assert_eq!(tsa.counters().granted(), 1);
}

#[tokio::test]
async fn every_digest_and_curve_that_is_offered_works() {
    for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha384, DigestAlgorithm::Sha512] {
        for key in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384] {
            let (dir, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let identity = identity_of(own.path(), key).await;
            let tsa = Tsa::open(dir.path(), Some(identity), config(GOOD)).await.unwrap();
            let request = TimestampRequest { imprint: Digest::of(algorithm, b"x"), ..request(b"") };
            let token = TimestampToken::from_response(&tsa.answer(&request.to_der()).await).unwrap();
            request.verify_answer(token.info()).unwrap();
            token.verify(&tsa.chain()[0]).unwrap();
        }
    }
}

/// The root that the authority of this directory made.
fn kept(dir: &Path) -> (PrivateKey, Vec<Certificate>) {
    let disk = Disk::default();
    crate::key_files::KeyFiles::open(&disk, dir).unwrap().read("root").unwrap().unwrap()
}

/// An authority's key of this kind, certified by a root of its own.
async fn identity_of(dir: &Path, algorithm: KeyAlgorithm) -> Identity {
    let own = DataDir::open(dir, Kind::Tsa).unwrap();
    Identities::of_directory(&own, NOW as i64, false).await.unwrap();
    let (root_key, root) = kept(own.path());
    let key = PrivateKey::generate(algorithm).unwrap();
    let tbs = tsa_certificate(&root[0], key.public_key(), |extensions| extensions);
    let issuer = crate::authority::Issuer::new(Arc::new(root_key), root.clone()).unwrap();
    let leaf = issuer.issue(&tbs).await.unwrap();
    Identity::new(Arc::new(key), vec![leaf, root[0].clone()]).unwrap()
}

fn tsa_certificate(
    root: &Certificate,
    key: &signet_crypto::PublicKey,
    change: impl FnOnce(Vec<signet_formats::x509::NewExtension>) -> Vec<signet_formats::x509::NewExtension>,
) -> signet_formats::x509::TbsCertificate {
    use signet_formats::x509::{NewExtension, TbsCertificate, oid};
    TbsCertificate {
        serial: vec![1],
        issuer: root.subject().der().to_vec(),
        subject: crate::authority::Subject { organization: "o", common_name: "c" }.to_der(),
        not_before: NOW as i64 - 10,
        not_after: NOW as i64 + 10,
        key: key.clone(),
        extensions: change(vec![NewExtension::purpose(oid::TIME_STAMPING, true)]),
    }
}

#[tokio::test]
async fn a_clock_that_is_off_or_unknown_stamps_nothing() {
    for bound in [None, Some(Duration::from_secs(1)), Some(Duration::from_millis(999))] {
        let dir = tempfile::tempdir().unwrap();
        let tsa = authority(dir.path(), bound).await;
        assert!(!tsa.is_ready());
        assert_eq!(refusal(&tsa, &request(b"").to_der()).await, "timeNotAvailable", "{bound:?}");
        assert_eq!(tsa.counters().granted(), 0);
    }
    let dir = tempfile::tempdir().unwrap();
    let tsa = authority(dir.path(), Some(Duration::from_millis(998))).await;
    assert!(TimestampToken::from_response(&tsa.answer(&request(b"").to_der()).await).is_ok());
}

#[tokio::test]
async fn in_development_tokens_state_no_accuracy_and_the_authority_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { time: TimeSource::Development, ..config(None) };
    let tsa = Tsa::open(dir.path(), None, config).await.unwrap();
    let token = TimestampToken::from_response(&tsa.answer(&request(b"").to_der()).await).unwrap();
    assert_eq!(token.info().accuracy, None);
    assert!(tsa.chain().iter().all(|certificate| certificate.subject().to_string().contains("development")));
}

#[tokio::test]
async fn unacceptable_requests_get_their_failure() {
    let dir = tempfile::tempdir().unwrap();
    let tsa = authority(dir.path(), GOOD).await;
    let good = request(b"").to_der();
    let with_policy =
        TimestampRequest { policy: Some(ObjectIdentifier::new_unwrap("1.2.3")), ..request(b"") }.to_der();
    let edit = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).unwrap();
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let mut extended = good.clone();
    extended.extend_from_slice(&[0xa0, 0]);
    extended[1] += 2;
    let nonce: &[u8] = &[2, 9, 0, 0x80, 0, 0, 0, 0, 0, 0, 1];
    let mut long_nonce = edit(nonce, &[&[2, 65][..], &[1; 65]].concat());
    long_nonce[1] += 56;
    // 2.16.840.1.101.3.4.2.1 becomes .2.7, SHA3-224.
    let cases = [
        (edit(&[4, 2, 1, 5, 0], &[4, 2, 7, 5, 0]), "badAlg"),
        (edit(&[2, 1, 1], &[2, 1, 2]), "badRequest"),
        (edit(&[4, 2, 1, 5, 0], &[4, 2, 2, 5, 0]), "badDataFormat"),
        (long_nonce, "badRequest"),
        (extended, "unacceptedExtension"),
        (with_policy, "unacceptedPolicy"),
        ([&good[..], &[0]].concat(), "badDataFormat"),
        (good[..good.len() - 1].to_vec(), "badDataFormat"),
        (Vec::new(), "badDataFormat"),
        (vec![0; 4097], "badDataFormat"),
    ];
    for (request, failure) in cases {
        assert_eq!(refusal(&tsa, &request).await, failure, "{request:02x?}");
    }
    assert_eq!(tsa.counters().refused().map(|(_, count)| count).sum::<u64>(), 10);
}

#[tokio::test]
async fn serial_numbers_go_on_after_a_restart_and_the_authority_stays_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut serials = Vec::new();
    let mut chains = Vec::new();
    for _ in 0..3 {
        let tsa = authority(dir.path(), GOOD).await;
        for _ in 0..2 {
            let token = TimestampToken::from_response(&tsa.answer(&request(b"").to_der()).await).unwrap();
            let serial = &token.info().serial;
            serials.push(serial.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte)));
        }
        chains.push(tsa.chain().to_vec());
    }
    assert!(serials.is_sorted_by(|a, b| a < b), "{serials:?}");
    assert!(chains.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn an_authority_that_lost_its_numbers_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    drop(authority(dir.path(), GOOD).await);
    std::fs::remove_file(dir.path().join("serials.json")).unwrap();
    let opened = Tsa::open(dir.path(), None, config(GOOD)).await;
    assert!(matches!(opened, Err(TsaError::Serials { .. })));
}

/// Its key is elsewhere, so that nothing but a mark tells the directory from a new one.
#[tokio::test]
async fn an_authority_with_a_given_key_that_lost_its_numbers_does_not_start_either() {
    let (own, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(authority(own.path(), GOOD).await);
    let identity = || {
        let disk = signet_store::fs::Disk::default();
        let (key, chain) =
            crate::key_files::KeyFiles::open(&disk, own.path()).unwrap().read("tsa").unwrap().unwrap();
        Some(Identity::new(Arc::new(key), chain).unwrap())
    };
    for _ in 0..2 {
        drop(Tsa::open(dir.path(), identity(), config(GOOD)).await.unwrap());
    }
    std::fs::remove_file(dir.path().join("serials.json")).unwrap();
    let opened = Tsa::open(dir.path(), identity(), config(GOOD)).await;
    assert!(matches!(opened, Err(TsaError::Serials { .. })));
    assert!(!dir.path().join("serials.json").exists());
}

#[tokio::test]
async fn certificates_of_another_kind_make_no_authority() {
    use signet_formats::x509::{NewExtension, oid};
    let dir = tempfile::tempdir().unwrap();
    let own = DataDir::open(dir.path(), Kind::Tsa).unwrap();
    Identities::of_directory(&own, NOW as i64, false).await.unwrap();
    let (root_key, root) = kept(own.path());
    let issuer = crate::authority::Issuer::new(Arc::new(root_key), root.clone()).unwrap();
    let key = Arc::new(PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
    let changes: [fn(Vec<NewExtension>) -> Vec<NewExtension>; 4] = [
        |_| vec![NewExtension::purpose(oid::TIME_STAMPING, false)],
        |_| vec![NewExtension::purpose(oid::CODE_SIGNING, true)],
        |_| Vec::new(),
        |extensions| [extensions, vec![NewExtension::certificate_authority(None)]].concat(),
    ];
    for change in changes {
        let leaf = issuer.issue(&tsa_certificate(&root[0], key.public_key(), change)).await.unwrap();
        let made = Identity::new(Arc::clone(&key) as Arc<dyn Signer>, vec![leaf, root[0].clone()]);
        assert!(matches!(made, Err(TsaError::Certificate { .. })));
    }
    let leaf = issuer.issue(&tsa_certificate(&root[0], key.public_key(), |good| good)).await.unwrap();
    let alone = Identity::new(Arc::clone(&key) as Arc<dyn Signer>, vec![leaf.clone()]);
    assert!(matches!(alone, Err(TsaError::Certificate { .. })));
    let other = Arc::new(PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
    let others = Identity::new(other, vec![leaf, root[0].clone()]);
    assert!(matches!(others, Err(TsaError::Authority(AuthorityError::OtherKey))));
}

/// Two CAs, of which the second is not the issuer.
#[tokio::test]
async fn a_chain_whose_certificates_did_not_issue_each_other_makes_no_authority() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut roots = Vec::new();
    for dir in [one.path(), other.path()] {
        let own = DataDir::open(dir, Kind::Tsa).unwrap();
        Identities::of_directory(&own, NOW as i64, false).await.unwrap();
        roots.push(kept(own.path()));
    }
    let [(root_key, root), (_, stranger)] = roots.try_into().ok().unwrap();
    let issuer = crate::authority::Issuer::new(Arc::new(root_key), root.clone()).unwrap();
    let made = async |algorithm, above: &Certificate| {
        let key = Arc::new(PrivateKey::generate(algorithm).unwrap());
        let tbs = tsa_certificate(&root[0], key.public_key(), |good| good);
        let leaf = issuer.issue(&tbs).await.unwrap();
        Identity::new(key, vec![leaf, above.clone()]).err().map(|error| error.to_string())
    };
    let refused = |why: &str| Some(format!("the certificates do not make a timestamp authority: {why}"));
    let p256 = KeyAlgorithm::EcdsaP256;
    assert_eq!(made(p256, &root[0]).await, None);
    // Of the same name, so that only its signature tells.
    assert_eq!(root[0].subject().der(), stranger[0].subject().der());
    assert_eq!(made(p256, &stranger[0]).await, refused("they are not each issued by the next"));
    for other in [KeyAlgorithm::EcdsaP521, KeyAlgorithm::Rsa { bits: 2048 }] {
        assert_eq!(made(other, &root[0]).await, refused("the key is neither of P-256 nor of P-384"));
    }
}

#[tokio::test]
async fn it_says_why_it_gives_no_timestamps() {
    let dir = tempfile::tempdir().unwrap();
    let doubt = async |bound| authority(dir.path(), bound).await.doubt();
    assert_eq!(doubt(GOOD).await, None);
    let off = doubt(Some(Duration::from_secs(3))).await.unwrap();
    assert_eq!(off, "the clock may be off by 3000 ms, and timestamps state 1000 ms");
    assert_eq!(doubt(None).await.unwrap(), "too few time servers agree");
    let own = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW + 60));
    let late = Config { time: config(GOOD).time, ..Config::new(clock) };
    let given = identity_of(own.path(), KeyAlgorithm::EcdsaP256).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let expired = Tsa::open(elsewhere.path(), Some(given), late).await.unwrap();
    assert_eq!(expired.doubt().unwrap(), "its own certificate is not valid now");
}

/// The keys that laptops trusted are not to become those of production.
#[tokio::test]
async fn a_directory_that_was_made_for_development_stays_so_and_no_other_becomes_one() {
    for begun in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let open = async |development| {
            let time = if development { TimeSource::Development } else { config(GOOD).time };
            Tsa::open(dir.path(), None, Config { time, ..config(GOOD) }).await
        };
        drop(open(begun).await.unwrap());
        let refused = open(!begun).await.err();
        let mode = Some(TsaError::Authority(AuthorityError::Mode { development: begun }));
        assert_eq!(refused.map(|error| error.to_string()), mode.map(|error| error.to_string()));
        drop(open(begun).await.unwrap());
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_before_its_certificate_is_told_as_such() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(NOW)));
    drop(authority(dir.path(), GOOD).await);
    clock.step_to(Duration::from_secs(NOW - 3_600));
    let config = Config { time: config(Some(Duration::from_secs(3_600))).time, ..Config::new(clock) };
    let tsa = Tsa::open(dir.path(), None, config).await.unwrap();
    assert_eq!(refusal(&tsa, &request(b"").to_der()).await, "timeNotAvailable");
    assert!(tsa.doubt().unwrap().starts_with("the clock may be off by"), "{:?}", tsa.doubt());
}

#[tokio::test]
async fn accuracies_that_mean_nothing_are_refused() {
    for (millis, is_good) in [(0, false), (9, false), (10, true), (60_000, true), (60_001, false)] {
        let dir = tempfile::tempdir().unwrap();
        let bound = Arc::new(Fixed(GOOD));
        let time = TimeSource::Bounded { accuracy: Duration::from_millis(millis), bound };
        let opened = Tsa::open(dir.path(), None, Config { time, ..config(GOOD) }).await;
        assert_eq!(opened.is_ok(), is_good, "{millis}");
    }
}

/// Nobody starts it again for years.
#[tokio::test]
async fn an_authority_that_runs_for_years_changes_its_certificate_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let config = Config { time: TimeSource::Development, ..Config::new(clock.clone()) };
    let tsa = Tsa::open(dir.path(), None, config).await.unwrap();
    let stamp = async || {
        let token = TimestampToken::from_response(&tsa.answer(&request(b"").to_der()).await).unwrap();
        token.verify(&tsa.chain()[0]).unwrap();
        tsa.chain()
    };
    let day = Duration::from_secs(24 * 3_600);
    let first = stamp().await;
    assert!(!tsa.renew().await.unwrap(), "it is not time");
    clock.advance(day * (10 * 365 - 59));
    assert!(tsa.renew().await.unwrap() && !tsa.renew().await.unwrap(), "once");
    assert_eq!((tsa.chains().len(), stamp().await), (2, first.clone()), "verifiers learn of it first");
    clock.advance(day * 8);
    let second = stamp().await;
    assert!(second[0] != first[0] && second[1] == first[1], "another below the same root");
    clock.advance(day * (10 * 365 + 60));
    assert!(!tsa.renew().await.unwrap(), "the root has ended");
    assert!(!tsa.is_ready() && tsa.chain().is_empty());
    assert_eq!(refusal(&tsa, &request(b"").to_der()).await, "systemFailure");
}

/// As operators are told to keep it.
#[tokio::test]
async fn a_root_whose_key_is_elsewhere_is_gone_on_with_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let chain = authority(dir.path(), GOOD).await.chain();
    let root = std::fs::read(dir.path().join("root.pem")).unwrap();
    std::fs::remove_file(dir.path().join("root.key")).unwrap();
    assert_eq!(authority(dir.path(), GOOD).await.chain(), chain);
    for name in ["made.json", "tsa.key", "tsa.pem"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let refused = Tsa::open(dir.path(), None, config(GOOD)).await.err();
    let wanted = matches!(refused, Some(TsaError::Authority(AuthorityError::RootElsewhere { .. })));
    assert!(wanted, "{refused:?}");
    assert_eq!(std::fs::read(dir.path().join("root.pem")).unwrap(), root);
}

/// Operators do that to change them, and may forget to stop it first.
#[tokio::test]
async fn an_authority_that_runs_makes_no_others_while_its_keys_are_moved_away() {
    let dir = tempfile::tempdir().unwrap();
    let tsa = authority(dir.path(), GOOD).await;
    for name in ["made.json", "root.key", "root.pem", "tsa.key", "tsa.pem"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let refused = tsa.renew().await;
    assert!(matches!(refused, Err(TsaError::Authority(AuthorityError::Lost { .. }))), "{refused:?}");
    assert!(!dir.path().join("root.key").exists());
}

/// Numbers are reserved anew only once the disk takes that.
#[tokio::test]
async fn on_a_full_disk_there_are_no_timestamps_until_it_has_room_again() {
    struct Full(std::sync::atomic::AtomicBool);
    impl signet_store::fs::Faults for Full {
        fn before(&self, step: signet_store::fs::Step<'_>, _: &Path) -> io::Result<()> {
            let writes = matches!(step, signet_store::fs::Step::Write(_));
            match writes && self.0.load(std::sync::atomic::Ordering::Acquire) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }
    let (dir, full) = (tempfile::tempdir().unwrap(), Arc::new(Full(false.into())));
    drop(authority(dir.path(), GOOD).await);
    full.0.store(true, std::sync::atomic::Ordering::Release);
    let tsa = Tsa::open_on(Disk::with_faults(full.clone()), dir.path(), None, config(GOOD)).await.unwrap();
    let doubt = tsa.doubt().unwrap();
    assert!(doubt.starts_with("its disk failed, so that it has no serial numbers: "), "{doubt}");
    assert_eq!(refusal(&tsa, &request(b"").to_der()).await, "systemFailure");
    full.0.store(false, std::sync::atomic::Ordering::Release);
    assert!(TimestampToken::from_response(&tsa.answer(&request(b"").to_der()).await).is_ok());
    assert_eq!(tsa.doubt(), None);
}
