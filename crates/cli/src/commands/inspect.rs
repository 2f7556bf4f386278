//! `signet inspect`: everything attached to an image, decoded; what is verified, and what is only claimed.

use std::sync::Arc;

use signet_registry::{ImageStore, Location, Resolved};
use signet_verify::{Check, Evidence, EvidenceItem, Node, Verdict};

use crate::args::InspectArgs;
use crate::document::{InspectDocument, OtherBody, SignatureBody, UnreadBody, Verified};
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::gather::{self, Attachment, Place};
use crate::plain::brief;
use crate::runtime::block_on;
use crate::trust::Trust;
use crate::{claims, clock, connection, decision, render};

/// Shows what is attached to an image.
pub(crate) fn run(args: &InspectArgs, face: Face) -> Answer {
    let trust = Trust::if_given(&args.trust, face)?;
    let place = connection::place(&args.image)?;
    block_on(async {
        let client = connection::client(&args.connection, std::slice::from_ref(&place));
        let endpoint = connection::source(&client, &place)?;
        let attachments = connection::attachments(&client, &place, &endpoint)?;
        let image = endpoint.store.resolve(endpoint.name.as_ref()).await?;
        let document = inspect(&place, &image, &attachments, trust.as_ref()).await;
        face.result(&document, render::inspected)?;
        Ok(Status::Yes)
    })
}

async fn inspect(
    place: &Location,
    image: &Resolved,
    store: &Arc<dyn ImageStore>,
    trust: Option<&Trust>,
) -> InspectDocument {
    let (mut attached, mut unread) = (Vec::new(), Vec::new());
    for where_ in Place::ALL {
        let (found, missed) = gather::attachments(store, &image.digest(), where_).await;
        attached.extend(found);
        unread.extend(missed);
    }
    let mut evidence = gather::read(store, &attached).await;
    evidence.unread.extend(unread);
    let name = connection::repository_name(place);
    let verdict = trust
        .map(|trust| decision::about_manifest(image, name.as_deref(), &mut evidence, trust, clock::now()));
    document(place, image, &attached, &evidence, verdict.as_ref())
}

fn document(
    place: &Location,
    image: &Resolved,
    attached: &[Attachment],
    evidence: &Evidence,
    verdict: Option<&Verdict>,
) -> InspectDocument {
    let unread = evidence.unread.iter().map(|unread| UnreadBody {
        origin: unread.origin.clone(),
        code: unread.code,
        reason: brief(&unread.reason),
    });
    InspectDocument {
        image: connection::name_by_digest(place, image.digest()),
        media_type: brief(&image.descriptor.media_type),
        signatures: evidence.items.iter().map(|item| signature(item, verdict)).collect(),
        others: attached.iter().filter_map(|attachment| other(attachment, evidence)).collect(),
        unread: unread.collect(),
        outcome: verdict.map(|verdict| verdict.outcome),
    }
}

fn signature(item: &EvidenceItem, verdict: Option<&Verdict>) -> SignatureBody {
    let (claims, malformed) = match claims::read(item) {
        Ok(claims) => (Some(claims), None),
        Err(why) => (None, Some(why)),
    };
    SignatureBody {
        origin: item.origin.clone(),
        claims,
        malformed,
        verified: verdict.map(|verdict| verified(&item.origin, verdict)),
    }
}

/// What the verdict says of the signature: that it counts, or why it does not.
fn verified(origin: &str, verdict: &Verdict) -> Verified {
    if let Some(signer) = verdict.signers.iter().find(|signer| signer.origin == origin) {
        let (identity, times) = (Some(signer.identity.clone()), signer.times.clone());
        return Verified { counts: true, signer: identity, times, code: None };
    }
    let about = |node: &&Node| node.about.as_deref() == Some(origin) && node.code.is_some();
    let signature = verdict.checks.children.iter().filter(|node| node.check == Check::Signature).find(about);
    let rules = verdict.checks.children.iter().filter(|node| node.check == Check::Rule);
    let failed = signature.or_else(|| rules.flat_map(|rule| &rule.children).find(about));
    Verified { counts: false, signer: None, times: Vec::new(), code: failed.and_then(|node| node.code) }
}

/// What is attached and holds no signature that is understood: SBOMs, other formats, anything.
fn other(attachment: &Attachment, evidence: &Evidence) -> Option<OtherBody> {
    let known = |origin: &str| origin.starts_with(attachment.origin.as_str());
    let is_signature = evidence.items.iter().any(|item| known(&item.origin))
        || evidence.unread.iter().any(|unread| known(&unread.origin));
    (!is_signature).then(|| OtherBody {
        origin: attachment.origin.clone(),
        artifact_type: attachment.manifest.manifest.effective_artifact_type().map(brief),
    })
}
