//! Writing what `docker load`, podman and skopeo read (`docker-archive:`).
//!
//! As newer dockers do it: a layout, in which digests stay what they are and signatures travel along, and beside it the
//! `manifest.json` that older dockers, podman and skopeo look for, over the same files.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, ManifestKind, Reference, Tag, media_type};

use super::archive::{OciArchive, Waiting};
use super::docker::CONTAINERD_NAME;
use super::reader::blob_name;
use crate::client::{BlobPush, ManifestName, Referrers, Resolved};
use crate::store::ImageStore;
use crate::stream::BlobStream;
use crate::{Attached, Error, Limits, Result};

/// A `docker save` archive of one image, to be written.
pub struct DockerSave {
    archive: OciArchive,
    name: Option<Reference>,
    tag: Tag,
    image: Mutex<Option<Resolved>>,
}

impl DockerSave {
    /// A new archive of the image that is going to be called `name`, and tagged [`DockerSave::tag`] here.
    pub(crate) fn create(
        file: &Path,
        name: Option<&str>,
        limits: &Limits,
        waiting: Waiting<'_>,
    ) -> Result<Self> {
        let wrong = |reason: String| Error::Location {
            text: format!(
                "docker-archive:{}{}",
                file.display(),
                name.map(|n| format!(":{n}")).unwrap_or_default()
            ),
            reason,
        };
        let reference =
            name.map(str::parse::<Reference>).transpose().map_err(|error| wrong(error.to_string()))?;
        let tag = match &reference {
            Some(Reference { digest: Some(_), .. }) => {
                return Err(wrong("dockers have no names with digests; name a tag".to_owned()));
            }
            Some(Reference { tag: Some(tag), .. }) => tag.clone(),
            _ => "latest"
                .parse()
                .map_err(|error: signet_formats::oci::ReferenceError| wrong(error.to_string()))?,
        };
        let archive = OciArchive::write(file, limits, waiting, |_| match file.exists() {
            true => Err(Error::Io { path: file.display().to_string(), reason: THERE.to_owned() }),
            false => Ok(()),
        })?;
        Ok(Self { archive, name: reference, tag, image: Mutex::new(None) })
    }

    /// The tag by which the image is put here, also where it gets no name.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    fn write_list(&self, image: &Manifest) -> Result<()> {
        let path = |blob: &Descriptor| blob_name(&blob.digest);
        let saved = Saved {
            config: image.config.iter().map(path).collect(),
            repo_tags: self.name.iter().map(Reference::to_string).collect(),
            layers: image.layers().iter().map(path).collect(),
        };
        let bytes = serde_json::to_vec(&[saved])
            .map_err(|error| Error::malformed("manifest.json", error.to_string()))?;
        let file = self.archive.layout()?.root().join("manifest.json");
        std::fs::write(&file, bytes).map_err(|error| Error::io(&file, &error))
    }
}

#[async_trait]
impl ImageStore for DockerSave {
    async fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        self.archive.resolve(name).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream> {
        self.archive.blob(blob).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        self.archive.referrers(subject).await
    }

    /// Images that can be loaded: of one platform, with a configuration that says how they run.
    fn takes(&self, image: &Manifest) -> Result<()> {
        let refused = |reason: &str| {
            Err(Error::Location { text: "docker-archive:".to_owned(), reason: reason.to_owned() })
        };
        let config = image.config.as_ref().map(|config| config.media_type.as_str());
        match (image.kind(), config) {
            (ManifestKind::Index, _) => refused(
                "it takes the image of one platform: name that in the source, by its digest; or use `oci-archive:`",
            ),
            (_, Some(media_type::OCI_CONFIG | media_type::DOCKER_CONFIG)) => Ok(()),
            _ => refused("what is to be copied is no image that runs; use `oci-archive:`"),
        }
    }

    async fn has_manifest(&self, digest: &Digest) -> Result<bool> {
        self.archive.has_manifest(digest).await
    }

    async fn put_blob(&self, blob: &Descriptor, source: &dyn ImageStore) -> Result<BlobPush> {
        self.archive.put_blob(blob, source).await
    }

    async fn put_bytes(&self, media_type: &str, bytes: Bytes) -> Result<Descriptor> {
        self.archive.put_bytes(media_type, bytes).await
    }

    async fn put_manifest(&self, manifest: &Resolved) -> Result<()> {
        self.archive.put_manifest(manifest).await
    }

    async fn put_referrer(&self, manifest: &Resolved, subject: &Digest) -> Result<Attached> {
        self.archive.put_referrer(manifest, subject).await
    }

    async fn tag(&self, manifest: &Resolved, tag: &Tag) -> Result<()> {
        if *tag != self.tag {
            return self.archive.tag(manifest, tag).await;
        }
        *self.image.lock().unwrap_or_else(PoisonError::into_inner) = Some(manifest.clone());
        let Some(name) = &self.name else { return self.archive.list(manifest).await };
        let mut named = manifest.clone();
        named.descriptor.annotations.insert(CONTAINERD_NAME.to_owned(), name.to_string());
        self.archive.tag(&named, tag).await
    }

    async fn put_attachment(&self, image: &Resolved, tag: &Tag) -> Result<bool> {
        self.archive.put_attachment(image, tag).await
    }

    async fn finish(&self) -> Result<()> {
        let image = self.image.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(image) = image {
            self.write_list(&image.manifest)?;
        }
        self.archive.finish().await
    }

    fn limits(&self) -> &Limits {
        self.archive.limits()
    }
}

const THERE: &str = "it is there, and such an archive is only written anew: remove it, or name another";

/// An entry of `manifest.json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}
