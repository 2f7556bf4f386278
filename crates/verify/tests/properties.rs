//! What holds of every decision, whatever the evidence.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test reads its cases, and runs itself again"
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use signet_crypto::DigestAlgorithm::{Sha256, Sha384};
use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};
use signet_formats::base64::Base64;
use signet_testkit::forge::{
    ARTIFACT, Case, Key, Logging, SIGNED_AT, Signing, Stamper, World, bundle_item, samples,
};
use signet_testkit::mutation::{Random, mutate};
use signet_verify::{
    Code, Content, EvidenceItem, Outcome, PreparedTrust, TrustSnapshot, Verdict, Window, Workers, decide_by,
    decide_prepared,
};

static SAMPLES: LazyLock<Vec<Case>> = LazyLock::new(samples);

/// Anything that could lie in a registry: bytes of any kind, and sound evidence with changes.
fn any_content() -> impl Strategy<Value = Content> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200).prop_map(Base64);
    let annotations = || prop::collection::btree_map("[a-z./]{0,30}", ".{0,50}", 0..4);
    prop_oneof![
        bytes().prop_map(|bytes| Content::Bundle { bytes }),
        (bytes(), annotations())
            .prop_map(|(payload, annotations)| Content::CosignSignature { payload, annotations }),
        (bytes(), annotations())
            .prop_map(|(envelope, annotations)| Content::CosignAttestation { envelope, annotations }),
        any::<u64>().prop_map(mutant),
        any::<u64>().prop_map(mutant),
    ]
}

/// A mutant of a sample, with parts of others.
fn mutant(seed: u64) -> Content {
    let mut random = Random::new(seed);
    let contents: Vec<Content> = SAMPLES.iter().map(content).collect();
    let original = random.pick(&contents).expect("there are samples").clone();
    mutate(&original, &contents, &mut random)
}

fn content(case: &Case) -> Content {
    case.evidence.items[0].content.clone()
}

fn items(contents: Vec<Content>) -> Vec<EvidenceItem> {
    let item = |(n, content)| EvidenceItem { origin: format!("item {n}"), content };
    contents.into_iter().enumerate().map(item).collect()
}

/// Does pieces from the last to the first, twice, but for one that it forgets.
struct Backwards;

impl Workers for Backwards {
    fn do_all(&self, pieces: usize, piece: &(dyn Fn(usize) + Sync)) {
        (0..pieces).rev().skip(1).chain((1..pieces).rev()).filter(|number| *number != 2).for_each(piece);
    }
}

/// A sample by a bare key, or by a certificate.
fn any_sample() -> impl Strategy<Value = Case> {
    any::<prop::sample::Index>().prop_map(|index| index.get(&SAMPLES).clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// `decide` answers whatever it is given, the prepared way and any workers give the same, and the answer can be written.
    #[test]
    fn any_evidence_has_one_answer(
        mut case in any_sample(),
        contents in prop::collection::vec(any_content(), 0..6),
        at in any::<i64>(),
    ) {
        case.evidence.items = items(contents);
        case.at = at;
        let verdict = case.decide();
        let trust = PreparedTrust::new(&case.trust).expect("the samples' trust is sound");
        let prepared = decide_prepared(&case.subject, &case.evidence, &trust, &case.policy, case.at);
        prop_assert_eq!(serde_json::to_string(&verdict).unwrap(), serde_json::to_string(&prepared).unwrap());
        let backwards =
            decide_by(&case.subject, &case.evidence, &case.trust, &case.policy, case.at, &Backwards);
        prop_assert_eq!(serde_json::to_string(&verdict).unwrap(), serde_json::to_string(&backwards).unwrap());
        prop_assert_eq!(verdict.code.is_none(), verdict.outcome == Outcome::Allow);
    }

    /// Whoever may push can put anything beside a signature, before and after it: it stays one.
    #[test]
    fn junk_takes_no_yes_away(
        case in any_sample(),
        before in prop::collection::vec(any_content(), 0..6),
        after in prop::collection::vec(any_content(), 0..6),
    ) {
        let mut crowded = case.clone();
        crowded.evidence.items = items([before, vec![content(&case)], after].concat());
        prop_assert_eq!(crowded.decide().outcome, Outcome::Allow);
    }

    /// No crowd of signatures by others, and no junk, makes one that the policy names.
    #[test]
    fn junk_makes_no_yes(case in any_sample(), contents in prop::collection::vec(any_content(), 0..8)) {
        let mut stranger = case;
        let (world, key) = (World::new(), Key::p256());
        let nobody = Case::of("nobody", &world, &[key.public()], content(&stranger));
        (stranger.policy, stranger.trust) = (nobody.policy, nobody.trust);
        stranger.evidence.items.extend(items(contents));
        prop_assert_ne!(stranger.decide().outcome, Outcome::Allow);
    }

    /// The order of evidence is that in which a registry lists it: it decides nothing.
    #[test]
    fn order_decides_nothing(
        case in any_sample(),
        contents in prop::collection::vec(any_content(), 0..5),
        keep in any::<bool>(),
        shuffle in any::<u64>(),
    ) {
        let mut all = contents;
        all.extend(keep.then(|| content(&case)));
        let mut one = case;
        let mut random = Random::new(shuffle);
        one.evidence.items = items(all.clone());
        let mut other = one.clone();
        for end in (1..other.evidence.items.len()).rev() {
            other.evidence.items.swap(end, random.below(end + 1));
        }
        let (one, other) = (one.decide(), other.decide());
        prop_assert_eq!(one.outcome, other.outcome);
        prop_assert_eq!(signers(&one), signers(&other));
    }

    /// k of n: as many distinct keys as signed, however often each did.
    #[test]
    fn thresholds_count_distinct_keys(
        signed in prop::collection::vec(0_usize..5, 1..8),
        trusted in 1_usize..5,
        threshold in 1_u32..5,
    ) {
        prop_assume!(usize::try_from(threshold).unwrap() <= trusted);
        let (world, keys) = &*FIVE_KEYS;
        let trusted_keys: Vec<&PublicKey> = keys.iter().take(trusted).map(Key::public).collect();
        let bundle = |n: &usize| bundle_item(&Signing::by_key(world, &keys[*n]).bundle());
        let mut case = Case::of("threshold", world, &trusted_keys, bundle(&0));
        case.evidence.items = items(signed.iter().map(bundle).collect());
        case.policy.spec.rules[0].threshold = threshold;
        let distinct: BTreeSet<usize> = signed.into_iter().filter(|n| *n < trusted).collect();
        prop_assert_eq!(
            case.decide().outcome == Outcome::Allow,
            distinct.len() >= usize::try_from(threshold).unwrap()
        );
    }
}

static FIVE_KEYS: LazyLock<(World, [Key; 5])> =
    LazyLock::new(|| (World::new(), std::array::from_fn(|_| Key::p256())));

fn signers(verdict: &Verdict) -> BTreeSet<String> {
    verdict.signers.iter().map(|signer| format!("{} {}", signer.principal, signer.identity)).collect()
}

/// Both ends of a window belong to it: at each the answer is yes, a second further no.
#[track_caller]
fn assert_inclusive(case: &Case, time: i64, code: Code, bend: impl Fn(&mut TrustSnapshot, Window)) {
    let at = |window| {
        let mut case = case.clone();
        bend(&mut case.trust, window);
        case.decide()
    };
    let (second, open) = (Some(time), Window::default());
    for window in [Window { start: second, end: second }, Window { start: second, ..open }] {
        assert_eq!(at(window).outcome, Outcome::Allow, "{window}");
    }
    for window in [Window { start: Some(time + 1), ..open }, Window { end: Some(time - 1), ..open }] {
        assert_eq!(at(window).code, Some(code), "{window}");
    }
}

#[test]
fn windows_include_both_ends() {
    let (world, key) = (World::new(), Key::p256());
    let case = |signing: &Signing<'_>| Case::of("window", &world, &[], bundle_item(&signing.bundle()));
    let (v1, v2) = (case(&Signing::keyless_v1(&world, &key)), case(&Signing::keyless_v2(&world, &key)));
    assert_inclusive(&v1, SIGNED_AT, Code::LogOutsideValidity, |trust, window| {
        trust.logs[0].valid_for = window;
    });
    assert_inclusive(&v2, SIGNED_AT, Code::LogOutsideValidity, |trust, window| {
        trust.logs[1].valid_for = window;
    });
    assert_inclusive(&v2, SIGNED_AT, Code::TimestampOutsideValidity, |trust, window| {
        trust.timestamp_authorities[0].valid_for = window;
    });
    assert_inclusive(&v1, SIGNED_AT, Code::AuthorityOutsideValidity, |trust, window| {
        trust.certificate_authorities[0].valid_for = window;
    });
    let by_key =
        Case::of("window", &world, &[key.public()], bundle_item(&Signing::by_key(&world, &key).bundle()));
    assert_inclusive(&by_key, by_key.at, Code::KeyOutsideValidity, |trust, window| {
        trust.keys[0].valid_for = window;
    });
}

/// The same of the lives of the signer's certificate, and of the one that signs timestamps.
#[test]
fn lives_of_certificates_include_both_ends() {
    let key = Key::p256();
    let cases = [(0, 0, true), (0, 9, true), (-9, 0, true), (1, 9, false), (-9, -1, false)];
    for (start, end, allowed) in cases {
        let life = (SIGNED_AT + start, SIGNED_AT + end);
        let world = World::new();
        let mut signing = Signing::keyless_v1(&world, &key);
        signing.certificate.as_mut().expect("it is keyless").life = life;
        let verdict = Case::of("life", &world, &[], bundle_item(&signing.bundle())).decide();
        let code = (!allowed).then_some(Code::CertificateOutsideValidity);
        assert_eq!(verdict.code, code, "signer {start} {end}");

        let mut world = World::new();
        world.stamper = Stamper::new("signet test stamper", life);
        let signing = Signing::keyless_v2(&world, &key);
        let verdict = Case::of("life", &world, &[], bundle_item(&signing.bundle())).decide();
        let code = (!allowed).then_some(Code::TimestampOutsideValidity);
        assert_eq!(verdict.code, code, "stamper {start} {end}");
    }
}

/// Every scheme that signers of ours use, through the whole decision: bundle, legacy layer, statement and
/// attestation. The one that none uses is in the next test.
#[test]
fn every_scheme_is_decided() {
    let signed: BTreeSet<&str> = SAMPLES
        .iter()
        .filter_map(|case| case.name.strip_prefix("legacy-")?.strip_suffix("-signature"))
        .collect();
    let algorithms = [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::MlDsa44,
        KeyAlgorithm::MlDsa65,
        KeyAlgorithm::MlDsa87,
        KeyAlgorithm::Rsa { bits: 2048 },
    ];
    let schemes = algorithms.into_iter().flat_map(Scheme::for_key);
    for scheme in schemes.filter(|scheme| **scheme != Scheme::EcdsaP384Sha256) {
        assert!(signed.contains(scheme.to_string().as_str()), "{scheme} is in no sample");
    }
    for case in SAMPLES.iter() {
        assert_eq!(case.decide().outcome, Outcome::Allow, "{}", case.name);
    }
}

/// cosign before 3.1.3 hashed with SHA-256 whatever the curve, and states that digest. This signature over the
/// forge's artifact is from `openssl dgst -sha256 -sign`; our provider verifies such and makes none.
#[test]
fn ecdsa_p384_with_sha_256_counts() {
    let world = World::new();
    let key = signet_formats::pem::public_key(&signet_formats::pem::encode(
        signet_formats::pem::PUBLIC_KEY,
        &signet_formats::base64::decode(P384_KEY).unwrap(),
    ));
    let mut bundle = Signing::by_key(&world, &Key::p256()).bundle();
    let digest = |algorithm| Some(Digest::of(algorithm, ARTIFACT));
    let mut decided = |stated: Option<Digest>| {
        let signature = signet_formats::base64::decode(P384_SHA256_SIGNATURE).unwrap();
        bundle.content = signet_formats::bundle::Content::MessageSignature { digest: stated, signature };
        Case::of("p384", &world, &[key.as_ref().unwrap()], bundle_item(&bundle)).decide()
    };
    assert_eq!(decided(digest(Sha256)).code, None);
    assert_eq!(decided(None).code, None);
    // Who states SHA-384 has not signed SHA-256.
    assert_eq!(decided(digest(Sha384)).code, Some(Code::SignerUnknown));
}

const P384_KEY: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEBVXtq4loaRwAbtMDIbOlq/sYzFv5fwZNG38EPPZWamcFqh89SoY+41V77SHpoa39UViW0O6YoJK3FRt0j7jN6x1YtWmHf8gSUjGM4AYWeADXC8iD5ZGI3mZHrgZJsmP/";
const P384_SHA256_SIGNATURE: &str = "MGUCMDCokZg8dbvquBy1q/Ulz2CAGr8ZdN7KG4hggQ5TveZX+yb8LYk7y/9/wak4r6pYrwIxAJjnWL4RiNENKYwcDO6XQUDLjjiMbNJpjOUIGjAqhvj7Pr/BJoQR1qX2cyOu27/Lrg==";

/// Cosignatures of both kinds count, each for the checkpoint it was made over.
#[test]
fn witnesses_of_both_kinds_count() {
    let (world, key) = (World::new(), Key::p256());
    let witnessed = |index| Signing {
        witnessed: true,
        logging: Logging::V2 { index },
        ..Signing::keyless_v2(&world, &key)
    };
    let (bundle, other) = (witnessed(5).bundle(), witnessed(6).bundle());
    let checkpoint = |bundle: &signet_formats::bundle::Bundle| {
        bundle.tlog_entries[0].proof.clone().unwrap().checkpoint.unwrap()
    };
    let (own, foreign) = (checkpoint(&bundle), checkpoint(&other));
    let lines = |checkpoint: &str| checkpoint.lines().map(str::to_owned).collect::<Vec<_>>();
    let (own_lines, foreign_lines) = (lines(&own), lines(&foreign));
    let places: Vec<usize> = (0..own_lines.len()).filter(|n| own_lines[*n].contains("witness.")).collect();
    assert_eq!(places.len(), 2);
    let asks = |lines: &[String], witnesses| {
        let mut bundle = bundle.clone();
        bundle.tlog_entries[0].proof.as_mut().unwrap().checkpoint = Some(format!("{}\n", lines.join("\n")));
        let mut case = Case::of("witnessed", &world, &[], bundle_item(&bundle));
        case.policy.spec.rules[0].witnesses = witnesses;
        case.decide().code
    };
    assert_eq!(asks(&own_lines, 2), None);
    for place in places {
        let mut missing = own_lines.clone();
        missing.remove(place);
        assert_eq!((asks(&missing, 1), asks(&missing, 2)), (None, Some(Code::WitnessesMissing)));
        let mut grafted = own_lines.clone();
        grafted[place].clone_from(&foreign_lines[place]);
        assert_eq!((asks(&grafted, 1), asks(&grafted, 2)), (None, Some(Code::WitnessesMissing)));
    }
}

/// The verdicts are the same bytes in another process with another environment.
#[test]
fn no_environment_changes_a_verdict() {
    if let Some(line) = asked_for_an_answer() {
        return println!("{line}");
    }
    let said = child("no_environment_changes_a_verdict", |other| {
        other.env_clear().envs([("TZ", "Pacific/Chatham"), ("LANG", "tr_TR.UTF-8")]).current_dir("/");
    });
    assert!(said.contains(&answer()), "{said}");
}

/// The verdicts are the same bytes whatever the clock says: in processes whose clock is a lie.
#[cfg(target_os = "linux")]
#[test]
fn no_clock_changes_a_verdict() {
    if let Some(line) = asked_for_an_answer() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        return println!("{line} at {}", now.as_secs());
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (folder.join("clock.c"), folder.join("libclock.so"));
    std::fs::write(&source, CLOCK).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.unwrap().success(), "the C compiler that also builds the cryptography builds this");
    for time in [1, 1_000_000_000, 4_000_000_000_u64] {
        let said = child("no_clock_changes_a_verdict", |other| {
            other.env("LD_PRELOAD", &library).env("SIGNET_TEST_CLOCK", time.to_string());
        });
        assert!(said.contains(&format!("{} at {time}", answer())), "{said}");
    }
}

/// Tells what the clock is told to tell.
const CLOCK: &str = "
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>
static long told(void) { const char *text = getenv(\"SIGNET_TEST_CLOCK\"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t clock, struct timespec *at) {
    if (clock == CLOCK_MONOTONIC) return syscall(SYS_clock_gettime, clock, at);
    at->tv_sec = told(); at->tv_nsec = 0; return 0;
}
time_t time(time_t *at) { if (at) *at = told(); return told(); }
int gettimeofday(struct timeval *at, void *zone) { at->tv_sec = told(); at->tv_usec = 0; return 0; }
";

/// What the verdicts on the committed cases are, in a line.
fn answer() -> String {
    let mut verdicts = String::new();
    for path in sorted(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/cases")) {
        let case: Case = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        verdicts.push_str(&serde_json::to_string(&case.decide()).unwrap());
    }
    format!("verdicts: {}", Digest::sha256(verdicts.as_bytes()))
}

/// The answer, in the process that is run for it.
fn asked_for_an_answer() -> Option<String> {
    std::env::var_os(ANSWER).map(|_| answer())
}

/// What this test says when it is run in a process of its own.
fn child(test: &str, prepare: impl FnOnce(&mut Command)) -> String {
    let mut other = Command::new(std::env::current_exe().unwrap());
    prepare(&mut other);
    other.args(["--exact", test, "--nocapture"]).env(ANSWER, "1");
    String::from_utf8(other.output().unwrap().stdout).unwrap()
}

fn sorted(folder: &str) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

const ANSWER: &str = "SIGNET_TEST_ANSWER";
