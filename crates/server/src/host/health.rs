//! Whether a process lives, and whether what it serves can do its work.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderValue, Response, StatusCode, header};

/// The routes of health: `/ping` answers 200 while the process lives; `/healthz` and `/ready` while `is_ready` says so, else 503.
pub fn health(is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static) -> Router {
    let readiness = move || async move { readiness(is_ready()) };
    Router::new()
        .route("/ping", get(async || StatusCode::OK))
        .route("/healthz", get(readiness.clone()))
        .route("/ready", get(readiness))
}

fn readiness(is_ready: bool) -> Response<Body> {
    let (status, document) = match is_ready {
        true => (StatusCode::OK, r#"{"status":"SERVING"}"#),
        false => (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"NOT_SERVING"}"#),
    };
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
