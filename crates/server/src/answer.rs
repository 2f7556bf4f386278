//! Answers.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};

/// An answer whose content is in memory.
pub(crate) fn full(status: StatusCode, media_type: &'static str, content: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(content.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The answer, to which another in a moment may be better if it is 503.
pub(crate) fn passing(mut answer: Response<Body>) -> Response<Body> {
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
    }
    answer
}

/// The answer, and how it may be cached.
pub(crate) fn cached(mut answer: Response<Body>, how: &'static str) -> Response<Body> {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(how));
    answer
}

/// How what never changes is cached.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";
