//! A blob whose transfer breaks off goes on where it was.

use std::pin::Pin;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_RANGE, HeaderMap, RANGE};
use http::{Method, StatusCode};
use signet_formats::oci::{Descriptor, Repository};

use super::{Client, blobs};
use crate::{Error, Result};

/// A blob on its way from a registry.
pub(super) struct Transfer {
    client: Client,
    repository: Repository,
    blob: Descriptor,
    chunks: Chunks,
    /// How many bytes were handed on.
    at: u64,
    /// How many bytes come that were handed on before.
    again: u64,
    sent: u32,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

impl Transfer {
    /// Begins it.
    pub(super) async fn begin(client: &Client, repository: &Repository, blob: &Descriptor) -> Result<Self> {
        let call = client.blob_call(Method::GET, repository, &blob.digest)?;
        let opened = client.transport().open(&blobs::as_stored(call), blob.size).await?;
        let (client, repository, blob) = (client.clone(), repository.clone(), blob.clone());
        Ok(Self { client, repository, blob, chunks: Box::pin(opened.chunks), at: 0, again: 0, sent: 1 })
    }

    /// Its bytes.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        futures_util::stream::try_unfold(self, |mut transfer| async move {
            loop {
                match transfer.chunks.next().await {
                    Some(Ok(chunk)) => match transfer.new_part(chunk) {
                        part if part.is_empty() => {}
                        part => return Ok(Some((part, transfer))),
                    },
                    Some(Err(error)) => transfer.resume(error).await?,
                    None => return Ok(None),
                }
            }
        })
    }

    fn new_part(&mut self, mut chunk: Bytes) -> Bytes {
        let known = usize::try_from(self.again).unwrap_or(usize::MAX).min(chunk.len());
        chunk.advance(known);
        self.again -= known as u64;
        self.at += chunk.len() as u64;
        chunk
    }

    /// Asks for what is missing, where the connection broke off; what has come is not asked for again.
    async fn resume(&mut self, error: Error) -> Result<()> {
        if !error.is_transient() || self.sent >= self.client.limits().attempts {
            return Err(error);
        }
        tokio::time::sleep(signet_http::backoff(self.sent)).await;
        self.sent += 1;
        let call = self.client.blob_call(Method::GET, &self.repository, &self.blob.digest)?;
        let call = blobs::as_stored(call).header(RANGE, format!("bytes={}-", self.at));
        let opened = self.client.transport().open(&call, self.blob.size.saturating_sub(self.at)).await?;
        self.again = match opened.status {
            StatusCode::PARTIAL_CONTENT if starts_at(&opened.headers, self.at) => 0,
            StatusCode::PARTIAL_CONTENT => {
                return Err(Error::malformed(&call.what, "it is another part than was asked for"));
            }
            // A registry need not know parts: then all of it comes.
            _ => self.at,
        };
        self.chunks = Box::pin(opened.chunks);
        Ok(())
    }
}

/// Whether the part that was sent (RFC 9110 §14.4) begins there.
fn starts_at(headers: &HeaderMap, at: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next());
    start.is_some_and(|start| start.parse() == Ok(at))
}
