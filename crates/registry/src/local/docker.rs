//! What `docker save` writes (`docker-archive:`): `manifest.json` beside layers and configuration.
//!
//! Newer dockers write a layout into the same file; then that is read, and digests stay what they were.
//! Of an older one an OCI manifest is made, whose digest is thus a new one.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use signet_formats::oci::{Descriptor, Manifest, Reference, Tag, media_type};

use super::listed::REF_NAME;
use super::reader::{Reader, Tree};
use super::tarball::{Span, Tarball};
use crate::client::{BlobPush, ManifestName, Referrers, ReferrersVia, Resolved};
use crate::store::ImageStore;
use crate::stream::BlobStream;
use crate::{Attached, Error, Limits, Result};

/// One image of a `docker save` archive.
pub struct DockerArchive {
    image: Image,
    limits: Limits,
}

enum Image {
    Layout(Box<Reader>, Option<Digest>),
    Made { tarball: Tarball, manifest: Box<Resolved>, entries: HashMap<Digest, String> },
}

impl DockerArchive {
    /// The image called `name` there, or the only one.
    pub fn open(file: &Path, name: Option<&str>, limits: &Limits) -> Result<Self> {
        let tarball = Tarball::open(file, limits)?;
        let image = match tarball.has("index.json") && tarball.has("oci-layout") {
            true => in_layout(tarball, name, limits)?,
            false => made(tarball, name, limits)?,
        };
        Ok(Self { image, limits: limits.clone() })
    }
}

#[async_trait]
impl ImageStore for DockerArchive {
    async fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        match (&self.image, name) {
            (Image::Layout(reader, Some(digest)), None) => {
                reader.resolve(Some(&ManifestName::Digest(*digest)))
            }
            (Image::Layout(reader, _), name) => reader.resolve(name),
            (Image::Made { manifest, .. }, None) => Ok((**manifest).clone()),
            (Image::Made { manifest, .. }, Some(ManifestName::Digest(digest)))
                if *digest == manifest.digest() =>
            {
                Ok((**manifest).clone())
            }
            (_, Some(name)) => Err(Error::NotFound { what: format!("{name} in the archive") }),
        }
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream> {
        match &self.image {
            Image::Layout(reader, _) => reader.blob(blob).await,
            Image::Made { tarball, entries, .. } => {
                let missing = || Error::NotFound { what: format!("{} in the archive", blob.digest) };
                let name = entries.get(&blob.digest).ok_or_else(missing)?;
                Ok(BlobStream::new(blob, tarball.chunks(name).await?))
            }
        }
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        match &self.image {
            Image::Layout(reader, _) => reader.referrers(subject),
            Image::Made { .. } => {
                Ok(Referrers { descriptors: Vec::new(), via: ReferrersVia::Api, incomplete: None })
            }
        }
    }

    async fn has_manifest(&self, _digest: &Digest) -> Result<bool> {
        Err(read_only())
    }

    async fn put_blob(&self, _blob: &Descriptor, _source: &dyn ImageStore) -> Result<BlobPush> {
        Err(read_only())
    }

    async fn put_bytes(&self, _media_type: &str, _bytes: Bytes) -> Result<Descriptor> {
        Err(read_only())
    }

    async fn put_manifest(&self, _manifest: &Resolved) -> Result<()> {
        Err(read_only())
    }

    async fn put_referrer(&self, _manifest: &Resolved, _subject: &Digest) -> Result<Attached> {
        Err(read_only())
    }

    async fn tag(&self, _manifest: &Resolved, _tag: &Tag) -> Result<()> {
        Err(read_only())
    }

    async fn put_attachment(&self, _image: &Resolved, _tag: &Tag) -> Result<bool> {
        Err(read_only())
    }

    async fn finish(&self) -> Result<()> {
        Ok(())
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// containerd adds the whole reference as an annotation of its own beside the tag.
fn in_layout(tarball: Tarball, name: Option<&str>, limits: &Limits) -> Result<Image> {
    let shown = tarball.path().display().to_string();
    let reader = Box::new(Reader::new(Tree::Tar(tarball), limits));
    let Some(name) = name else { return Ok(Image::Layout(reader, None)) };
    let listed = reader.index()?;
    let is_called = |entry: &&Descriptor| {
        let called = |key: &str| entry.annotations.get(key).is_some_and(|value| same_name(value, name));
        called(CONTAINERD_NAME) || called(REF_NAME)
    };
    match listed.index.manifests().iter().find(is_called) {
        Some(entry) => Ok(Image::Layout(reader, Some(entry.digest))),
        None => Err(Error::NotFound { what: format!("{name} in `{shown}`") }),
    }
}

fn made(tarball: Tarball, name: Option<&str>, limits: &Limits) -> Result<Image> {
    let saved = saved(&tarball, name, limits)?;
    span(&tarball, &saved.config)?;
    let config = tarball.bytes(&saved.config, limits.page_bytes)?;
    let config_descriptor = Descriptor::of(media_type::OCI_CONFIG, &config);
    let mut entries = HashMap::from([(config_descriptor.digest, saved.config.clone())]);
    let (mut layers, mut read) = (Vec::new(), HashMap::new());
    for layer in &saved.layers {
        let descriptor = match read.entry(span(&tarball, layer)?) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(layer_descriptor(&tarball, layer)?),
        };
        entries.insert(descriptor.digest, layer.clone());
        layers.push(descriptor.clone());
    }
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        artifact_type: None,
        config: Some(config_descriptor),
        layers: Some(layers),
        manifests: None,
        subject: None,
        annotations: BTreeMap::new(),
    };
    let what = format!("`{}`", tarball.path().display());
    let bytes = serde_json::to_vec(&manifest).map_err(|error| Error::malformed(&what, error.to_string()))?;
    let digest = Digest::sha256(&bytes);
    let manifest = Box::new(Resolved::new(&what, bytes.into(), None, digest)?);
    Ok(Image::Made { tarball, manifest, entries })
}

/// Where something is that the archive says is there.
fn span(tarball: &Tarball, name: &str) -> Result<Span> {
    let missing = || format!("`{name}`, which its manifest.json names, is not there");
    tarball.span(name).map_err(|_| Error::damaged(tarball.path(), missing()))
}

fn saved(tarball: &Tarball, name: Option<&str>, limits: &Limits) -> Result<Saved> {
    let shown = tarball.path().display();
    let bytes = tarball.bytes("manifest.json", limits.page_bytes)?;
    let images: Vec<Saved> = serde_json::from_slice(&bytes)
        .map_err(|_| Error::damaged(tarball.path(), "its manifest.json is not one of `docker save`"))?;
    let wanted = |image: &Saved| match name {
        Some(name) => image.repo_tags.iter().flatten().any(|tag| same_name(tag, name)),
        None => true,
    };
    let mut found = images.into_iter().filter(wanted);
    match (found.next(), found.next()) {
        (Some(image), None) => Ok(image),
        (None, _) => Err(Error::NotFound { what: format!("{} in `{shown}`", name.unwrap_or("an image")) }),
        (Some(_), Some(_)) => {
            let reason = "it holds more than one image; name one by its reference".to_owned();
            Err(Error::Location { text: format!("docker-archive:{shown}"), reason })
        }
    }
}

/// Reads the whole layer once for its digest; `docker save` does not state it.
fn layer_descriptor(tarball: &Tarball, name: &str) -> Result<Descriptor> {
    let mut reader = tarball.reader(name)?;
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    let mut buffer = vec![0; super::CHUNK];
    let mut gzip = None;
    loop {
        let read = reader.read(&mut buffer).map_err(|error| Error::io(tarball.path(), &error))?;
        let chunk = buffer.get(..read).unwrap_or_default();
        if chunk.is_empty() {
            break;
        }
        gzip.get_or_insert_with(|| chunk.starts_with(&[0x1f, 0x8b]));
        hasher.update(chunk);
    }
    let media_type = match gzip {
        Some(true) => media_type::OCI_LAYER_TAR_GZIP,
        _ => media_type::OCI_LAYER_TAR,
    };
    Ok(Descriptor::new(media_type, hasher.finish(), tarball.size(name)?))
}

/// Whether two spellings name the same image by Docker's normalisation.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    match (a.parse::<Reference>(), b.parse::<Reference>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn read_only() -> Error {
    let reason = "it was opened to read".to_owned();
    Error::Location { text: "docker-archive:".to_owned(), reason }
}

/// The annotation by which containerd calls an entry of `index.json`: the whole reference.
pub(super) const CONTAINERD_NAME: &str = "io.containerd.image.name";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
    repo_tags: Option<Vec<String>>,
}
