use std::collections::BTreeMap;

use signet_crypto::PublicKey;
use signet_testkit::forge::{Case, Key, SIGNED_AT, Signing, World, any_key, bundle_item, one_bundle};
use signet_verify::{Code, KeyReference, Policy, PredicateRule, Principal, Rule};

use crate::{assert_allowed, assert_denied, item, keyless};

/// One bundle of each key, under a policy that wants `threshold` of `trusted`.
fn signed_by(world: &World, signers: &[&Key], trusted: &[&PublicKey], threshold: u32) -> Case {
    let bundles = signers.iter().map(|key| bundle_item(&Signing::by_key(world, key).bundle()));
    let mut case =
        Case::of("hostile", world, trusted, bundle_item(&Signing::by_key(world, signers[0]).bundle()));
    case.evidence.items = bundles.map(item).collect();
    case.policy.spec.rules[0].threshold = threshold;
    case
}

/// connaisseur#2150: the same signature, or the same key twice, counted twice.
#[test]
fn connaisseur_2150_one_key_counts_once() {
    let (world, a, b) = (World::new(), Key::p256(), Key::p256());
    let trusted = [a.public(), b.public()];
    assert_denied(&signed_by(&world, &[&a, &a, &a], &trusted, 2), Code::ThresholdNotMet);
    assert_allowed(&signed_by(&world, &[&a, &a, &b], &trusted, 2));
    let mut case = signed_by(&world, &[&a, &a], &trusted, 2);
    case.evidence.items[1] = case.evidence.items[0].clone();
    assert_denied(&case, Code::ThresholdNotMet);
}

/// One key under two names is one signer.
#[test]
fn one_key_under_two_names_counts_once() {
    let (world, a) = (World::new(), Key::p256());
    let principal = || Principal::Key(KeyReference::id(a.public().id()));
    let principals = BTreeMap::from([("one".to_owned(), principal()), ("two".to_owned(), principal())]);
    let rule = Rule {
        predicate_type: PredicateRule::Any,
        threshold: 2,
        ..Rule::any_of(["one".to_owned(), "two".to_owned()])
    };
    let mut case = signed_by(&world, &[&a, &a], &[a.public()], 1);
    case.policy = Policy::of_principals("test", principals, rule).unwrap();
    assert_denied(&case, Code::ThresholdNotMet);
}

/// sigstore-js#1702: two timestamps of one authority met a threshold of two.
#[test]
fn sigstore_js_1702_one_authority_counts_once() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::keyless_v2(&world, &key).bundle();
    let again = world.stamper.stamp(bundle.signature(), SIGNED_AT + 1);
    bundle.timestamps.push(again);
    let mut case = keyless(&world, &bundle);
    assert_allowed(&case);
    case.policy.spec.rules[0].timestamps = 2;
    assert_denied(&case, Code::TimestampMissing);
}

/// sigstore-go#633: two entries of one log met a threshold of two.
#[test]
fn sigstore_go_633_one_log_counts_once() {
    let (world, key) = (World::new(), Key::p256());
    let signing = Signing::keyless_v1(&world, &key);
    let mut bundle = signing.bundle();
    let first = bundle.tlog_entries[0].clone();
    let entry = signet_testkit::forge::Entry {
        kind: ("hashedrekord", "0.0.1"),
        body: first.body.clone(),
        index: first.log_index + 1,
        integrated: Some(SIGNED_AT),
        with_proof: true,
    };
    bundle.tlog_entries.push(world.rekor_v1.add(&entry, &[]));
    let mut case = keyless(&world, &bundle);
    assert_allowed(&case);
    case.policy.spec.rules[0].log_entries = Some(2);
    assert_denied(&case, Code::LogEntryMissing);
}

/// The same entry twice is refused as such.
#[test]
fn sigstore_go_633_the_same_entry_twice() {
    let (world, key) = (World::new(), Key::p256());
    let bundle = Signing::keyless_v1(&world, &key).bundle();
    let mut json: serde_json::Value = serde_json::from_str(&bundle.to_json().unwrap()).unwrap();
    let entries = json.pointer_mut("/verificationMaterial/tlogEntries").unwrap().as_array_mut().unwrap();
    entries.push(entries[0].clone());
    let mut case = keyless(&world, &bundle);
    case.evidence = one_bundle(&bundle);
    if let signet_verify::Content::Bundle { bytes } = &mut case.evidence.items[0].content {
        bytes.0 = json.to_string().into_bytes();
    }
    assert_denied(&case, Code::LogEntryForm);
}

/// A witness counts once, and only if it is trusted.
#[test]
fn witnesses_count_once_and_only_if_trusted() {
    let (world, key) = (World::new(), Key::p256());
    let signing = Signing { witnessed: true, ..Signing::keyless_v2(&world, &key) };
    let mut case = keyless(&world, &signing.bundle());
    case.policy.spec.rules[0].witnesses = 2;
    assert_allowed(&case);
    case.trust.witnesses.push(case.trust.witnesses[0].clone());
    case.trust.witnesses.remove(1);
    assert_denied(&case, Code::WitnessesMissing);
}

/// A threshold that nobody can miss or nobody can meet is not a policy.
#[test]
fn thresholds_outside_their_principals_are_refused() {
    let key = Key::p256();
    let mut policy = any_key(&[key.public()]);
    for threshold in [0, 2] {
        policy.spec.rules[0].threshold = threshold;
        let json = serde_json::to_vec(&policy).unwrap();
        assert!(Policy::parse(&json).is_err(), "{threshold}");
    }
    policy.spec.rules[0].threshold = 1;
    assert!(Policy::parse(&serde_json::to_vec(&policy).unwrap()).is_ok());
}
