//! Errors as the distribution API answers them.

use std::{fmt, io};

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use signet_store::registry::{StoreError, is_full};
use signet_verify::Code;

use super::response::{self, Body};

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Option<Detail>,
    headers: Vec<(http::HeaderName, String)>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None, headers: Vec::new() }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn with_header(mut self, name: http::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether it is not the client that can do something about it.
    pub(super) fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }

    /// Adds a code of Signet's own and what to do next.
    pub(super) fn with_detail(mut self, code: String, hint: String) -> Self {
        self.detail = Some(Detail { code, hint });
        self
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let Self { status, code, message, detail, headers } = self;
        let document = Document { errors: [Entry { code, message, detail }] };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = response::full(status, body);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            response::set(&mut response, name, &value);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::BodyBrokeOff(why) if why.kind() == io::ErrorKind::TimedOut => {
                Self::new(StatusCode::REQUEST_TIMEOUT, BLOB_UPLOAD_INVALID, message)
            }
            StoreError::BodyBrokeOff(_) => Self::bad_request(BLOB_UPLOAD_INVALID, message),
            StoreError::DigestMismatch { .. } => Self::bad_request(DIGEST_INVALID, message),
            StoreError::ExpectationFailed => {
                Self::new(StatusCode::PRECONDITION_FAILED, MANIFEST_INVALID, message)
            }
            StoreError::Manifest(_) => Self::bad_request(MANIFEST_INVALID, message),
            StoreError::MissingContent(_) => Self::bad_request(MANIFEST_BLOB_UNKNOWN, message),
            StoreError::OutOfOrder { offset } => {
                Self::new(StatusCode::RANGE_NOT_SATISFIABLE, BLOB_UPLOAD_INVALID, message)
                    .with_header(header::RANGE, response::upload_range(offset))
            }
            StoreError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, SIZE_INVALID, message),
            StoreError::TooManyUploads => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY_REQUESTS, message)
                    .with_header(header::RETRY_AFTER, "10")
            }
            StoreError::UploadBusy => Self::new(StatusCode::CONFLICT, BLOB_UPLOAD_INVALID, message),
            StoreError::UploadUnknown => Self::not_found(BLOB_UPLOAD_UNKNOWN, message),
            StoreError::Corrupt(_) | StoreError::CorruptTag(_) => {
                let told = Self::new(StatusCode::INTERNAL_SERVER_ERROR, UNKNOWN, message);
                told.with_detail(Code::DataCorrupt.to_string(), HEAL.to_owned())
            }
            StoreError::Io(why) if is_full(&why) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, UNKNOWN, "the registry's disk is full")
            }
            // `Io` and what is added later: ours, not the client's.
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, UNKNOWN, message),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.message)
    }
}

#[derive(Serialize)]
struct Document {
    errors: [Entry; 1],
}

#[derive(Serialize)]
struct Entry {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Detail>,
}

#[derive(Debug, Serialize)]
struct Detail {
    code: String,
    hint: String,
}

const HEAL: &str =
    "push it again; `signet fsck --data DIR` says what else is damaged, while the registry is stopped";

// The codes of distribution-spec, "Error Codes".
pub(super) const BLOB_UNKNOWN: &str = "BLOB_UNKNOWN";
pub(super) const BLOB_UPLOAD_INVALID: &str = "BLOB_UPLOAD_INVALID";
pub(super) const BLOB_UPLOAD_UNKNOWN: &str = "BLOB_UPLOAD_UNKNOWN";
pub(super) const DENIED: &str = "DENIED";
pub(super) const DIGEST_INVALID: &str = "DIGEST_INVALID";
pub(super) const MANIFEST_BLOB_UNKNOWN: &str = "MANIFEST_BLOB_UNKNOWN";
pub(super) const MANIFEST_INVALID: &str = "MANIFEST_INVALID";
pub(super) const MANIFEST_UNKNOWN: &str = "MANIFEST_UNKNOWN";
pub(super) const NAME_INVALID: &str = "NAME_INVALID";
pub(super) const NAME_UNKNOWN: &str = "NAME_UNKNOWN";
pub(super) const SIZE_INVALID: &str = "SIZE_INVALID";
pub(super) const TOO_MANY_REQUESTS: &str = "TOOMANYREQUESTS";
pub(super) const UNAUTHORIZED: &str = "UNAUTHORIZED";
pub(super) const UNKNOWN: &str = "UNKNOWN";
pub(super) const UNSUPPORTED: &str = "UNSUPPORTED";
