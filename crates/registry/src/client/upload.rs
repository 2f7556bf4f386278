//! Pushing blobs: mount, one request, or chunks where the registry wants them.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Url;
use signet_formats::oci::{Descriptor, Repository};

use super::begun::Begun;
use super::call::{Access, Call, Payload};
use super::caution::cautiously;
use super::redirect::follow;
use super::retry::Attempts;
use super::{Client, url};
use crate::stream::BlobStream;
use crate::{Error, Result};

/// How a blob came to be in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobPush {
    /// It was there.
    Present,
    /// The registry took it from another of its repositories.
    Mounted,
    /// It was sent.
    Sent,
}

/// What the request that begins an upload asks for.
#[derive(Clone)]
enum Opening<'a> {
    Session,
    /// To take the blob from another repository of the registry.
    Mount(&'a Repository),
    /// To take it out of this very request (distribution-spec, "Single POST").
    Whole(Bytes),
}

/// How content is sent, after what came of it before.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// In several requests.
    chunked: bool,
    /// So that a refusal in the midst of it is read.
    cautious: bool,
}

enum Session {
    /// None is needed: the blob is there.
    Done(BlobPush),
    Open(Url),
}

impl Client {
    /// Stores bytes as a blob and returns its descriptor.
    pub async fn push_bytes(
        &self,
        repository: &Repository,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Descriptor> {
        let descriptor = Descriptor::of(media_type, &bytes);
        match self.has_blob(repository, &descriptor.digest).await? {
            true => Ok(descriptor),
            false => self.push_new_bytes(repository, media_type, bytes).await,
        }
    }

    /// Stores bytes that are surely new as a blob, without asking first whether they are there.
    pub async fn push_new_bytes(
        &self,
        repository: &Repository,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Descriptor> {
        let descriptor = Descriptor::of(media_type, &bytes);
        let opening = match bytes.len() <= WHOLE_AT_ONCE {
            true => Opening::Whole(bytes.clone()),
            false => Opening::Session,
        };
        let open = || async { Ok(BlobStream::of_bytes(&descriptor, bytes.clone())) };
        self.send_blob(repository, &descriptor, opening, open).await?;
        Ok(descriptor)
    }

    /// Stores a blob unless it is there. `open` starts its content, again at each attempt.
    ///
    /// With `mount_from`, another repository of the same registry, the registry is first asked to take
    /// it from there. A registry that refuses the whole in one request gets it in chunks.
    pub async fn push_blob<F>(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        mount_from: Option<&Repository>,
        open: impl Fn() -> F,
    ) -> Result<BlobPush>
    where
        F: Future<Output = Result<BlobStream>>,
    {
        let mount_from = mount_from.filter(|from| from.registry == repository.registry);
        match self.has_blob(repository, &blob.digest).await? {
            true => Ok(BlobPush::Present),
            false => {
                let opening = mount_from.map_or(Opening::Session, Opening::Mount);
                self.send_blob(repository, blob, opening, open).await
            }
        }
    }

    async fn send_blob<F>(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        opening: Opening<'_>,
        open: impl Fn() -> F,
    ) -> Result<BlobPush>
    where
        F: Future<Output = Result<BlobStream>>,
    {
        let mut attempts = Attempts::new(self.limits());
        let (mut manner, mut renewed) = (Manner::default(), false);
        loop {
            match self.push_once(repository, blob, &opening, &open, manner).await {
                Err(error) if !manner.chunked && wants_chunks(&error) => manner.chunked = true,
                // A token that ended in the middle has been renewed; the content starts over.
                Err(Error::Unauthorized { .. }) if !renewed => renewed = true,
                Err(error) if attempts.again(&error).await => {
                    manner.cautious = matches!(error, Error::Unreachable { .. });
                }
                done => return done,
            }
        }
    }

    async fn push_once<F>(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        opening: &Opening<'_>,
        open: &impl Fn() -> F,
        manner: Manner,
    ) -> Result<BlobPush>
    where
        F: Future<Output = Result<BlobStream>>,
    {
        let started = match self.start_upload(repository, blob, opening).await {
            Err(error) if !matches!(opening, Opening::Session) && is_denied(&error) => {
                self.start_upload(repository, blob, &Opening::Session).await
            }
            other => other,
        };
        let mut upload = match started? {
            Session::Done(push) => return Ok(push),
            Session::Open(location) => Begun::new(self, repository, location),
        };
        let sent = async {
            let content = open().await?;
            match manner.chunked {
                true => self.send_chunks(repository, blob, &mut upload.at, content).await,
                false => {
                    let content = if manner.cautious { cautiously(content) } else { content.boxed() };
                    self.send_whole(repository, blob, upload.at.clone(), content).await
                }
            }
        };
        match sent.await {
            Ok(()) => upload.finished(),
            Err(error) => {
                upload.cancel().await;
                return Err(error);
            }
        }
        Ok(BlobPush::Sent)
    }

    async fn start_upload(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        opening: &Opening<'_>,
    ) -> Result<Session> {
        let mut url = url(self.transport(), repository, "blobs/uploads/")?;
        let digest = blob.digest.to_string();
        let (mounted, content) = match opening {
            Opening::Session => (None, None),
            Opening::Mount(from) => {
                url.query_pairs_mut().append_pair("mount", &digest).append_pair("from", &from.path);
                (Some(*from), None)
            }
            Opening::Whole(bytes) => {
                url.query_pairs_mut().append_pair("digest", &digest);
                (None, Some(bytes.clone()))
            }
        };
        let call = Call::new(Method::POST, url, repository, Access::Push, what(repository, blob));
        let call = if content.is_some() { call.header(CONTENT_TYPE, OCTETS) } else { call };
        let content = content.unwrap_or_default();
        let size = content.len() as u64;
        let call = call.mounting(mounted).body(Payload::Bytes(content));
        let (status, headers) = self.transport().send(&call, size).await?;
        // 201 says that it is there, 202 opens a session.
        match (status, opening) {
            (StatusCode::CREATED, Opening::Whole(_)) => Ok(Session::Done(BlobPush::Sent)),
            (StatusCode::CREATED, _) => Ok(Session::Done(BlobPush::Mounted)),
            _ => self.location(&call.url, &headers, &call.what).map(Session::Open),
        }
    }

    async fn send_whole(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        session: Url,
        content: BoxStream<'static, Result<Bytes>>,
    ) -> Result<()> {
        let call = self.upload_call(Method::PUT, with_digest(session, blob), repository, blob);
        let call = call.body(Payload::stream(content, blob.size));
        self.transport().send(&call, blob.size).await.map(|_| ())
    }

    async fn send_chunks(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        session: &mut Url,
        mut content: BlobStream,
    ) -> Result<()> {
        let mut start = 0;
        let mut rest = BytesMut::new();
        loop {
            let chunk = fill(&mut content, &mut rest, self.limits().chunk).await?;
            if chunk.is_empty() {
                break;
            }
            let size = chunk.len() as u64;
            let call = self.upload_call(Method::PATCH, session.clone(), repository, blob);
            let call = call.header(CONTENT_RANGE, format!("{start}-{}", start + size - 1));
            let call = call.body(Payload::Bytes(chunk));
            let (_, headers) = self.transport().send(&call, size).await?;
            *session = self.location(&call.url, &headers, &call.what)?;
            start += size;
        }
        let last = with_digest(session.clone(), blob);
        let call = self.upload_call(Method::PUT, last, repository, blob);
        self.transport().send(&call.body(Payload::Bytes(Bytes::new())), 0).await.map(|_| ())
    }

    fn upload_call<'a>(
        &self,
        method: Method,
        url: Url,
        repository: &'a Repository,
        blob: &Descriptor,
    ) -> Call<'a> {
        let call = Call::new(method, url, repository, Access::Push, what(repository, blob));
        call.header(CONTENT_TYPE, OCTETS)
    }

    fn location(&self, from: &Url, headers: &HeaderMap, what: &str) -> Result<Url> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| Error::malformed(what, "the upload has no `Location`"))?;
        follow(from, location, what)
    }
}

/// The next `size` bytes of the content, fewer at its end.
async fn fill(content: &mut BlobStream, rest: &mut BytesMut, size: usize) -> Result<Bytes> {
    while rest.len() < size {
        match content.next().await {
            Some(chunk) => rest.extend_from_slice(&chunk?),
            None => break,
        }
    }
    let size = size.min(rest.len());
    Ok(rest.split_to(size).freeze())
}

fn with_digest(mut session: Url, blob: &Descriptor) -> Url {
    session.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
    session
}

fn what(repository: &Repository, blob: &Descriptor) -> String {
    format!("upload of {} to {repository}", blob.digest)
}

/// The registry will not mount it, or not take it so, which is no reason not to send it.
fn is_denied(error: &Error) -> bool {
    use Error::{Forbidden, NotFound, Refused, Unauthorized};
    matches!(error, Unauthorized { .. } | Forbidden { .. } | NotFound { .. } | Refused { .. })
}

/// 413: larger than a proxy lets through at once; 411, 405: no upload in one request.
fn wants_chunks(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 405 | 411 | 413, .. })
}

const OCTETS: &str = "application/octet-stream";
/// Larger blobs are not sent along with a request that may be answered with a session all the same.
const WHOLE_AT_ONCE: usize = 64 << 10;
