//! Whom and what to trust: keys, logs, authorities and witnesses, each with its time.

use std::fmt;

use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, PublicKey};
use signet_formats::base64::Base64;
use signet_formats::canonical_json;
use signet_formats::trusted_root::{self, TrustedRoot, TrustedRootError};

/// An immutable set of trust anchors. Its id is the SHA-256 of its canonical JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TrustSnapshot {
    /// Keys that principals of a policy may name by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<TrustedKey>,
    /// Transparency logs of signatures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<TrustedLog>,
    /// Certificate-transparency logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_logs: Vec<TrustedLog>,
    /// Authorities that issue signing certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_authorities: Vec<TrustedAuthority>,
    /// Authorities that issue timestamps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timestamp_authorities: Vec<TrustedAuthority>,
    /// Witnesses of transparency logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<TrustedWitness>,
}

impl TrustSnapshot {
    /// The anchors of a Sigstore `trusted_root.json`, versions 0.1 and 0.2.
    pub fn from_trusted_root(json: &[u8]) -> Result<Self, TrustedRootError> {
        let root = TrustedRoot::parse(json)?;
        Ok(Self {
            logs: root.tlogs.into_iter().map(TrustedLog::from).collect(),
            certificate_logs: root.ctlogs.into_iter().map(TrustedLog::from).collect(),
            certificate_authorities: root.certificate_authorities.into_iter().map(Into::into).collect(),
            timestamp_authorities: root.timestamp_authorities.into_iter().map(Into::into).collect(),
            ..Self::default()
        })
    }

    /// Keys alone, trusted at any time.
    pub fn from_keys<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        Self::default().with_keys(keys)
    }

    /// The same, trusting these keys too, at any time.
    #[must_use]
    pub fn with_keys<'a>(mut self, keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        let added = keys
            .into_iter()
            .map(|key| TrustedKey { spki: Base64(key.spki_der().to_vec()), valid_for: Window::default() });
        self.keys.extend(added);
        self
    }
}

/// A public key and the time in which it is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedKey {
    /// The key's SubjectPublicKeyInfo.
    pub spki: Base64,
    /// The time in which signatures of the key count.
    #[serde(default)]
    pub valid_for: Window,
}

/// A log, by its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedLog {
    /// The log's base URL; the host of it is the origin of a Rekor v2 log.
    pub base_url: String,
    /// The log's SubjectPublicKeyInfo (for Ed25519 as older trust roots have it, the bare 32 bytes).
    pub key: Base64,
    /// The log's id as entries and certificate timestamps name it.
    pub log_id: Base64,
    /// The time in which the log is trusted.
    #[serde(default)]
    pub valid_for: Window,
    /// Who runs the log, where it is stated: logs of one operator count as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

impl From<trusted_root::LogInstance> for TrustedLog {
    fn from(log: trusted_root::LogInstance) -> Self {
        Self {
            base_url: log.base_url,
            key: Base64(log.public_key),
            log_id: Base64(log.log_id),
            valid_for: Window { start: Some(log.validity.start), end: log.validity.end },
            operator: log.operator,
        }
    }
}

/// An authority, by its certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedAuthority {
    /// What the authority is called.
    pub name: String,
    /// Where it answers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uri: String,
    /// Its certificates in DER, from the one that signs up to the anchor.
    pub certificates: Vec<Base64>,
    /// The time in which it is trusted.
    #[serde(default)]
    pub valid_for: Window,
    /// Who runs the authority, where it is stated: authorities of one operator count as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

impl From<trusted_root::Authority> for TrustedAuthority {
    fn from(authority: trusted_root::Authority) -> Self {
        Self {
            name: authority.common_name,
            uri: authority.uri,
            certificates: authority.chain.into_iter().map(Base64).collect(),
            valid_for: Window { start: Some(authority.validity.start), end: authority.validity.end },
            operator: authority.operator,
        }
    }
}

/// A witness, by its C2SP verifier key `name+hash+key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedWitness {
    /// The verifier key, of type 04 (Ed25519) or 06 (ML-DSA-44).
    pub verifier_key: String,
}

/// A span of time in seconds since 1970-01-01 UTC, closed at both ends. A missing end is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// The first second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// The last second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
}

impl Window {
    /// Whether the time lies in it, ends included.
    pub fn contains(&self, time: i64) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |time: Option<i64>| {
            time.and_then(|t| signet_formats::time::format(t).ok()).unwrap_or("…".to_owned())
        };
        write!(f, "{} to {}", text(self.start), text(self.end))
    }
}

/// The id of a value: the SHA-256 of its canonical JSON.
pub(crate) fn id_of<T: Serialize>(value: &T) -> Digest {
    // Canonical JSON has no integers beyond 2^53, as a size that somebody states may be. Plain JSON has: the values of this
    // crate, which are trees of texts, integers and lists, always have it.
    let json = canonical_json::to_string(value).ok().or_else(|| serde_json::to_string(value).ok());
    Digest::sha256(json.unwrap_or_default().as_bytes())
}
