//! Answers and their bodies.

use std::fmt::Display;
use std::io;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use signet_crypto::Digest;
use signet_store::registry::ByteStream;

/// What an answer carries.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer without content.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    full(status, Bytes::new())
}

/// An answer whose content is in memory.
pub(super) fn full(status: StatusCode, content: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(content.into()).map_err(|never| match never {}).boxed_unsync();
    with_body(status, body)
}

/// An answer whose content is read as it is sent; its length is set by the caller.
pub(super) fn streamed(status: StatusCode, content: ByteStream) -> Response<Body> {
    with_body(status, StreamBody::new(content.map(|chunk| chunk.map(Frame::data))).boxed_unsync())
}

/// Sets a header. A value that cannot be one is left out; none that is made here is such a value.
pub(super) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The digest of what is answered, as registries and as HTTP caches name it.
pub(super) fn set_digest(response: &mut Response<Body>, digest: &Digest) {
    set(response, DOCKER_CONTENT_DIGEST, &digest.to_string());
    set(response, header::ETAG, &format!("\"{digest}\""));
}

/// The link to the next page of a list.
pub(super) fn set_next(response: &mut Response<Body>, target: impl Display) {
    set(response, header::LINK, &format!("<{target}>; rel=\"next\""));
}

/// How much of an upload is there, as the `Range` header says it.
pub(super) fn upload_range(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn with_body(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
