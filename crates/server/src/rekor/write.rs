//! Adding entries.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Response, StatusCode};
use signet_formats::rekor::{LoggedEntry, MAX_REQUEST_BYTES};
use signet_formats::tlog::MAX_ENTRY_BYTES;
use signet_services::log::{AddError, Added, Log};
use tokio::time::timeout;

use super::checks::{Checks, Logged};
use super::error::ApiError;
use super::face::Served;
use crate::answer::full;
use crate::host::{Arriving, unreceived};
use crate::spare::written;

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
fn proven(log: &Log, added: &Added, entry: &[u8]) -> Result<Bytes, ApiError> {
    let internal = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
    let checkpoint = &added.head.checkpoint;
    let proof = log.inclusion_proof(added.index, checkpoint.size).map_err(|error| internal(&error))?;
    let answer = LoggedEntry {
        log_index: added.index,
        log_id: log.signer().log_id(),
        tree_size: checkpoint.size,
        root: &checkpoint.root,
        proof: &proof,
        checkpoint: str::from_utf8(&added.head.note).map_err(|error| internal(&error))?,
        body: entry,
    };
    written(|out| answer.write_json(out)).map_err(|error| internal(&error))
}

/// Rekor's own limit.
const ADD_WITHIN: Duration = Duration::from_secs(20);
