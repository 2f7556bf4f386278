//! Feeding the one function: an image's evidence is read, a file is hashed, and [`decide_by`] is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64::Base64;
use signet_registry::{Endpoint, Error, ImageStore, ManifestName, Resolved};
use signet_verify::{Evidence, Needs, Subject, SubjectKind, Verdict, decide_by};

use crate::gather::{self, Place, Source};
use crate::runtime::at_length;
use crate::threads::Threads;
use crate::trust::Trust;

/// Reads an image and decides about it by what is attached to it in any place.
///
/// Where it is named by its digest, what refers to it is read while its manifest is.
pub(crate) async fn about_named(
    image: &Endpoint,
    source: &Arc<dyn ImageStore>,
    name: Option<&str>,
    trust: &Trust,
    at: i64,
) -> Result<(Digest, Verdict), Error> {
    let manifest = image.store.resolve(image.name.as_ref());
    let [first, rest @ ..] = &Place::ALL;
    let (manifest, evidence) = match &image.name {
        Some(ManifestName::Digest(digest)) => {
            let (manifest, evidence) = tokio::join!(manifest, gather::gather(source, digest, *first));
            (manifest?, evidence)
        }
        _ => {
            let manifest = manifest.await?;
            let evidence = gather::gather(source, &manifest.digest(), *first).await;
            (manifest, evidence)
        }
    };
    Ok((manifest.digest(), by_evidence(source, &manifest, name, evidence, trust, rest, at).await))
}

/// Decides about a manifest by what is attached to it in these places.
pub(crate) async fn about_image(
    source: &dyn Source,
    image: &Resolved,
    name: Option<&str>,
    trust: &Trust,
    places: &[Place],
    at: i64,
) -> Verdict {
    let Some((first, rest)) = places.split_first() else {
        return about_manifest(image, name, &mut Evidence::default(), trust, at);
    };
    let evidence = gather::gather(source, &image.digest(), *first).await;
    by_evidence(source, image, name, evidence, trust, rest, at).await
}

/// Decides by the evidence at hand, then by more, reading one place after another.
///
/// It stops at a yes: more evidence can only add signatures, and they do not turn a yes into a no.
async fn by_evidence(
    source: &dyn Source,
    image: &Resolved,
    name: Option<&str>,
    mut evidence: Evidence,
    trust: &Trust,
    places: &[Place],
    at: i64,
) -> Verdict {
    let mut verdict = at_length(|| about_manifest(image, name, &mut evidence, trust, at));
    for place in places {
        if verdict.is_allowed() {
            break;
        }
        let more = gather::gather(source, &image.digest(), *place).await;
        gather::append(&mut evidence, more);
        verdict = at_length(|| about_manifest(image, name, &mut evidence, trust, at));
    }
    verdict
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
        kind: SubjectKind::Image,
        media_type: Some(image.descriptor.media_type.clone()),
        size: Some(image.descriptor.size),
        name: name.map(str::to_owned),
    };
    decide_by(&subject, evidence, &trust.snapshot, &trust.policy, at, &Threads)
}

fn digests(bytes: &[u8], algorithms: &BTreeSet<DigestAlgorithm>) -> Vec<Digest> {
    algorithms.iter().map(|algorithm| Digest::of(*algorithm, bytes)).collect()
}
