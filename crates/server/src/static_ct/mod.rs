//! A log of certificates over HTTP: RFC 6962 to write, C2SP static-ct-api to read, below `/ct/<name>`.
//!
//! | request | answer |
//! |---|---|
//! | `POST /ct/v1/add-chain`, `/ct/v1/add-pre-chain` | 200 with the promise |
//! | `GET /ct/v1/get-roots` | 200 with the roots that chains may end at |
//! | `GET /checkpoint`, `/tile/…`, `/tile/data/…`, `/issuer/…` | 200, or 404 |
//!
//! A chain that the log does not take is 400; 503 with `Retry-After` says that too many wait, 403 that the log is frozen.

mod wire;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::json;
use signet_formats::tlog::{EntryBundle, Resource};
use signet_services::ctlog::{CertificateLog, ChainKind, SubmitError};
use signet_services::log::{AddError, ReadError};

use wire::Roots;
pub(crate) use wire::{Chain, Promise};

use crate::answer::{IMMUTABLE, cached, full};
use crate::host::read_body;

/// The routes of a log of certificates.
pub fn router(log: CertificateLog) -> Router {
    let prefix = path(&log);
    let routes = Router::new()
        .route("/ct/v1/add-chain", post(add_chain))
        .route("/ct/v1/add-pre-chain", post(add_pre_chain))
        .route("/ct/v1/get-roots", get(roots))
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/issuer/{fingerprint}", get(issuer))
        .with_state(log);
    Router::new().nest(&prefix, routes)
}

/// Where the log is, below the URL of the service.
pub fn path(log: &CertificateLog) -> String {
    format!("/ct/{}", log.log().signer().origin())
}

async fn add_chain(State(log): State<CertificateLog>, body: Body) -> Response<Body> {
    add(&log, body, ChainKind::Certificate).await
}

async fn add_pre_chain(State(log): State<CertificateLog>, body: Body) -> Response<Body> {
    add(&log, body, ChainKind::Precertificate).await
}

async fn add(log: &CertificateLog, body: Body, kind: ChainKind) -> Response<Body> {
    let body = match read_body(body, MAX_BODY).await {
        Ok(body) => body,
        Err(status) => return text(status, "the chain is larger than the log takes"),
    };
    let chain = match json::parse::<Chain>(&body, MAX_BODY) {
        Ok(chain) => chain.certificates(),
        Err(error) => return text(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let Some(chain) = chain else {
        return text(StatusCode::BAD_REQUEST, "the chain is not of X.509 certificates");
    };
    match log.submit(&chain, kind).await {
        Ok(sct) => match Promise::of(&sct) {
            Some(promise) => document(&promise),
            None => text(StatusCode::INTERNAL_SERVER_ERROR, "the promise cannot be written"),
        },
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &SubmitError) -> Response<Body> {
    match error {
        SubmitError::Chain(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        SubmitError::Add(AddError::TooLong { .. }) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        SubmitError::Add(AddError::Frozen) => text(StatusCode::FORBIDDEN, &error.to_string()),
        SubmitError::Add(AddError::Busy | AddError::Closed) => {
            let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
            answer
        }
        _ => failed(error),
    }
}

async fn roots(State(log): State<CertificateLog>) -> Response<Body> {
    document(&Roots::of(&log.roots()))
}

async fn checkpoint(State(log): State<CertificateLog>) -> Response<Body> {
    cached(full(StatusCode::OK, "text/plain; charset=utf-8", log.log().head().note.clone()), "no-cache")
}

async fn tile(State(log): State<CertificateLog>, Path(path): Path<String>) -> Response<Body> {
    let path = format!("tile/{path}");
    let read = move || match (EntryBundle::from_data_path(&path), path.parse()) {
        (Ok(bundle), _) => log.log().entries(bundle),
        (_, Ok(Resource::Tile(tile))) => log.log().tile(tile),
        _ => Ok(None),
    };
    found("application/octet-stream", read).await
}

async fn issuer(State(log): State<CertificateLog>, Path(fingerprint): Path<String>) -> Response<Body> {
    let fingerprint = Digest::from_hex(DigestAlgorithm::Sha256, &fingerprint);
    let read = move || match fingerprint {
        Ok(fingerprint) => log.issuer(&fingerprint),
        Err(_) => Ok(None),
    };
    found("application/pkix-cert", read).await
}

/// What is read from the disk and never changes.
async fn found(
    media_type: &'static str,
    read: impl FnOnce() -> Result<Option<Vec<u8>>, ReadError> + Send + 'static,
) -> Response<Body> {
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(content))) => cached(full(StatusCode::OK, media_type, content), IMMUTABLE),
        Ok(Ok(None)) => text(StatusCode::NOT_FOUND, "there is nothing here"),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
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
