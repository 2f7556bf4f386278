//! Answers.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};

/// An answer whose content is in memory.
pub(super) fn full(status: StatusCode, media_type: &'static str, content: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(content.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
