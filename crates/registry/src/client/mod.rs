//! The client: what can be asked of a registry.

mod attach;
mod attachment;
mod authorize;
mod begun;
mod blobs;
mod call;
mod caution;
mod date;
mod manifests;
mod pages;
mod redirect;
mod referrers;
mod response;
mod resume;
mod retry;
mod tags;
mod transport;
mod upload;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use signet_crypto::Digest;
use signet_formats::oci::{Registry, Repository};
pub use signet_http::TlsOptions;

pub use self::attach::Attached;
pub(crate) use self::attach::referrer;
pub use self::manifests::{ManifestName, Precondition, PushOutcome, Resolved};
pub use self::referrers::{Referrers, ReferrersVia};
pub use self::upload::BlobPush;
use crate::auth::Keychain;
use crate::flight::Flights;
use crate::{Limits, Result};
use transport::Transport;

/// How to reach registries.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where credentials come from.
    pub keychain: Keychain,
    /// Registries, besides those on this machine, that are asked over plain HTTP.
    pub plain_http: HashSet<Registry>,
    /// Registries on this machine that are asked over HTTPS; all others there speak plain HTTP.
    pub https: HashSet<Registry>,
    /// Certificates and keys, for whatever is asked over HTTPS.
    pub tls: TlsOptions,
    /// The bounds.
    pub limits: Limits,
}

/// A client of OCI registries. Clones share connections, tokens and fetches under way.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    manifests: Flights<(Repository, String), Resolved>,
    blobs: Flights<(Repository, Digest), Bytes>,
}

impl Client {
    /// A client; nothing is read or connected before it is needed.
    pub fn new(options: Options) -> Self {
        let inner =
            Inner { transport: Transport::new(options), manifests: Flights::new(), blobs: Flights::new() };
        Self { inner: Arc::new(inner) }
    }

    /// The bounds it keeps to.
    pub fn limits(&self) -> &Limits {
        self.transport().limits()
    }

    fn transport(&self) -> &Transport {
        &self.inner.transport
    }
}

/// `scheme://host/v2/<repository>/<rest>`.
fn url(transport: &Transport, repository: &Repository, rest: &str) -> Result<reqwest::Url> {
    let mut url = transport.base(&repository.registry)?;
    url.set_path(&format!("/v2/{}/{rest}", repository.path));
    Ok(url)
}
