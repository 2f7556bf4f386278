//! A repository of trust over HTTP: `GET /tuf/FILE` metadata, `GET /tuf/targets/FILE` targets.
//!
//! What is asked for is a file or is not there; nothing is decided here, and clients believe none of it unchecked.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use http::{HeaderValue, Response, StatusCode, Uri, header};
use signet_services::trust::{Publisher, Watch};

use crate::metrics::{self, services};

/// The routes of a repository.
pub fn router(publisher: Publisher) -> Router {
    Router::new().route("/tuf/{*file}", get(file)).with_state(publisher)
}

/// The routes for operators of a repository, at an address of their own.
pub fn operators(watch: Watch) -> Router {
    let fresh = watch.clone();
    metrics::operators_of("trust", move || fresh.is_fresh(), move |page| services::trust(page, &watch))
}

async fn file(State(publisher): State<Publisher>, uri: Uri) -> Response<Body> {
    let name = uri.path().strip_prefix("/tuf/").unwrap_or_default().to_owned();
    let changes = name == "timestamp.json";
    match tokio::task::spawn_blocking(move || publisher.file(&name)).await {
        Ok(Ok(Some(bytes))) => found(bytes, changes),
        Ok(Ok(None)) => status(StatusCode::NOT_FOUND),
        _ => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn found(bytes: Vec<u8>, changes: bool) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let cache = if changes { "no-cache" } else { "public, max-age=31536000, immutable" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// That a root is not there today says nothing of tomorrow.
fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
