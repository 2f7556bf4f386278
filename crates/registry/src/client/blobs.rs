//! Reading blobs.

use bytes::Bytes;
use http::Method;
use http::header::ACCEPT_ENCODING;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Repository};

use super::call::{Access, Call};
use super::resume::Transfer;
use super::{Client, url};
use crate::stream::BlobStream;
use crate::{Error, Result};

impl Client {
    /// A blob of at most `max` bytes, whole; the same one is fetched once at a time.
    pub async fn blob_bytes(&self, repository: &Repository, blob: &Descriptor, max: u64) -> Result<Bytes> {
        if blob.size > max {
            return Err(Error::TooLarge { what: format!("blob {}", blob.digest), limit: max });
        }
        let fetch = || async {
            let stream = self.blob_stream(repository, blob).await?;
            stream.collect_bytes(max).await
        };
        let bytes = self.inner.blobs.run((repository.clone(), blob.digest), fetch).await?;
        // The one fetch may have been for a descriptor with another size.
        match bytes.len() as u64 == blob.size {
            true => Ok(bytes),
            false => Err(Error::SizeMismatch {
                digest: blob.digest,
                expected: blob.size,
                actual: bytes.len() as u64,
            }),
        }
    }

    /// A blob as a stream that checks itself; see [`BlobStream`]. Where the connection breaks off, it goes on from there.
    pub async fn blob_stream(&self, repository: &Repository, blob: &Descriptor) -> Result<BlobStream> {
        let transfer = Transfer::begin(self, repository, blob).await?;
        Ok(BlobStream::new(blob, transfer.into_stream()))
    }

    /// Whether the registry has this blob in this repository.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let call = self.blob_call(Method::HEAD, repository, digest)?;
        match self.transport().fetch(&call, 0).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn blob_call<'a>(
        &self,
        method: Method,
        repository: &'a Repository,
        digest: &Digest,
    ) -> Result<Call<'a>> {
        let url = url(self.transport(), repository, &format!("blobs/{digest}"))?;
        Ok(Call::new(method, url, repository, Access::Pull, format!("blob {repository}@{digest}")))
    }
}

/// Content addresses name the bytes as they are stored: no encoding is asked for or undone.
pub(super) fn as_stored(call: Call<'_>) -> Call<'_> {
    call.header(ACCEPT_ENCODING, "identity")
}
