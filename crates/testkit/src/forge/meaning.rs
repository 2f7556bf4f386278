use std::collections::BTreeSet;

use signet_formats::bundle::{self, Bundle};
use signet_formats::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use signet_verify::{Content, Outcome, Verdict};

use super::case::Case;

/// What a yes says: who signed what, and when. Two documents that give the same are the same to whoever
/// asked, whatever their encoding and their unauthenticated parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// Rule, principal, identity and predicate type of every signer that counts.
    pub signers: BTreeSet<String>,
    /// The signed bytes that are in the evidence: statements and claims.
    pub messages: BTreeSet<Vec<u8>>,
    /// The proven times.
    pub times: BTreeSet<i64>,
}

impl Meaning {
    /// The meaning of the verdict on a case; `None` unless it is yes.
    pub fn of(case: &Case, verdict: &Verdict) -> Option<Self> {
        if verdict.outcome != Outcome::Allow {
            return None;
        }
        let signer = |signer: &signet_verify::Signer| {
            format!("{} {} {} {:?}", signer.rule, signer.principal, signer.identity, signer.predicate_type)
        };
        Some(Self {
            signers: verdict.signers.iter().map(signer).collect(),
            messages: case.evidence.items.iter().filter_map(|item| message(&item.content)).collect(),
            times: verdict.signers.iter().flat_map(|signer| signer.times.iter().copied()).collect(),
        })
    }

    /// Whether this says nothing that `original` does not say: evidence may be lost, but none is gained.
    pub fn is_within(&self, original: &Self) -> bool {
        self.signers == original.signers
            && self.messages == original.messages
            && self.times.is_subset(&original.times)
    }
}

fn message(content: &Content) -> Option<Vec<u8>> {
    let signed = |envelope: Envelope| envelope.pae();
    match content {
        Content::Bundle { bytes } => match Bundle::parse(&bytes.0).ok()?.content {
            bundle::Content::MessageSignature { .. } => None,
            bundle::Content::Dsse(envelope) => Some(signed(envelope)),
        },
        Content::CosignSignature { payload, .. } => Some(payload.0.clone()),
        Content::CosignAttestation { envelope, .. } => {
            Envelope::parse(&envelope.0, MAX_ENVELOPE_BYTES).ok().map(signed)
        }
    }
}
