//! Keys and certificates that an authority is given: which it takes, and that it stays with them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of tests are tests"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};
use signet_formats::timestamp::{PkiFailure, ReceivedRequest};
use signet_formats::x509::{Certificate, NewExtension, TbsCertificate, oid};
use signet_keys::{Payload, PrivateKey, SignError, Signer};
use signet_services::authority::{AuthorityError, Issuer, Subject, make_root};
use signet_services::ca::{self, Ca, CaError, Hierarchy};
use signet_services::clock::{Clock, ManualClock, Reading};
use signet_services::ctlog::CertificateLogs;
use signet_services::oidc::{Fetch, FetchError, Issuers, KeySource, Verifier};
use signet_services::tsa::{self, ClockBound, Identity, SourceState, TimeSource, Tsa, TsaError};
use tokio::time::sleep;

const NOW: i64 = 1_795_000_000;
const YEAR: i64 = 365 * 24 * 60 * 60;
const KEY_CERT_SIGN: u32 = 5;
const DIGITAL_SIGNATURE: u32 = 0;

#[tokio::test]
async fn a_chain_that_no_verifier_would_take_a_certificate_from_makes_no_ca() {
    let (root, other) = (root("root").await, root("root").await);
    let good = [NewExtension::key_usage(&[KEY_CERT_SIGN]), NewExtension::certificate_authority(Some(0))];
    let with = |more: NewExtension| [&good[..], &[more]].concat();
    let life = (NOW - 10, NOW + YEAR);
    let cases = [
        (good.to_vec(), life, &root, None),
        (with(NewExtension::purpose(oid::CODE_SIGNING, false)), life, &root, None),
        (
            with(NewExtension::purpose(oid::TIME_STAMPING, false)),
            life,
            &root,
            Some("the purposes of one of them leave out code signing"),
        ),
        (
            vec![NewExtension::key_usage(&[DIGITAL_SIGNATURE]), NewExtension::certificate_authority(None)],
            life,
            &root,
            Some("not all of them may issue certificates"),
        ),
        (
            vec![NewExtension::key_usage(&[KEY_CERT_SIGN])],
            life,
            &root,
            Some("not all of them may issue certificates"),
        ),
        // Of the same name, so that only its signature tells.
        (good.to_vec(), life, &other, Some("they are not each issued by the next")),
        (good.to_vec(), (NOW - YEAR, NOW - 1), &root, Some("not all of them are valid now")),
        (good.to_vec(), (NOW + 1, NOW + YEAR), &root, Some("not all of them are valid now")),
    ];
    for (extensions, life, above, wanted) in cases {
        let below = below(&root, life, extensions).await;
        let chain = vec![below.chain[0].clone(), above.chain[0].clone()];
        assert_eq!(refusal(&below, chain), wanted);
    }
    let alone = below(&root, life, good.to_vec()).await;
    let chain = vec![alone.chain[0].clone()];
    assert_eq!(refusal(&alone, chain), Some("the last is not a root, issued by itself"));
    assert_eq!(refusal(&root, root.chain.clone()), None, "a root alone");
}

#[tokio::test]
async fn a_chain_with_more_intermediates_than_one_of_them_allows_makes_no_ca() {
    let root = root("root").await;
    let life = (NOW - 10, NOW + YEAR);
    let extensions = |most| {
        vec![NewExtension::key_usage(&[KEY_CERT_SIGN]), NewExtension::certificate_authority(Some(most))]
    };
    // Roots of ours allow one.
    let first = below(&root, life, extensions(0)).await;
    assert_eq!(refusal(&first, first.chain.clone()), None);
    let second = below(&first, life, extensions(0)).await;
    let why = Some("there are more below one of them than it allows");
    assert_eq!(refusal(&second, second.chain.clone()), why);
}

#[tokio::test]
async fn an_authority_says_what_may_not_be_expected_of_it() {
    let notes = async |root: &Holder, algorithm| {
        let extensions =
            vec![NewExtension::key_usage(&[KEY_CERT_SIGN]), NewExtension::certificate_authority(Some(0))];
        let given = below_with(root, (NOW - 10, NOW + YEAR), extensions, algorithm).await;
        open_ca(tempfile::tempdir().unwrap().path(), Some(&given), false).await.unwrap().notes()
    };
    let root = root("root").await;
    let nobody = "no issuer of identity tokens is configured: nobody gets a certificate";
    assert_eq!(notes(&root, KeyAlgorithm::EcdsaP521).await, [nobody]);
    let told = notes(&root, KeyAlgorithm::Ed25519).await;
    assert!(told.len() == 2 && told[1].contains("sigstore-python refuses"), "{told:?}");
}

/// What strangers trust signs nothing that development asks for, and the other way round.
#[tokio::test]
async fn given_keys_and_development_do_not_go_together() {
    for (name, development) in [("ours", true), ("Signet development root", false)] {
        let dir = tempfile::tempdir().unwrap();
        let refused = open_ca(dir.path(), Some(&root(name).await), development).await.err();
        assert!(matches!(refused, Some(CaError::Authority(AuthorityError::DevelopmentGiven))), "{refused:?}");
        let dir = tempfile::tempdir().unwrap();
        let refused = open_tsa(dir.path(), Some(&root(name).await), development).await.err();
        let is_told = matches!(refused, Some(TsaError::Authority(AuthorityError::DevelopmentGiven)));
        assert!(is_told, "{refused:?}");
    }
}

#[tokio::test]
async fn what_was_begun_for_development_is_not_given_keys_later() {
    let (dir, given) = (tempfile::tempdir().unwrap(), root("ours").await);
    open_ca(&dir.path().join("ca"), None, true).await.unwrap();
    open_tsa(&dir.path().join("tsa"), None, true).await.unwrap();
    let refused = open_ca(&dir.path().join("ca"), Some(&given), false).await.err();
    assert!(matches!(refused, Some(CaError::Authority(AuthorityError::Mode { development: true }))));
    let refused = open_tsa(&dir.path().join("tsa"), Some(&given), false).await.err();
    assert!(matches!(refused, Some(TsaError::Authority(AuthorityError::Mode { development: true }))));
}

/// A flag that is forgotten once in a unit file.
#[tokio::test]
async fn an_authority_that_was_given_its_key_makes_none_when_it_is_not() {
    let (dir, given) = (tempfile::tempdir().unwrap(), root("ours").await);
    let (ca, tsa) = (dir.path().join("ca"), dir.path().join("tsa"));
    for _ in 0..2 {
        open_ca(&ca, Some(&given), false).await.unwrap();
        open_tsa(&tsa, Some(&given), false).await.unwrap();
        for development in [false, true] {
            let refused = open_ca(&ca, None, development).await.err();
            assert!(matches!(refused, Some(CaError::Authority(AuthorityError::Given))), "{refused:?}");
            let refused = open_tsa(&tsa, None, development).await.err();
            assert!(matches!(refused, Some(TsaError::Authority(AuthorityError::Given))), "{refused:?}");
        }
    }
    for dir in [&ca, &tsa] {
        let made = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(made.filter(|path| path.extension().is_some_and(|end| end == "key")).count(), 0);
        assert_eq!(signet_services::key_files::fsck(dir), Vec::<String>::new());
    }
}

/// Who only waits until it is ready asks it for nothing.
#[tokio::test(start_paused = true)]
async fn an_authority_whose_key_is_away_is_not_ready_and_asks_until_it_is_back() {
    let (dir, root) = (tempfile::tempdir().unwrap(), root("ours").await);
    let purpose = vec![NewExtension::purpose(oid::TIME_STAMPING, true)];
    let Holder { key, chain } = below(&root, (NOW - 10, NOW + YEAR), purpose).await;
    let (ca_key, tsa_key) = (Away::of(root.key), Away::of(key));
    let identity = Identity::new(Arc::clone(&tsa_key) as _, chain).unwrap();
    let tsa = open_tsa_of(&dir.path().join("tsa"), Some(identity), false).await.unwrap();
    ca_key.go(true);
    let issuer = Issuer::new(Arc::clone(&ca_key) as _, root.chain).unwrap();
    let ca = open_ca_of(&dir.path().join("ca"), Some(issuer), false).await.unwrap();
    assert!(!ca.is_ready() && tsa.is_ready(), "{:?}", tsa.doubt());
    tsa_key.go(true);
    let request = ReceivedRequest::new(Digest::sha256(b"x"), None, None);
    let refusal = tsa.stamp(&request).await.unwrap_err();
    assert_eq!(refusal.failure, PkiFailure::SystemFailure);
    assert_eq!(refusal.text, "the authority's key does not sign now");
    assert_eq!(tsa.doubt().as_deref(), Some("its key does not sign: it is away"));
    tokio::spawn(ca.clone().keep_renewed(|| ()));
    tokio::spawn(tsa.clone().keep_renewed(|| ()));
    for away in [false, true, false] {
        ca_key.go(away);
        tsa_key.go(away);
        sleep(Duration::from_secs(if away { 66 } else { 6 })).await;
        assert_eq!((ca.is_ready(), tsa.is_ready()), (!away, !away));
    }
    // Whoever is refused makes it known, and it is asked again no later for that.
    tsa_key.go(true);
    tsa.stamp(&request).await.unwrap_err();
    tsa_key.go(false);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(tsa.doubt(), None);
    tsa.stamp(&request).await.unwrap();
}

/// A key that is away from time to time.
struct Away {
    key: Arc<PrivateKey>,
    is_away: AtomicBool,
    doubt: AtomicBool,
}

impl Away {
    fn of(key: Arc<PrivateKey>) -> Arc<Self> {
        Arc::new(Self { key, is_away: false.into(), doubt: false.into() })
    }

    fn go(&self, away: bool) {
        self.is_away.store(away, Ordering::Relaxed);
    }
}

#[async_trait]
impl Signer for Away {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn schemes(&self) -> &[Scheme] {
        Signer::schemes(self.key.as_ref())
    }

    async fn sign(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, SignError> {
        let is_away = self.is_away.load(Ordering::Relaxed);
        self.doubt.store(is_away, Ordering::Relaxed);
        match is_away {
            true => Err(SignError::Backend { reason: "it is away".to_owned() }),
            false => Signer::sign(self.key.as_ref(), scheme, payload).await,
        }
    }

    fn doubt(&self) -> Option<String> {
        self.doubt.load(Ordering::Relaxed).then(|| "it is away".to_owned())
    }
}

/// A clock that is right.
struct Exact;

impl ClockBound for Exact {
    fn bound(&self, _: &Reading) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn sources(&self) -> Vec<SourceState> {
        Vec::new()
    }
}

/// A key and its certificates.
struct Holder {
    key: Arc<PrivateKey>,
    chain: Vec<Certificate>,
}

impl Holder {
    fn issuer(&self, chain: Vec<Certificate>) -> Issuer {
        Issuer::new(Arc::clone(&self.key) as Arc<dyn Signer>, chain).unwrap()
    }
}

async fn root(name: &str) -> Holder {
    let subject = Subject { organization: "o", common_name: name };
    let (key, root) = make_root(&subject, (NOW - YEAR, NOW + YEAR)).await.unwrap();
    Holder { key: Arc::new(key), chain: vec![root] }
}

/// Who holds a new key, as this authority certifies it.
async fn below(above: &Holder, life: (i64, i64), extensions: Vec<NewExtension>) -> Holder {
    below_with(above, life, extensions, KeyAlgorithm::EcdsaP256).await
}

/// The same, with a key of this kind.
async fn below_with(
    above: &Holder,
    life: (i64, i64),
    extensions: Vec<NewExtension>,
    algorithm: KeyAlgorithm,
) -> Holder {
    let key = PrivateKey::generate(algorithm).unwrap();
    let tbs = TbsCertificate {
        serial: vec![1],
        issuer: above.chain[0].subject().der().to_vec(),
        subject: Subject { organization: "o", common_name: &format!("{} above", above.chain.len()) }.to_der(),
        not_before: life.0,
        not_after: life.1,
        key: key.public_key().clone(),
        extensions,
    };
    let certificate = above.issuer(above.chain.clone()).issue(&tbs).await.unwrap();
    Holder { key: Arc::new(key), chain: [vec![certificate], above.chain.clone()].concat() }
}

/// Why an issuer with this chain is no CA.
fn refusal(holder: &Holder, chain: Vec<Certificate>) -> Option<&'static str> {
    match Hierarchy::given(holder.issuer(chain), NOW) {
        Ok(_) => None,
        Err(AuthorityError::NotACa { why }) => Some(why),
        Err(other) => panic!("{other}"),
    }
}

async fn open_ca(dir: &Path, given: Option<&Holder>, development: bool) -> Result<Ca, CaError> {
    open_ca_of(dir, given.map(|given| given.issuer(given.chain.clone())), development).await
}

async fn open_ca_of(dir: &Path, given: Option<Issuer>, development: bool) -> Result<Ca, CaError> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW.unsigned_abs()));
    let keys = KeySource::with_own(Arc::new(Nothing), HashMap::new());
    let verifier = Verifier::new(Issuers::default(), keys, Arc::clone(&clock));
    let log = tempfile::tempdir().unwrap();
    let log = CertificateLogs::open_home(log.path(), "ct.example", Arc::clone(&clock)).await.unwrap();
    let hierarchy = given.map(|given| Hierarchy::given(given, NOW).unwrap());
    let config = ca::Config { hierarchy, development, ..ca::Config::new(verifier, Arc::new(log), clock) };
    Ca::open(dir, config).await
}

/// With a key that this root certifies.
async fn open_tsa(dir: &Path, root: Option<&Holder>, development: bool) -> Result<Tsa, TsaError> {
    let identity = match root {
        Some(root) => {
            let purpose = vec![NewExtension::purpose(oid::TIME_STAMPING, true)];
            let Holder { key, chain } = below(root, (NOW - 10, NOW + YEAR), purpose).await;
            Some(Identity::new(key, chain).unwrap())
        }
        None => None,
    };
    open_tsa_of(dir, identity, development).await
}

async fn open_tsa_of(dir: &Path, identity: Option<Identity>, development: bool) -> Result<Tsa, TsaError> {
    let mut config = tsa::Config::new(Arc::new(ManualClock::at(NOW.unsigned_abs())));
    config.time = match development {
        true => TimeSource::Development,
        false => TimeSource::Bounded { accuracy: Duration::from_secs(1), bound: Arc::new(Exact) },
    };
    Tsa::open(dir, identity, config).await
}

struct Nothing;

#[async_trait]
impl Fetch for Nothing {
    async fn get(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<u8>, FetchError> {
        Err(FetchError("nothing is fetched here".to_owned()))
    }
}
