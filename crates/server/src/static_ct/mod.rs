//! A log of certificates over HTTP: RFC 6962 to write, C2SP static-ct-api to read.
//!
//! | request | answer |
//! |---|---|
//! | `POST /ct/v1/add-chain`, `/ct/v1/add-pre-chain` | 200 with the promise of the shard that takes entries |
//! | `GET /ct/v1/get-roots` | 200 with the roots that chains may end at |
//! | `/ct/<name>/ct/v1/…` | the same of one shard |
//! | `GET /ct/<name>/checkpoint`, `/ct/<name>/tile/…`, `/ct/<name>/tile/data/…`, `/ct/<name>/issuer/…` | 200, or 404 |
//!
//! A chain that the log does not take is 400; 503 with `Retry-After` says that too many wait, 403 that the shard is frozen.

mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Serialize;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::json;
use signet_formats::sct::Sct;
use signet_formats::tlog::{EntryBundle, Resource};
use signet_formats::x509::Certificate;
use signet_services::ctlog::{CertificateLog, CertificateLogs, ChainKind, SubmitError};
use signet_services::log::{AddError, ReadError};

use wire::Roots;
pub(crate) use wire::{Chain, Promise};

use crate::answer::{IMMUTABLE, cached, full, passing};
use crate::host::{Arriving, unreceived};
use crate::pieces;

/// The routes of a log of certificates.
pub fn router(logs: Arc<CertificateLogs>) -> Router {
    let (chain, pre_chain) = (ChainKind::Certificate, ChainKind::Precertificate);
    Router::new()
        .route("/ct/v1/add-chain", post(move |logs, body| add(logs, body, chain)))
        .route("/ct/v1/add-pre-chain", post(move |logs, body| add(logs, body, pre_chain)))
        .route("/ct/v1/get-roots", get(roots))
        .route("/ct/{name}/ct/v1/add-chain", post(move |log, body| add_to(log, body, chain)))
        .route("/ct/{name}/ct/v1/add-pre-chain", post(move |log, body| add_to(log, body, pre_chain)))
        .route("/ct/{name}/ct/v1/get-roots", get(roots_of))
        .route("/ct/{name}/checkpoint", get(checkpoint))
        .route("/ct/{name}/tile/{*path}", get(tile))
        .route("/ct/{name}/issuer/{fingerprint}", get(issuer))
        .with_state(logs)
}

/// Where a shard is read, below the URL of the service.
pub fn path(log: &CertificateLog) -> String {
    format!("/ct/{}", log.log().signer().origin())
}

/// The shard that the path names.
struct Named(CertificateLog);

impl FromRequestParts<Arc<CertificateLogs>> for Named {
    type Rejection = Response<Body>;

    async fn from_request_parts(
        parts: &mut Parts,
        logs: &Arc<CertificateLogs>,
    ) -> Result<Self, Response<Body>> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, logs).await;
        let Path(path) = path.map_err(IntoResponse::into_response)?;
        let is_named =
            |log: &CertificateLog| path.get("name").is_some_and(|name| name == log.log().signer().origin());
        let named = logs.all().into_iter().find(is_named);
        named.map(Self).ok_or_else(|| text(StatusCode::NOT_FOUND, "there is no such log"))
    }
}

async fn add(State(logs): State<Arc<CertificateLogs>>, body: Arriving, kind: ChainKind) -> Response<Body> {
    match received(body).await {
        Ok(chain) => promised(logs.submit(&chain, kind).await),
        Err(refused) => refused,
    }
}

async fn add_to(Named(log): Named, body: Arriving, kind: ChainKind) -> Response<Body> {
    match received(body).await {
        Ok(chain) => promised(log.submit(&chain, kind).await),
        Err(refused) => refused,
    }
}

async fn received(body: Arriving) -> Result<Vec<Certificate>, Response<Body>> {
    let body = body.whole(MAX_BODY).await;
    let body = body.map_err(|status| passing(text(status, unreceived(status))))?;
    let chain = json::parse::<Chain>(&body, MAX_BODY);
    let chain = chain.map_err(|error| text(StatusCode::BAD_REQUEST, &error.to_string()))?;
    let foreign = || text(StatusCode::BAD_REQUEST, "the chain is not of X.509 certificates");
    chain.certificates().ok_or_else(foreign)
}

fn promised(promised: Result<Sct, SubmitError>) -> Response<Body> {
    match promised.map(|sct| Promise::of(&sct)) {
        Ok(Some(promise)) => document(&promise),
        Ok(None) => text(StatusCode::INTERNAL_SERVER_ERROR, "the promise cannot be written"),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &SubmitError) -> Response<Body> {
    match error {
        SubmitError::Chain(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        SubmitError::Add(AddError::TooLong { .. }) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        SubmitError::Add(AddError::Frozen) => text(StatusCode::FORBIDDEN, &error.to_string()),
        SubmitError::Add(AddError::Busy | AddError::Closed) => {
            passing(text(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()))
        }
        _ => failed(error),
    }
}

async fn roots(State(logs): State<Arc<CertificateLogs>>) -> Response<Body> {
    document(&Roots::of(&logs.roots()))
}

async fn roots_of(Named(log): Named) -> Response<Body> {
    document(&Roots::of(&log.roots()))
}

async fn checkpoint(Named(log): Named) -> Response<Body> {
    cached(full(StatusCode::OK, "text/plain; charset=utf-8", log.log().head().note.clone()), "no-cache")
}

async fn tile(Named(log): Named, Path((_, path)): Path<(String, String)>) -> Response<Body> {
    let path = format!("tile/{path}");
    if let Ok(bundle) = EntryBundle::from_data_path(&path) {
        return entries(log, bundle).await;
    }
    let read = move || match path.parse() {
        Ok(Resource::Tile(tile)) => log.log().tile(tile),
        _ => Ok(None),
    };
    found("application/octet-stream", read).await
}

async fn issuer(Named(log): Named, Path((_, fingerprint)): Path<(String, String)>) -> Response<Body> {
    let fingerprint = Digest::from_hex(DigestAlgorithm::Sha256, &fingerprint);
    let read = move || match fingerprint {
        Ok(fingerprint) => log.issuer(&fingerprint),
        Err(_) => Ok(None),
    };
    found("application/pkix-cert", read).await
}

async fn entries(log: CertificateLog, bundle: EntryBundle) -> Response<Body> {
    match blocking(move || log.log().pieces(bundle)).await {
        Ok(found) => pieces::bundle(found).await.unwrap_or_else(|error| failed(&error)),
        Err(answer) => answer,
    }
}

/// What is read from the disk and never changes.
async fn found(
    media_type: &'static str,
    read: impl FnOnce() -> Result<Option<Vec<u8>>, ReadError> + Send + 'static,
) -> Response<Body> {
    match blocking(read).await {
        Ok(content) => cached(full(StatusCode::OK, media_type, content), IMMUTABLE),
        Err(answer) => answer,
    }
}

/// What was found, or the answer that says why not.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<Option<T>, ReadError> + Send + 'static,
) -> Result<T, Response<Body>> {
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(found))) => Ok(found),
        Ok(Ok(None)) => Err(text(StatusCode::NOT_FOUND, "there is nothing here")),
        Ok(Err(error)) => Err(failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

fn document(document: &impl Serialize) -> Response<Body> {
    // Documents of this face are plain trees of text and numbers.
    let json = serde_json::to_vec(document).unwrap_or_default();
    cached(full(StatusCode::OK, "application/json", json), "no-store")
}

/// What is ours alone goes to our log.
fn failed(error: &dyn std::error::Error) -> Response<Body> {
    tracing::error!(%error, "the log of certificates could not answer");
    text(StatusCode::INTERNAL_SERVER_ERROR, "the log could not answer")
}

fn text(status: StatusCode, why: &str) -> Response<Body> {
    full(status, "text/plain; charset=utf-8", format!("{why}\n"))
}

/// More than the largest chain in base64 that an entry has room for.
const MAX_BODY: usize = 1024 * 1024;
