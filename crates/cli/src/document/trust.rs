//! Of `signet trust`.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a repository of trust says, as it is published or pinned.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustDocument {
    /// The directory that it is kept in.
    pub(crate) directory: String,
    /// The repository that is followed, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repository: Option<String>,
    /// When it was last followed to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated: Option<String>,
    /// How many seconds after it was signed it may be used, if that may be beyond its expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_seconds: Option<i64>,
    /// Its roles.
    pub(crate) roles: Vec<TrustRole>,
    /// Its targets.
    pub(crate) targets: Vec<String>,
    /// What has to be done soon.
    pub(crate) alerts: Vec<String>,
    /// Whether it is only what would be published.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rehearsed: bool,
}

/// A role of a repository of trust.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustRole {
    /// `root`, `timestamp`, `snapshot` or `targets`.
    pub(crate) role: String,
    /// The version of its metadata.
    pub(crate) version: u64,
    /// From when on it may not be used any more.
    pub(crate) expires: String,
}

/// A root that is being signed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustRootDocument {
    /// The file that it is in.
    pub(crate) file: String,
    /// Its version.
    pub(crate) version: u64,
    /// From when on it may not be used any more.
    pub(crate) expires: String,
    /// What `signet keys inspect` prints of each of its keys, by the id that the key has here.
    pub(crate) keys: BTreeMap<String, String>,
    /// The ids of the keys that sign roots from it on.
    pub(crate) root_keys: Vec<String>,
    /// How many of them must have signed.
    pub(crate) threshold: u64,
    /// The id of the key that signs everything else.
    pub(crate) online_keys: Vec<String>,
    /// Those of its keys that have signed.
    pub(crate) signed: Vec<String>,
    /// How many keys of the root before it must have signed too, and which have, where that root is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<TrustPrevious>,
    /// Whether it can be published, as far as is known.
    pub(crate) complete: bool,
    /// Whether nothing was written.
    pub(crate) rehearsed: bool,
}

impl TrustRootDocument {
    /// A key as its holder knows it, and by its id.
    pub(crate) fn named(&self, id: &str) -> String {
        self.keys.get(id).map_or_else(|| id.to_owned(), |key| format!("{key} (TUF: {id})"))
    }
}

/// The signatures of the keys that the root before it names.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustPrevious {
    /// How many must have signed.
    pub(crate) threshold: u64,
    /// Those that have.
    pub(crate) signed: Vec<String>,
}

/// What was exported.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustExportDocument {
    /// The file that was written.
    pub(crate) file: String,
    /// How many files of the repository it holds.
    pub(crate) files: usize,
    /// How many seconds after it was signed it may be used, if that is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_seconds: Option<i64>,
}

/// A trusted root that was written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustMergeDocument {
    /// The file.
    pub(crate) file: String,
    /// What it trusts.
    pub(crate) anchors: Vec<TrustAnchor>,
}

/// A log or authority of a trusted root.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustAnchor {
    /// `log`, `certificate log`, `certificate authority` or `timestamp authority`.
    pub(crate) kind: &'static str,
    /// The log's URL, or the authority's common name.
    pub(crate) name: String,
    /// From when on it counts.
    pub(crate) since: String,
    /// Until when it counts, if it is not in use any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
}
