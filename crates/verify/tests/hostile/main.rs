//! Hostile evidence. Each test is named after the published weakness of another verifier that it holds
//! against ours, and is sound in all but that one thing.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "the forge makes what is unwrapped")]

mod certificates;
mod documents;
mod floods;
mod logs;
mod memory;
mod patterns;
mod thresholds;
mod timestamps;

use signet_formats::bundle::Bundle;
use signet_testkit::forge::{Case, World, bundle_item};
use signet_verify::{Code, Content, EvidenceItem, Outcome};

/// The case is denied, for this reason.
#[track_caller]
fn assert_denied(case: &Case, code: Code) {
    let verdict = case.decide();
    assert_eq!((verdict.outcome, verdict.code), (Outcome::Deny, Some(code)), "{:#?}", verdict.checks);
}

#[track_caller]
fn assert_allowed(case: &Case) {
    let verdict = case.decide();
    assert_eq!(verdict.outcome, Outcome::Allow, "{:#?}", verdict.checks);
}

/// The bundle under the policy that asks for the signer's certificate.
fn keyless(world: &World, bundle: &Bundle) -> Case {
    Case::of("hostile", world, &[], bundle_item(bundle))
}

fn item(content: Content) -> EvidenceItem {
    EvidenceItem { origin: "another".to_owned(), content }
}
