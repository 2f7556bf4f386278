//! What the forge makes is sound: every sample is allowed, and for its own subject only.

use signet_crypto::Digest;
use signet_testkit::forge::{Case, samples};
use signet_verify::{Outcome, Subject};

#[test]
fn every_sample_is_allowed_and_reads_back_the_same() {
    for case in samples() {
        let verdict = case.decide();
        assert_eq!(verdict.outcome, Outcome::Allow, "{} {:#?}", case.name, verdict.checks);
        let json = serde_json::to_string(&case).unwrap();
        assert_eq!(serde_json::from_str::<Case>(&json).unwrap().decide(), verdict, "{}", case.name);
    }
}

#[test]
fn no_sample_is_allowed_for_another_subject() {
    for mut case in samples() {
        case.subject = Subject::of(Digest::sha256(b"something else"));
        assert_ne!(case.decide().outcome, Outcome::Allow, "{}", case.name);
    }
}
