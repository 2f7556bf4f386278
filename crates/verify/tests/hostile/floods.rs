use std::collections::BTreeMap;

use serde_json::Value;
use signet_crypto::DigestAlgorithm::{Sha256, Sha512};
use signet_crypto::{Digest, KeyAlgorithm};
use signet_formats::base64::Base64;
use signet_testkit::forge::{ARTIFACT, Case, Key, Signing, World, bundle_item};
use signet_verify::{Code, Content, Outcome, Subject, Unread, Workers, decide_by};

use crate::{assert_allowed, assert_denied, item};

fn junk() -> Vec<Content> {
    let bytes = |text: &str| Base64(text.as_bytes().to_vec());
    vec![
        Content::Bundle { bytes: bytes("") },
        Content::Bundle { bytes: bytes("{}") },
        Content::Bundle { bytes: bytes("{\"mediaType\":1,\"mediaType\":2}") },
        Content::CosignSignature { payload: bytes("junk"), annotations: BTreeMap::new() },
        Content::CosignAttestation { envelope: bytes("junk"), annotations: BTreeMap::new() },
    ]
}

/// Whoever may attach something chose how many megabytes a verdict had.
#[test]
fn what_a_stranger_writes_is_repeated_in_part_only() {
    let (world, key) = (World::new(), Key::p256());
    let good = Signing::by_key(&world, &key).over_statement("p").bundle().to_json().unwrap();
    let long = "x\u{1}".repeat(500_000);
    let bent = |pointer: &str| {
        let mut bundle: Value = serde_json::from_str(&good).unwrap();
        *bundle.pointer_mut(pointer).unwrap() = Value::String(long.clone());
        bundle
    };
    let mut documents = vec![Value::String(long.clone()), serde_json::json!({ &*long: 1 })];
    documents.extend(["/mediaType", "/dsseEnvelope", "/dsseEnvelope/payloadType"].map(bent));
    documents.push(bent("/verificationMaterial/publicKey/hint"));
    for document in documents {
        let content = Content::Bundle { bytes: Base64(document.to_string().into_bytes()) };
        let verdict = Case::of("long", &world, &[key.public()], content).decide();
        let size = serde_json::to_string(&verdict).unwrap().len();
        assert!(size < 40_000, "{size}");
    }
}

/// notation stopped at the first malformed signature; a hundred of them hid the good one (its limit).
#[test]
fn notation_malformed_signatures_do_not_hide_a_good_one() {
    let (world, key, stranger) = (World::new(), Key::p256(), Key::p256());
    let good = bundle_item(&Signing::by_key(&world, &key).bundle());
    let mut case = Case::of("hostile", &world, &[key.public()], good.clone());
    let stranger = bundle_item(&Signing::by_key(&world, &stranger).bundle());
    let junk: Vec<Content> = junk().into_iter().chain([stranger]).cycle().take(100).collect();
    case.evidence.items = junk.iter().cloned().map(item).collect();
    let verdict = case.decide();
    assert_eq!(verdict.outcome, Outcome::Deny);
    assert_ne!(verdict.code, Some(Code::Unsigned));
    case.evidence.items.push(item(good.clone()));
    assert_allowed(&case);
    case.evidence.items.insert(0, item(good));
    case.evidence.items.pop();
    assert_allowed(&case);
}

/// conforma/cli#3185: with a new bundle of another key, cosign did not look at the old signature.
#[test]
fn conforma_3185_an_old_signature_beside_a_bundle_of_another_key() {
    let (world, old, new) = (World::new(), Key::p256(), Key::p256());
    let layer = Signing::by_key(&world, &old).legacy("example.com/image");
    let annotations = layer.annotations().unwrap();
    let legacy = Content::CosignSignature { payload: Base64(layer.payload), annotations };
    let bundle = bundle_item(&Signing::by_key(&world, &new).bundle());
    for key in [&old, &new] {
        let mut case = Case::of("mixed", &world, &[key.public()], bundle.clone());
        case.evidence.items.push(item(legacy.clone()));
        assert_allowed(&case);
        case.evidence.items.reverse();
        assert_allowed(&case);
    }
}

/// retagger#1237: what could not be read was reported as unsigned.
#[test]
fn retagger_1237_what_was_not_read_is_not_absent() {
    let (world, key) = (World::new(), Key::p256());
    let mut case =
        Case::of("unread", &world, &[key.public()], bundle_item(&Signing::by_key(&world, &key).bundle()));
    case.evidence.unread.push(Unread {
        origin: "referrer".to_owned(),
        code: Code::RegistryRateLimited,
        reason: "429".to_owned(),
    });
    assert_allowed(&case);
    case.evidence.items.clear();
    let verdict = case.decide();
    assert_eq!(verdict.outcome, Outcome::Undecidable);
    assert_eq!(verdict.code, Some(Code::RegistryRateLimited));
    case.evidence.unread.clear();
    assert_denied(&case, Code::Unsigned);
}

/// sigstore-rust#183: hashing without bound. Signatures over a whole large content cost what they hash,
/// and a flood of them ends in "could not decide", within the budget.
#[test]
fn sigstore_rust_183_a_flood_of_signatures_over_a_large_content() {
    let (world, key, stranger) =
        (World::new(), Key::new(KeyAlgorithm::Ed25519), Key::new(KeyAlgorithm::Ed25519));
    let content = vec![0; 8 * 1024 * 1024];
    let mut bundle = Signing::by_key(&world, &stranger).bundle();
    bundle.material = signet_formats::bundle::Material::PublicKeyHint(String::new());
    if let signet_formats::bundle::Content::MessageSignature { digest, .. } = &mut bundle.content {
        *digest = None;
    }
    let mut case = Case::of("flood", &world, &[key.public()], bundle_item(&bundle));
    case.subject.digests = [Sha256, Sha512].map(|algorithm| Digest::of(algorithm, &content)).into();
    case.evidence.artifact = Some(Base64(content));
    case.evidence.items = vec![case.evidence.items[0].clone(); 400];
    let verdict = case.decide();
    assert_eq!((verdict.outcome, verdict.code), (Outcome::Undecidable, Some(Code::BudgetExhausted)));
    let by_workers = decide_by(&case.subject, &case.evidence, &case.trust, &case.policy, case.at, &Backwards);
    assert_eq!(by_workers, verdict, "whose work is refused is not left to chance");
    case.evidence.items.truncate(10);
    let verdict = case.decide();
    assert_eq!((verdict.outcome, verdict.code), (Outcome::Deny, Some(Code::SignatureInvalid)));
}

/// A content that is not the subject proves nothing about it.
#[test]
fn another_content_beside_a_sound_signature_over_it() {
    let (world, key) = (World::new(), Key::new(KeyAlgorithm::Ed25519));
    let bundle = Signing::by_key(&world, &key).bundle();
    let mut case = Case::of("hostile", &world, &[key.public()], bundle_item(&bundle));
    case.evidence.artifact = Some(Base64(ARTIFACT.to_vec()));
    assert_allowed(&case);
    case.subject = Subject::of(Digest::sha256(b"another"));
    assert!(!case.decide().is_allowed());
    case.subject.digests.clear();
    assert!(!case.decide().is_allowed());
}

/// Does the last piece first.
struct Backwards;

impl Workers for Backwards {
    fn do_all(&self, pieces: usize, piece: &(dyn Fn(usize) + Sync)) {
        (0..pieces).rev().for_each(piece);
    }
}
