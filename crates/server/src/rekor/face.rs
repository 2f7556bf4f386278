//! The routes, and what they read.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use signet_formats::tlog::Resource;
use signet_services::log::{Kind, Log, ReadError, Shards};

use super::checks::Checks;
use super::error::ApiError;
use super::write;
use crate::answer::{IMMUTABLE, cached, full};
use crate::host::Arriving;
use crate::pieces;

/// The routes of a log. Starts the threads that check signatures.
pub fn router(log: Log, kind: Kind) -> io::Result<Router> {
    Ok(routes(kind)?.with_state(Served::One(log)))
}

/// The routes of a log in shards: that of the one that takes entries, and to read each, below `/shard/<origin>`, the origin
/// percent-encoded.
pub fn sharded_router(shards: Arc<Shards>, kind: Kind) -> io::Result<Router> {
    let prefix = prefix(kind);
    let shard = Router::new()
        .route(
            &format!("/shard/{{origin}}{prefix}/checkpoint"),
            get(shard_checkpoint).fallback(no_such_method),
        )
        .route(
            &format!("/shard/{{origin}}{prefix}/tile/{{*path}}"),
            get(shard_read).fallback(no_such_method),
        );
    Ok(routes(kind)?.merge(shard).with_state(Served::Many(shards)))
}

/// Where the shard of this name is read, below the log's URL.
pub fn shard_path(origin: &str) -> String {
    format!("shard/{}", utf8_percent_encode(origin, NON_ALPHANUMERIC))
}

/// Where entries go to now, and where they are read.
#[derive(Clone)]
pub(super) enum Served {
    One(Log),
    Many(Arc<Shards>),
}

impl Served {
    /// The log that takes entries.
    pub(super) fn log(&self) -> Result<Log, ApiError> {
        match self {
            Self::One(log) => Ok(log.clone()),
            Self::Many(shards) => shards.active().ok_or(ApiError::NotFound),
        }
    }

    fn shard(&self, origin: &str) -> Result<Log, ApiError> {
        let logs = match self {
            Self::One(log) => vec![log.clone()],
            Self::Many(shards) => shards.all(),
        };
        logs.into_iter().find(|log| log.signer().origin() == origin).ok_or(ApiError::NotFound)
    }
}

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::HashedRekord => "/api/v2",
        Kind::Opaque => "",
    }
}

fn routes(kind: Kind) -> io::Result<Router<Served>> {
    let prefix = prefix(kind);
    let writing = match kind {
        Kind::HashedRekord => {
            let checks = Arc::new(Checks::start()?);
            let add = post(move |State(log): State<Served>, body: Arriving| async move {
                answered(write::hashed_rekord(log, &checks, body).await)
            });
            Router::new().route("/api/v2/log/entries", add.fallback(no_such_method))
        }
        Kind::Opaque => {
            let add = post(async |State(log): State<Served>, body: Arriving| {
                answered(write::opaque(&log, body).await)
            });
            Router::new().route("/add", add.fallback(no_such_method))
        }
    };
    Ok(writing
        .route(&format!("{prefix}/checkpoint"), get(checkpoint).fallback(no_such_method))
        .route(&format!("{prefix}/tile/{{*path}}"), get(read).fallback(no_such_method))
        .fallback(async || ApiError::NotFound.into_answer()))
}

async fn checkpoint(State(served): State<Served>) -> Response<Body> {
    answered(served.log().map(|log| newest(&log)))
}

async fn read(State(served): State<Served>, Path(path): Path<String>) -> Response<Body> {
    match served.log() {
        Ok(log) => answered(tile(log, &path).await),
        Err(error) => error.into_answer(),
    }
}

async fn shard_checkpoint(State(served): State<Served>, Path(origin): Path<String>) -> Response<Body> {
    answered(served.shard(&origin).map(|log| newest(&log)))
}

async fn shard_read(
    State(served): State<Served>,
    Path((origin, path)): Path<(String, String)>,
) -> Response<Body> {
    match served.shard(&origin) {
        Ok(log) => answered(tile(log, &path).await),
        Err(error) => error.into_answer(),
    }
}

fn newest(log: &Log) -> Response<Body> {
    cached(full(StatusCode::OK, "text/plain; charset=utf-8", log.head().note.clone()), "no-cache")
}

async fn tile(log: Log, path: &str) -> Result<Response<Body>, ApiError> {
    let resource: Resource = format!("tile/{path}").parse().map_err(|_| ApiError::NotFound)?;
    match resource {
        Resource::Tile(tile) => {
            let found = blocking(move || log.tile(tile)).await?.ok_or(ApiError::NotFound)?;
            Ok(cached(full(StatusCode::OK, "application/octet-stream", found), IMMUTABLE))
        }
        Resource::Entries(bundle) => {
            let found = blocking(move || log.pieces(bundle)).await?.ok_or(ApiError::NotFound)?;
            pieces::bundle(found).await.map_err(|error| ApiError::Internal(error.to_string()))
        }
        Resource::Checkpoint => Err(ApiError::NotFound),
    }
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
