//! The images of the demonstration: real ones, around this very program, in an OCI layout.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use serde_json::json;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Platform};
use signet_images::{
    BuildError, BuiltImage, Compression, Layer, LayerFile, Settings, Source, build_image, build_index,
    parse_platform,
};

use crate::error::CliError;

/// The directory of the layout.
pub(super) const LAYOUT: &str = "image";

/// Writes a layout with two images of two platforms each: `good`, and `other`.
pub(super) fn build(program: &Path, layout: &Path) -> Result<(), CliError> {
    let writer = Writer { layout };
    writer
        .build(program)
        .map_err(|error| CliError::internal(format!("the image could not be built: {error}")))
}

struct Writer<'a> {
    layout: &'a Path,
}

impl Writer<'_> {
    fn build(&self, program: &Path) -> Result<(), BuildError> {
        fs::create_dir_all(self.layout.join(BLOBS))?;
        let path = PROGRAM.trim_start_matches('/').to_owned();
        let program = LayerFile { path, mode: 0o755, source: Source::File(program.to_owned()) };
        let program = self.layer(&[program])?;
        let tagged: Result<Vec<Descriptor>, BuildError> =
            ["good", "other"].into_iter().map(|tag| self.image(tag, &program)).collect();
        let index = json!({ "schemaVersion": 2, "manifests": tagged? });
        fs::write(self.layout.join("index.json"), serde_json::to_vec(&index)?)?;
        fs::write(self.layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(())
    }

    /// An image of each platform and their index, tagged.
    fn image(&self, tag: &str, program: &Layer) -> Result<Descriptor, BuildError> {
        let platforms = PLATFORMS.iter().filter_map(|name| parse_platform(name).ok());
        let images: Result<Vec<BuiltImage>, BuildError> =
            platforms.map(|platform| self.platform(tag, &platform, program)).collect();
        let (bytes, index) = build_index(&images?)?;
        self.blob(&bytes)?;
        let name = ("org.opencontainers.image.ref.name".to_owned(), tag.to_owned());
        Ok(Descriptor { annotations: BTreeMap::from([name]), ..index })
    }

    fn platform(&self, tag: &str, platform: &Platform, program: &Layer) -> Result<BuiltImage, BuildError> {
        let note = format!("the {tag} image, for {platform}\n").into_bytes();
        let note = LayerFile { path: "etc/signet-demo".to_owned(), mode: 0o644, source: Source::Bytes(note) };
        let settings = Settings { entrypoint: vec![PROGRAM.to_owned()], labels: BTreeMap::new() };
        let image = build_image(platform, &[program.clone(), self.layer(&[note])?], &settings)?;
        self.blob(&image.config)?;
        self.blob(&image.manifest)?;
        Ok(image)
    }

    /// Writes a layer and gives it its name once that is known.
    fn layer(&self, files: &[LayerFile]) -> Result<Layer, BuildError> {
        let unnamed = self.layout.join("layer");
        let layer = Layer::write(files, Compression::None, File::create(&unnamed)?)?;
        fs::rename(unnamed, self.layout.join(BLOBS).join(layer.descriptor.digest.hex()))?;
        Ok(layer)
    }

    fn blob(&self, bytes: &[u8]) -> Result<(), BuildError> {
        Ok(fs::write(self.layout.join(BLOBS).join(Digest::sha256(bytes).hex()), bytes)?)
    }
}

const BLOBS: &str = "blobs/sha256";
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];
/// Where the program is in the image.
const PROGRAM: &str = "/usr/bin/signet";
