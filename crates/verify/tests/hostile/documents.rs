use serde_json::{Value, json};
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64::Base64;
use signet_formats::bundle::Content as Signed;
use signet_formats::in_toto;
use signet_formats::simple_signing::SimpleSigning;
use signet_testkit::forge::{ARTIFACT, Case, Key, Logging, Signing, World, bundle_item};
use signet_verify::{Check, Code, Content, PredicateRule, RepositoryRule, Subject};

use crate::{assert_allowed, assert_denied};

/// GHSA-w6c6-c85g-mmv6: an attestation of any type by the right key passed for a signature of the image.
#[test]
fn ghsa_w6c6_c85g_mmv6_the_predicate_type_counts() {
    let (world, key) = (World::new(), Key::p256());
    let sbom = Signing::by_key(&world, &key).over_statement("https://spdx.dev/Document");
    let attestation = sbom.legacy_attestation("https://spdx.dev/Document");
    for content in [bundle_item(&sbom.bundle()), attestation] {
        let mut case = Case::of("hostile", &world, &[key.public()], content);
        case.policy.spec.rules[0].predicate_type = PredicateRule::Signature;
        assert_denied(&case, Code::PredicateTypeMismatch);
        let slsa = "https://slsa.dev/provenance/v1".to_owned();
        case.policy.spec.rules[0].predicate_type = PredicateRule::Exactly(slsa);
        assert_denied(&case, Code::PredicateTypeMismatch);
        let spdx = "https://spdx.dev/Document".to_owned();
        case.policy.spec.rules[0].predicate_type = PredicateRule::Exactly(spdx);
        assert_allowed(&case);
    }
}

/// The annotation beside an attestation is nobody's signature: it names no predicate type.
#[test]
fn the_predicate_type_of_an_annotation_is_not_believed() {
    let (world, key) = (World::new(), Key::p256());
    let mut content = Signing::by_key(&world, &key).legacy_attestation("https://spdx.dev/Document");
    let slsa = "https://slsa.dev/provenance/v1";
    if let Content::CosignAttestation { annotations, .. } = &mut content {
        annotations.insert(signet_formats::cosign::PREDICATE_TYPE.to_owned(), slsa.to_owned());
    }
    let mut case = Case::of("hostile", &world, &[key.public()], content);
    case.policy.spec.rules[0].predicate_type = PredicateRule::Exactly(slsa.to_owned());
    assert_denied(&case, Code::PredicateTypeMismatch);
}

/// sigstore-go#611, #600: the message digest of the bundle was ignored.
#[test]
fn sigstore_go_611_the_message_digest_counts() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::by_key(&world, &key).bundle();
    if let Signed::MessageSignature { digest, .. } = &mut bundle.content {
        *digest = Some(Digest::sha256(b"something else"));
    }
    let case = Case::of("hostile", &world, &[key.public()], bundle_item(&bundle));
    assert_denied(&case, Code::MessageDigestMismatch);
}

/// sigstore-rust#170: which of an envelope's signatures was meant. A bundle has exactly one.
#[test]
fn sigstore_rust_170_a_bundle_with_two_signatures() {
    let (world, key) = (World::new(), Key::p256());
    let bundle = Signing::by_key(&world, &key).over_statement("https://example.com/p").bundle();
    let mut json: Value = serde_json::from_str(&bundle.to_json().unwrap()).unwrap();
    let signatures = json.pointer_mut("/dsseEnvelope/signatures").unwrap().as_array_mut().unwrap();
    signatures.insert(0, json!({ "sig": "AAAA" }));
    let content = Content::Bundle { bytes: Base64(json.to_string().into_bytes()) };
    assert_denied(&Case::of("hostile", &world, &[key.public()], content), Code::EvidenceMalformed);
}

/// The same in a layer of cosign's, where envelopes may have several: a bad one hides no good one, and
/// the good one counts for its own signer only.
#[test]
fn sigstore_rust_170_an_attestation_with_a_bad_and_a_good_signature() {
    let (world, key, other) = (World::new(), Key::p256(), Key::p256());
    let mut content = Signing::by_key(&world, &key).legacy_attestation("https://example.com/p");
    if let Content::CosignAttestation { envelope, .. } = &mut content {
        let mut json: Value = serde_json::from_slice(&envelope.0).unwrap();
        let signatures = json.pointer_mut("/signatures").unwrap().as_array_mut().unwrap();
        signatures.insert(0, json!({ "sig": "AAAA" }));
        envelope.0 = json.to_string().into_bytes();
    }
    assert_allowed(&Case::of("hostile", &world, &[key.public()], content.clone()));
    let verdict = Case::of("hostile", &world, &[other.public()], content).decide();
    assert!(!verdict.is_allowed());
}

/// A signature that is swapped onto another image, or an image that is swapped under a tag.
#[test]
fn a_signature_for_another_image() {
    let (world, key) = (World::new(), Key::p256());
    let signing = Signing::by_key(&world, &key);
    let layer = signing.legacy("example.com/image");
    let annotations = layer.annotations().unwrap();
    let legacy = Content::CosignSignature { payload: Base64(layer.payload), annotations };
    let statement = bundle_item(&signing.clone().over_statement("https://example.com/p").bundle());
    for content in [legacy, statement] {
        let mut case = Case::of("hostile", &world, &[key.public()], content);
        case.subject = Subject::of(Digest::sha256(b"another image"));
        assert_denied(&case, Code::SubjectMismatch);
    }
}

/// A payload whose digest was exchanged under the same signature.
#[test]
fn a_claim_that_was_changed_under_its_signature() {
    let (world, key) = (World::new(), Key::p256());
    let layer = Signing::by_key(&world, &key).legacy("example.com/image");
    let annotations = layer.annotations().unwrap();
    let forged = SimpleSigning::cosign("example.com/image", Digest::sha256(b"another image"));
    let payload = Base64(forged.to_json().unwrap().into_bytes());
    let content = Content::CosignSignature { payload, annotations };
    let mut case = Case::of("hostile", &world, &[key.public()], content);
    case.subject = Subject::of(Digest::sha256(b"another image"));
    assert_denied(&case, Code::SignatureInvalid);
}

/// containers/image's `matchRepository` and its like: a signature of one repository replayed in another.
#[test]
fn a_claim_about_another_repository() {
    let (world, key) = (World::new(), Key::p256());
    let layer = Signing::by_key(&world, &key).legacy("registry.example.com/staging/app");
    let annotations = layer.annotations().unwrap();
    let content = Content::CosignSignature { payload: Base64(layer.payload), annotations };
    let mut case = Case::of("hostile", &world, &[key.public()], content);
    case.subject.name = Some("registry.example.com/production/app:v1".to_owned());
    assert_allowed(&case);
    case.policy.spec.repository = RepositoryRule::Deny;
    assert_denied(&case, Code::RepositoryMismatch);
    case.subject.name = Some("registry.example.com/staging/app:v1".to_owned());
    assert_allowed(&case);
}

/// What `cosign2 sign --key --certificate` makes and `cosign2 verify --key` takes: the key is who signed.
#[test]
fn a_legacy_signature_by_a_known_key_with_a_certificate_beside_it() {
    let (world, key) = (World::new(), Key::p256());
    let certified = Signing { logging: Logging::None, ..Signing::keyless_v1(&world, &key) };
    let layer = certified.legacy("r.example.com/app");
    let annotations = layer.annotations().unwrap();
    let content = Content::CosignSignature { payload: Base64(layer.payload.clone()), annotations };
    let case = Case::of("certified", &world, &[key.public()], content.clone());
    assert_allowed(&case);
    assert_eq!(case.decide().signers[0].identity, format!("key {}", key.public().id()));
    // Of another key, or for whom the certificate is to be the signer, it proves no more than before.
    assert_denied(&Case::of("other", &world, &[Key::p256().public()], content.clone()), Code::TimeUnproven);
    assert_denied(&Case::of("identity", &world, &[], content), Code::TimeUnproven);
}

/// The names of a statement's subjects, of which the one by its digest is the subject.
fn named(names: &[(&str, &[u8])]) -> Case {
    let subject = |(name, content): &(&str, &[u8])| in_toto::Subject {
        name: Some((*name).to_owned()),
        ..in_toto::Subject::of(Digest::sha256(content))
    };
    about(names.iter().map(subject).collect())
}

/// A statement about these subjects, signed as it should be.
fn about(subjects: Vec<in_toto::Subject>) -> Case {
    let (world, key) = (World::new(), Key::p256());
    let statement = in_toto::Statement::signed(subjects);
    let mut bundle = Signing::by_key(&world, &key).over_statement("p").bundle();
    let Signed::Dsse(envelope) = &mut bundle.content else { panic!("it has an envelope") };
    envelope.payload = statement.to_json().unwrap().into_bytes();
    envelope.signatures[0].sig = key.sign(&envelope.pae());
    Case::of("named", &world, &[key.public()], bundle_item(&bundle))
}

/// A subject with the right SHA-256 and a wrong SHA-512 would be two contents.
#[test]
fn digests_of_one_subject_that_contradict_each_other() {
    let sha512 = |content: &[u8]| Digest::of(DigestAlgorithm::Sha512, content);
    let decide = |second: &[u8], known: bool| {
        let digests = vec![Digest::sha256(ARTIFACT), sha512(second)];
        let mut case = about(vec![in_toto::Subject { digests, ..in_toto::Subject::default() }]);
        case.subject.digests.extend(known.then(|| sha512(ARTIFACT)));
        case
    };
    assert_allowed(&decide(ARTIFACT, true));
    assert_denied(&decide(b"another image", true), Code::SubjectMismatch);
    // What is not known contradicts nothing.
    assert_allowed(&decide(ARTIFACT, false));
}

/// The first name of a statement was taken for that of the image, whosever digest stood beside it.
#[test]
fn the_repository_is_that_of_the_subject_with_the_digest() {
    let (ours, other) = ("r.example.com/app/one", "r.example.com/evil/other");
    let absent: &[u8] = b"another image";
    let asked = |names: &[(&str, &[u8])]| {
        let mut case = named(names);
        case.policy.spec.repository = RepositoryRule::Deny;
        case.subject.name = Some(format!("{ours}:v1"));
        case
    };
    assert_denied(&asked(&[(ours, absent), (other, ARTIFACT)]), Code::RepositoryMismatch);
    assert_denied(&asked(&[(other, ARTIFACT), (ours, absent)]), Code::RepositoryMismatch);
    assert_allowed(&asked(&[(other, absent), (ours, ARTIFACT)]));
    assert_allowed(&asked(&[(other, ARTIFACT), (ours, ARTIFACT)]));
}

/// The path that was typed was held against the name in the statement as if both were repositories.
#[test]
fn a_file_has_no_repository() {
    use RepositoryRule::{Deny, Note, Require};
    for name in ["", "first", "r.example.com/app"] {
        let mut case = named(&[(name, ARTIFACT)]);
        case.subject = Subject::file(case.subject.digests, None);
        for rule in [Note, Deny, Require] {
            case.policy.spec.repository = rule;
            let verdict = case.decide();
            let signature = &verdict.checks.children[0];
            assert!(verdict.is_allowed(), "{name} {rule:?}");
            assert!(signature.children.iter().all(|node| node.check != Check::Repository), "{name} {rule:?}");
        }
    }
}

/// What each rule makes of a name that is missing, on either side.
#[test]
fn a_repository_that_is_not_named() {
    use RepositoryRule::{Deny, Note, Require};
    let unnamed = named(&[("", ARTIFACT)]);
    let named = named(&[("r.example.com/app", ARTIFACT)]);
    let asked = |case: &Case, rule, name: Option<&str>| {
        let mut case = case.clone();
        case.policy.spec.repository = rule;
        case.subject.name = name.map(str::to_owned);
        let verdict = case.decide();
        let node = verdict.checks.children[0].children.iter().find(|node| node.check == Check::Repository);
        (verdict.code, node.and_then(|node| node.code))
    };
    let app = Some("r.example.com/app");
    let (unsigned, unknown) = (Some(Code::RepositoryUnsigned), Some(Code::RepositoryUnknown));
    for name in [None, app] {
        assert_eq!(asked(&unnamed, Note, name), (None, None));
        assert_eq!(asked(&unnamed, Deny, name), (None, unsigned));
        assert_eq!(asked(&unnamed, Require, name), (unsigned, unsigned));
    }
    assert_eq!(asked(&named, Note, None), (None, None));
    for rule in [Deny, Require] {
        assert_eq!(asked(&named, rule, None), (unknown, unknown));
        assert_eq!(asked(&named, rule, app), (None, None));
    }
}

/// Two parsers that disagree on a document: two keys, two contents, two kinds of material
/// (sigstore-rust#168, TOB-SIGSTORE-6), two spellings.
#[test]
fn documents_of_two_meanings() {
    let (world, key) = (World::new(), Key::p256());
    let signing = Signing::by_key(&world, &key);
    let json = signing.bundle().to_json().unwrap();
    let statement = signing.clone().over_statement("https://example.com/p").bundle().to_json().unwrap();
    let statement: Value = serde_json::from_str(&statement).unwrap();
    let mut both: Value = serde_json::from_str(&json).unwrap();
    both["dsseEnvelope"] = statement["dsseEnvelope"].clone();
    let certified = Signing::keyless_v1(&world, &key).bundle().to_json().unwrap();
    let certified: Value = serde_json::from_str(&certified).unwrap();
    let mut materials: Value = serde_json::from_str(&json).unwrap();
    materials["verificationMaterial"]["certificate"] =
        certified["verificationMaterial"]["certificate"].clone();
    let mut padded: Value = serde_json::from_str(&json).unwrap();
    let signature = padded["messageSignature"]["signature"].as_str().unwrap().to_owned();
    padded["messageSignature"]["signature"] = json!(format!("{signature}\n"));
    let mut unknown: Value = serde_json::from_str(&json).unwrap();
    unknown["critical"] = json!(true);
    let twice = json.replacen("\"messageSignature\"", "\"messageSignature\":{},\"messageSignature\"", 1);
    let escaped =
        json.replacen("\"messageSignature\"", "\"messageS\\u0069gnature\":{},\"messageSignature\"", 1);
    let spelled = json.replacen("\"messageSignature\"", "\"message_signature\":{},\"messageSignature\"", 1);
    for (document, code) in [
        (twice, Code::DuplicateJsonKey),
        (escaped, Code::DuplicateJsonKey),
        (spelled, Code::EvidenceMalformed),
        (both.to_string(), Code::AmbiguousContent),
        (materials.to_string(), Code::AmbiguousContent),
        (padded.to_string(), Code::Base64Invalid),
        (unknown.to_string(), Code::EvidenceMalformed),
        (format!("{json}{{}}"), Code::EvidenceMalformed),
        (json.replace("v0.3", "v0.4"), Code::BundleVersionUnsupported),
    ] {
        let content = Content::Bundle { bytes: Base64(document.into_bytes()) };
        assert_denied(&Case::of("hostile", &world, &[key.public()], content), code);
    }
}
