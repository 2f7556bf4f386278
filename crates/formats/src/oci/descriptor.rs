//! Content descriptors (OCI image-spec, descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signet_crypto::Digest;

use crate::exact::{exact, null_is_absent};

/// What points at a piece of content: its type, digest and size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct Descriptor {
    /// The media type of the content.
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes.
    pub size: u64,
    /// The artifact type, where the content is an artifact manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Free-form annotations.
    #[serde(default, deserialize_with = "null_is_absent", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The platform the content runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Where else the content can be fetched.
    #[serde(default, deserialize_with = "null_is_absent", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

exact!(Descriptor, Platform);

impl Descriptor {
    /// A descriptor of `content` with nothing but the three mandatory fields.
    pub fn of(media_type: &str, content: &[u8]) -> Self {
        // `usize` is at most 64 bits wide on every platform Rust has.
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        Self::new(media_type, Digest::sha256(content), size)
    }

    /// A descriptor with nothing but the three mandatory fields.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
            urls: Vec::new(),
        }
    }

    /// Whether it is of a layer that registries may lack by design: a Windows base image or another one that is not
    /// to be distributed (image-spec, "Non-Distributable Layers"). Other layers have to be there, also where `urls`
    /// name further places.
    pub fn is_foreign_layer(&self) -> bool {
        FOREIGN_LAYERS.iter().any(|start| self.media_type.starts_with(start))
    }
}

/// How the media types of such layers begin: OCI's and Docker's, with whatever compression.
const FOREIGN_LAYERS: [&str; 2] = [
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];

/// A platform as an index names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Platform {
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `linux`, `windows`, …
    pub os: String,
    /// Windows build number and the like.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// `v7`, `v8`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_foreign_by_their_media_type_alone() {
        let of = |media_type: &str| Descriptor::of(media_type, b"");
        for media_type in [
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ] {
            assert!(of(media_type).is_foreign_layer(), "{media_type}");
        }
        let elsewhere = Descriptor { urls: vec!["https://a.example/".to_owned()], ..of("application/x") };
        for layer in [elsewhere, of("application/x-nondistributable"), of("x.foreign.diff.tar")] {
            assert!(!layer.is_foreign_layer(), "{layer:?}");
        }
    }
}
