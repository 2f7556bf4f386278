//! Image manifests and indexes (OCI image-spec, manifest.md and image-index.md; Docker schema 2).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::descriptor::Descriptor;
use super::media_type;
use crate::exact::{exact, null_is_absent};
use crate::json;

/// The largest manifest that is read, in bytes (distribution-spec: registries accept at least 4 MiB).
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// An image manifest or an index; which one, [`Manifest::kind`] tells.
///
/// It does not keep unknown fields: whoever must reproduce the bytes keeps the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
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
    #[serde(default, deserialize_with = "null_is_absent", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

exact!(Manifest);

impl Manifest {
    /// Reads a manifest or index of at most [`MAX_MANIFEST_BYTES`].
    ///
    /// A document that is both (has `manifests` and `layers` or `config`), is neither, or names a
    /// media type of the other kind is refused, as CVE-2021-41190 asks; so is one with a field in another
    /// case, in its descriptors too, which has another meaning for other readers.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let malformed = |error: serde_json::Error| ManifestError::Malformed(json::said(&error.to_string()));
        let mut manifest: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        manifest.complete();
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

    /// An index may say `null` for no manifests (Go writes so), and is one by its media type then.
    fn complete(&mut self) {
        let stated = self.media_type.as_deref().and_then(ManifestKind::of_media_type);
        let has_content = self.manifests.is_some() || self.layers.is_some() || self.config.is_some();
        if stated == Some(ManifestKind::Index) && !has_content {
            self.manifests = Some(Vec::new());
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// It is an image manifest and an index at once, neither, or not what its media type says.
    Ambiguous,
    /// It is not JSON of the manifest's shape, with its fields as they are spelt; what is wrong, and where. Printable and
    /// short.
    Malformed(String),
    /// `schemaVersion` is not 2.
    SchemaVersion,
    /// It is larger than [`MAX_MANIFEST_BYTES`].
    TooLarge,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous => f.write_str("the manifest is not clearly an image manifest or an index"),
            Self::Malformed(reason) => write!(f, "the manifest is malformed: {reason}"),
            Self::SchemaVersion => f.write_str("the manifest's schemaVersion is not 2"),
            Self::TooLarge => f.write_str("the manifest is larger than 4 MiB"),
        }
    }
}

impl std::error::Error for ManifestError {}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(document: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(document.to_string().as_bytes())
    }

    fn with(mut document: Value, at: &str, name: &str, value: Value) -> Value {
        document.pointer_mut(at).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        document
    }

    /// podman ran the layers of `Layers`, where the gate had looked at those of `layers`.
    #[test]
    fn a_field_in_another_case_is_refused() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let blob = json!({"mediaType": "a/b", "digest": digest, "size": 1});
        let image = json!({"schemaVersion": 2, "config": blob, "layers": [blob], "subject": blob});
        let platform = json!({"architecture": "amd64", "os": "linux"});
        let listed = with(blob.clone(), "", "platform", platform);
        let index = json!({"schemaVersion": 2, "manifests": [listed]});
        assert!(read(&image).is_ok() && read(&index).is_ok());
        for name in
            ["Layers", "layer\u{17f}", "LAYERS", "Config", "Manifests", "Subject", "MediaType", "mediatype"]
        {
            let refused = read(&with(image.clone(), "", name, json!(null)));
            assert!(matches!(refused, Err(ManifestError::Malformed(_))), "{name}: {refused:?}");
        }
        for (at, name) in [("/config", "Digest"), ("/layers/0", "dige\u{17f}t"), ("/subject", "Size")] {
            assert!(read(&with(image.clone(), at, name, json!(1))).is_err(), "{at} {name}");
        }
        for (at, name) in [("", "Manifests"), ("/manifests/0", "URLs"), ("/manifests/0/platform", "OS")] {
            assert!(read(&with(index.clone(), at, name, json!([]))).is_err(), "{at} {name}");
        }
    }

    /// Go writes `null` for what is empty and reads it so; such images ran everywhere and were "malformed" here.
    #[test]
    fn null_is_absent_wherever_a_member_may_be() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let blob = json!({"mediaType": "a/b", "digest": digest, "size": 1});
        let image = json!({"schemaVersion": 2, "config": blob, "layers": [blob]});
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [blob]});
        for name in ["mediaType", "artifactType", "subject", "annotations", "manifests"] {
            assert_eq!(read(&with(image.clone(), "", name, json!(null))), read(&image), "{name}");
        }
        for name in ["artifactType", "annotations", "platform", "urls"] {
            for (document, at) in [(&image, "/layers/0"), (&index, "/manifests/0")] {
                assert_eq!(read(&with(document.clone(), at, name, json!(null))), read(document), "{name}");
            }
        }
        let platform = json!({"architecture": "amd64", "os": "linux", "variant": null, "os.version": null});
        assert!(read(&with(index.clone(), "/manifests/0", "platform", platform)).is_ok());
        let empty = read(&with(index.clone(), "", "manifests", json!(null))).unwrap();
        assert_eq!((empty.kind(), empty.manifests().len()), (ManifestKind::Index, 0));
        assert!(read(&with(image, "", "schemaVersion", json!(null))).is_err(), "it has to be there");
    }

    #[test]
    fn a_malformed_manifest_is_told_what_is_wrong_with_it_in_few_words() {
        let refused = |bytes: &[u8]| Manifest::parse(bytes).unwrap_err().to_string();
        let missing = refused(br#"{"mediaType": "a/b"}"#);
        assert!(missing.contains("schemaVersion") && missing.contains("line 1 column"), "{missing}");
        let long = format!(r#"{{"schemaVersion": "{}"}}"#, "\\u001b[2Jx".repeat(1_000));
        let long = refused(long.as_bytes());
        assert!(long.len() < 300 && !long.contains('\u{1b}'), "{long}");
    }

    #[test]
    fn other_fields_and_annotations_are_spelt_as_one_likes() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let blob = json!({"mediaType": "a/b", "digest": digest, "size": 1, "Data": "", "annotations": {"a": "", "A": ""}});
        let index = json!({"schemaVersion": 2, "Other": 1, "other": 2, "manifests": [blob], "annotations": {"Layers": "x"}});
        let read = read(&index).unwrap();
        assert_eq!(read.manifests().first().unwrap().annotations.len(), 2);
        assert_eq!(Manifest::parse(&serde_json::to_vec(&read).unwrap()), Ok(read));
    }
}
