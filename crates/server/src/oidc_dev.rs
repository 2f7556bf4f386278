//! The development issuer over HTTP: its discovery documents and keys. Tokens are minted by `signet
//! dev-token`, never over the network.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::get;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value;
use signet_services::oidc::dev::DevIssuer;

use crate::metrics;

/// Where a development issuer is, below the URL of the service that runs it.
pub const PATH: &str = "/oidc-dev";

/// The routes of a development issuer below `path`, which is the path of its URL.
pub fn router(issuer: Arc<DevIssuer>, path: &str) -> Router {
    let routes = Router::new()
        .route("/{kind}/.well-known/openid-configuration", get(discovery))
        .route("/keys", get(keys))
        .with_state(issuer);
    match path.trim_matches('/') {
        "" => routes,
        path => Router::new().nest(&format!("/{path}"), routes),
    }
}

/// The routes for operators of an issuer that is alone, at an address of their own. It always can do its work.
pub fn operators() -> Router {
    metrics::operators_of("oidc-dev", || true, |_| ())
}

async fn discovery(State(issuer): State<Arc<DevIssuer>>, Path(kind): Path<String>) -> Response<Body> {
    answer(issuer.discovery(&kind))
}

async fn keys(State(issuer): State<Arc<DevIssuer>>) -> Response<Body> {
    answer(issuer.key_set().ok())
}

fn answer(document: Option<Value>) -> Response<Body> {
    let Some(document) = document else {
        let mut nothing = Response::new(Body::empty());
        *nothing.status_mut() = StatusCode::NOT_FOUND;
        return nothing;
    };
    let mut response = Response::new(Body::from(document.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
