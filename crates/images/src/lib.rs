//! What is inside an image: manifests, layers, archives; streams bytes to digests.

mod build;
mod digest;
mod platform;

pub use build::{
    BuildError, BuiltImage, Compression, Layer, LayerFile, Settings, Source, build_image, build_index,
};
pub use digest::{FileDigests, digest_file, digest_reader};
pub use platform::{PlatformError, is_platform, parse_platform, select_platform};
