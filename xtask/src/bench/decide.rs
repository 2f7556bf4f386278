//! `decide` beside the sum of the cryptographic operations it rests on, in CPU time of one thread.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use signet_crypto::{Digest, PublicKey};
use signet_formats::base64::Base64;
use signet_formats::bundle::Bundle;
use signet_testkit::vectors;
use signet_verify::{
    CertificateIdentity, Content, Evidence, EvidenceItem, KeyReference, Matcher, Policy, PredicateRule,
    PreparedTrust, Principal, Rule, Subject, TrustSnapshot, decide, decide_prepared,
};

use super::measure::{Contestant, Sample, alternate};
use super::operations::{self, Operation};
use super::row::{Reach, Row};

/// Vectors of the Sigstore conformance corpus, one a kind of verdict.
const VECTORS: [(&str, &str); 5] = [
    ("decide", "happy-path-v0.3-new-mediaType"),
    ("decide-dsse", "happy-path-intoto-in-dsse-v3"),
    ("decide-rekor2", "rekor2-happy-path"),
    ("decide-rekor2-dsse", "rekor2-dsse-happy-path"),
    ("decide-key", "managed-key-happy-path"),
];

/// After every vector was made: 2026-11-21T12:00:00Z.
const AT: i64 = 1_795_262_400;

/// A row for each vector: by prepared trust, raw, and the cryptography alone, which is the floor.
pub(super) fn rows(runs: usize) -> Vec<Row> {
    let Some(corpus) = vectors("sigstore") else { return Vec::new() };
    VECTORS.iter().map(|(name, vector)| row(&corpus, name, vector, runs)).collect()
}

fn row(corpus: &Path, name: &str, vector: &str, runs: usize) -> Row {
    let case = Case::read(corpus, vector);
    let prepared = PreparedTrust::new(&case.trust).expect("the vector's trust root is usable");
    let verdict = decide_prepared(&case.subject, &case.evidence, &prepared, &case.policy, AT);
    assert!(verdict.is_allowed(), "{vector}: {:?}", verdict.code);
    let series = alternate(
        runs,
        vec![
            contestant("decide, prepared trust", || {
                drop(decide_prepared(&case.subject, &case.evidence, &prepared, &case.policy, AT));
            }),
            contestant("decide", || {
                drop(decide(&case.subject, &case.evidence, &case.trust, &case.policy, AT));
            }),
            contestant(CRYPTOGRAPHY, || assert!(case.operations.iter().all(Operation::holds))),
            contestant("reading the bundle", || {
                drop(Bundle::parse(&case.bundle).expect("it is a bundle"));
            }),
        ],
    );
    let names: Vec<&str> = case.operations.iter().map(|operation| operation.name.as_str()).collect();
    let row = Row::new(name, &format!("`decide` on {vector}: {}", names.join("; ")), "µs CPU", series);
    let floor = row.of(CRYPTOGRAPHY).value();
    row.floor("its cryptographic operations alone", floor).ratio(CRYPTOGRAPHY, Reach::AtMost(1.1))
}

fn contestant<'a>(name: &'static str, work: impl Fn() + 'a) -> Contestant<'a> {
    Contestant::new(name, move |_| Sample::of(cpu_microseconds(&work)))
}

/// The CPU time of one call, as the mean over a short batch.
fn cpu_microseconds(work: impl Fn()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let start = now();
    (0..BATCH).for_each(|_| work());
    (now() - start) / f64::from(BATCH)
}

const BATCH: u32 = 20;
const CRYPTOGRAPHY: &str = "its cryptography";

/// The values that one vector is decided from.
struct Case {
    bundle: Vec<u8>,
    subject: Subject,
    evidence: Evidence,
    trust: TrustSnapshot,
    policy: Policy,
    operations: Vec<Operation>,
}

impl Case {
    fn read(corpus: &Path, vector: &str) -> Self {
        let directory = corpus.join("bundle-verify").join(vector);
        let read = |name: &str| std::fs::read(directory.join(name)).ok();
        let shared = |name: &str| std::fs::read(corpus.join(name)).expect("the corpus is whole");
        let bundle = read("bundle.sigstore.json").expect("a vector has a bundle");
        let artifact = read("artifact").unwrap_or_else(|| shared("bundle-verify/a.txt"));
        let root = read("trusted_root.json").unwrap_or_else(|| shared("public-good-trusted_root.json"));
        let key = read("key.pub").map(|pem| {
            PublicKey::from_pem(&String::from_utf8_lossy(&pem)).expect("the vector's key is usable")
        });
        let trust = TrustSnapshot::from_trusted_root(&root).expect("the trust root is well-formed");
        let trust = trust.with_keys(&key);
        let parsed = Bundle::parse(&bundle).expect("the bundle is well-formed");
        let operations = operations::of_bundle(&parsed, &artifact, &trust, key.as_ref());
        let item = EvidenceItem {
            origin: "bundle.sigstore.json".to_owned(),
            content: Content::Bundle { bytes: Base64(bundle.clone()) },
        };
        Self {
            subject: Subject::of(Digest::sha256(&artifact)),
            evidence: Evidence { items: vec![item], ..Evidence::default() },
            policy: policy(key.as_ref()),
            bundle,
            trust,
            operations,
        }
    }
}

fn policy(key: Option<&PublicKey>) -> Policy {
    let principal = match key {
        Some(key) => Principal::Key(KeyReference::id(key.id())),
        None => Principal::Certificate(CertificateIdentity {
            identity: Matcher::Exact(IDENTITY.to_owned()),
            issuer: Matcher::Exact(ISSUER.to_owned()),
            claims: BTreeMap::new(),
        }),
    };
    let rule = Rule {
        predicate_type: PredicateRule::Any,
        log_entries: Some(1),
        ..Rule::any_of(["signer".to_owned()])
    };
    let principals = BTreeMap::from([("signer".to_owned(), principal)]);
    Policy::of_principals("bench", principals, rule).expect("the policy is well-formed")
}

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
