//! A witness over HTTP (C2SP tlog-witness), and how a log reaches its witnesses.
//!
//! - `POST /add-checkpoint`: signature lines, or 400 malformed, 403 not signed by its log, 404 unknown log, 409 another old size
//!   (`text/x.tlog.size`), 413 too large, 422 not consistent, 429 too many (`Retry-After` says for how long).
//! - `GET /witness/<SHA-256 of the origin in hex>/checkpoint`: the newest checkpoint that was cosigned. So the monitoring
//!   prefix is `/witness`.

mod client;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use http::{HeaderValue, Response, StatusCode, header};
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::tlog::{AddCheckpoint, MAX_ADD_CHECKPOINT_BYTES};
use signet_services::witness::{Refusal, Witness};

use crate::answer::passing;
use crate::host::{Arriving, unreceived};
use crate::metrics::{self, Page};
pub use client::HttpWitnesses;

/// The routes of a witness.
pub fn router(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/witness/{log}/checkpoint", get(checkpoint))
        .with_state(witness)
}

/// The routes for operators of a witness, at an address of their own.
pub fn operators(witness: Witness) -> Router {
    let ready = witness.clone();
    metrics::operators_of("witness", move || ready.is_cosigning(), move |page| write_metrics(page, &witness))
}

/// Writes what a witness counts.
pub(crate) fn write_metrics(page: &mut Page, witness: &Witness) {
    let counters = witness.counters();
    page.family("signet_witness_logs", "gauge", "Logs that the witness knows.");
    page.sample("", &[], witness.logs());
    page.counter("signet_witness_cosigned_total", "Checkpoints cosigned.", &counters.cosigned);
    page.counter("signet_witness_refused_total", "Checkpoints refused.", &counters.refused);
    let help = "Checkpoints refused that were signed by their log and not proven to append.";
    page.counter("signet_witness_unproven_total", help, &counters.unproven);
    let help = "Times that a log contradicted itself under its own signature.";
    page.counter("signet_witness_contradictions_total", help, &counters.contradictions);
}

async fn add_checkpoint(State(witness): State<Witness>, body: Arriving) -> Response<Body> {
    let body = match body.whole(MAX_ADD_CHECKPOINT_BYTES).await {
        Ok(body) => body,
        Err(status) => return passing(text(status, format!("{}\n", unreceived(status)))),
    };
    let request = match AddCheckpoint::parse(&body) {
        Ok(request) => request,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    match witness.add_checkpoint(request).await {
        Ok(lines) => text(StatusCode::OK, lines.iter().map(|line| format!("{line}\n")).collect::<String>()),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let status = match refusal {
        Refusal::Conflict { size } => {
            let mut answer = text(StatusCode::CONFLICT, format!("{size}\n"));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(SIZE));
            return answer;
        }
        Refusal::Failed(why) => {
            tracing::error!(why, "the witness could not answer");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the witness could not answer\n");
        }
        Refusal::Backwards { .. } => StatusCode::BAD_REQUEST,
        Refusal::Unsigned => StatusCode::FORBIDDEN,
        Refusal::UnknownLog(_) => StatusCode::NOT_FOUND,
        Refusal::TooMany { wait } => {
            let mut answer = text(StatusCode::TOO_MANY_REQUESTS, format!("{refusal}\n"));
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            return answer;
        }
        // `Inconsistent`, and what is added later: the request is understood and not true.
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    text(status, format!("{refusal}\n"))
}

async fn checkpoint(State(witness): State<Witness>, Path(log): Path<String>) -> Response<Body> {
    let found = match Digest::from_hex(DigestAlgorithm::Sha256, &log) {
        Ok(log) => witness.checkpoint(&log).await,
        Err(_) => None,
    };
    match found {
        Some(note) => text(StatusCode::OK, note),
        None => text(StatusCode::NOT_FOUND, "no checkpoint of this log was cosigned\n"),
    }
}

fn text(status: StatusCode, content: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(content.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The type of a body that says a size.
const SIZE: &str = "text/x.tlog.size";
