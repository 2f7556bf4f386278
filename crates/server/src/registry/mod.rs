//! The OCI distribution API (distribution-spec 1.1) over a [`RegistryStore`](signet_store::registry::RegistryStore).
//!
//! [`Config`] → [`Config::build`] → [`App`] → [`App::run`]. HTTP/1.1, with or without TLS; users and their
//! rights come from an htpasswd file and a rights file ([`AuthFiles`]). Without them everyone may do everything,
//! and the registry listens on loopback only. A [`PullGate`] may refuse pulls by a policy.

mod app;
mod auth;
mod blobs;
mod browser;
mod error;
mod evidence;
mod failures;
mod gate;
mod housekeeping;
mod htpasswd;
mod manifests;
mod referrers;
mod request;
mod response;
mod rights;
mod route;
mod service;
mod tags;
mod uploads;
mod users;

use axum::Router;
use signet_store::registry::FsRegistry;

pub use crate::host::TlsFiles;
use crate::metrics;
pub use app::{App, BuildError, Config, Limits, Registry};
pub use gate::{PullGate, Refusal};
pub use housekeeping::GarbageCollection;
pub use rights::Principal;
pub use users::AuthFiles;

/// The routes for operators of a registry, at an address of their own.
pub fn operators(store: FsRegistry) -> Router {
    metrics::operators_of("registry", move || store.is_writing(), |_| ())
}
