//! What is attached to an image.

use std::collections::BTreeMap;

use serde::Serialize;
use signet_crypto::Digest;
use signet_verify::{Code, Outcome};

/// Everything attached to an image, as `signet inspect` shows it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct InspectDocument {
    /// The image, by digest.
    pub(crate) image: String,
    /// The media type of its manifest.
    pub(crate) media_type: String,
    /// The signatures and attestations.
    pub(crate) signatures: Vec<SignatureBody>,
    /// What else refers to it.
    pub(crate) others: Vec<OtherBody>,
    /// What could not be read.
    pub(crate) unread: Vec<UnreadBody>,
    /// The answer, if it was said whom to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
}

/// One signature or attestation.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignatureBody {
    /// Where it is.
    pub(crate) origin: String,
    /// What it claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<ClaimsBody>,
    /// Why its claims cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) malformed: Option<String>,
    /// What verification made of it, if it was said whom to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<Verified>,
}

/// What verification made of a signature.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verified {
    /// Whether it counts for a rule of the policy.
    pub(crate) counts: bool,
    /// Who made it, if it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// When it was made, as logs and timestamps prove it, in seconds since 1970-01-01 UTC; none if it does
    /// not count or the time is unproven.
    pub(crate) times: Vec<i64>,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
}

/// What a signature claims; none of it is verified.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClaimsBody {
    /// `bundle v0.3`, `cosign signature`, …
    pub(crate) form: String,
    /// Who signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// The predicate type, of a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) predicate_type: Option<String>,
    /// What it is about.
    pub(crate) subjects: Vec<SubjectClaim>,
    /// Entries of transparency logs.
    pub(crate) log_entries: Vec<LogClaim>,
    /// How many timestamps there are.
    pub(crate) timestamps: usize,
}

impl ClaimsBody {
    /// No claims but the form.
    pub(crate) fn new(form: &str) -> Self {
        Self { form: form.to_owned(), ..Self::default() }
    }
}

/// What a signature claims to be about.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubjectClaim {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The digest.
    pub(crate) digest: String,
    /// The annotations that were signed with it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl SubjectClaim {
    /// What is known by its digest alone.
    pub(crate) fn of(digest: &Digest) -> Self {
        Self { name: None, digest: digest.to_string(), annotations: BTreeMap::new() }
    }
}

/// A log entry that a signature carries.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogClaim {
    /// Its index.
    pub(crate) index: u64,
    /// Its kind and version.
    pub(crate) kind: String,
    /// The time that the log states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) integrated_time: Option<String>,
}

/// Something attached that holds no signature.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct OtherBody {
    /// Where it is.
    pub(crate) origin: String,
    /// What it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
}

/// Something that could not be read.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnreadBody {
    /// Where it is.
    pub(crate) origin: String,
    /// Why, as a code.
    pub(crate) code: Code,
    /// Why, in words.
    pub(crate) reason: String,
}

/// An image and what hangs from it, as `signet tree` shows it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TreeDocument {
    /// The image as it was named.
    pub(crate) image: String,
    /// Its manifest.
    pub(crate) root: TreeNode,
}

/// A manifest in a tree.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TreeNode {
    /// `index`, `image`, `signature`, `attestation` or `artifact`, as the manifest says.
    pub(crate) kind: &'static str,
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its platform, in an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// The tag under which it is found, for cosign's older attachments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// The artifact type that it states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    /// The predicate types of an attestation, as its manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) predicate_type: Option<String>,
    /// What could not be read below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<String>,
    /// What refers to it, and what it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<TreeNode>,
}
