//! `signet tree`: index → platforms → signatures → attestations.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use signet_formats::in_toto::COSIGN_SIGN_V1;
use signet_formats::oci::{MAX_MANIFEST_DEPTH, ManifestKind, Walk, media_type};
use signet_registry::{Error, ImageStore, ManifestName, Resolved};

use crate::args::TreeArgs;
use crate::document::{TreeDocument, TreeNode};
use crate::error::{Answer, Status, Stop};
use crate::face::Face;
use crate::gather::{self, Place};
use crate::plain::brief;
use crate::runtime::block_on;
use crate::{connection, render};

/// Shows an image and all that hangs from it.
pub(crate) fn run(args: &TreeArgs, face: Face) -> Answer {
    let place = connection::place(&args.image)?;
    block_on(async {
        let client = connection::client(&args.connection, std::slice::from_ref(&place));
        let endpoint = connection::source(&client, &place)?;
        let store = &endpoint.store;
        let image = store.resolve(endpoint.name.as_ref()).await?;
        let attachments = connection::attachments(&client, &place, &endpoint)?;
        let walk = Walk::new(MAX_MANIFEST_DEPTH, MAX_NODES);
        let mut survey = Survey { store, attachments: &attachments, walk };
        let document = TreeDocument { image: args.image.clone(), root: survey.node(image, None, 0).await? };
        face.result(&document, render::tree)?;
        face.note("note: this is what the registry lists; `signet verify` says what of it is sound")?;
        Ok(Status::Yes)
    })
}

struct Survey<'a> {
    store: &'a Arc<dyn ImageStore>,
    /// Where the signatures are.
    attachments: &'a Arc<dyn ImageStore>,
    /// The same manifest may stand in many places, and is unfolded in one.
    walk: Walk,
}

impl Survey<'_> {
    /// A manifest, the manifests it holds and those that refer to it.
    fn node(
        &mut self,
        manifest: Resolved,
        platform: Option<String>,
        depth: usize,
    ) -> BoxFuture<'_, Result<TreeNode, Stop>> {
        async move {
            let mut node = leaf(&manifest, platform);
            if !self.walk.enter(manifest.digest(), depth).map_err(Error::from)? {
                return Ok(node);
            }
            self.attached(&manifest, &mut node, depth).await?;
            for child in manifest.manifest.manifests() {
                let name = ManifestName::Digest(child.digest);
                let platform = child.platform.as_ref().map(ToString::to_string);
                match self.store.resolve(Some(&name)).await {
                    Ok(resolved) => node.children.push(self.node(resolved, platform, depth + 1).await?),
                    // An index may name platforms that were not copied along.
                    Err(error) if error.is_not_found() => {
                        node.unread.push(format!("{} is not there", child.digest))
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(node)
        }
        .boxed()
    }

    async fn attached(&mut self, manifest: &Resolved, node: &mut TreeNode, depth: usize) -> Result<(), Stop> {
        for place in Place::ALL {
            // cosign's tags are made for images, not for signatures of images.
            if depth > 0 && place != Place::Referrers && manifest.manifest.subject.is_some() {
                continue;
            }
            let (found, missed) = gather::attachments(self.attachments, &manifest.digest(), place).await;
            node.unread.extend(missed.iter().map(|unread| format!("{}: {}", unread.origin, unread.reason)));
            for attachment in found {
                let mut child = self.node(attachment.manifest, None, depth + 1).await?;
                if place != Place::Referrers {
                    child.tag = attachment.origin.strip_prefix("tag ").map(str::to_owned);
                }
                node.children.push(child);
            }
        }
        Ok(())
    }
}

fn leaf(manifest: &Resolved, platform: Option<String>) -> TreeNode {
    TreeNode {
        kind: kind(manifest),
        digest: manifest.digest(),
        platform,
        tag: None,
        artifact_type: artifact_type(manifest),
        predicate_type: predicate_type(manifest),
        unread: Vec::new(),
        children: Vec::new(),
    }
}

/// What it says it is besides; an image's is not said by the type of its configuration.
fn artifact_type(manifest: &Resolved) -> Option<String> {
    match kind(manifest) {
        "image" => manifest.manifest.artifact_type.as_deref(),
        _ => manifest.manifest.effective_artifact_type(),
    }
    .map(brief)
}

/// What was attested: of a bundle in its annotations, of cosign's older attestations in those of the layers.
fn predicate_type(manifest: &Resolved) -> Option<String> {
    let layers =
        manifest.manifest.layers().iter().filter_map(|layer| layer.annotations.get(LAYER_PREDICATE_TYPE));
    let stated = manifest.manifest.annotations.get(PREDICATE_TYPE).into_iter().chain(layers);
    let stated: BTreeSet<_> = stated.map(String::as_str).collect();
    let is_attestation = kind(manifest) == "attestation" && !stated.is_empty();
    is_attestation.then(|| brief(&stated.into_iter().collect::<Vec<_>>().join(", ")))
}

/// What a manifest says it is.
fn kind(manifest: &Resolved) -> &'static str {
    let (annotations, layers) = (&manifest.manifest.annotations, manifest.manifest.layers());
    let holds = |prefix: &str| layers.iter().any(|layer| layer.media_type.starts_with(prefix));
    let predicate = annotations.get(PREDICATE_TYPE);
    if manifest.manifest.kind() == ManifestKind::Index {
        "index"
    } else if holds(media_type::SIGSTORE_BUNDLE_PREFIX) && predicate.is_none_or(|uri| uri == COSIGN_SIGN_V1) {
        "signature"
    } else if holds(media_type::SIGSTORE_BUNDLE_PREFIX) || holds(media_type::DSSE_ENVELOPE) {
        "attestation"
    } else if holds(media_type::SIMPLE_SIGNING) {
        "signature"
    } else if manifest.manifest.subject.is_some() {
        "artifact"
    } else {
        "image"
    }
}

/// The annotation in which cosign's bundles state what was signed.
const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
/// The annotation in which the layers of cosign's older attestations do.
const LAYER_PREDICATE_TYPE: &str = "predicateType";
/// Manifests of one tree.
const MAX_NODES: usize = 10_000;
