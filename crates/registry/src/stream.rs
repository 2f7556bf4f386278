//! Content that is checked while it flows.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use signet_crypto::{Digest, Hasher};
use signet_formats::oci::Descriptor;

use crate::{Error, Result};

/// The bytes of a blob, checked against its descriptor.
///
/// The chunk that completes the size is handed on only after the digest has been found right, so
/// whoever forwards the chunks never forwards a whole wrong blob. An `Err` ends the stream.
pub struct BlobStream {
    inner: Chunks,
    hasher: Option<Hasher>,
    digest: Digest,
    size: u64,
    seen: u64,
    ended: bool,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

impl BlobStream {
    /// Checks `inner` against `descriptor`.
    pub fn new(descriptor: &Descriptor, inner: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self {
            inner: Box::pin(inner),
            hasher: Some(Hasher::new(descriptor.digest.algorithm())),
            digest: descriptor.digest,
            size: descriptor.size,
            seen: 0,
            ended: false,
        }
    }

    /// Bytes at hand, checked like any others.
    pub fn of_bytes(descriptor: &Descriptor, bytes: Bytes) -> Self {
        Self::new(descriptor, futures_util::stream::once(async { Ok(bytes) }))
    }

    /// All of it in memory; [`Error::TooLarge`] before reading if it has more than `max` bytes.
    pub async fn collect_bytes(mut self, max: u64) -> Result<Bytes> {
        if self.size > max {
            return Err(Error::TooLarge { what: self.digest.to_string(), limit: max });
        }
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await {
            all.extend_from_slice(&chunk?);
        }
        Ok(all.into())
    }

    /// Reads it to its end, or to what is wrong with it.
    pub(crate) async fn check(mut self) -> Result<()> {
        while let Some(chunk) = self.next().await {
            chunk?;
        }
        Ok(())
    }

    fn accept(&mut self, chunk: &Bytes) -> Result<()> {
        self.seen += chunk.len() as u64;
        if self.seen > self.size {
            return Err(self.wrong_size());
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        match self.seen == self.size {
            true => self.check_digest(),
            false => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        match self.seen == self.size {
            true => self.check_digest(),
            false => Err(self.wrong_size()),
        }
    }

    fn check_digest(&mut self) -> Result<()> {
        match self.hasher.take().map(Hasher::finish) {
            Some(actual) if actual != self.digest => Err(Error::digest_mismatch(self.digest, actual)),
            _ => Ok(()),
        }
    }

    fn wrong_size(&self) -> Error {
        Error::SizeMismatch { digest: self.digest, expected: self.size, actual: self.seen }
    }
}

impl Stream for BlobStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = match ready!(self.inner.as_mut().poll_next(context)) {
            Some(Ok(chunk)) => Some(self.accept(&chunk).map(|()| chunk)),
            Some(Err(error)) => Some(Err(error)),
            None => self.finish().err().map(Err),
        };
        self.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(descriptor: &Descriptor, chunks: &[&'static str]) -> Result<Bytes> {
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from_static(c.as_bytes()))).collect();
        BlobStream::new(descriptor, futures_util::stream::iter(chunks)).collect_bytes(100).await
    }

    #[tokio::test]
    async fn right_content_passes() {
        let descriptor = Descriptor::of("t", b"hello");
        assert_eq!(read(&descriptor, &["he", "", "llo"]).await, Ok("hello".into()));
        assert_eq!(read(&Descriptor::of("t", b""), &[]).await, Ok("".into()));
    }

    #[tokio::test]
    async fn a_wrong_digest_withholds_the_last_chunk() {
        let descriptor = Descriptor::of("t", b"hello");
        let chunks = futures_util::stream::iter([Ok("he".into()), Ok("LLO".into())]);
        let mut stream = BlobStream::new(&descriptor, chunks);
        assert_eq!(stream.next().await, Some(Ok("he".into())));
        assert!(matches!(stream.next().await, Some(Err(Error::DigestMismatch { .. }))));
        assert_eq!(stream.next().await, None);
    }

    #[tokio::test]
    async fn wrong_sizes_are_told() {
        let descriptor = Descriptor::of("t", b"hello");
        for chunks in [&["hell"][..], &["hello", "!"], &["hello world"], &[]] {
            let outcome = read(&descriptor, chunks).await;
            assert!(matches!(outcome, Err(Error::SizeMismatch { expected: 5, .. })), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_large_blob_is_not_collected() {
        let descriptor = Descriptor { size: 101, ..Descriptor::of("t", b"") };
        assert!(matches!(read(&descriptor, &["x"]).await, Err(Error::TooLarge { limit: 100, .. })));
    }
}
