use std::collections::BTreeMap;

use signet_crypto::{KeyAlgorithm, PublicKey, Scheme};
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::note::{NoteSignature, VerifierKey};
use signet_testkit::forge::{
    Case, Entry, ISSUER, Key, SIGNED_AT, SIGNER, San, Signing, Template, World, YEAR, any_key, bundle_item,
    one_bundle,
};
use signet_verify::{
    CertificateIdentity, Claim, Code, Content, KeyReference, Matcher, Outcome, Pattern, Policy,
    PredicateRule, Principal, Rule, TrustSnapshot, TrustedKey, TrustedWitness, Window,
};

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

/// Two authorities of one operator are one, as are two logs: version 0.2 of the trust root names operators for that.
#[test]
fn one_operator_counts_once() {
    let (world, other, key) = (World::new(), World::new(), Key::p256());
    let mut bundle = Signing::keyless_v1(&world, &key).bundle();
    let first = bundle.tlog_entries[0].clone();
    let entry = Entry {
        kind: ("hashedrekord", "0.0.1"),
        body: first.body.clone(),
        index: 0,
        integrated: Some(SIGNED_AT),
        with_proof: true,
    };
    bundle.tlog_entries.push(other.rekor_v1.add(&entry, &[]));
    bundle.timestamps = [&world, &other].map(|at| at.stamper.stamp(bundle.signature(), SIGNED_AT)).into();
    let mut case = keyless(&world, &bundle);
    let mut others = other.trust();
    others.timestamp_authorities[0].uri = "https://other.example.com".to_owned();
    case.trust.logs.push(others.logs.swap_remove(0));
    case.trust.timestamp_authorities.append(&mut others.timestamp_authorities);
    let decide = |demand: fn(&mut Rule), operators: [&str; 2]| {
        let mut case = case.clone();
        demand(&mut case.policy.spec.rules[0]);
        for (place, operator) in [0, 1].into_iter().zip(operators) {
            case.trust.timestamp_authorities[place].operator = Some(operator.to_owned());
            case.trust.logs[place * 2].operator = Some(operator.to_owned());
        }
        case
    };
    let stamped: fn(&mut Rule) = |rule| rule.timestamps = 2;
    let logged: fn(&mut Rule) = |rule| rule.log_entries = Some(2);
    for (demand, code) in [(stamped, Code::TimestampMissing), (logged, Code::LogEntryMissing)] {
        assert_allowed(&decide(demand, ["one", "two"]));
        // Where none is stated, each counts by itself.
        assert_allowed(&decide(demand, ["", ""]));
        assert_denied(&decide(demand, ["one", "one"]), code);
    }
}

/// A log or an authority is listed once for each span of time; its operator may stand in one of the listings only.
#[test]
fn an_operator_that_is_stated_once_is_that_of_every_span() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::keyless_v1(&world, &key).bundle();
    let later = Entry {
        kind: ("hashedrekord", "0.0.1"),
        body: bundle.tlog_entries[0].body.clone(),
        index: 9,
        integrated: Some(SIGNED_AT + 10),
        with_proof: true,
    };
    bundle.tlog_entries.push(world.rekor_v1.add(&later, &[]));
    bundle.timestamps =
        [0, 10].map(|after| world.stamper.stamp(bundle.signature(), SIGNED_AT + after)).into();
    let mut case = keyless(&world, &bundle);
    let (logs, stampers) = (&mut case.trust.logs, &mut case.trust.timestamp_authorities);
    (logs[0].valid_for.end, stampers[0].valid_for.end) = (Some(SIGNED_AT), Some(SIGNED_AT));
    let (mut log, mut stamper) = (logs[0].clone(), stampers[0].clone());
    (log.valid_for, stamper.valid_for) = (Window::default(), Window::default());
    (log.operator, stamper.operator) = (Some("one".to_owned()), Some("one".to_owned()));
    logs.push(log);
    stampers.push(stamper);
    assert_allowed(&case);
    let rule = &mut case.policy.spec.rules[0];
    rule.timestamps = 2;
    assert_denied(&case, Code::TimestampMissing);
    let rule = &mut case.policy.spec.rules[0];
    (rule.timestamps, rule.log_entries) = (0, Some(2));
    assert_denied(&case, Code::LogEntryMissing);
}

/// One signature is of the scheme that is asked for, and another one is what the rule wants.
#[test]
fn a_scheme_counts_with_the_signature_that_meets_the_rule() {
    let (world, mut key) = (World::new(), Key::new(KeyAlgorithm::Ed25519));
    let (mut items, spdx) = (Vec::new(), "https://spdx.dev/Document");
    for (scheme, predicate_type) in [(Scheme::Ed25519, spdx), (Scheme::Ed25519ph, "another")] {
        key.scheme = scheme;
        let bundle = Signing::by_key(&world, &key).over_statement(predicate_type).bundle();
        items.push(item(bundle_item(&bundle)));
    }
    let mut case = signed_by(&world, &[&key], &[key.public()], 1);
    case.evidence.items = items;
    let verdict = case.decide();
    assert!(verdict.counts(Scheme::Ed25519) && verdict.counts(Scheme::Ed25519ph));
    case.policy.spec.rules[0].predicate_type = PredicateRule::Exactly(spdx.to_owned());
    let verdict = case.decide();
    assert!(verdict.is_allowed() && verdict.counts(Scheme::Ed25519) && !verdict.counts(Scheme::Ed25519ph));
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

/// Each of two witnesses saw another checkpoint: neither of them has a quorum of two.
#[test]
fn witnesses_of_two_checkpoints_are_no_quorum_of_one() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::keyless_v2(&world, &key).bundle();
    let body = bundle.tlog_entries.remove(0).body;
    for (witness, index) in world.witnesses.iter().zip(1..) {
        let kind = ("hashedrekord", "0.0.2");
        let entry = Entry { kind, body: body.clone(), index, integrated: None, with_proof: true };
        bundle.tlog_entries.push(world.rekor_v2.add(&entry, &[witness]));
    }
    let mut case = keyless(&world, &bundle);
    for (wanted, is_met) in [(1, true), (2, false)] {
        case.policy.spec.rules[0].witnesses = wanted;
        if is_met { assert_allowed(&case) } else { assert_denied(&case, Code::WitnessesMissing) }
    }
}

/// One key under two names is one witness: what Ed25519 cosigns does not say the name.
#[test]
fn a_key_under_two_names_is_one_witness() {
    let (world, key) = (World::new(), Key::p256());
    let signing = Signing { witnessed: true, ..Signing::keyless_v2(&world, &key) };
    let mut bundle = signing.bundle();
    let known = &world.witnesses[0].verifier();
    let other = VerifierKey::witness("other.example", known.key().clone()).unwrap();
    for entry in &mut bundle.tlog_entries {
        let note = entry.proof.as_mut().unwrap().checkpoint.as_mut().unwrap();
        let signed = SignedCheckpoint::parse(note.as_bytes()).unwrap();
        let line = signed.note().signatures_by(known).next().unwrap();
        let mut again = signed.note().clone();
        again.push(NoteSignature::new(&other, line.signature().to_vec())).unwrap();
        *note = again.to_string();
    }
    let mut case = keyless(&world, &bundle);
    case.trust.witnesses[1] = TrustedWitness { verifier_key: other.to_string() };
    case.policy.spec.rules[0].witnesses = 1;
    assert_allowed(&case);
    case.policy.spec.rules[0].witnesses = 2;
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

/// Two signatures of one signer may differ in what else their certificates claim. Which of them came first
/// decided whether two principals had signed.
#[test]
fn the_order_of_one_signers_certificates_decides_nothing() {
    let world = World::new();
    let life = (SIGNED_AT - 60, SIGNED_AT + 540);
    let signed = |email: &str, reference: &str| {
        let mut certificate = Template::signer(email, ISSUER, life);
        certificate.claims.push((14, reference.to_owned()));
        let key = Key::p256();
        bundle_item(&Signing { certificate: Some(certificate), ..Signing::keyless_v1(&world, &key) }.bundle())
    };
    let (dev, main, other) =
        (signed(SIGNER, "dev"), signed(SIGNER, "main"), signed("other@example.com", "x"));
    let principal = |pattern: &str, claims| {
        let identity = Matcher::Pattern(Pattern { pattern: pattern.to_owned() });
        let issuer = Matcher::Exact(ISSUER.to_owned());
        Principal::Certificate(CertificateIdentity { identity, issuer, claims })
    };
    let on_main = BTreeMap::from([(Claim::SourceRepositoryRef, Matcher::Exact("main".to_owned()))]);
    let mut case = Case::of("order", &world, &[], dev.clone());
    case.policy.spec.principals = BTreeMap::from([
        ("p1".to_owned(), principal("^signer@example\\.com$", on_main)),
        ("p2".to_owned(), principal("^(signer|other)@example\\.com$", BTreeMap::new())),
    ]);
    case.policy.spec.rules[0].principals = vec!["p1".to_owned(), "p2".to_owned()];
    case.policy.spec.rules[0].threshold = 2;
    for order in [[&dev, &main, &other], [&main, &dev, &other], [&other, &dev, &main], [&other, &main, &dev]]
    {
        case.evidence.items = order.map(|content| item(content.clone())).into();
        assert_allowed(&case);
    }
    case.evidence.items = [&dev, &main].map(|content| item(content.clone())).into();
    assert_denied(&case, Code::ThresholdNotMet);
    case.evidence.items = [&dev, &other].map(|content| item(content.clone())).into();
    assert_denied(&case, Code::ThresholdNotMet);
}

/// One signer with two certificates, in one of which a second name stands, counted as two.
#[test]
fn certificates_that_share_a_name_are_of_one_signer() {
    let world = World::new();
    let life = (SIGNED_AT - 60, SIGNED_AT + 540);
    let signed = |names: &[&str]| {
        let mut certificate = Template::signer(names[0], ISSUER, life);
        certificate.names = names.iter().map(|name| San::Email((*name).to_owned())).collect();
        let key = Key::p256();
        bundle_item(&Signing { certificate: Some(certificate), ..Signing::keyless_v1(&world, &key) }.bundle())
    };
    let (a, b, both, c) = (
        signed(&["a@example.com"]),
        signed(&["b@example.com"]),
        signed(&["a@example.com", "b@example.com"]),
        signed(&["c@example.com"]),
    );
    let anyone = || {
        let identity = Matcher::Pattern(Pattern { pattern: "^.*@example\\.com$".to_owned() });
        let issuer = Matcher::Exact(ISSUER.to_owned());
        Principal::Certificate(CertificateIdentity { identity, issuer, claims: BTreeMap::new() })
    };
    let mut case = Case::of("names", &world, &[], a.clone());
    case.policy.spec.principals = BTreeMap::from([("p1".to_owned(), anyone()), ("p2".to_owned(), anyone())]);
    case.policy.spec.rules[0].principals = vec!["p1".to_owned(), "p2".to_owned()];
    case.policy.spec.rules[0].threshold = 2;
    let mut by = |contents: &[&Content]| {
        case.evidence.items = contents.iter().map(|content| item((*content).clone())).collect();
        case.clone()
    };
    assert_allowed(&by(&[&a, &b]));
    assert_denied(&by(&[&a, &both]), Code::ThresholdNotMet);
    for order in [[&a, &b, &both], [&both, &a, &b], [&a, &both, &b]] {
        assert_denied(&by(&order), Code::ThresholdNotMet);
    }
    assert_allowed(&by(&[&a, &both, &c]));
}

/// A policy that was put together without being read may mean nothing; nothing is decided by it.
#[test]
fn a_policy_that_means_nothing_decides_nothing() {
    let (world, key) = (World::new(), Key::p256());
    let sound = signed_by(&world, &[&key], &[key.public()], 1);
    assert_allowed(&sound);
    let bend: [fn(&mut Policy); 5] = [
        |policy| policy.spec.rules.clear(),
        |policy| policy.spec.rules[0].threshold = 0,
        |policy| policy.spec.rules[0].threshold = 2,
        |policy| policy.spec.principals.clear(),
        |policy| policy.kind.push('x'),
    ];
    for bend in bend {
        let mut case = sound.clone();
        bend(&mut case.policy);
        let verdict = case.decide();
        assert_eq!((verdict.outcome, verdict.code), (Outcome::Undecidable, Some(Code::PolicyInvalid)));
        case.evidence.items.clear();
        assert_eq!(case.decide().outcome, Outcome::Undecidable);
        assert!(serde_json::from_value::<Case>(serde_json::to_value(&case).unwrap()).is_err());
    }
}

/// A key that the snapshot limits is limited however the policy names it, and each of its windows counts.
#[test]
fn the_windows_of_a_key_hold_by_id_and_by_value() {
    let (world, key) = (World::new(), Key::p256());
    let mut case = signed_by(&world, &[&key], &[key.public()], 1);
    let pem = signet_formats::pem::encode(signet_formats::pem::PUBLIC_KEY, key.public().spki_der());
    let by_value: KeyReference = serde_json::from_value(pem.into()).unwrap();
    let by_id = KeyReference::id(key.public().id());
    let (past, now) =
        (Window { start: None, end: Some(case.at - 1) }, Window { start: Some(case.at), end: Some(case.at) });
    for reference in [by_id, by_value] {
        let named = BTreeMap::from([("key-0".to_owned(), Principal::Key(reference))]);
        case.policy.spec.principals = named;
        case.trust.keys[0].valid_for = past;
        assert_denied(&case, Code::KeyOutsideValidity);
        case.trust.keys.push(TrustedKey { valid_for: now, ..case.trust.keys[0].clone() });
        assert_allowed(&case);
        case.trust.keys.reverse();
        assert_allowed(&case);
        case.trust.keys.truncate(1);
    }
}

/// A trust root lists a service once for each span of time in which it is trusted. Which of them stands first
/// decides nothing.
#[test]
fn the_order_of_a_services_windows_decides_nothing() {
    let (world, key) = (World::new(), Key::p256());
    let case = keyless(&world, &Signing::keyless_v1(&world, &key).bundle());
    let mut ended = world.trust();
    let window = Window { start: None, end: Some(SIGNED_AT - YEAR / 2) };
    let logs = ended.logs.iter_mut().chain(&mut ended.certificate_logs);
    logs.for_each(|log| log.valid_for = window);
    ended.certificate_authorities.iter_mut().for_each(|authority| authority.valid_for = window);
    let both = |first: &TrustSnapshot, second: &TrustSnapshot| {
        let mut trust = first.clone();
        trust.logs.extend(second.logs.clone());
        trust.certificate_logs.extend(second.certificate_logs.clone());
        trust.certificate_authorities.extend(second.certificate_authorities.clone());
        Case { trust, ..case.clone() }
    };
    assert_allowed(&both(&ended, &world.trust()));
    assert_allowed(&both(&world.trust(), &ended));
    assert!(!both(&ended, &ended).decide().is_allowed());
}
