//! From a configuration to a running registry.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use signet_store::OpenError;
use signet_store::fs::Disk;
use signet_store::registry::{self as store, FsRegistry, RegistryStore};

use super::auth::Authenticator;
use super::evidence::Evidence;
use super::failures::Failures;
use super::gate::PullGate;
use super::housekeeping::{GarbageCollection, Housekeeping};
use super::service::Service;
use super::users::AuthFiles;
use crate::host::{Address, Bounds, Host, HostError, TlsFiles};
use crate::turns::Turns;

/// What a registry is built from.
#[derive(Clone)]
pub struct Config {
    /// The data directory; made if it is absent or empty.
    pub data: PathBuf,
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// Serve HTTPS with this certificate.
    pub tls: Option<TlsFiles>,
    /// Users and rights; without them the registry listens on loopback only.
    pub auth: Option<AuthFiles>,
    /// Take users' passwords over plain HTTP also from beyond loopback, where something before it speaks HTTPS.
    pub allow_http: bool,
    /// The host of the URL by which clients reach it, where that is another than the one it listens on.
    pub public_host: Option<String>,
    /// What decides about pulls; needs `auth`.
    pub gate: Option<Arc<dyn PullGate>>,
    /// Collect garbage while it runs; otherwise only `signet registry gc` does, while it is stopped.
    pub garbage: Option<GarbageCollection>,
    /// Bounds.
    pub limits: Limits,
    /// What the data directory is written through; tests inject faults here.
    pub disk: Disk,
}

impl Config {
    /// An open registry on `listen`, which is on loopback, that keeps its data in `data`.
    pub fn new(data: PathBuf, listen: SocketAddr) -> Self {
        let (limits, disk) = (Limits::default(), Disk::default());
        let (tls, auth, gate, garbage) = (None, None, None, None);
        Self { data, listen, tls, auth, allow_http: false, public_host: None, gate, garbage, limits, disk }
    }

    /// Checks the configuration, opens the data directory and starts to listen.
    pub async fn build(self) -> Result<App, BuildError> {
        let (disk, data, limits) = (self.disk.clone(), self.data.clone(), self.limits.store);
        self.serving(|| FsRegistry::open_on(disk, &data, limits))
    }

    /// The same over another store than a data directory.
    pub async fn build_over<S: RegistryStore + Clone>(self, store: S) -> Result<App<S>, BuildError> {
        self.serving(|| Ok(store))
    }

    /// Checks the configuration and opens the data directory, for a process that listens itself.
    pub fn open(self) -> Result<Registry, BuildError> {
        let authenticator = self.authenticator()?;
        let store = FsRegistry::open_on(self.disk.clone(), &self.data, self.limits.store)?;
        Ok(self.over(store, authenticator))
    }

    /// What is refused is refused before `open` makes a directory, and nobody can connect before that is open.
    fn serving<S: RegistryStore + Clone>(
        self,
        open: impl FnOnce() -> Result<S, OpenError>,
    ) -> Result<App<S>, BuildError> {
        let authenticator = self.authenticator()?;
        let address = Address::take(self.listen, self.tls.as_ref())?;
        let registry = self.over(open()?, authenticator);
        let Limits { connections, idle, drain, .. } = registry.limits;
        let host = address.listen()?.bounded(Bounds { connections, idle, drain });
        Ok(App { registry, host })
    }

    fn over<S: RegistryStore + Clone>(self, store: S, authenticator: Authenticator) -> Registry<S> {
        let service = Service {
            store: Arc::new(store.clone()),
            authenticator,
            public_host: self.public_host,
            gate: self.gate,
            evidence: Evidence::new(),
            manifest_turns: Turns::new(LARGE_MANIFESTS, LARGE_MANIFESTS_EACH),
            failures: Failures::default(),
        };
        Registry { service: Arc::new(service), store, garbage: self.garbage, limits: self.limits }
    }

    /// Who may make requests, if that is safe where it listens.
    fn authenticator(&self) -> Result<Authenticator, BuildError> {
        let auth = self.auth.as_ref();
        if auth.is_none() && !self.listen.ip().is_loopback() {
            return Err(BuildError::OpenToTheNetwork { listen: self.listen });
        }
        if self.tls.is_none() && !self.allow_http && !self.listen.ip().is_loopback() {
            return Err(BuildError::PasswordsInTheClear { listen: self.listen });
        }
        let authenticator = auth.map(Authenticator::from_files).transpose().map_err(BuildError::Auth)?;
        let authenticator = authenticator.unwrap_or(Authenticator::Open);
        match self.gate.is_some() && !authenticator.lets_somebody_only_pull() {
            true => Err(BuildError::GateWithoutRights),
            false => Ok(authenticator),
        }
    }
}

/// Bounds on what clients can use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections are served at once; more wait.
    pub connections: usize,
    /// How long a connection may carry nothing.
    pub idle: Duration,
    /// How long requests may take to end once the registry stops.
    pub drain: Duration,
    /// After how long an upload that nobody adds to is forgotten.
    pub upload_age: Duration,
    /// What the store accepts.
    pub store: store::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        let Bounds { connections, idle, drain } = Bounds::default();
        Self {
            connections,
            idle,
            drain,
            upload_age: Duration::from_secs(24 * 60 * 60),
            store: store::Limits::default(),
        }
    }
}

/// A registry that listens and is ready to run.
pub struct App<S = FsRegistry> {
    registry: Registry<S>,
    host: Host,
}

impl<S: RegistryStore + Clone> App<S> {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.host.local_addr()
    }

    /// `http://` or `https://` and the address.
    pub fn url(&self) -> String {
        self.host.url()
    }

    /// Its store, for whoever needs to read beside the HTTP interface.
    pub fn store(&self) -> &S {
        self.registry.store()
    }

    /// Serves until `stop` is ready, then lets the requests under way end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let housekeeping = tokio::spawn(self.registry.housekeeping());
        serve(self.registry.service, self.host, Box::pin(stop)).await;
        housekeeping.abort();
        // Whoever is told that it stopped may open the directory: nothing here holds it any more.
        let _ = housekeeping.await;
    }
}

/// In boxes, so that what serves is compiled here and not again by everyone who runs it.
fn serve(service: Arc<Service>, host: Host, stop: BoxFuture<'_, ()>) -> BoxFuture<'_, ()> {
    let answer = move |request| {
        let service = Arc::clone(&service);
        async move { service.answer(request).await }
    };
    Box::pin(host.serve(answer, stop))
}

/// An open registry that does not listen. Clones are the same one.
#[derive(Clone)]
pub struct Registry<S = FsRegistry> {
    service: Arc<Service>,
    store: S,
    garbage: Option<GarbageCollection>,
    limits: Limits,
}

impl<S: RegistryStore + Clone> Registry<S> {
    /// Its store, for whoever needs to read beside the HTTP interface.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Answers a request below `/v2/`; errors are answers too.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<axum::body::Body> {
        self.service.answer(request).await.map(axum::body::Body::new)
    }

    /// All that it does beside answering; it never ends.
    pub(crate) fn housekeeping(&self) -> impl Future<Output = ()> + Send + use<S> {
        let housekeeping = Housekeeping {
            service: Arc::clone(&self.service),
            upload_age: self.limits.upload_age,
            garbage: self.garbage,
        };
        housekeeping.run()
    }
}

/// Why a registry was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The htpasswd or rights file is unusable.
    #[error("the users or their rights cannot be read: {0}")]
    Auth(io::Error),
    /// Everyone who may pull may push, and who may push is served without being asked about.
    #[error(
        "a policy for pulls needs users, and an access file that lets some of them only pull: who may push is served anyway"
    )]
    GateWithoutRights,
    /// The address cannot be listened on, or not with this certificate.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Without users, everyone who reaches the address could push.
    #[error("{listen} is not on loopback, and there are no users: give an htpasswd file")]
    OpenToTheNetwork {
        /// The address.
        listen: SocketAddr,
    },
    /// Whoever sees the traffic would read the users' passwords, and could change what is pulled.
    #[error("{listen} is not on loopback, and passwords would go to it over plain HTTP: give a certificate")]
    PasswordsInTheClear {
        /// The address.
        listen: SocketAddr,
    },
    /// The data directory cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// Large manifests that are received at once, and of one user.
const LARGE_MANIFESTS: usize = 8;
const LARGE_MANIFESTS_EACH: usize = 2;
