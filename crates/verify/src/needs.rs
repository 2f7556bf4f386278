//! What a face must compute of the subject before it asks for a decision.

use std::collections::BTreeSet;

use signet_crypto::{DigestAlgorithm, KeyAlgorithm, Scheme};

use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::prepared::{PreparedPolicy, PreparedTrust};
use crate::signature::candidate::{self, Candidate, Material, Message};
use crate::trust::TrustSnapshot;

/// The digests of the subject that the evidence can be about: SHA-256, and whatever else is stated or
/// implied by the key of a signature.
pub fn digests_needed(
    evidence: &Evidence,
    policy: &Policy,
    trust: &TrustSnapshot,
) -> BTreeSet<DigestAlgorithm> {
    let mut needed = BTreeSet::from([DigestAlgorithm::Sha256]);
    let keys = policy_keys(policy, trust);
    for_each_candidate(evidence, |candidate| match &candidate.message {
        Message::Artifact { stated: Some(digest) } => {
            needed.insert(digest.algorithm());
        }
        Message::Artifact { stated: None } => {
            let schemes = schemes(candidate, &keys);
            needed.extend(schemes.filter_map(Scheme::digest));
        }
        Message::Statement { statement, .. } => {
            let digests = statement.subjects.iter().flat_map(|subject| &subject.digests);
            needed.extend(digests.map(|digest| digest.algorithm()));
        }
        Message::Payload { payload, .. } => {
            needed.insert(payload.manifest_digest.algorithm());
        }
    });
    needed
}

/// Whether some signature is over the whole content and not over a digest of it, so that
/// [`Evidence::artifact`] is wanted.
pub fn needs_artifact(evidence: &Evidence, policy: &Policy, trust: &TrustSnapshot) -> bool {
    let keys = policy_keys(policy, trust);
    let mut needed = false;
    for_each_candidate(evidence, |candidate| {
        let whole = |scheme: Scheme| scheme.digest().is_none();
        let artifact = matches!(candidate.message, Message::Artifact { .. });
        needed |= artifact && schemes(candidate, &keys).any(whole);
    });
    needed
}

/// The algorithms of the policy's keys; none if the trust snapshot cannot be used, which the decision will say.
fn policy_keys(policy: &Policy, trust: &TrustSnapshot) -> Vec<KeyAlgorithm> {
    let trust = PreparedTrust::new(trust);
    let policy = trust.as_ref().ok().and_then(|trust| PreparedPolicy::new(policy, trust).ok());
    policy.map_or_else(Vec::new, |policy| policy.keys.iter().map(|known| known.key.algorithm()).collect())
}

/// Malformed evidence needs nothing: the decision will say what is wrong with it.
fn for_each_candidate(evidence: &Evidence, mut each: impl FnMut(&Candidate<'_>)) {
    for item in &evidence.items {
        candidate::read(item).unwrap_or_default().iter().for_each(&mut each);
    }
}

fn schemes(candidate: &Candidate<'_>, keys: &[KeyAlgorithm]) -> impl Iterator<Item = Scheme> {
    let algorithms = match &candidate.material {
        Material::Certificate { leaf, .. } => {
            leaf.public_key().map(|key| key.algorithm()).into_iter().collect::<Vec<_>>()
        }
        Material::Key { .. } => keys.to_vec(),
    };
    algorithms.into_iter().flat_map(|algorithm| Scheme::for_key(algorithm).iter().copied())
}
