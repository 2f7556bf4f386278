//! Registries and what is moved between and kept in them.

use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;
use signet_crypto::Digest;
use signet_server::host::Host;

/// A service that has started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServeDocument {
    /// Where it listens.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) address: SocketAddr,
    /// How clients reach it there.
    pub(crate) url: String,
    /// Its data directory.
    pub(crate) data: String,
    /// Where operators ask for metrics and readiness; absent if nowhere.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<SocketAddr>,
    /// The log of certificates that an authority keeps itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_log: Option<ServedCtLog>,
}

/// A log of certificates that is served.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServedCtLog {
    /// Where its paths begin: `--ct-log` of another authority.
    pub(crate) url: String,
    /// The key of its promises, in PEM.
    pub(crate) key: String,
}

impl ServeDocument {
    /// Of the service at this host.
    pub(crate) fn of(host: &Host, data: &Path, admin: Option<SocketAddr>) -> Self {
        Self {
            address: host.local_addr(),
            url: host.url(),
            data: data.display().to_string(),
            admin,
            certificate_log: None,
        }
    }
}

/// What `signet fsck` found.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct FsckDocument {
    /// The data directory.
    pub(crate) data: String,
    /// How many repositories were checked.
    pub(crate) repositories: usize,
    /// How many pieces of content were read.
    pub(crate) contents: usize,
    /// The logs of a whole stack.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<CheckedLog>,
    /// What is wrong, a sentence each.
    pub(crate) findings: Vec<String>,
    /// What was wrong and is mended, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) repaired: Vec<String>,
}

/// A log of a stack.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckedLog {
    /// Its name.
    pub(crate) origin: String,
    /// How many entries are sound, from the first on.
    pub(crate) entries: u64,
}

/// What `signet registry gc` removed, or would remove.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct GcDocument {
    /// The data directory.
    pub(crate) data: String,
    /// Whether nothing was removed.
    pub(crate) dry_run: bool,
    /// Manifests, as `REPOSITORY@DIGEST`.
    pub(crate) manifests: Vec<String>,
    /// Blobs taken out of repositories, as `REPOSITORY@DIGEST`.
    pub(crate) blobs: Vec<String>,
    /// Content that no repository had any more.
    pub(crate) contents: Vec<Digest>,
    /// How many bytes that content had.
    pub(crate) bytes: u64,
    /// How many uploads that were begun and never finished.
    pub(crate) uploads: usize,
    /// Manifests kept although what they are attached to is in no repository here, as `REPOSITORY@DIGEST`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) without_subject: Vec<String>,
    /// Repositories left alone because a manifest or tag in them is damaged.
    pub(crate) damaged: Vec<String>,
}

/// What `signet copy` did.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyDocument {
    /// From where.
    pub(crate) source: String,
    /// To where.
    pub(crate) destination: String,
    /// The digest of the image, the same on both sides.
    pub(crate) digest: Digest,
    /// Manifests sent.
    pub(crate) manifests_sent: u64,
    /// Manifests that were there.
    pub(crate) manifests_present: u64,
    /// Blobs sent.
    pub(crate) blobs_sent: u64,
    /// Blobs that were there, or that the registry took from another of its repositories.
    pub(crate) blobs_present: u64,
    /// Bytes of the blobs sent.
    pub(crate) bytes_sent: u64,
    /// Signatures, attestations and whatever else refers to the image.
    pub(crate) referrers: u64,
    /// Tags of cosign's older attachments.
    pub(crate) attachments: u64,
    /// Manifests that the source lists as attached and does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<Digest>,
    /// What is attached and the source did not let the client have: digests, and tags of cosign's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) refused: Vec<String>,
    /// Whether another writer could still have removed a signature from a list unseen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) race_possible: bool,
}
