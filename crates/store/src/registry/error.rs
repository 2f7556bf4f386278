//! What goes wrong in a registry's store, by whose fault it is.

use std::io;

use signet_crypto::Digest;
use signet_formats::oci::{ManifestError, Tag};

/// Why a request to the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The sender broke off.
    #[error("the upload broke off: {0}")]
    BodyBrokeOff(io::Error),
    /// Garbage is being collected already.
    #[error("garbage is being collected already")]
    CollectionRunning,
    /// What the disk holds does not have its digest.
    #[error("the stored content of {0} is damaged")]
    Corrupt(Digest),
    /// The file of a tag is damaged: nobody knows what it names.
    #[error("the stored tag `{0}` is damaged")]
    CorruptTag(Tag),
    /// The upload does not have the digest that its sender gave.
    #[error("the content has the digest {found}")]
    DigestMismatch {
        /// The digest of what was uploaded.
        found: Digest,
    },
    /// The tag names something else than the sender expects.
    #[error("the tag has changed")]
    ExpectationFailed,
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Io(#[from] io::Error),
    /// A pushed manifest is not one.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A pushed manifest names content that the repository does not have.
    #[error("the manifest names content that is not in the repository: {}", list(.0))]
    MissingContent(Vec<Digest>),
    /// The upload does not continue where it stopped.
    #[error("the upload has {offset} bytes")]
    OutOfOrder {
        /// How many bytes it has.
        offset: u64,
    },
    /// The upload is larger than is allowed.
    #[error("the upload is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Too many uploads are in progress.
    #[error("too many uploads are in progress")]
    TooManyUploads,
    /// Another request is adding to the upload.
    #[error("another request is adding to the upload")]
    UploadBusy,
    /// There is no such upload.
    #[error("there is no such upload")]
    UploadUnknown,
}

/// Whether there is no room for what was to be written.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn list(digests: &[Digest]) -> String {
    digests.iter().map(Digest::to_string).collect::<Vec<_>>().join(", ")
}
