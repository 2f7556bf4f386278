//! Blobs: pull and delete.

use http::{HeaderValue, Method, Response, StatusCode, header};
use signet_crypto::Digest;
use signet_store::registry::{OpenBlob, StoreError};

use super::error::{self, ApiError};
use super::request::{self, Unsatisfiable};
use super::response::{self, Body};
use super::service::{Call, Service};

impl Service {
    pub(super) async fn blob(&self, call: &Call, digest: &Digest) -> Result<Response<Body>, ApiError> {
        let blob = self.find_blob(call, digest).await?.ok_or_else(|| unknown(digest))?;
        let size = blob.size();
        if request::has_already(&call.headers, digest) {
            let mut response = response::empty(StatusCode::NOT_MODIFIED);
            response::set_digest(&mut response, digest);
            return Ok(response);
        }
        let (status, range) = match wanted_range(call, digest, size) {
            Ok(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
            Ok(None) => (StatusCode::OK, 0..size),
            Err(Unsatisfiable) => return Err(unsatisfiable(size)),
        };
        let mut response = match blob {
            Found::Known(_) => response::empty(status),
            Found::Open(blob) => response::streamed(status, blob.read(range.clone())),
        };
        response::set_digest(&mut response, digest);
        response::set(&mut response, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
        if status == StatusCode::PARTIAL_CONTENT {
            let last = range.end.saturating_sub(1);
            response::set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {}-{last}/{size}", range.start),
            );
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        Ok(response)
    }

    async fn find_blob(&self, call: &Call, digest: &Digest) -> Result<Option<Found>, ApiError> {
        if call.method != Method::HEAD {
            return Ok(self.store.open_blob(&call.repository, digest).await?.map(Found::Open));
        }
        match self.store.blob_size(&call.repository, digest).await {
            // A client that asks before it pushes then sends it, which heals it. Who pulls is told of the damage.
            Err(StoreError::Corrupt(_)) => Ok(None),
            size => Ok(size?.map(Found::Known)),
        }
    }

    pub(super) async fn delete_blob(&self, call: &Call, digest: &Digest) -> Result<Response<Body>, ApiError> {
        match self.store.delete_blob(&call.repository, digest).await? {
            true => Ok(response::empty(StatusCode::ACCEPTED)),
            false => Err(unknown(digest)),
        }
    }
}

/// A blob of the repository, as much of it as is asked for.
enum Found {
    Known(u64),
    Open(OpenBlob),
}

impl Found {
    fn size(&self) -> u64 {
        match self {
            Self::Known(size) => *size,
            Self::Open(blob) => blob.size(),
        }
    }
}

/// `Range`, unless `If-Range` names other content.
fn wanted_range(
    call: &Call,
    digest: &Digest,
    size: u64,
) -> Result<Option<std::ops::Range<u64>>, Unsatisfiable> {
    match call.header(header::IF_RANGE) {
        Some(tag) if tag != format!("\"{digest}\"") => Ok(None),
        _ => request::range(&call.headers, size),
    }
}

fn unsatisfiable(size: u64) -> ApiError {
    let message = format!("the blob has {size} bytes, none of which the range asks for");
    ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, error::SIZE_INVALID, message)
        .with_header(header::CONTENT_RANGE, format!("bytes */{size}"))
}

fn unknown(digest: &Digest) -> ApiError {
    ApiError::not_found(error::BLOB_UNKNOWN, format!("the repository has no blob {digest}"))
}
