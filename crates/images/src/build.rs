//! Building a small real image: layers from files, a configuration, a manifest, an index.
//!
//! The same files give the same digests: entries come in the order given, owned by root, at time 0.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use flate2::write::GzEncoder;
use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use signet_formats::oci::{Descriptor, Manifest, Platform, media_type};

/// One file of a layer.
#[derive(Clone, Debug)]
pub struct LayerFile {
    /// Its path in the image, relative to the root.
    pub path: String,
    /// Its permissions, such as 0o755.
    pub mode: u32,
    /// What is in it.
    pub source: Source,
}

/// The content of a [`LayerFile`].
#[derive(Clone, Debug)]
pub enum Source {
    /// A file of this machine, which is streamed.
    File(PathBuf),
    /// Bytes at hand.
    Bytes(Vec<u8>),
}

/// How a layer's tar is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// With gzip.
    Gzip,
}

/// A layer that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What a manifest says of it.
    pub descriptor: Descriptor,
    /// The digest of its tar before compression, which the configuration lists.
    pub diff_id: Digest,
}

impl Layer {
    /// Writes a layer of `files` to `out`, which may be a file of any size.
    pub fn write(files: &[LayerFile], compression: Compression, out: impl Write) -> Result<Self, BuildError> {
        let stored = Hashing::new(out);
        let (diff_id, mut stored) = match compression {
            Compression::None => {
                let tar = write_tar(files, Hashing::new(stored))?;
                (tar.hasher.finish(), tar.inner)
            }
            Compression::Gzip => {
                let gzip = GzEncoder::new(stored, flate2::Compression::default());
                let tar = write_tar(files, Hashing::new(gzip))?;
                (tar.hasher.finish(), tar.inner.finish()?)
            }
        };
        stored.flush()?;
        let media_type = match compression {
            Compression::None => media_type::OCI_LAYER_TAR,
            Compression::Gzip => media_type::OCI_LAYER_TAR_GZIP,
        };
        let descriptor = Descriptor::new(media_type, stored.hasher.finish(), stored.size);
        Ok(Self { descriptor, diff_id })
    }
}

/// What a configuration says of how to run an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An image whose layers are stored elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// The configuration's bytes; its descriptor is in the manifest.
    pub config: Vec<u8>,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// What an index says of the manifest, platform included.
    pub descriptor: Descriptor,
}

/// The configuration and manifest of an image of `layers`, lowest first.
pub fn build_image(
    platform: &Platform,
    layers: &[Layer],
    settings: &Settings,
) -> Result<BuiltImage, BuildError> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id).collect();
    let step = serde_json::json!({ "created": EPOCH, "created_by": "signet" });
    let mut config = serde_json::json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "created": EPOCH,
        "config": { "Entrypoint": settings.entrypoint, "Labels": settings.labels },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": vec![step; layers.len()],
    });
    if let (Some(variant), Some(object)) = (&platform.variant, config.as_object_mut()) {
        object.insert("variant".to_owned(), variant.as_str().into());
    }
    let config = serde_json::to_vec(&config)?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        artifact_type: None,
        config: Some(Descriptor::of(media_type::OCI_CONFIG, &config)),
        layers: Some(layers.iter().map(|layer| layer.descriptor.clone()).collect()),
        manifests: None,
        subject: None,
        annotations: BTreeMap::new(),
    };
    let manifest = serde_json::to_vec(&manifest)?;
    let mut descriptor = Descriptor::of(media_type::OCI_MANIFEST, &manifest);
    descriptor.platform = Some(platform.clone());
    Ok(BuiltImage { config, manifest, descriptor })
}

/// The index of `images` and its descriptor.
pub fn build_index(images: &[BuiltImage]) -> Result<(Vec<u8>, Descriptor), BuildError> {
    let index = Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_INDEX.to_owned()),
        artifact_type: None,
        config: None,
        layers: None,
        manifests: Some(images.iter().map(|image| image.descriptor.clone()).collect()),
        subject: None,
        annotations: BTreeMap::new(),
    };
    let bytes = serde_json::to_vec(&index)?;
    let descriptor = Descriptor::of(media_type::OCI_INDEX, &bytes);
    Ok((bytes, descriptor))
}

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read, or the layer not written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A document could not be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

fn write_tar<W: Write>(files: &[LayerFile], out: W) -> Result<W, BuildError> {
    let mut tar = tar::Builder::new(out);
    for file in files {
        match &file.source {
            Source::Bytes(bytes) => append(&mut tar, file, bytes.len() as u64, bytes.as_slice())?,
            Source::File(path) => {
                let content = File::open(path)?;
                let size = content.metadata()?.len();
                append(&mut tar, file, size, content)?;
            }
        }
    }
    Ok(tar.into_inner()?)
}

fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    file: &LayerFile,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_mode(file.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    // A file that grows meanwhile must not push the next header out of place.
    tar.append_data(&mut header, &file.path, content.take(size))
}

/// Passes bytes on and hashes them.
struct Hashing<W> {
    inner: W,
    hasher: Hasher,
    size: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::new(DigestAlgorithm::Sha256), size: 0 }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

const EPOCH: &str = "1970-01-01T00:00:00Z";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_platform;

    fn files() -> Vec<LayerFile> {
        let file = |path: &str, mode, text: &str| LayerFile {
            path: path.to_owned(),
            mode,
            source: Source::Bytes(text.as_bytes().to_vec()),
        };
        vec![file("bin/app", 0o755, "#!/bin/sh"), file("etc/motd", 0o644, "hello")]
    }

    #[test]
    fn a_layer_is_the_same_each_time_and_in_both_compressions() {
        let (mut plain, mut gzip) = (Vec::new(), Vec::new());
        let a = Layer::write(&files(), Compression::None, &mut plain).unwrap();
        let b = Layer::write(&files(), Compression::Gzip, &mut gzip).unwrap();
        assert_eq!((a.diff_id, a.descriptor.digest), (Digest::sha256(&plain), Digest::sha256(&plain)));
        assert_eq!((b.diff_id, b.descriptor.digest), (a.diff_id, Digest::sha256(&gzip)));
        assert_eq!(b.descriptor.size, gzip.len() as u64);
        assert_eq!(Layer::write(&files(), Compression::Gzip, io::sink()).unwrap(), b);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
    }

    #[test]
    fn a_layer_reads_back_as_its_files() {
        let mut bytes = Vec::new();
        Layer::write(&files(), Compression::None, &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let read = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), text)
        });
        let want = [("bin/app", 0o755, "#!/bin/sh"), ("etc/motd", 0o644, "hello")];
        assert_eq!(read.collect::<Vec<_>>(), want.map(|(p, m, t)| (p.to_owned(), m, t.to_owned())));
    }

    #[test]
    fn an_index_leads_to_its_images() {
        let layer = Layer::write(&files(), Compression::Gzip, io::sink()).unwrap();
        let image = |platform| {
            let platform = parse_platform(platform).unwrap();
            build_image(&platform, std::slice::from_ref(&layer), &Settings::default()).unwrap()
        };
        let images = [image("linux/amd64"), image("linux/arm64/v8")];
        let (bytes, descriptor) = build_index(&images).unwrap();
        assert_eq!(descriptor.digest, Digest::sha256(&bytes));
        let index = Manifest::parse(&bytes).unwrap();
        for (entry, image) in index.manifests().iter().zip(&images) {
            assert_eq!(entry.digest, Digest::sha256(&image.manifest));
            let manifest = Manifest::parse(&image.manifest).unwrap();
            assert_eq!(manifest.config.unwrap().digest, Digest::sha256(&image.config));
            let config: serde_json::Value = serde_json::from_slice(&image.config).unwrap();
            assert_eq!(config["rootfs"]["diff_ids"][0], layer.diff_id.to_string());
        }
        assert_eq!(index.manifests().len(), 2);
    }
}
