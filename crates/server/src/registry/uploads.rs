//! Uploads: blobs pushed whole, in chunks, streamed, or mounted from another repository.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderName, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_store::UploadId;
use signet_store::registry::{ByteStream, MountFrom, StoreError};

use super::error::{self, ApiError};
use super::request;
use super::response::{self, Body};
use super::service::{Call, Service};
use crate::host::{Lingering, Paced};

impl Service {
    pub(super) async fn start_upload(
        &self,
        call: &Call,
        body: Lingering,
    ) -> Result<Response<Body>, ApiError> {
        if let Some(digest) = call.query.digest("mount")?
            && self.mount(call, &digest).await?
        {
            return Ok(created(call, &digest));
        }
        let digest = call.query.digest("digest")?;
        if let Some(digest) = digest
            && body.size_hint().exact().is_some_and(|size| size <= WHOLE_IN_MEMORY)
        {
            return self.push_in_memory(call, &digest, body).await;
        }
        let named = call.query.first("digest-algorithm").map(algorithm).transpose()?;
        let algorithm = digest.map(|d| d.algorithm()).or(named).unwrap_or(DigestAlgorithm::Sha256);
        let id = self.store.start_upload(&call.repository, algorithm, &call.owner()).await?;
        let Some(digest) = digest else { return Ok(in_progress(StatusCode::ACCEPTED, call, id, 0)) };
        let pushed = self.push_last(call, id, None, &digest, body).await;
        if pushed.is_err() {
            // Nobody was told its identifier, so nobody can go on with it. It may be gone already.
            let _ = self.store.cancel_upload(&call.repository, id).await;
        }
        pushed
    }

    pub(super) async fn upload_status(&self, call: &Call, id: UploadId) -> Result<Response<Body>, ApiError> {
        let offset = self.store.upload_offset(&call.repository, id).await?;
        Ok(in_progress(StatusCode::NO_CONTENT, call, id, offset))
    }

    pub(super) async fn continue_upload(
        &self,
        call: &Call,
        id: UploadId,
        body: Lingering,
    ) -> Result<Response<Body>, ApiError> {
        let start = request::chunk_start(&call.headers)?;
        let offset = self.append(call, id, start, body).await?;
        Ok(in_progress(StatusCode::ACCEPTED, call, id, offset))
    }

    pub(super) async fn finish_upload(
        &self,
        call: &Call,
        id: UploadId,
        body: Lingering,
    ) -> Result<Response<Body>, ApiError> {
        let digest = call.required_digest()?;
        let start = request::chunk_start(&call.headers)?;
        self.push_last(call, id, start, &digest, body).await
    }

    pub(super) async fn cancel_upload(&self, call: &Call, id: UploadId) -> Result<Response<Body>, ApiError> {
        self.store.cancel_upload(&call.repository, id).await?;
        Ok(response::empty(StatusCode::NO_CONTENT))
    }

    /// A small blob in one request needs no upload that could be gone on with.
    async fn push_in_memory(
        &self,
        call: &Call,
        digest: &Digest,
        body: Lingering,
    ) -> Result<Response<Body>, ApiError> {
        let body: Vec<Bytes> = paced(body).try_collect().await.map_err(StoreError::BodyBrokeOff)?;
        self.store.put_blob(&call.repository, digest, body.concat().into()).await?;
        Ok(created(call, digest))
    }

    async fn push_last(
        &self,
        call: &Call,
        id: UploadId,
        start: Option<u64>,
        digest: &Digest,
        body: Lingering,
    ) -> Result<Response<Body>, ApiError> {
        if !body.is_end_stream() || start.is_some() {
            self.append(call, id, start, body).await?;
        }
        self.store.finish_upload(&call.repository, id, digest).await?;
        Ok(created(call, digest))
    }

    async fn append(
        &self,
        call: &Call,
        id: UploadId,
        start: Option<u64>,
        body: Lingering,
    ) -> Result<u64, ApiError> {
        Ok(self.store.append_upload(&call.repository, id, start, paced(body)).await?)
    }

    /// Mounts from `from`, or from anywhere if it is not given, but only what the principal may pull:
    /// a digest alone is no right to its content.
    async fn mount(&self, call: &Call, digest: &Digest) -> Result<bool, ApiError> {
        let readable = self.authenticator.readable_by(&call.principal);
        let from = match call.query.first("from").map(str::parse) {
            Some(Ok(name)) if readable(&name) => MountFrom::Repository(name),
            Some(_) => return Ok(false),
            None => MountFrom::Any(Arc::new(readable)),
        };
        Ok(self.store.mount_blob(&call.repository, digest, from).await?)
    }
}

fn paced(body: Lingering) -> ByteStream {
    let patience = body.patience();
    Box::pin(Paced::new(body.into_data_stream(), patience))
}

fn created(call: &Call, digest: &Digest) -> Response<Body> {
    let mut response = response::empty(StatusCode::CREATED);
    response::set_digest(&mut response, digest);
    response::set(&mut response, header::LOCATION, &call.location(format_args!("blobs/{digest}")));
    response
}

fn in_progress(status: StatusCode, call: &Call, id: UploadId, offset: u64) -> Response<Body> {
    let mut response = response::empty(status);
    response::set(&mut response, header::LOCATION, &call.location(format_args!("blobs/uploads/{id}")));
    response::set(&mut response, header::RANGE, &response::upload_range(offset));
    response::set(&mut response, UPLOAD_UUID, &id.to_string());
    response
}

fn algorithm(name: &str) -> Result<DigestAlgorithm, ApiError> {
    name.parse().map_err(|why| ApiError::bad_request(error::DIGEST_INVALID, format!("`{name}`: {why}")))
}

/// A body of at most this many bytes is received in memory.
const WHOLE_IN_MEMORY: u64 = 64 << 10;
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
