//! The timestamp authority over HTTP, at Sigstore's paths.
//!
//! - `POST /api/v1/timestamp`: a DER `TimeStampReq` (`application/timestamp-query`) or Sigstore's JSON
//!   form (`application/json`); the answer to both is a DER `TimeStampResp`, whose status says whether there
//!   is a token. What is not a request at all gets an HTTP error.
//! - `GET /api/v1/timestamp/certchain`: the authority's certificates, PEM, its own first.

mod json;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::routing::{get, post};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use signet_services::authority::chain_pem;
use signet_services::tsa::Tsa;

use crate::answer::passing;
use crate::host::{Arriving, unreceived};
use crate::metrics::{self, services};

/// The routes of a timestamp authority.
pub fn router(tsa: Tsa) -> Router {
    Router::new()
        .route("/api/v1/timestamp", post(timestamp))
        .route("/api/v1/timestamp/certchain", get(certificates))
        .method_not_allowed_fallback(not_allowed)
        .with_state(tsa)
}

/// The routes for operators of an authority, at an address of their own.
pub fn operators(tsa: Tsa) -> Router {
    let ready = tsa.clone();
    metrics::operators_of("tsa", move || ready.is_ready(), move |page| services::timestamps(page, &tsa))
}

async fn timestamp(State(tsa): State<Tsa>, form: Form, body: Arriving) -> Response<Body> {
    let body = match body.whole(MAX_BODY).await {
        Ok(body) => body,
        Err(status) => return passing(problem(status, unreceived(status))),
    };
    match form {
        Form::Der => reply(tsa.answer(&body).await),
        Form::Json => match json::read(&body) {
            Ok(request) => reply(tsa.stamp(&request).await.unwrap_or_else(|refusal| refusal.to_der())),
            Err(why) => problem(StatusCode::BAD_REQUEST, &why),
        },
    }
}

async fn not_allowed() -> Response<Body> {
    problem(StatusCode::METHOD_NOT_ALLOWED, "timestamps are asked for with POST, certificates with GET")
}

async fn certificates(State(tsa): State<Tsa>) -> Response<Body> {
    answer(StatusCode::OK, "application/pem-certificate-chain", chain_pem(&tsa.chain()).into())
}

/// What the body of a request is.
enum Form {
    Der,
    Json,
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let unknown =
            || problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected `application/timestamp-query`");
        content_type.and_then(form).ok_or_else(unknown)
    }
}

/// The form that a media type names; its parameters say nothing here.
fn form(content_type: &str) -> Option<Form> {
    let essence = content_type.split(';').next()?.trim();
    match essence {
        _ if essence.eq_ignore_ascii_case("application/timestamp-query") => Some(Form::Der),
        _ if essence.eq_ignore_ascii_case("application/json") => Some(Form::Json),
        _ => None,
    }
}

fn reply(der: Vec<u8>) -> Response<Body> {
    answer(StatusCode::OK, "application/timestamp-reply", der.into())
}

/// An error in the form of Sigstore's API.
fn problem(status: StatusCode, message: &str) -> Response<Body> {
    let error = serde_json::json!({ "code": status.as_u16(), "message": message });
    answer(status, "application/json", error.to_string().into())
}

fn answer(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Requests have 50 to 120 bytes; what is a little too long is still answered with its failure.
const MAX_BODY: usize = 16 * 1024;
