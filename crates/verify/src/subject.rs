//! What is being decided about.

use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, DigestAlgorithm};

/// The thing to decide about: its digests, and what is known of it besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// The digests of the content, at most one an algorithm. Each was computed, never copied from a name.
    pub digests: Vec<Digest>,
    /// The media type of the content, where a registry stated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The size of the content in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The repository it was asked by. Names find, digests decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What kind of thing it is.
    #[serde(default, skip_serializing_if = "SubjectKind::is_image")]
    pub kind: SubjectKind,
}

/// What kind of thing is decided about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectKind {
    /// What registries hold: it is asked for by a repository, and signed for one.
    #[default]
    Image,
    /// A file. It has no repository: the name it was signed under is no claim that could be checked.
    File,
}

impl SubjectKind {
    fn is_image(&self) -> bool {
        *self == Self::Image
    }
}

impl Subject {
    /// An image of which one digest is known.
    pub fn of(digest: Digest) -> Self {
        Self { digests: vec![digest], media_type: None, size: None, name: None, kind: SubjectKind::Image }
    }

    /// A file, by the digests that were computed of it.
    pub fn file(digests: Vec<Digest>, size: Option<u64>) -> Self {
        Self { digests, media_type: None, size, name: None, kind: SubjectKind::File }
    }

    /// The digest of one algorithm, if it was computed.
    pub fn digest(&self, algorithm: DigestAlgorithm) -> Option<&Digest> {
        self.digests.iter().find(|digest| digest.algorithm() == algorithm)
    }

    /// Whether the content has every digest of the subject, and the subject has any.
    pub fn is(&self, content: &[u8]) -> bool {
        let same = |digest: &Digest| Digest::of(digest.algorithm(), content) == *digest;
        !self.digests.is_empty() && self.digests.iter().all(same)
    }

    /// Whether this is one of the subject's digests.
    pub fn has(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    /// Whether the subject has another digest of that algorithm.
    pub fn contradicts(&self, digest: &Digest) -> bool {
        self.digests.iter().any(|ours| ours.algorithm() == digest.algorithm() && ours != digest)
    }
}
