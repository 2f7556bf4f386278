//! OCI image and distribution formats: references, descriptors, manifests, indexes, media types.

mod cose;
mod descriptor;
mod evidence;
mod manifest;
pub mod media_type;
mod reference;
mod walk;

pub use descriptor::{Descriptor, Platform};
pub use evidence::{EvidenceKind, MAX_EVIDENCE_BYTES};
pub use manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestError, ManifestKind};
pub use reference::{Reference, ReferenceError, Registry, Repository, Tag};
pub use walk::{MAX_MANIFEST_DEPTH, Walk, WalkError};
