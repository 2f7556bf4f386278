//! The keyless CA over HTTP, at Fulcio's paths.
//!
//! - `POST /api/v2/signingCert`: an identity token, in the body or as `Authorization: Bearer`, and a key with
//!   proof of possession or a certificate signing request; the answer is the chain.
//! - `GET /api/v2/trustBundle`: the chains that verifiers need to know.
//! - `GET /api/v2/configuration`: whose tokens are believed.

mod ct;
mod fetch;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use signet_formats::pem;
use signet_formats::x509::Certificate;
use signet_services::ca::{Ca, IssueError};
use signet_services::clock::Clock;
use signet_services::oidc::dev::DevIssuer;
use signet_services::oidc::{ConfigError, Issuer, Issuers, KeySource, Provider, TokenError, Verifier};

pub use ct::HttpCtLog;
pub use fetch::HttpFetch;
use wire::{Bundle, Chain, Configuration, IssuerEntry, Problem, SigningCertificate};

use crate::host::read_body;

/// What believes these issuers, whose keys it fetches, and the development issuer of this process.
pub fn verifier(
    mut issuers: Issuers,
    dev: Option<&DevIssuer>,
    clock: Arc<dyn Clock>,
) -> Result<Verifier, ConfigError> {
    let mut own = HashMap::new();
    for (issuer, keys) in dev.into_iter().flat_map(|dev| dev.issuers().into_iter().map(|it| (it, dev.keys())))
    {
        own.insert(issuer.url.clone(), keys);
        issuers.add(issuer)?;
    }
    let keys = KeySource::with_own(Arc::new(HttpFetch::default()), own);
    Ok(Verifier::new(issuers, keys, clock))
}

/// The routes of a keyless CA.
pub fn router(ca: Ca) -> Router {
    Router::new()
        .route("/api/v2/signingCert", post(signing_certificate))
        .route("/api/v2/trustBundle", get(trust_bundle))
        .route("/api/v2/configuration", get(configuration))
        .with_state(ca)
}

async fn signing_certificate(State(ca): State<Ca>, headers: HeaderMap, body: Body) -> Response<Body> {
    let body = match read_body(body, MAX_BODY).await {
        Ok(body) => body,
        Err(status) => return problem(status, "the request is larger than any request for a certificate"),
    };
    let (token, proof) = match wire::read(&body, bearer(&headers)) {
        Ok(request) => request,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    match ca.issue(&token, &proof).await {
        // Not 201: sigstore-go takes 200 only.
        Ok(chain) => answer(StatusCode::OK, &SigningCertificate::of(Chain::of(&chain))),
        Err(error) => refuse(&error),
    }
}

async fn trust_bundle(State(ca): State<Ca>) -> Response<Body> {
    answer(StatusCode::OK, &Bundle { chains: ca.chains().iter().map(|chain| Chain::of(chain)).collect() })
}

async fn configuration(State(ca): State<Ca>) -> Response<Body> {
    let issuers = ca.issuers().iter().map(|(issuer, is_pattern)| IssuerEntry::of(issuer, is_pattern));
    answer(StatusCode::OK, &Configuration { issuers: issuers.collect() })
}

/// The token of `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The error as a client is told it; what is ours alone goes to our log.
fn refuse(error: &IssueError) -> Response<Body> {
    let status = match error {
        IssueError::Token(TokenError::KeysUnavailable { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        IssueError::Token(TokenError::NotAllowed { .. }) => StatusCode::FORBIDDEN,
        IssueError::Token(_) => StatusCode::UNAUTHORIZED,
        IssueError::Proof(_) => StatusCode::BAD_REQUEST,
        IssueError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        IssueError::Log(_) | IssueError::Expired => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::error!(%error, "no certificate was issued");
    }
    let mut response = match status {
        StatusCode::INTERNAL_SERVER_ERROR => problem(status, "the authority failed; its log says more"),
        _ => problem(status, &error.to_string()),
    };
    if let IssueError::RateLimited { wait } = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    }
    response
}

fn problem(status: StatusCode, message: &str) -> Response<Body> {
    answer(status, &Problem::new(status, message))
}

fn answer(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    // Documents of this face are plain trees of text and numbers.
    let json = serde_json::to_vec(document).unwrap_or_default();
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Chain {
    fn of(chain: &[Certificate]) -> Self {
        let pem = |certificate: &Certificate| pem::encode(pem::CERTIFICATE, certificate.der());
        Self { certificates: chain.iter().map(pem).collect() }
    }
}

impl IssuerEntry {
    fn of(issuer: &Issuer, is_pattern: bool) -> Self {
        let url = issuer.url.clone();
        let (named, pattern) = if is_pattern { (None, Some(url)) } else { (Some(url), None) };
        Self {
            issuer_url: named,
            wildcard_issuer_url: pattern,
            audience: issuer.client_id.clone(),
            challenge_claim: issuer.challenge_claim.clone(),
            spiffe_trust_domain: match &issuer.provider {
                Provider::Spiffe { trust_domain } => trust_domain.clone(),
                _ => String::new(),
            },
            issuer_type: issuer.provider.kind().to_owned(),
            subject_domain: match &issuer.provider {
                Provider::Uri { domain } | Provider::Username { domain } => domain.clone(),
                _ => String::new(),
            },
        }
    }
}

/// A token has at most 32 KiB, a request for a certificate a few.
const MAX_BODY: usize = 128 * 1024;
