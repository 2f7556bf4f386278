//! What there is to decide by: raw bytes and where each came from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signet_crypto::Digest;
use signet_formats::base64::Base64;

use crate::Code;
use crate::trust::id_of;

/// The largest artifact that is handed to [`crate::decide`] whole, in bytes, for signatures over the message itself.
pub const MAX_ARTIFACT_BYTES: usize = 64 * 1024 * 1024;

/// Everything that was found for a subject, in the order it was found, and what could not be read.
///
/// The bytes are kept as they came; they are parsed inside the decision and never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// The pieces that were read.
    pub items: Vec<EvidenceItem>,
    /// The pieces that are there, or may be there, but were not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// The artifact itself, of at most [`MAX_ARTIFACT_BYTES`], where a signature over the whole message asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Base64>,
}

impl Evidence {
    /// The id: the SHA-256 of the canonical JSON in which each blob stands as its own SHA-256, so that
    /// evidence can be named without being copied.
    pub(crate) fn id(&self) -> Digest {
        id_of(&Canonical {
            items: self.items.iter().map(CanonicalItem::of).collect(),
            unread: &self.unread,
            artifact: self.artifact.as_ref().map(digest),
        })
    }
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceItem {
    /// Where it came from: `referrer sha256:…`, `tag sha256-….sig, layer 0`, `file a.sigstore.json`.
    pub origin: String,
    /// The bytes and what they claim to be.
    pub content: Content,
}

/// The bytes of a piece of evidence and what they claim to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum Content {
    /// A Sigstore bundle, as JSON; or the one that `cosign sign-blob --bundle` wrote before version 3.
    Bundle {
        /// The JSON document.
        bytes: Base64,
    },
    /// A layer of cosign's `.sig` manifest: a simple-signing payload and the annotations of its descriptor.
    CosignSignature {
        /// The payload, the bytes that were signed.
        payload: Base64,
        /// The layer descriptor's annotations: signature, certificate, chain, log entry, timestamp.
        annotations: BTreeMap<String, String>,
    },
    /// A layer of cosign's `.att` manifest: a DSSE envelope and the annotations of its descriptor.
    CosignAttestation {
        /// The envelope, as JSON.
        envelope: Base64,
        /// The layer descriptor's annotations: certificate, chain, log entry, timestamp.
        annotations: BTreeMap<String, String>,
    },
}

impl Content {
    /// How many bytes there are to read.
    pub(crate) fn size(&self) -> usize {
        let beside =
            |annotations: &BTreeMap<String, String>| annotations.values().map(String::len).sum::<usize>();
        match self {
            Self::Bundle { bytes } => bytes.0.len(),
            Self::CosignSignature { payload, annotations } => payload.0.len() + beside(annotations),
            Self::CosignAttestation { envelope, annotations } => envelope.0.len() + beside(annotations),
        }
    }
}

/// A piece of evidence that was not read, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unread {
    /// Where it is.
    pub origin: String,
    /// Why it was not read.
    pub code: Code,
    /// The particulars.
    pub reason: String,
}

/// [`Evidence`] as its id is made of.
#[derive(Serialize)]
struct Canonical<'a> {
    items: Vec<CanonicalItem<'a>>,
    unread: &'a [Unread],
    artifact: Option<Digest>,
}

#[derive(Serialize)]
struct CanonicalItem<'a> {
    origin: &'a str,
    kind: &'static str,
    blob: Digest,
    annotations: Option<&'a BTreeMap<String, String>>,
}

impl<'a> CanonicalItem<'a> {
    fn of(item: &'a EvidenceItem) -> Self {
        let (kind, blob, annotations) = match &item.content {
            Content::Bundle { bytes } => ("bundle", bytes, None),
            Content::CosignSignature { payload, annotations } => {
                ("cosignSignature", payload, Some(annotations))
            }
            Content::CosignAttestation { envelope, annotations } => {
                ("cosignAttestation", envelope, Some(annotations))
            }
        };
        Self { origin: &item.origin, kind, blob: digest(blob), annotations }
    }
}

fn digest(blob: &Base64) -> Digest {
    Digest::sha256(&blob.0)
}
