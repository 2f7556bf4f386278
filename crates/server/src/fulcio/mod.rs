//! The keyless CA over HTTP, at Fulcio's paths.
//!
//! - `POST /api/v2/signingCert`: an identity token, in the body or as `Authorization: Bearer`, and a key with
//!   proof of possession or a certificate signing request; the answer is the chain.
//! - `GET /api/v2/trustBundle`: the chains that verifiers need to know.
//! - `GET /api/v2/configuration`: whose tokens are believed.
//! - `POST /api/v1/signingCert`, `GET /api/v1/rootCert`: the same in Fulcio's first form, whose answers are PEM.

mod ct;
mod fetch;
mod wire;
mod wire_v1;

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
use signet_services::authority::AuthorityError;
use signet_services::ca::{Ca, Fault, IssueError, Proof};
use signet_services::clock::Clock;
use signet_services::ctlog::CertificateLogs;
use signet_services::oidc::dev::DevIssuer;
use signet_services::oidc::{ConfigError, Issuer, Issuers, KeySource, Provider, TokenError, Verifier};

pub use ct::HttpCtLog;
pub use fetch::HttpFetch;
use wire::{Bundle, Chain, Configuration, IssuerEntry, Problem, SigningCertificate};

use crate::answer::{full, passing};
use crate::host::{Arriving, unreceived};
use crate::metrics::{self, Page, services};

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

/// The routes for operators of a keyless CA and the log of its certificates, if it keeps it, at an address of their own.
pub fn operators(ca: Ca, ct: Option<Arc<CertificateLogs>>) -> Router {
    let ready = ca.clone();
    let write = move |page: &mut Page| {
        services::certificates(page, &ca);
        services::logs(page, &ct.as_ref().map(|ct| ct.logs()).unwrap_or_default());
    };
    metrics::operators_of("ca", move || ready.is_ready(), write)
}

/// The routes of a keyless CA.
pub fn router(ca: Ca) -> Router {
    Router::new()
        .route("/api/v2/signingCert", post(signing_certificate))
        .route("/api/v2/trustBundle", get(trust_bundle))
        .route("/api/v2/configuration", get(configuration))
        .route("/api/v1/signingCert", post(signing_certificate_v1))
        .route("/api/v1/rootCert", get(root_certificate_v1))
        .with_state(ca)
}

async fn signing_certificate(State(ca): State<Ca>, headers: HeaderMap, body: Arriving) -> Response<Body> {
    match issue(&ca, &headers, body, wire::read).await {
        // Not 201: sigstore-go takes 200 only.
        Ok(chain) => answer(StatusCode::OK, &SigningCertificate::of(Chain::of(&chain))),
        Err(refusal) => refusal,
    }
}

async fn signing_certificate_v1(State(ca): State<Ca>, headers: HeaderMap, body: Arriving) -> Response<Body> {
    match issue(&ca, &headers, body, wire_v1::read).await {
        // Not 200: cosign 2 takes 201 only.
        Ok(chain) => pem_chain(StatusCode::CREATED, &chain),
        Err(refusal) => refusal,
    }
}

/// The chain for what was asked, in one of the forms.
async fn issue(
    ca: &Ca,
    headers: &HeaderMap,
    body: Arriving,
    read: impl Fn(&[u8], Option<&str>) -> Result<(String, Proof), String>,
) -> Result<Vec<Certificate>, Response<Body>> {
    let body = body.whole(MAX_BODY).await;
    let body = body.map_err(|status| passing(problem(status, unreceived(status))))?;
    let (token, proof) =
        read(&body, bearer(headers)).map_err(|why| problem(StatusCode::BAD_REQUEST, &why))?;
    ca.issue(&token, &proof).await.map_err(|error| refuse(&error))
}

async fn root_certificate_v1(State(ca): State<Ca>) -> Response<Body> {
    pem_chain(StatusCode::OK, &ca.active_chain())
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
        IssueError::Token(TokenError::NotAllowed { .. } | TokenError::RepositoryNotAllowed { .. }) => {
            StatusCode::FORBIDDEN
        }
        IssueError::Token(_) => StatusCode::UNAUTHORIZED,
        IssueError::Proof(_) => StatusCode::BAD_REQUEST,
        IssueError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        IssueError::Log(_) | IssueError::Expired | IssueError::Audit(_) => StatusCode::SERVICE_UNAVAILABLE,
        IssueError::Authority(AuthorityError::Sign(_)) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match error.fault() {
        Fault::Authority => tracing::error!(%error, "no certificate was issued"),
        // With the lines of requests: whoever asks an operator why can be told. What keeps the keys of an issuer away is told
        // whenever they are asked for.
        Fault::Client | Fault::Issuer => tracing::debug!(%error, "no certificate was issued"),
    }
    // Where its log of certificates is, and what the key's program says, may be nobody's business.
    let mut response = match (status, error) {
        (StatusCode::INTERNAL_SERVER_ERROR, _) => problem(status, "the authority failed; its log says more"),
        (_, IssueError::Log(_)) => {
            problem(status, "the log of certificates did not take it; the authority's log says more")
        }
        (_, IssueError::Authority(_)) => {
            problem(status, "the authority's key does not sign now; its log says more")
        }
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

fn pem_chain(status: StatusCode, chain: &[Certificate]) -> Response<Body> {
    full(status, "application/pem-certificate-chain", Chain::of(chain).certificates.concat())
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
            challenge_claim: issuer.challenge_claim.to_string(),
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
