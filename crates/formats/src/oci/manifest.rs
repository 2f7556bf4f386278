//! Image manifests and indexes (OCI image-spec, manifest.md and image-index.md; Docker schema 2).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::descriptor::Descriptor;
use super::media_type;

/// The largest manifest that is read, in bytes (distribution-spec: registries accept at least 4 MiB).
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// An image manifest or an index; which one, [`Manifest::kind`] tells.
///
/// It does not keep unknown fields: whoever must reproduce the bytes keeps the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The media type that the document says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, if not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration, in an image manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Descriptor>,
    /// The layers, in an image manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<Descriptor>>,
    /// The manifests, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Vec<Descriptor>>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free-form annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest or index of at most [`MAX_MANIFEST_BYTES`].
    ///
    /// A document that is both (has `manifests` and `layers` or `config`), is neither, or names a
    /// media type of the other kind is refused, as CVE-2021-41190 asks.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|_| ManifestError::Malformed)?;
        if manifest.schema_version != 2 {
            return Err(ManifestError::SchemaVersion);
        }
        let has_layers = manifest.layers.is_some() || manifest.config.is_some();
        if manifest.manifests.is_some() == has_layers {
            return Err(ManifestError::Ambiguous);
        }
        match manifest.media_type.as_deref().and_then(ManifestKind::of_media_type) {
            Some(stated) if stated != manifest.kind() => Err(ManifestError::Ambiguous),
            _ => Ok(manifest),
        }
    }

    /// Whether it is an image manifest or an index.
    pub fn kind(&self) -> ManifestKind {
        match self.manifests {
            Some(_) => ManifestKind::Index,
            None => ManifestKind::Image,
        }
    }

    /// The layers of an image manifest; none of an index.
    pub fn layers(&self) -> &[Descriptor] {
        self.layers.as_deref().unwrap_or_default()
    }

    /// The manifests of an index; none of an image manifest.
    pub fn manifests(&self) -> &[Descriptor] {
        self.manifests.as_deref().unwrap_or_default()
    }

    /// The artifact type by the rule of the referrers API: `artifactType`, else the media type of
    /// an image manifest's configuration.
    pub fn effective_artifact_type(&self) -> Option<&str> {
        let stated = self.artifact_type.as_deref().filter(|t| !t.is_empty());
        stated.or_else(|| self.config.as_ref().map(|config| config.media_type.as_str()))
    }
}

/// The two kinds of [`Manifest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// One image, or one artifact.
    Image,
    /// A list of manifests, one a platform.
    Index,
}

impl ManifestKind {
    /// The kind that a media type names, if it names one.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        match media_type {
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => Some(Self::Image),
            media_type::OCI_INDEX | media_type::DOCKER_LIST => Some(Self::Index),
            _ => None,
        }
    }
}

/// Why a manifest was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// It is an image manifest and an index at once, neither, or not what its media type says.
    Ambiguous,
    /// It is not JSON of the manifest's shape.
    Malformed,
    /// `schemaVersion` is not 2.
    SchemaVersion,
    /// It is larger than [`MAX_MANIFEST_BYTES`].
    TooLarge,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambiguous => "the manifest is not clearly an image manifest or an index",
            Self::Malformed => "the manifest is malformed",
            Self::SchemaVersion => "the manifest's schemaVersion is not 2",
            Self::TooLarge => "the manifest is larger than 4 MiB",
        })
    }
}

impl std::error::Error for ManifestError {}
