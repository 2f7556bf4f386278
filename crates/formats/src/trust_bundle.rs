//! A repository of trust in one file, for machines that cannot reach it: every file that a client asks for, as the
//! repository has it.
//!
//! Nothing in it is believed because it stands there: whoever reads it follows it as a repository (`tuf`). What the
//! file itself says, when it was made and how old it may become, is advice that a reader can only make stricter.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::{self, JsonError};
use crate::{base64, time};

/// The media type of version 1.
pub const MEDIA_TYPE: &str = "application/vnd.signet.trust-bundle.v1+json";
/// The largest bundle that is read, in bytes.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The most files that a bundle may have.
pub const MAX_FILES: usize = 4_096;

/// A bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustBundle {
    /// When it was made, in Unix time.
    pub created: i64,
    /// How many seconds after its timestamp was signed it may be used; `None`: as long as its metadata has not
    /// expired.
    pub max_age: Option<i64>,
    /// Metadata by its name in the repository.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// Targets by where they are below the targets' URL.
    pub targets: BTreeMap<String, Vec<u8>>,
}

impl TrustBundle {
    /// Reads a bundle.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustBundleError> {
        let wire: Wire = json::parse(bytes, MAX_BYTES)?;
        if wire.media_type != MEDIA_TYPE {
            return Err(TrustBundleError::MediaType(wire.media_type));
        }
        if wire.metadata.len() + wire.targets.len() > MAX_FILES {
            return Err(TrustBundleError::TooManyFiles);
        }
        if wire.max_age_seconds.is_some_and(|age| age < 0) {
            return Err(TrustBundleError::Field("maxAgeSeconds"));
        }
        let created = time::parse(&wire.created_at).map_err(|_| TrustBundleError::Field("createdAt"))?;
        Ok(Self {
            created,
            max_age: wire.max_age_seconds,
            metadata: decoded(wire.metadata, "metadata")?,
            targets: decoded(wire.targets, "targets")?,
        })
    }

    /// The bundle as JSON; an error for a time that has no text.
    pub fn to_json(&self) -> Result<String, TrustBundleError> {
        let encoded = |files: &BTreeMap<String, Vec<u8>>| {
            files.iter().map(|(name, bytes)| (name.clone(), base64::encode(bytes))).collect()
        };
        let wire = Wire {
            media_type: MEDIA_TYPE.to_owned(),
            created_at: time::format(self.created).map_err(|_| TrustBundleError::Field("createdAt"))?,
            max_age_seconds: self.max_age,
            metadata: encoded(&self.metadata),
            targets: encoded(&self.targets),
        };
        let text = serde_json::to_string_pretty(&wire);
        text.map_err(|error| JsonError::Malformed(error.to_string()).into())
    }
}

/// Why a file is no bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustBundleError {
    /// A field has an impossible value.
    Field(&'static str),
    /// It is not JSON of a bundle's shape.
    Json(JsonError),
    /// It says that it is something else.
    MediaType(String),
    /// It has more files than [`MAX_FILES`].
    TooManyFiles,
}

impl fmt::Display for TrustBundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => write!(f, "the trust bundle's `{field}` has an impossible value"),
            Self::Json(error) => write!(f, "the trust bundle is malformed: {error}"),
            Self::MediaType(found) => write!(f, "`{found}` is not the media type of a trust bundle"),
            Self::TooManyFiles => write!(f, "the trust bundle has more than {MAX_FILES} files"),
        }
    }
}

impl std::error::Error for TrustBundleError {}

impl From<JsonError> for TrustBundleError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    media_type: String,
    created_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_seconds: Option<i64>,
    metadata: BTreeMap<String, String>,
    targets: BTreeMap<String, String>,
}

fn decoded(
    files: BTreeMap<String, String>,
    field: &'static str,
) -> Result<BTreeMap<String, Vec<u8>>, TrustBundleError> {
    let decode = |(name, text): (String, String)| {
        base64::decode(&text).map(|bytes| (name, bytes)).map_err(|_| TrustBundleError::Field(field))
    };
    files.into_iter().map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bundle = TrustBundle {
            created: 1_795_000_000,
            max_age: Some(3_600),
            metadata: BTreeMap::from([("1.root.json".to_owned(), b"{}".to_vec())]),
            targets: BTreeMap::from([("a/b".to_owned(), vec![0, 255])]),
        };
        assert_eq!(TrustBundle::parse(bundle.to_json().unwrap().as_bytes()), Ok(bundle));
    }

    #[test]
    fn other_documents_are_refused() {
        let refused = |text: &str| TrustBundle::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(refused("{}"), TrustBundleError::Json(_)));
        let with = |media_type: &str, created: &str, age: i64, text: &str| {
            let document = serde_json::json!({
                "mediaType": media_type, "createdAt": created, "maxAgeSeconds": age,
                "metadata": {"root.json": text}, "targets": {},
            });
            refused(&document.to_string())
        };
        let now = "2026-11-21T00:00:00Z";
        assert_eq!(with("text/plain", now, 1, ""), TrustBundleError::MediaType("text/plain".to_owned()));
        assert_eq!(with(MEDIA_TYPE, "now", 1, ""), TrustBundleError::Field("createdAt"));
        assert_eq!(with(MEDIA_TYPE, now, -1, ""), TrustBundleError::Field("maxAgeSeconds"));
        assert_eq!(with(MEDIA_TYPE, now, 1, "?"), TrustBundleError::Field("metadata"));
        let many: BTreeMap<String, String> =
            (0..=MAX_FILES).map(|at| (at.to_string(), String::new())).collect();
        let document = serde_json::json!({
            "mediaType": MEDIA_TYPE, "createdAt": now, "metadata": many, "targets": {},
        });
        assert_eq!(refused(&document.to_string()), TrustBundleError::TooManyFiles);
    }
}
