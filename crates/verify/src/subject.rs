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
    /// The repository or file name it was asked by. Names find, digests decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Subject {
    /// A subject of which one digest is known.
    pub fn of(digest: Digest) -> Self {
        Self { digests: vec![digest], media_type: None, size: None, name: None }
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
}
