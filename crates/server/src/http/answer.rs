//! Answers and their bodies.

use std::io;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// What an answer carries.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a request is answered.
pub type Answer = Response<Body>;

/// An answer whose content is in memory.
pub(crate) fn full(status: StatusCode, media_type: &'static str, content: impl Into<Bytes>) -> Answer {
    let mut response =
        Response::new(Full::new(content.into()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Sets a header. A value that cannot be one is left out; none that is made here is such a value.
pub(crate) fn set(response: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
