use signet_formats::base64::Base64;
use signet_formats::bundle::Material;
use signet_formats::cosign;
use signet_formats::pem;
use signet_testkit::forge::{
    Authority, Case, ISSUER, Key, SIGNED_AT, SIGNER, Signing, Template, World, YEAR,
};
use signet_verify::{Code, Content, Outcome};

use crate::{assert_allowed, assert_denied, keyless};

/// GHSA-fx35-mq7g-6g98: a bare public key where the certificate stands made cosign skip the identity.
#[test]
fn ghsa_fx35_mq7g_6g98_a_public_key_in_the_certificate_annotation() {
    let (world, key) = (World::new(), Key::p256());
    let layer = Signing::by_key(&world, &key).legacy("example.com/image");
    let mut annotations = layer.annotations().unwrap();
    let pem = pem::encode(pem::PUBLIC_KEY, key.public().spki_der());
    annotations.insert(cosign::CERTIFICATE.to_owned(), pem);
    let content = Content::CosignSignature { payload: Base64(layer.payload), annotations };
    assert_denied(&Case::of("hostile", &world, &[], content), Code::CertificateMalformed);
}

/// The bundle's form of the same: a key hint under a policy that asks for an identity.
#[test]
fn a_key_hint_does_not_stand_for_an_identity() {
    let (world, key) = (World::new(), Key::p256());
    let verdict = keyless(&world, &Signing::by_key(&world, &key).bundle()).decide();
    assert!(!verdict.is_allowed() && verdict.signers.is_empty());
}

#[test]
fn an_authority_that_is_not_trusted_names_the_signer() {
    let (world, key) = (World::new(), Key::p256());
    let mut attacker = World::new();
    attacker.authority = Authority::new(&world.authority.name, (SIGNED_AT - YEAR, SIGNED_AT + YEAR));
    let signing = Signing::keyless_v1(&attacker, &key);
    let case = keyless(&attacker, &signing.bundle());
    assert_allowed(&case);
    // The logs of the attacker's world, the authorities of the real one.
    let mut trust = attacker.trust();
    trust.certificate_authorities = world.trust().certificate_authorities;
    assert_denied(&Case { trust, ..case }, Code::IssuerUntrusted);
}

#[test]
fn another_identity_and_another_issuer() {
    let (world, key) = (World::new(), Key::p256());
    let life = (SIGNED_AT - 60, SIGNED_AT + 540);
    for (email, issuer) in [
        ("attacker@example.com", ISSUER),
        (SIGNER, "https://issuer.example.org"),
        ("xsigner@example.com", ISSUER),
        ("signer@example.com.attacker.example", ISSUER),
        ("Signer@example.com", ISSUER),
    ] {
        let certificate = Some(Template::signer(email, issuer, life));
        let signing = Signing { certificate, ..Signing::keyless_v1(&world, &key) };
        assert_denied(&keyless(&world, &signing.bundle()), Code::IdentityMismatch);
    }
}

/// The two issuers that Fulcio writes must agree, or each reader takes another one.
#[test]
fn two_issuers_in_one_certificate() {
    let (world, key) = (World::new(), Key::p256());
    let mut signing = Signing::keyless_v1(&world, &key);
    signing.certificate.as_mut().unwrap().claims[0].1 = "https://issuer.example.org".to_owned();
    assert_denied(&keyless(&world, &signing.bundle()), Code::CertificateMalformed);
}

/// Timestamps, servers, and notation's `anyExtendedKeyUsage`: none of them is code signing.
#[test]
fn a_certificate_that_is_not_for_code_signing() {
    let (world, key) = (World::new(), Key::p256());
    let purposes: [&[&'static str]; 4] =
        [&[], &["1.3.6.1.5.5.7.3.8"], &["1.3.6.1.5.5.7.3.1"], &["2.5.29.37.0"]];
    for purposes in purposes {
        let mut signing = Signing::keyless_v1(&world, &key);
        signing.certificate.as_mut().unwrap().purposes = purposes.to_vec();
        assert_denied(&keyless(&world, &signing.bundle()), Code::CertificateUsage);
    }
}

#[test]
fn an_authority_that_signs_as_a_leaf() {
    let (world, key) = (World::new(), Key::p256());
    let mut signing = Signing::keyless_v1(&world, &key);
    signing.certificate.as_mut().unwrap().is_authority = true;
    assert_denied(&keyless(&world, &signing.bundle()), Code::CertificateUsage);
}

/// RFC 5280 §6.1.4: who may issue certificates is said by basicConstraints, keyUsage and the path length, of the anchor
/// too. webpki looks at the first only, and at none of an anchor's: whose leaf was pinned could sign for everybody.
#[test]
fn an_issuer_that_may_not_issue() {
    let life = (SIGNED_AT - YEAR, SIGNED_AT + YEAR);
    let sound = |name| Template::authority(name, life);
    let encrypts = |name| Template { key_cert_sign: false, ..sound(name) };
    let leaf = |name| Template { is_authority: false, purposes: vec!["1.3.6.1.5.5.7.3.3"], ..encrypts(name) };
    let bounded = |path_len| Template { path_len: Some(path_len), ..sound("root") };
    for (root, below, allowed) in [
        (sound("root"), Some(sound("below")), true),
        (bounded(1), Some(sound("below")), true),
        (bounded(0), None, true),
        (bounded(0), Some(sound("below")), false),
        (sound("root"), Some(encrypts("below")), false),
        (encrypts("root"), None, false),
        (encrypts("root"), Some(sound("below")), false),
        (leaf("root"), None, false),
    ] {
        let (mut world, key) = (World::new(), Key::p256());
        let root = Authority::of(&root, None);
        let below = below.map(|below| Authority::of(&below, Some(&root)));
        let mut chain = vec![Base64(root.certificate.clone())];
        chain.splice(..0, below.iter().map(|below| Base64(below.certificate.clone())));
        world.authority = below.unwrap_or(root);
        let mut case = keyless(&world, &Signing::keyless_v1(&world, &key).bundle());
        case.trust.certificate_authorities[0].certificates = chain;
        match allowed {
            true => assert_allowed(&case),
            false => assert_denied(&case, Code::IssuerUntrusted),
        }
    }
}

#[test]
fn a_certificate_without_a_timestamp_of_a_trusted_certificate_log() {
    let (world, key) = (World::new(), Key::p256());
    let signing = Signing::keyless_v1(&world, &key);
    let mut case = keyless(&world, &signing.bundle());
    case.trust.certificate_logs.clear();
    assert_denied(&case, Code::SctMissing);
    // A log of the right id whose key did not sign.
    let mut case = keyless(&world, &signing.bundle());
    let other = Key::p256();
    case.trust.certificate_logs[0].key.0 = other.public().spki_der().to_vec();
    assert_denied(&case, Code::SctInvalid);
}

/// A certificate of the signer's beside a signature of someone else's.
#[test]
fn another_certificate_beside_the_signature() {
    let (world, signer, attacker) = (World::new(), Key::p256(), Key::p256());
    let stolen = Signing::keyless_v1(&world, &signer).bundle().material;
    let mut bundle = Signing::keyless_v1(&world, &attacker).bundle();
    assert!(matches!(stolen, Material::Certificate(_)));
    bundle.material = stolen;
    assert_denied(&keyless(&world, &bundle), Code::SignatureInvalid);
}

/// Certificates that came along were tried in every order: ten of one name were 200,000 attempts at a path.
/// What is tried now is paid for, and a flood of it ends in "could not decide".
#[test]
fn a_flood_of_junk_authorities_in_the_chain() {
    let world = World::new();
    let junk = |_| Authority::new(&world.authority.name, (SIGNED_AT - YEAR, SIGNED_AT + YEAR)).certificate;
    let chain: Vec<Vec<u8>> = (0..cosign::MAX_CHAIN).map(junk).collect();
    let layer = |signer: &World, key: &Key| {
        let signing = Signing { stamped: Some(SIGNED_AT), ..Signing::keyless_v1(signer, key) };
        let mut layer = signing.legacy("example.com/image");
        layer.material.chain.clone_from(&chain);
        let annotations = layer.annotations().unwrap();
        Content::CosignSignature { payload: Base64(layer.payload), annotations }
    };
    // It does not hide the authority that did issue the certificate.
    assert_allowed(&Case::of("junk", &world, &[], layer(&world, &Key::p256())));
    let mut attacker = World::new();
    attacker.authority = Authority::new(&world.authority.name, (SIGNED_AT - YEAR, SIGNED_AT + YEAR));
    let mut case = Case::of("junk", &world, &[], layer(&attacker, &Key::p256()));
    case.trust = attacker.trust();
    case.trust.certificate_authorities = world.trust().certificate_authorities;
    assert_denied(&case, Code::IssuerUntrusted);
    case.evidence.items = vec![case.evidence.items[0].clone(); 60];
    let verdict = case.decide();
    assert_eq!((verdict.outcome, verdict.code), (Outcome::Undecidable, Some(Code::BudgetExhausted)));
}
