//! Pulls that a policy decides.
//!
//! The rules are not here: a [`PullGate`] is asked. What is here is who is asked about: those with push
//! right may read what they are about to sign; evidence is served, or nobody could verify; a manifest
//! of an index is served if the index is.

use async_trait::async_trait;
use http::StatusCode;
use signet_crypto::Digest;
use signet_formats::oci::{Manifest, media_type};
use signet_store::RepositoryName;
use signet_store::registry::StoredManifest;

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
        let (repository, principal) = (&call.repository, &call.principal);
        if self.authenticator.allows(principal, repository, Right::Push)
            || self.is_evidence(call, manifest).await?
        {
            return Ok(());
        }
        let Err(refusal) = gate.permit(repository, &manifest.digest, principal).await else { return Ok(()) };
        for index in self.store.indexes_of(repository, &manifest.digest).await? {
            if gate.permit(repository, &index, principal).await.is_ok() {
                return Ok(());
            }
        }
        let denied = ApiError::new(StatusCode::FORBIDDEN, error::DENIED, refusal.message);
        Err(denied.with_detail(refusal.code, refusal.hint))
    }

    /// Whether the manifest holds nothing but signatures and attestations, or is an index of such.
    /// A subject or a tag alone is not enough: an image with layers may have them too.
    async fn is_evidence(&self, call: &Call, stored: &StoredManifest) -> Result<bool, ApiError> {
        let Ok(manifest) = Manifest::parse(&stored.bytes) else { return Ok(false) };
        let children = manifest.manifests();
        if children.is_empty() {
            return Ok(holds_evidence(&manifest));
        }
        for child in children.iter().take(MAX_CHILDREN) {
            let stored = self.store.manifest(&call.repository, &child.digest).await?;
            let parsed = stored.and_then(|stored| Manifest::parse(&stored.bytes).ok());
            if !parsed.is_some_and(|manifest| holds_evidence(&manifest)) {
                return Ok(false);
            }
        }
        Ok(children.len() <= MAX_CHILDREN)
    }
}

fn holds_evidence(manifest: &Manifest) -> bool {
    let layers = manifest.layers();
    !layers.is_empty() && layers.iter().all(|layer| is_evidence_type(&layer.media_type))
}

fn is_evidence_type(media_type: &str) -> bool {
    media_type.starts_with(media_type::SIGSTORE_BUNDLE_PREFIX) || EVIDENCE_TYPES.contains(&media_type)
}

/// What signatures and attestations are kept as: cosign's, Notary Project's, in-toto's.
const EVIDENCE_TYPES: [&str; 5] = [
    media_type::SIMPLE_SIGNING,
    media_type::DSSE_ENVELOPE,
    "application/vnd.in-toto+json",
    "application/jose+json",
    "application/cose",
];
const MAX_CHILDREN: usize = 1_000;
