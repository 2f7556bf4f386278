//! Pulls that a policy decides.
//!
//! The rules are not here: a [`PullGate`] is asked. What is here is who is asked about: those with push
//! right may read what they are about to sign; evidence is served, or nobody could verify; a manifest
//! of an index is served if the index is, and so on through indexes of indexes.

use std::collections::VecDeque;

use async_trait::async_trait;
use http::StatusCode;
use signet_crypto::Digest;
use signet_formats::oci::{MAX_MANIFEST_DEPTH, Manifest, Walk, WalkError};
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
}

/// The walk to a permitted index ended at a bound: there may be one, and nobody looked.
fn too_many_indexes(refusal: Refusal, limit: WalkError) -> Refusal {
    Refusal {
        code: refusal.code,
        message: format!("{}; indexes that hold it were not all asked about: {limit}", refusal.message),
        hint: "sign the manifest itself, or remove indexes that nobody uses".to_owned(),
    }
}

/// Indexes that are asked about for one manifest.
const MAX_INDEXES: usize = 100;
