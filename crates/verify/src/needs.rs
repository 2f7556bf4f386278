//! What a face must compute of the subject before it asks for a decision.

use std::collections::BTreeSet;

use signet_crypto::{DigestAlgorithm, KeyAlgorithm, Scheme};

use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::prepared::{PreparedPolicy, PreparedTrust};
use crate::signature::candidate::{self, Candidate, Material, Message};
use crate::trust::TrustSnapshot;

/// What of the subject the evidence can be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The algorithms of its digests: SHA-256, and whatever else is stated or implied by the key of a signature.
    pub digests: BTreeSet<DigestAlgorithm>,
    /// Whether some signature is over the whole content and not over a digest of it, so that
    /// [`Evidence::artifact`] is wanted.
    pub artifact: bool,
}

impl Needs {
    /// The needs of this evidence. Malformed evidence has none: the decision will say what is wrong with it.
    pub fn of(evidence: &Evidence, policy: &Policy, trust: &TrustSnapshot) -> Self {
        let mut needs = Self { digests: BTreeSet::from([DigestAlgorithm::Sha256]), artifact: false };
        let keys = policy_keys(policy, trust);
        for item in &evidence.items {
            candidate::read(item)
                .unwrap_or_default()
                .iter()
                .for_each(|candidate| needs.add(candidate, &keys));
        }
        needs
    }

    fn add(&mut self, candidate: &Candidate<'_>, keys: &[KeyAlgorithm]) {
        match &candidate.message {
            Message::Artifact { stated } => {
                for scheme in schemes(candidate, keys) {
                    self.artifact |= scheme.digest().is_none();
                    self.digests.extend(scheme.digest().filter(|_| stated.is_none()));
                }
                self.digests.extend(stated.map(|digest| digest.algorithm()));
            }
            Message::Statement(signed) => {
                let digests = signed.statement.subjects.iter().flat_map(|subject| &subject.digests);
                self.digests.extend(digests.map(|digest| digest.algorithm()));
            }
            Message::Payload { payload, .. } => {
                self.digests.insert(payload.manifest_digest.algorithm());
            }
        }
    }
}

/// The algorithms of the policy's keys; none if the trust snapshot cannot be used, which the decision will say.
fn policy_keys(policy: &Policy, trust: &TrustSnapshot) -> Vec<KeyAlgorithm> {
    let trust = PreparedTrust::new(trust);
    let policy = trust.as_ref().ok().and_then(|trust| PreparedPolicy::new(policy, trust).ok());
    policy.map_or_else(Vec::new, |policy| policy.keys.iter().map(|known| known.key.algorithm()).collect())
}

fn schemes(candidate: &Candidate<'_>, keys: &[KeyAlgorithm]) -> impl Iterator<Item = Scheme> {
    let algorithms = match &candidate.beside.material {
        Material::Certificate { leaf, .. } => {
            leaf.public_key().map(|key| key.algorithm()).into_iter().collect::<Vec<_>>()
        }
        Material::Key { .. } => keys.to_vec(),
    };
    algorithms.into_iter().flat_map(|algorithm| Scheme::for_key(algorithm).iter().copied())
}
