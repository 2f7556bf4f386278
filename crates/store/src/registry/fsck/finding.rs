//! What can be wrong.

use std::fmt;
use std::path::PathBuf;

use signet_crypto::Digest;
use signet_formats::oci::Tag;

use crate::name::RepositoryName;

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Content does not have its digest. Push it again.
    CorruptContent {
        /// Its digest.
        digest: Digest,
    },
    /// A tag names no manifest of the repository, or its file is unreadable. Tag the image again.
    DanglingTag {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
    },
    /// A manifest names content that the repository does not have (any more).
    IncompleteManifest {
        /// The repository.
        repository: RepositoryName,
        /// The manifest.
        manifest: Digest,
        /// What it names.
        missing: Digest,
    },
    /// What is stored as a manifest is not one.
    MalformedManifest {
        /// The repository.
        repository: RepositoryName,
        /// Its digest.
        manifest: Digest,
    },
    /// The repository has a link to content that is not there.
    MissingContent {
        /// The repository.
        repository: RepositoryName,
        /// The content's digest.
        digest: Digest,
    },
    /// A file that is not named as the registry names its files: nobody reads it.
    StrayFile {
        /// Where it is, below the data directory.
        path: PathBuf,
    },
    /// A manifest's index is not found from the manifest. Push the index again.
    UnlistedIndex {
        /// The repository.
        repository: RepositoryName,
        /// What it lists.
        manifest: Digest,
        /// The index.
        index: Digest,
    },
    /// The referrers list of a subject lacks a manifest that refers to it. Push the manifest again.
    UnlistedReferrer {
        /// The repository.
        repository: RepositoryName,
        /// What it refers to.
        subject: Digest,
        /// The manifest.
        manifest: Digest,
    },
    /// An index is found from a manifest that it does not list.
    WrongIndex {
        /// The repository.
        repository: RepositoryName,
        /// What it does not list.
        manifest: Digest,
        /// The index.
        index: Digest,
    },
    /// The media type recorded for a manifest is not one that it can have. Push it again.
    WrongMediaType {
        /// The repository.
        repository: RepositoryName,
        /// The manifest.
        manifest: Digest,
        /// What is recorded, as far as it is text.
        recorded: String,
    },
    /// The referrers list of a subject has a manifest that does not refer to it, or describes it wrongly.
    WrongReferrer {
        /// The repository.
        repository: RepositoryName,
        /// The subject.
        subject: Digest,
        /// The manifest.
        manifest: Digest,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CorruptContent { digest } => write!(f, "the content of {digest} is damaged"),
            Self::DanglingTag { repository, tag } => write!(f, "{repository}:{tag} names no manifest"),
            Self::IncompleteManifest { repository, manifest, missing } => {
                write!(f, "{repository}@{manifest} names {missing}, which the repository does not have")
            }
            Self::MalformedManifest { repository, manifest } => {
                write!(f, "{repository}@{manifest} is not a manifest")
            }
            Self::MissingContent { repository, digest } => {
                write!(f, "the content of {repository}@{digest} is missing")
            }
            Self::StrayFile { path } => {
                write!(f, "`{}` is not a file of the registry's", path.display())
            }
            Self::UnlistedIndex { repository, manifest, index } => {
                write!(f, "{repository}@{index} is not among the indexes of {manifest}")
            }
            Self::UnlistedReferrer { repository, subject, manifest } => {
                write!(f, "{repository}@{manifest} is not among the referrers of {subject}")
            }
            Self::WrongIndex { repository, manifest, index } => {
                write!(f, "{repository}@{index} is among the indexes of {manifest}, which it does not list")
            }
            Self::WrongMediaType { repository, manifest, recorded } => {
                write!(
                    f,
                    "{repository}@{manifest} is recorded as `{}`, which it is not",
                    recorded.escape_debug()
                )
            }
            Self::WrongReferrer { repository, subject, manifest } => {
                write!(
                    f,
                    "{repository}@{manifest} is among the referrers of {subject} as something that it is not"
                )
            }
        }
    }
}
