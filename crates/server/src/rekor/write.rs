//! Adding entries.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Response, StatusCode};
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::rekor::{EntryKind, InclusionProof, MAX_REQUEST_BYTES, TlogEntry};
use signet_formats::tlog::MAX_ENTRY_BYTES;
use signet_services::log::{AddError, Added, Log};
use tokio::time::timeout;

use super::checks::{Checks, Logged};
use super::error::ApiError;
use super::face::Served;
use crate::answer::full;
use crate::host::{Arriving, unreceived};

/// Checks a signature, logs it, and answers where it is and the proof.
pub(super) async fn hashed_rekord(
    served: Served,
    checks: &Checks,
    body: Arriving,
) -> Result<Response<Body>, ApiError> {
    let request = receive(body, MAX_REQUEST_BYTES).await;
    refuse_frozen(&served)?;
    let request = request?;
    let Logged { entry, added, log } = soon(checks.log(request, served)).await?;
    match added.duplicate {
        true => Err(ApiError::Duplicate(added.index)),
        false => Ok(full(StatusCode::CREATED, "application/json", proven(&log, &added, &entry)?)),
    }
}

/// Logs any bytes and answers their index.
pub(super) async fn opaque(served: &Served, body: Arriving) -> Result<Response<Body>, ApiError> {
    let entry = receive(body, MAX_ENTRY_BYTES).await;
    refuse_frozen(served)?;
    let entry = entry?;
    let log = served.log()?;
    let added = soon(async { log.add(entry).await.map_err(ApiError::Add) }).await?;
    Ok(full(StatusCode::OK, "text/plain; charset=utf-8", added.index.to_string()))
}

/// Whatever is sent to a log that takes nothing, it is told where to go; once it is sent, or the connection would be cut.
fn refuse_frozen(served: &Served) -> Result<(), ApiError> {
    match served.log()?.is_frozen() {
        true => Err(ApiError::Add(AddError::Frozen)),
        false => Ok(()),
    }
}

/// What adds an entry, unless that takes longer than clients wait. It may still be added then: who asks again is told where.
fn soon<T>(adding: impl Future<Output = Result<T, ApiError>>) -> impl Future<Output = Result<T, ApiError>> {
    timeout(ADD_WITHIN, adding).map(|done| done.unwrap_or(Err(ApiError::Add(AddError::Busy))))
}

async fn receive(body: Arriving, limit: usize) -> Result<Bytes, ApiError> {
    body.whole(limit).await.map_err(|status| match status {
        StatusCode::SERVICE_UNAVAILABLE => ApiError::Add(AddError::Busy),
        // Rekor knows one status for all that is wrong with a request.
        _ => ApiError::Invalid(unreceived(status).to_owned()),
    })
}

/// The answer to a new entry: a `TransparencyLogEntry`.
fn proven(log: &Log, added: &Added, entry: &Bytes) -> Result<Vec<u8>, ApiError> {
    let internal = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
    let checkpoint = &added.head.checkpoint;
    let note = str::from_utf8(&added.head.note).map_err(|error| internal(&error))?;
    let hashes = log.inclusion_proof(added.index, checkpoint.size).map_err(|error| internal(&error))?;
    let sha256 = |hash: &[u8; 32]| Digest::from_bytes(DigestAlgorithm::Sha256, hash);
    let hashes: Result<Vec<Digest>, _> = hashes.iter().map(sha256).collect();
    let proof = InclusionProof {
        log_index: added.index,
        root_hash: sha256(&checkpoint.root).map_err(|error| internal(&error))?,
        tree_size: checkpoint.size,
        hashes: hashes.map_err(|error| internal(&error))?,
        checkpoint: Some(note.to_owned()),
    };
    let log_id = *log.signer().log_id();
    let entry = TlogEntry {
        log_index: added.index,
        log_id,
        kind: EntryKind { kind: "hashedrekord".to_owned(), version: "0.0.2".to_owned() },
        integrated_time: None,
        promise: None,
        proof: Some(proof),
        body: entry.to_vec(),
    };
    entry.to_json().map_err(|error| internal(&error))
}

/// Rekor's own limit.
const ADD_WITHIN: Duration = Duration::from_secs(20);
