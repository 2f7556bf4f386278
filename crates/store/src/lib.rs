//! Durable stores on disk.
//!
//! - [`DataDir`]: a directory with a format version and an exclusive lock; every store lives in one.
//! - [`registry`]: what the registry serves: blobs, manifests, tags, referrers, uploads.
//! - [`fs`]: the only place that writes, so that durability is proven and faults are injected in one
//!   file.

mod data_dir;
pub mod fs;
mod name;
pub mod registry;

pub use data_dir::{DataDir, Kind, OpenError, format_of, is_locked, kind_of, lock};
pub use name::{NameError, RepositoryName, UploadId};
