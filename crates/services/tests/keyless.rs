//! What the CA and the timestamp authority issue, as Signet's own verification sees it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm, Scheme};
use signet_formats::base64::Base64;
use signet_formats::bundle::{Bundle, Content, Material, Version};
use signet_formats::timestamp::TimestampRequest;
use signet_formats::x509::Certificate;
use signet_keys::{Payload, PrivateKey};
use signet_services::ca::{Ca, Config, Proof};
use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLogs;
use signet_services::oidc::dev::{Bearer, DevIssuer};
use signet_services::oidc::{Fetch, FetchError, Issuers, KeySource, Verifier};
use signet_services::tsa::{self, TimeSource, Tsa};
use signet_store::fs::Disk;
use signet_verify::{
    CertificateIdentity, Content as Kind, Evidence, EvidenceItem, Matcher, Outcome, Policy, PredicateRule,
    Principal, Rule, Subject, TrustSnapshot, TrustedAuthority, TrustedLog, Verdict, Window, decide,
};

struct Nothing;

#[async_trait]
impl Fetch for Nothing {
    async fn get(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<u8>, FetchError> {
        Err(FetchError("nothing is fetched here".to_owned()))
    }
}

struct Stack {
    ca: Ca,
    log: Arc<CertificateLogs>,
    tsa: Tsa,
    dev: DevIssuer,
    clock: Arc<dyn Clock>,
    _dir: tempfile::TempDir,
}

impl Stack {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let dev = DevIssuer::open(&Disk::default(), dir.path(), "http://127.0.0.1:1").unwrap();
        let mut issuers = Issuers::default();
        dev.issuers().into_iter().for_each(|issuer| issuers.add(issuer).unwrap());
        let own: HashMap<_, _> = issuers.iter().map(|(issuer, _)| (issuer.url.clone(), dev.keys())).collect();
        let verifier =
            Verifier::new(issuers, KeySource::with_own(Arc::new(Nothing), own), Arc::clone(&clock));
        let log = CertificateLogs::open_home(&dir.path().join("ct"), "ct.example", Arc::clone(&clock))
            .await
            .unwrap();
        let log = Arc::new(log);
        let config = Config::new(verifier, Arc::clone(&log) as _, Arc::clone(&clock));
        let ca = Ca::open(&dir.path().join("ca"), config).await.unwrap();
        let mut config = tsa::Config::new(Arc::clone(&clock));
        config.time = TimeSource::Development;
        let tsa = Tsa::open(&dir.path().join("tsa"), None, config).await.unwrap();
        Self { ca, log, tsa, dev, clock, _dir: dir }
    }

    /// Signs the bytes as this person, and has the signature stamped.
    async fn sign(&self, email: &str, bytes: &[u8]) -> Bundle {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let sign = |message: &[u8]| key.sign(Scheme::EcdsaP256Sha256, Payload::Message(message)).unwrap();
        let token = self.dev.mint(&Bearer::Email(email.to_owned()), self.clock.seconds()).unwrap();
        let proof = Proof::Signature { key: key.public_key().clone(), signature: sign(email.as_bytes()) };
        let chain = self.ca.issue(&token, &proof).await.unwrap();
        let signature = sign(bytes);
        let imprint = Digest::sha256(&signature);
        let request = TimestampRequest { imprint, policy: None, nonce: Some(1), with_certificates: true };
        let stamp = self.tsa.answer(&request.to_der()).await;
        Bundle {
            version: Version::V03,
            content: Content::MessageSignature {
                digest: Some(Digest::of(DigestAlgorithm::Sha256, bytes)),
                signature,
            },
            material: Material::Certificate(chain[0].der().to_vec()),
            tlog_entries: Vec::new(),
            timestamps: vec![stamp],
        }
    }

    fn trust(&self) -> TrustSnapshot {
        let window = Window { start: Some(0), end: None };
        let authority = |name: &str, chain: &[Certificate]| TrustedAuthority {
            name: name.to_owned(),
            uri: format!("https://{name}.example.com"),
            certificates: chain.iter().map(|certificate| Base64(certificate.der().to_vec())).collect(),
            valid_for: window,
            operator: None,
        };
        let shard = self.log.active().unwrap();
        let key = shard.public_key();
        TrustSnapshot {
            certificate_logs: vec![TrustedLog {
                base_url: "https://ct.example.com".to_owned(),
                key: Base64(key.spki_der().to_vec()),
                log_id: Base64(key.id().as_bytes().to_vec()),
                valid_for: window,
                operator: None,
            }],
            certificate_authorities: self.ca.chains().iter().map(|chain| authority("ca", chain)).collect(),
            timestamp_authorities: vec![authority("tsa", &self.tsa.chain())],
            ..TrustSnapshot::default()
        }
    }

    fn decide(&self, bundle: &Bundle, bytes: &[u8], trust: &TrustSnapshot) -> Verdict {
        let identity = Matcher::Exact("signer@example.com".to_owned());
        let issuer = Matcher::Exact("http://127.0.0.1:1/email".to_owned());
        let signer = CertificateIdentity { identity, issuer, claims: BTreeMap::new() };
        let principals = BTreeMap::from([("signer".to_owned(), Principal::Certificate(signer))]);
        let rule = Rule {
            predicate_type: PredicateRule::Any,
            log_entries: Some(0),
            timestamps: 1,
            certificate_timestamps: Some(1),
            ..Rule::any_of(["signer".to_owned()])
        };
        let policy = Policy::of_principals("keyless", principals, rule).unwrap();
        let content = Kind::Bundle { bytes: Base64(bundle.to_json().unwrap().into_bytes()) };
        let items = vec![EvidenceItem { origin: "test".to_owned(), content }];
        let evidence = Evidence { items, unread: Vec::new(), artifact: None };
        decide(&Subject::of(Digest::sha256(bytes)), &evidence, trust, &policy, self.clock.seconds() + 5)
    }
}

#[tokio::test]
async fn our_verification_accepts_what_our_authorities_issue() {
    let stack = Stack::start().await;
    let bundle = stack.sign("signer@example.com", b"bytes").await;
    let verdict = stack.decide(&bundle, b"bytes", &stack.trust());
    assert_eq!(verdict.outcome, Outcome::Allow, "{verdict:#?}");
}

#[tokio::test]
async fn it_refuses_other_signers_other_bytes_and_authorities_that_are_not_trusted() {
    let stack = Stack::start().await;
    let (bundle, trust) = (stack.sign("signer@example.com", b"bytes").await, stack.trust());
    let outcome = |bundle, bytes, trust: &TrustSnapshot| stack.decide(bundle, bytes, trust).outcome;
    assert_eq!(outcome(&bundle, b"other bytes", &trust), Outcome::Deny);
    let stranger = stack.sign("stranger@example.com", b"bytes").await;
    assert_eq!(outcome(&stranger, b"bytes", &trust), Outcome::Deny);
    let other = Stack::start().await.trust();
    let changes: [fn(&mut TrustSnapshot, TrustSnapshot); 3] = [
        |trust, other| trust.certificate_logs = other.certificate_logs,
        |trust, other| trust.certificate_authorities = other.certificate_authorities,
        |trust, other| trust.timestamp_authorities = other.timestamp_authorities,
    ];
    for change in changes {
        let mut changed = trust.clone();
        change(&mut changed, other.clone());
        assert_eq!(outcome(&bundle, b"bytes", &changed), Outcome::Deny);
    }
}
