//! OCI distribution client: authentication, referrers, copy, layouts.
//!
//! [`Client`] speaks OCI distribution 1.1 with one registry or many. [`ImageStore`] puts registries,
//! image layouts and archives behind one trait, and [`copy`] carries an image with everything that
//! refers to it from one store to another.
//!
//! What is read is checked against its digest and size before the last byte is handed on; what comes
//! from outside is bounded by [`Limits`]. Redirects are followed by hand and never with credentials.

mod auth;
mod client;
mod copy;
mod error;
mod flight;
mod limits;
mod local;
mod location;
mod store;
mod stream;

pub use auth::{Credentials, Keychain};
pub use client::{
    Attached, BlobPush, Client, ManifestName, Options, PushOutcome, Referrers, ReferrersVia, Resolved,
    TlsOptions,
};
pub use copy::{CopyEvent, CopyOptions, CopyReport, copy};
pub use error::Error;
pub use flight::parallel;
pub use limits::Limits;
pub use local::{DockerArchive, Layout, OciArchive};
pub use location::{Endpoint, Location};
pub use store::{ImageStore, RegistryStore};
pub use stream::BlobStream;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
