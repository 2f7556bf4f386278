//! Feeding the one function: an image's evidence is read, a file is hashed, and [`decide`] is asked.

use std::collections::BTreeSet;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64::Base64;
use signet_registry::Resolved;
use signet_verify::{Evidence, Needs, Subject, Verdict, decide};

use crate::gather::{self, Place, Source};
use crate::trust::Trust;

/// Decides about a manifest by what is attached to it, reading one place after another.
///
/// It stops at a yes: more evidence can only add signatures, and they do not turn a yes into a no.
pub(crate) async fn about_image(
    source: &dyn Source,
    image: &Resolved,
    name: Option<&str>,
    trust: &Trust,
    places: &[Place],
    at: i64,
) -> Verdict {
    let mut evidence = Evidence::default();
    let mut verdict = None;
    for place in places {
        let more = gather::gather(source, &image.digest(), *place).await;
        gather::append(&mut evidence, more);
        let decided = about_manifest(image, name, &mut evidence, trust, at);
        if decided.is_allowed() {
            return decided;
        }
        verdict = Some(decided);
    }
    verdict.unwrap_or_else(|| about_manifest(image, name, &mut evidence, trust, at))
}

/// Decides about a manifest by the evidence at hand, to which its bytes are added if a signature asks for them.
pub(crate) fn about_manifest(
    image: &Resolved,
    name: Option<&str>,
    evidence: &mut Evidence,
    trust: &Trust,
    at: i64,
) -> Verdict {
    let mut needs = Needs::of(evidence, &trust.policy, &trust.snapshot);
    needs.digests.insert(image.digest().algorithm());
    if evidence.artifact.is_none() && needs.artifact {
        evidence.artifact = Some(Base64(image.bytes.to_vec()));
    }
    let subject = Subject {
        digests: digests(&image.bytes, &needs.digests),
        media_type: Some(image.descriptor.media_type.clone()),
        size: Some(image.descriptor.size),
        name: name.map(str::to_owned),
    };
    decide(&subject, evidence, &trust.snapshot, &trust.policy, at)
}

fn digests(bytes: &[u8], algorithms: &BTreeSet<DigestAlgorithm>) -> Vec<Digest> {
    algorithms.iter().map(|algorithm| Digest::of(*algorithm, bytes)).collect()
}
