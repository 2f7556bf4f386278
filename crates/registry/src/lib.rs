//! OCI distribution client: authentication, referrers, copy, layouts.
//!
//! [`Client`] speaks OCI distribution 1.1 with one registry or many. [`ImageStore`] puts registries,
//! image layouts and archives behind one trait, and [`copy`] carries an image with everything that
//! refers to it from one store to another.
//!
//! What is read is checked against its digest and size before the last byte is handed on; what comes
//! from outside is bounded by [`Limits`], each bound listed where they are.
//!
//! # Who is told what
//!
//! - Credentials go to the registry's own scheme, host and port, and to the token realm that it names:
//!   over HTTPS, or over HTTP where both are on this machine. A realm that redirects is refused.
//! - Our TLS certificate goes to the registry's own scheme, host and port alone: to no other realm, storage or proxy.
//! - Redirects are followed by hand and without credentials, also within one host; a 401 behind a
//!   redirect is final.
//! - Registries on this machine are asked over plain HTTP and never through a proxy; [`Options::https`]
//!   names those that are not. All others are asked over HTTPS unless [`Options::plain_http`] names
//!   them, and nothing falls back from one to the other.
//! - `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured as curl does; a SOCKS proxy is refused. The roots are the system's
//!   (`SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set), loaded when HTTPS is first needed.

mod attachment;
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

pub use auth::{Credentials, Found, Keychain, Origin};
pub use client::{
    Attached, BlobPush, Client, ManifestName, Options, Precondition, PushOutcome, Referrers, ReferrersVia,
    Resolved, TlsOptions,
};
pub use copy::{CopyEvent, CopyOptions, CopyReport, copy};
pub use error::{Advice, Error};
pub use flight::parallel;
pub use limits::Limits;
pub use local::{DockerArchive, DockerSave, Layout, OciArchive};
pub use location::{Endpoint, LocalName, Location};
pub use store::{ImageStore, RegistryStore};
pub use stream::BlobStream;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
