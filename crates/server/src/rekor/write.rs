//! Adding entries.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::rekor::{EntryKind, HashedRekordRequest, InclusionProof, MAX_REQUEST_BYTES, TlogEntry};
use signet_formats::tlog::MAX_ENTRY_BYTES;
use signet_services::log::{Added, Log};
use signet_verify::check_submission;
use tokio::sync::Semaphore;

use super::error::ApiError;
use crate::http::{Answer, full};

/// Checks a signature, logs it, and answers where it is and the proof.
pub(super) async fn hashed_rekord(
    log: &Log,
    checks: &Arc<Semaphore>,
    body: Incoming,
) -> Result<Answer, ApiError> {
    let request = receive(body, MAX_REQUEST_BYTES).await?;
    let entry = check(checks, request).await?;
    let added = log.add(entry.clone()).await.map_err(ApiError::Add)?;
    match added.duplicate {
        true => Err(ApiError::Duplicate(added.index)),
        false => Ok(full(StatusCode::CREATED, "application/json", proven(log, &added, &entry)?)),
    }
}

/// Logs any bytes and answers their index.
pub(super) async fn opaque(log: &Log, body: Incoming) -> Result<Answer, ApiError> {
    let entry = receive(body, MAX_ENTRY_BYTES).await?;
    let added = log.add(entry).await.map_err(ApiError::Add)?;
    Ok(full(StatusCode::OK, "text/plain; charset=utf-8", added.index.to_string()))
}

async fn receive(body: Incoming, limit: usize) -> Result<Bytes, ApiError> {
    let received = Limited::new(body, limit).collect().await;
    received.map(|body| body.to_bytes()).map_err(|error| ApiError::Invalid(error.to_string()))
}

/// The leaf of a request whose signature verifies. Verification is bounded to the cores.
async fn check(checks: &Arc<Semaphore>, request: Bytes) -> Result<Bytes, ApiError> {
    let ended = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
    let turn = Arc::clone(checks).acquire_owned().await.map_err(|error| ended(&error))?;
    let checked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let invalid = |error: &dyn std::fmt::Display| {
            ApiError::Invalid(format!("invalid hashedrekord request: {error}"))
        };
        let request = HashedRekordRequest::parse(&request).map_err(|error| invalid(&error))?;
        let entry = check_submission(request).map_err(|error| invalid(&error))?;
        entry.to_body().map(Bytes::from).map_err(|error| invalid(&error))
    });
    checked.await.map_err(|error| ended(&error))?
}

/// The answer to a new entry: a `TransparencyLogEntry`.
fn proven(log: &Log, added: &Added, entry: &Bytes) -> Result<Vec<u8>, ApiError> {
    let internal = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
    let checkpoint = &added.head.checkpoint;
    let hashes = log.inclusion_proof(added.index, checkpoint.size).map_err(|error| internal(&error))?;
    let sha256 = |hash: &[u8; 32]| Digest::from_bytes(DigestAlgorithm::Sha256, hash);
    let hashes: Result<Vec<Digest>, _> = hashes.iter().map(sha256).collect();
    let proof = InclusionProof {
        log_index: added.index,
        root_hash: sha256(&checkpoint.root).map_err(|error| internal(&error))?,
        tree_size: checkpoint.size,
        hashes: hashes.map_err(|error| internal(&error))?,
        checkpoint: Some(String::from_utf8_lossy(&added.head.note).into_owned()),
    };
    let key = log.signer().keys().next().ok_or_else(|| internal(&"the log has no key"))?;
    let log_id = key.full_id().as_bytes().try_into().map_err(|_| internal(&"the key's id is no SHA-256"))?;
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
