//! Pulls that a policy decides.
//!
//! The rules are not here: a [`PullGate`] is asked. What is here is who is asked about: those with push
//! right may read what they are about to sign; evidence is served, or nobody could verify; a manifest
//! of an index is served if the index is, and so on through indexes of indexes.

use std::collections::VecDeque;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use http::StatusCode;
use signet_crypto::Digest;
use signet_formats::oci::{
    Descriptor, EVIDENCE_HEAD, MAX_MANIFEST_DEPTH, Manifest, ManifestKind, Walk, WalkError, is_evidence,
    is_evidence_type,
};
use signet_store::RepositoryName;
use signet_store::registry::{StoreError, StoredManifest};

use super::error::{self, ApiError};
use super::rights::{Principal, Right};
use super::service::{Call, Service};

/// Decides whether a manifest may be pulled.
#[async_trait]
pub trait PullGate: Send + Sync + 'static {
    /// Permits the pull or says why not. What cannot be decided is refused.
    async fn permit(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
        principal: &Principal,
    ) -> Result<(), Refusal>;
}

/// Why a pull was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code, `SGN-nnnn`.
    pub code: String,
    /// What was wrong.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Service {
    /// Refuses what the gate refuses.
    pub(super) async fn permit(&self, call: &Call, manifest: &StoredManifest) -> Result<(), ApiError> {
        let Some(gate) = &self.gate else { return Ok(()) };
        if self.authenticator.allows(&call.principal, &call.repository, Right::Push)
            || self.is_evidence(call, manifest).await?
        {
            return Ok(());
        }
        let Some(refusal) = self.refusal(gate.as_ref(), call, manifest.digest).await? else { return Ok(()) };
        let denied = ApiError::new(StatusCode::FORBIDDEN, error::DENIED, refusal.message);
        Err(denied.with_detail(refusal.code, refusal.hint))
    }

    /// Why neither the manifest is permitted nor any index that holds it or holds such an index.
    async fn refusal(
        &self,
        gate: &dyn PullGate,
        call: &Call,
        manifest: Digest,
    ) -> Result<Option<Refusal>, ApiError> {
        let (repository, principal) = (&call.repository, &call.principal);
        let Err(refusal) = gate.permit(repository, &manifest, principal).await else { return Ok(None) };
        let mut walk = Walk::new(MAX_MANIFEST_DEPTH, MAX_INDEXES);
        let mut held = VecDeque::from([(manifest, 0)]);
        while let Some((manifest, depth)) = held.pop_front() {
            for index in self.store.indexes_of(repository, &manifest).await? {
                match walk.enter(index, depth + 1) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(limit) => return Ok(Some(too_many_indexes(refusal, limit))),
                }
                // The list only finds indexes; what an index holds it says itself, under its digest.
                if !self.holds(call, &index, &manifest).await? {
                    continue;
                }
                held.push_back((index, depth + 1));
                if gate.permit(repository, &index, principal).await.is_ok() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(refusal))
    }

    async fn holds(&self, call: &Call, index: &Digest, manifest: &Digest) -> Result<bool, ApiError> {
        let stored = self.store.manifest(&call.repository, index).await?;
        let parsed = stored.and_then(|stored| Manifest::parse(&stored.bytes).ok());
        Ok(parsed.is_some_and(|index| index.manifests().iter().any(|held| held.digest == *manifest)))
    }

    /// Whether the manifest holds nothing but signatures and attestations, or is an index of such.
    /// A subject, a tag or a media type is not enough: an image with layers may have them too.
    async fn is_evidence(&self, call: &Call, stored: &StoredManifest) -> Result<bool, ApiError> {
        let mut walk = Walk::new(MAX_MANIFEST_DEPTH, MAX_CHILDREN);
        let (mut parsed, mut depth) = (Manifest::parse(&stored.bytes).ok(), 0);
        let (mut pending, mut layers) = (Vec::new(), 0);
        while let Some(manifest) = parsed.filter(may_hold_evidence) {
            layers += manifest.layers().len();
            if layers > MAX_LAYERS || !self.are_evidence(call, manifest.layers()).await? {
                return Ok(false);
            }
            for child in manifest.manifests() {
                match walk.enter(child.digest, depth + 1) {
                    Ok(true) => pending.push((child.digest, depth + 1)),
                    Ok(false) => {}
                    Err(_) => return Ok(false),
                }
            }
            let Some((digest, below)) = pending.pop() else { return Ok(true) };
            let stored = self.store.manifest(&call.repository, &digest).await?;
            parsed = stored.and_then(|stored| Manifest::parse(&stored.bytes).ok());
            depth = below;
        }
        Ok(false)
    }

    async fn are_evidence(&self, call: &Call, layers: &[Descriptor]) -> Result<bool, ApiError> {
        for layer in layers {
            if !is_evidence(&layer.media_type, &self.head(call, layer).await?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first bytes of a layer; none where there is no such blob.
    async fn head(&self, call: &Call, layer: &Descriptor) -> Result<Vec<u8>, ApiError> {
        let Some(blob) = self.store.open_blob(&call.repository, &layer.digest).await? else {
            return Ok(Vec::new());
        };
        let end = blob.size().min(EVIDENCE_HEAD as u64);
        let mut parts = blob.read(0..end);
        let mut head = Vec::new();
        while let Some(part) = parts.try_next().await.map_err(StoreError::from)? {
            head.extend_from_slice(&part);
        }
        Ok(head)
    }
}

/// The walk to a permitted index ended at a bound: there may be one, and nobody looked.
fn too_many_indexes(refusal: Refusal, limit: WalkError) -> Refusal {
    Refusal {
        code: refusal.code,
        message: format!("{}; indexes that hold it were not all asked about: {limit}", refusal.message),
        hint: "sign the manifest itself, or remove indexes that nobody uses".to_owned(),
    }
}

/// An index may, as long as everything in it does; an empty one does not.
fn may_hold_evidence(manifest: &Manifest) -> bool {
    match manifest.kind() {
        ManifestKind::Image => holds_evidence(manifest),
        ManifestKind::Index => !manifest.manifests().is_empty(),
    }
}

fn holds_evidence(manifest: &Manifest) -> bool {
    let layers = manifest.layers();
    !layers.is_empty() && layers.iter().all(|layer| is_evidence_type(&layer.media_type))
}

/// Layers of a manifest of evidence, or of all in an index of such.
const MAX_LAYERS: usize = 4_096;
/// Manifests of an index of evidence.
const MAX_CHILDREN: usize = 1_000;
/// Indexes that are asked about for one manifest.
const MAX_INDEXES: usize = 100;
