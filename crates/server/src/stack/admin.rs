//! For operators, at an address of its own: metrics, and which service is ready.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Response, StatusCode};

use super::traffic::Traffic;
use super::{Services, metrics};
use crate::answer::full;

/// The routes for operators.
pub(super) fn router(services: &Services, traffic: Arc<Traffic>) -> Router {
    let (measured, ready) = (services.clone(), services.clone());
    Router::new()
        .route("/metrics", get(async move || page(&measured, &traffic)))
        .route("/healthz", get(async || full(StatusCode::OK, "application/json", r#"{"status":"SERVING"}"#)))
        .route("/ready", get(async move || readiness(&ready)))
}

fn page(services: &Services, traffic: &Traffic) -> Response<Body> {
    full(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics::page(services, traffic))
}

fn readiness(services: &Services) -> Response<Body> {
    let status = if services.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts: serde_json::Map<_, _> =
        services.readiness().into_iter().map(|(part, ready)| (part.to_owned(), ready.into())).collect();
    full(status, "application/json", serde_json::Value::Object(parts).to_string())
}
