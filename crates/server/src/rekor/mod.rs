//! The API of Rekor v2 over a [`Log`](signet_services::log::Log): one way to write, and the tiles to read (C2SP tlog-tiles).
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/v2/log/entries` | 201 with the entry, its proof and checkpoint |
//! | `GET /api/v2/checkpoint`, `/api/v2/tile/…`, `/api/v2/tile/entries/…` | 200, or 404 |
//! | `GET /shard/<origin>/api/v2/…` | the same of a shard that was frozen |
//! | `GET /api/v1/search?digest=…&key=…&identity=…&since=…&until=…&shard=…&from=…&limit=…` | 200 with the entries found in all shards, if it is served |
//!
//! Errors are as Rekor's: 400 not valid, 405 frozen, 409 there already (its index in `x-log-index`), 501 a method that the path
//! does not have, 503 not now: too many wait, or one too long, witnesses are away, or it is being shut down.
//! An opaque log takes any bytes at `POST /add` instead, answers the index, and is read at the root.

mod checks;
mod error;
mod face;
mod first;
mod queue;
mod search;
mod searching;
mod write;

use std::sync::Arc;

use axum::Router;
use signet_services::log::Shards;

use crate::metrics::{self, services};

pub use face::{router, shard_path, sharded_router};
pub(crate) use first::begin;
pub use search::{Entry, Found, Identities, ask, router as search_router};
pub use searching::Searching;
pub use signet_services::log::Kind;

/// The routes for operators of a log, at an address of their own.
pub fn operators(shards: Arc<Shards>) -> Router {
    let ready = Arc::clone(&shards);
    metrics::operators_of("log", move || is_ready(&ready), move |page| services::logs(page, &shards.all()))
}

/// Whether the log can do its work now.
pub fn is_ready(shards: &Shards) -> bool {
    shards.active().is_some_and(|log| log.is_writing() && log.is_confirmed() && log.is_published())
}
