//! The routes, and what they read.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use http::{Response, StatusCode};
use signet_formats::tlog::Resource;
use signet_services::log::{Log, ReadError};

use super::checks::Checks;
use super::error::ApiError;
use super::write;
use crate::answer::{IMMUTABLE, cached, full};

/// What a log takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sigstore's `hashedrekord` entries with good signatures, under `/api/v2/`.
    HashedRekord,
    /// Any bytes, at the root.
    Opaque,
}

/// The routes of a log. Starts the threads that check signatures.
pub fn router(log: Log, kind: Kind) -> io::Result<Router> {
    let (prefix, writing) = match kind {
        Kind::HashedRekord => {
            let checks = Arc::new(Checks::start()?);
            let add = post(move |State(log): State<Log>, body: Body| async move {
                answered(write::hashed_rekord(&log, &checks, body).await)
            });
            ("/api/v2", Router::new().route("/api/v2/log/entries", add.fallback(no_such_method)))
        }
        Kind::Opaque => {
            let add =
                post(async |State(log): State<Log>, body: Body| answered(write::opaque(&log, body).await));
            ("", Router::new().route("/add", add.fallback(no_such_method)))
        }
    };
    let read = || get(read).fallback(no_such_method);
    Ok(writing
        .route(&format!("{prefix}/checkpoint"), get(checkpoint).fallback(no_such_method))
        .route(&format!("{prefix}/tile/{{*path}}"), read())
        .with_state(log))
}

async fn checkpoint(State(log): State<Log>) -> Response<Body> {
    cached(full(StatusCode::OK, "text/plain; charset=utf-8", log.head().note.clone()), "no-cache")
}

async fn read(State(log): State<Log>, Path(path): Path<String>) -> Response<Body> {
    answered(tile(log, &path).await)
}

async fn tile(log: Log, path: &str) -> Result<Response<Body>, ApiError> {
    let resource: Resource = format!("tile/{path}").parse().map_err(|_| ApiError::NotFound)?;
    let read = match resource {
        Resource::Tile(tile) => blocking(move || log.tile(tile)).await,
        Resource::Entries(bundle) => blocking(move || log.entries(bundle)).await,
        Resource::Checkpoint => return Err(ApiError::NotFound),
    };
    let found = read?.ok_or(ApiError::NotFound)?;
    Ok(cached(full(StatusCode::OK, "application/octet-stream", found), IMMUTABLE))
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(read).await;
    let read = done.map_err(|error| ApiError::Internal(error.to_string()))?;
    read.map_err(|error| ApiError::Internal(error.to_string()))
}

async fn no_such_method() -> Response<Body> {
    ApiError::Method.into_answer()
}

fn answered(answer: Result<Response<Body>, ApiError>) -> Response<Body> {
    answer.unwrap_or_else(ApiError::into_answer)
}
