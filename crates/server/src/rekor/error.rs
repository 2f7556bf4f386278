//! Errors as Rekor v2 answers them.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use signet_services::log::AddError;

use crate::answer::{full, passing};

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(super) enum ApiError {
    /// The request is not valid.
    Invalid(String),
    /// The log has the entry, at this index.
    Duplicate(u64),
    /// There is nothing at this path.
    NotFound,
    /// The path does not have the method.
    Method,
    /// The log did not add the entry.
    Add(AddError),
    /// Too many search.
    Crowded,
    /// Ours.
    Internal(String),
}

impl ApiError {
    pub(super) fn into_answer(self) -> Response<Body> {
        match self {
            Self::Invalid(why) => status(StatusCode::BAD_REQUEST, INVALID_ARGUMENT, &why),
            Self::Duplicate(index) => {
                let why =
                    format!("an equivalent entry already exists in the transparency log with index {index}");
                let mut answer = status(StatusCode::CONFLICT, ALREADY_EXISTS, &why);
                answer.headers_mut().insert(LOG_INDEX, HeaderValue::from(index));
                answer
            }
            Self::NotFound => status(StatusCode::NOT_FOUND, NOT_FOUND, "Not Found"),
            Self::Method => status(StatusCode::NOT_IMPLEMENTED, UNIMPLEMENTED, "Method Not Allowed"),
            Self::Add(error) => refused(error),
            Self::Crowded => {
                let why = "too many searches are waiting; try again later";
                passing(status(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, why))
            }
            Self::Internal(why) => {
                tracing::error!(why, "the log could not answer");
                status(StatusCode::INTERNAL_SERVER_ERROR, UNKNOWN, "the log could not answer")
            }
        }
    }
}

fn refused(error: AddError) -> Response<Body> {
    match error {
        AddError::Frozen => full(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", FROZEN),
        AddError::Empty | AddError::TooLong { .. } => {
            status(StatusCode::BAD_REQUEST, INVALID_ARGUMENT, &error.to_string())
        }
        AddError::Failed(_) => {
            status(StatusCode::INTERNAL_SERVER_ERROR, UNKNOWN, "failed to integrate entry")
        }
        // `Busy`, `Closed` and what is added later: another try may find it well.
        _ => passing(status(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, &error.to_string())),
    }
}

fn status(http: StatusCode, code: u8, message: &str) -> Response<Body> {
    let document = serde_json::to_vec(&Status { code, message, details: [] }).unwrap_or_default();
    full(http, "application/json", document)
}

/// google.rpc.Status in proto3 JSON.
#[derive(Serialize)]
struct Status<'a> {
    code: u8,
    message: &'a str,
    details: [(); 0],
}

const LOG_INDEX: HeaderName = HeaderName::from_static("x-log-index");
const FROZEN: &str = "This log has been frozen, please switch to the latest log.\n";

// The codes of google.rpc.Code.
const UNKNOWN: u8 = 2;
const INVALID_ARGUMENT: u8 = 3;
const NOT_FOUND: u8 = 5;
const ALREADY_EXISTS: u8 = 6;
const UNIMPLEMENTED: u8 = 12;
const UNAVAILABLE: u8 = 14;
