//! Manifests: pull, push, delete.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyDataStream, BodyExt};
use signet_crypto::Digest;
use signet_formats::oci::{MAX_MANIFEST_BYTES, Tag};
use signet_store::registry::{Expect, ManifestPush};
use tokio::time::timeout;

use super::error::{self, ApiError};
use super::request;
use super::response::{self, Body};
use super::route::ManifestName;
use super::service::{Call, Service};
use crate::host::Lingering;

impl Service {
    pub(super) async fn manifest(
        &self,
        call: &Call,
        name: &ManifestName,
    ) -> Result<Response<Body>, ApiError> {
        let digest = match name {
            ManifestName::Digest(digest) => *digest,
            ManifestName::Tag(tag) => {
                let named = self.store.resolve_tag(&call.repository, tag).await?;
                named.ok_or_else(|| unknown(tag))?
            }
        };
        let manifest =
            self.store.manifest(&call.repository, &digest).await?.ok_or_else(|| unknown(digest))?;
        self.permit(call, &manifest).await?;
        if request::has_already(&call.headers, &digest) {
            let mut response = response::empty(StatusCode::NOT_MODIFIED);
            response::set_digest(&mut response, &digest);
            return Ok(response);
        }
        let content = if call.method == Method::HEAD { Bytes::new() } else { manifest.bytes.clone() };
        let mut response = response::full(StatusCode::OK, content);
        response::set_digest(&mut response, &digest);
        response::set(&mut response, header::CONTENT_TYPE, &manifest.media_type);
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(manifest.bytes.len()));
        // An `ETag` alone tells nobody that a condition on it is checked; registries have the one without the other.
        response::set(&mut response, SIGNET_CONDITION, "checked");
        Ok(response)
    }

    pub(super) async fn put_manifest(
        &self,
        call: &Call,
        name: &ManifestName,
        body: Lingering,
    ) -> Result<Response<Body>, ApiError> {
        let expect = request::expectation(&call.headers)?;
        let media_type = media_type(call)?;
        let mut received = Received::new(body);
        received.up_to(WITHOUT_TURN).await?;
        // Held until the manifest is stored: while it is, its bytes are in memory.
        let _turn = match received.ended {
            true => None,
            false => Some(self.manifest_turns.take(&call.owner()).await),
        };
        received.up_to(MAX_MANIFEST_BYTES).await?;
        let bytes = received.whole()?;
        let (digest, tags) = named(call, name, &bytes)?;
        if tags.is_empty() && expect != Expect::Anything {
            return Err(ApiError::bad_request(error::UNSUPPORTED, "a condition needs a tag"));
        }
        let accepted = tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", ");
        let conditional = expect != Expect::Anything;
        let push = ManifestPush { bytes, digest, media_type, tags, expect };
        let pushed = self.store.put_manifest(&call.repository, push).await?;
        let mut response = response::empty(StatusCode::CREATED);
        response::set_digest(&mut response, &digest);
        response::set(&mut response, header::LOCATION, &call.location(format_args!("manifests/{digest}")));
        if conditional {
            // Registries that know no conditions answer the same 201: only this tells them apart.
            response::set(&mut response, SIGNET_CONDITION, "held");
        }
        if let Some(subject) = pushed.subject {
            response::set(&mut response, OCI_SUBJECT, &subject.to_string());
        }
        if matches!(name, ManifestName::Digest(_)) && !accepted.is_empty() {
            response::set(&mut response, OCI_TAG, &accepted);
        }
        Ok(response)
    }

    pub(super) async fn delete_manifest(
        &self,
        call: &Call,
        name: &ManifestName,
    ) -> Result<Response<Body>, ApiError> {
        let (was_there, missing) = match name {
            ManifestName::Digest(digest) => {
                (self.store.delete_manifest(&call.repository, digest).await?, unknown(digest))
            }
            ManifestName::Tag(tag) => (self.store.delete_tag(&call.repository, tag).await?, unknown(tag)),
        };
        match was_there {
            true => Ok(response::empty(StatusCode::ACCEPTED)),
            false => Err(missing),
        }
    }
}

/// `Content-Type` without parameters, which the registry "SHOULD ignore".
fn media_type(call: &Call) -> Result<String, ApiError> {
    let stated = call.header(header::CONTENT_TYPE).and_then(|stated| stated.split(';').next());
    let missing = || ApiError::bad_request(error::MANIFEST_INVALID, "the `Content-Type` is missing");
    stated.map(|stated| stated.trim().to_owned()).ok_or_else(missing)
}

/// What has come of a manifest.
struct Received {
    body: BodyDataStream<Lingering>,
    bytes: BytesMut,
    ended: bool,
}

impl Received {
    fn new(body: Lingering) -> Self {
        Self { body: body.into_data_stream(), bytes: BytesMut::new(), ended: false }
    }

    /// Receives until there are more bytes than that, or all.
    async fn up_to(&mut self, most: usize) -> Result<(), ApiError> {
        let receiving = async {
            while !self.ended && self.bytes.len() <= most {
                match self.body.try_next().await? {
                    Some(part) => self.bytes.extend_from_slice(&part),
                    None => self.ended = true,
                }
            }
            Ok::<_, hyper::Error>(())
        };
        let invalid = error::MANIFEST_INVALID;
        let received = timeout(RECEIVE_WITHIN, receiving).await;
        let received = received.map_err(|_| {
            ApiError::new(StatusCode::REQUEST_TIMEOUT, invalid, "the manifest came too slowly")
        })?;
        received.map_err(|_| ApiError::bad_request(invalid, "the manifest broke off"))
    }

    fn whole(self) -> Result<Bytes, ApiError> {
        match self.ended && self.bytes.len() <= MAX_MANIFEST_BYTES {
            true => Ok(self.bytes.freeze()),
            false => Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                error::SIZE_INVALID,
                "a manifest has at most 4 MiB",
            )),
        }
    }
}

/// The digest of what was pushed, and the tags to move to it: the path's, or the parameters' `tag`.
fn named(call: &Call, name: &ManifestName, bytes: &[u8]) -> Result<(Digest, Vec<Tag>), ApiError> {
    match name {
        ManifestName::Tag(tag) => Ok((Digest::sha256(bytes), vec![tag.clone()])),
        ManifestName::Digest(stated) => {
            let found = Digest::of(stated.algorithm(), bytes);
            if found != *stated {
                let message = format!("the manifest has the digest {found}, not {stated}");
                return Err(ApiError::bad_request(error::DIGEST_INVALID, message));
            }
            let malformed =
                |_| ApiError::bad_request(error::MANIFEST_INVALID, "a parameter `tag` is not a tag");
            let tags = call.query.all("tag").map(|tag| tag.parse().map_err(malformed));
            Ok((found, tags.collect::<Result<_, _>>()?))
        }
    }
}

fn unknown(name: impl std::fmt::Display) -> ApiError {
    ApiError::not_found(error::MANIFEST_UNKNOWN, format!("the repository has no manifest `{name}`"))
}

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const SIGNET_CONDITION: HeaderName = HeaderName::from_static("signet-condition");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
const RECEIVE_WITHIN: Duration = Duration::from_secs(60);
/// Bytes of a manifest that are received before it waits for a turn. Most have fewer, and wait for nobody.
const WITHOUT_TURN: usize = 16 << 10;
