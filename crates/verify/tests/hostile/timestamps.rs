use signet_testkit::forge::{Authority, Case, Key, SIGNED_AT, Signing, Stamper, Template, World, YEAR};
use signet_verify::{Code, Window};

use crate::{assert_allowed, assert_denied, keyless};

/// A stamper that nobody trusts, under the trusted one's names.
fn posing() -> Stamper {
    Stamper::new("signet test stamper", (SIGNED_AT - YEAR, SIGNED_AT + YEAR))
}

/// The sound keyless case with its timestamp replaced by what `forge` makes over the same signature.
fn with_stamp(world: &World, forge: impl Fn(&[u8]) -> Vec<u8>) -> Case {
    let key = Key::p256();
    let mut bundle = Signing::keyless_v2(world, &key).bundle();
    bundle.timestamps = vec![forge(bundle.signature())];
    keyless(world, &bundle)
}

/// GHSA-xm5m-wgh2-rrg3: the trusted certificate, put beside the attacker's own, was the one that was
/// checked, and the attacker's the one that had signed.
#[test]
fn ghsa_xm5m_wgh2_rrg3_the_trusted_certificate_beside_the_signers_own() {
    let (world, attacker) = (World::new(), posing());
    let trusted = &world.stamper.certificate;
    for inside in [[trusted, &attacker.certificate], [&attacker.certificate, trusted]] {
        let inside = inside.map(Vec::as_slice);
        let case = with_stamp(&world, |signature| attacker.stamp_with(signature, SIGNED_AT, &inside));
        assert_denied(&case, Code::TimestampUntrusted);
    }
}

/// The token names the trusted certificate, but another key signed it.
#[test]
fn ghsa_xm5m_wgh2_rrg3_the_trusted_certificate_under_another_signature() {
    let (world, mut attacker) = (World::new(), posing());
    attacker.certificate.clone_from(&world.stamper.certificate);
    let case = with_stamp(&world, |signature| attacker.stamp(signature, SIGNED_AT));
    assert_denied(&case, Code::TimestampInvalid);
}

/// Nor may an embedded certificate that the same anchor issued replace the one that the trust root names.
#[test]
fn ghsa_xm5m_wgh2_rrg3_an_embedded_certificate_of_the_same_anchor() {
    let (mut world, life) = (World::new(), (SIGNED_AT - YEAR, SIGNED_AT + YEAR));
    let trust = world.trust();
    world.stamper = Stamper::issued(world.stamper.anchor, &Template::stamper("another", life));
    let case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT));
    assert_allowed(&case);
    assert_denied(&Case { trust, ..case }, Code::TimestampUntrusted);
}

/// Where the trust root names issuers only, the embedded certificate must chain to them.
#[test]
fn ghsa_xm5m_wgh2_rrg3_an_embedded_certificate_without_a_trusted_issuer() {
    let (world, attacker) = (World::new(), posing());
    let mut case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT));
    case.trust.timestamp_authorities[0].certificates.remove(0);
    assert_allowed(&case);
    let mut case = with_stamp(&world, |signature| attacker.stamp(signature, SIGNED_AT));
    case.trust.timestamp_authorities[0].certificates.remove(0);
    assert_denied(&case, Code::TimestampUntrusted);
}

/// An authority that came along and whose key may not sign certificates.
#[test]
fn an_embedded_issuer_that_may_not_issue() {
    let life = (SIGNED_AT - YEAR, SIGNED_AT + YEAR);
    for key_cert_sign in [true, false] {
        let mut world = World::new();
        let anchor = world.stamper.anchor.certificate.clone();
        let below = Template { key_cert_sign, ..Template::authority("below", life) };
        let below = Authority::of(&below, Some(&world.stamper.anchor));
        world.stamper = Stamper::issued(below, &Template::stamper("stamper", life));
        let inside = [&*world.stamper.certificate, &*world.stamper.anchor.certificate];
        let mut case =
            with_stamp(&world, |signature| world.stamper.stamp_with(signature, SIGNED_AT, &inside));
        case.trust.timestamp_authorities[0].certificates[1].0 = anchor;
        match key_cert_sign {
            true => assert_allowed(&case),
            false => assert_denied(&case, Code::TimestampUntrusted),
        }
    }
}

/// sigstore-rust#166 (TOB-SIGSTORE-11): a timestamp of one authority held against the window of another.
#[test]
fn sigstore_rust_166_the_window_is_that_of_the_authority_that_stamped() {
    let world = World::new();
    let other = posing();
    let mut case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT));
    let mut second = case.trust.timestamp_authorities[0].clone();
    second.uri = "https://second.example.com".to_owned();
    second.certificates[0].0.clone_from(&other.certificate);
    second.certificates[1].0.clone_from(&other.anchor.certificate);
    case.trust.timestamp_authorities.push(second);
    assert_allowed(&case);
    case.trust.timestamp_authorities[0].valid_for = Window { start: None, end: Some(SIGNED_AT - 1) };
    assert_denied(&case, Code::TimestampOutsideValidity);
}

/// timestamp-authority#1384: the chain was checked at the time of the verifier, not of the timestamp.
#[test]
fn timestamp_authority_1384_the_chain_is_checked_at_the_time_of_the_timestamp() {
    let mut world = World::new();
    world.stamper = Stamper::new("signet test stamper", (SIGNED_AT - 1, SIGNED_AT + 1));
    let case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT));
    assert!(case.at > SIGNED_AT + 1);
    assert_allowed(&case);
    let case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT + 2));
    assert_denied(&case, Code::TimestampOutsideValidity);
}

/// timestamp-authority#1389, #1416: certificates that also serve something else, or issue others.
#[test]
fn timestamp_authority_1389_1416_the_certificate_signs_timestamps_and_nothing_else() {
    let name = "signet test stamper";
    let sound = Template::stamper(name, (SIGNED_AT - YEAR, SIGNED_AT + YEAR));
    let purposes = |purposes: &[&'static str]| Template { purposes: purposes.to_vec(), ..sound.clone() };
    let (stamping, unknown) = (sound.purposes[0], "1.3.6.1.4.1.99999.1");
    for template in [
        purposes(&[stamping, unknown]),
        purposes(&[stamping, "1.3.6.1.5.5.7.3.3"]),
        purposes(&["2.5.29.37.0"]),
        purposes(&[]),
        Template { is_authority: true, ..sound.clone() },
    ] {
        let mut world = World::new();
        world.stamper = Stamper::certified(name, &template);
        let case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT));
        assert_denied(&case, Code::TimestampUntrusted);
    }
}

#[test]
fn a_timestamp_over_another_signature() {
    let world = World::new();
    let case = with_stamp(&world, |_| world.stamper.stamp(b"another signature", SIGNED_AT));
    assert_denied(&case, Code::TimestampImprintMismatch);
}

#[test]
fn a_timestamp_from_the_future() {
    let world = World::new();
    let case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT + 7200));
    assert_denied(&case, Code::TimestampFuture);
}

/// A signer who kept the key of an expired certificate.
#[test]
fn a_timestamp_after_the_certificates_life() {
    let world = World::new();
    let case = with_stamp(&world, |signature| world.stamper.stamp(signature, SIGNED_AT + 541));
    assert_denied(&case, Code::CertificateOutsideValidity);
}
