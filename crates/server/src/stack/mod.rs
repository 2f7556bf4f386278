//! A whole signing stack in one process and at one address: registry, transparency log, timestamp authority,
//! certificate authority, the repository of trust and a witness, each at its standard paths, which do not collide.
//!
//! [`Config`] → [`Config::build`] → [`Stack`] → [`Stack::run`]. Each service has a directory of its own below
//! the stack's, with a format version and a lock of its own; `client/` has what clients are given: a trusted
//! root and a signing config.
//!
//! Trusted? What is in it is, as far as each service says. May `stack.json` be lost? No: it has the names of the
//! logs, which clients know them by, and says what was begun, so that nothing that is lost is begun a second time.

mod backup;
mod book;
mod certificates;
mod client;
mod error;
mod fsck;
mod ledger;
mod made;
mod metrics;
mod names;
mod open;
mod output;
mod place;
mod ready;
mod restore;
mod route;
mod traffic;
mod trust;
mod unpack;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use signet_formats::trusted_root::TrustedRoot;
use signet_formats::x509::Certificate;
use signet_services::ca::{self, Ca, Hierarchy, Rate};
use signet_services::ctlog::CertificateLogs;
use signet_services::log::{self, Place, Shards, Witnesses};
use signet_services::oidc::Issuers;
use signet_services::oidc::dev::DevIssuer;
use signet_services::trust::Watch;
use signet_services::tsa::ntp::{NtpBound, NtpConfig};
use signet_services::tsa::{self, Tsa};
use signet_services::witness::{Witness, WitnessedLog};
use signet_store::DataDir;
use tokio::task::JoinSet;

use crate::host::{Bounds, Host, TlsFiles};
use crate::metrics::operators;
use crate::registry::{AuthFiles, GarbageCollection, PullGate, Registry};
use crate::rekor::{self, Identities, Searching};

pub use backup::{BackupError, Copied, backup, move_out};
pub use certificates::stopped_certificate_logs;
pub use client::ClientFiles;
pub use error::StackError;
pub use fsck::{StackReport, fsck};
use ledger::{Ledger, Told};
use names::{Line, Names};
use ready::tell_when_ready;
pub use restore::{Restored, Witnessed, restore};
use traffic::Traffic;

/// Where the log of the stack in `data` is asked to rotate or freeze; `None` if there is no stack.
pub fn requests(data: &Path) -> Option<PathBuf> {
    Names::is_in(data).then(|| data.join(Line::Log.dir()))
}

/// The shards of the log of the stack in `data`, the oldest first; `None` if there is no stack.
pub fn log_shards(data: &Path) -> Result<Option<Vec<Place>>, StackError> {
    let place = |shard: &names::Shard| Place {
        data: Names::dir_in(data, Line::Log, shard),
        origin: Some(shard.origin.clone()),
    };
    Ok(Names::read_in(data)?.map(|names| names.log.iter().map(place).collect()))
}

/// What a stack is built from.
pub struct Config {
    /// The data directory; made if it is absent or empty.
    pub data: PathBuf,
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// How clients reach it; unset, where it listens.
    pub public_url: Option<String>,
    /// For development: an issuer of identity tokens, and timestamps that state no accuracy. On loopback only.
    pub dev: bool,
    /// What clients are to trust besides this stack: its former keys, other instances.
    pub also_trust: Vec<TrustedRoot>,
    /// Serve HTTPS with this certificate.
    pub tls: Option<TlsFiles>,
    /// Where operators ask: metrics and readiness, without authentication.
    pub admin: Option<SocketAddr>,
    /// Bounds on connections.
    pub bounds: Bounds,
    /// The registry; `None` for a stack without one.
    pub registry: Option<RegistryConfig>,
    /// The transparency log.
    pub log: LogConfig,
    /// The timestamp authority.
    pub tsa: TsaConfig,
    /// The certificate authority.
    pub ca: CaConfig,
    /// Whether what clients are given is published as a repository of trust (TUF), too.
    pub trust: bool,
    /// The witness of others' logs; unset, there is none.
    pub witness: Option<WitnessConfig>,
}

impl Config {
    /// A stack with a registry that is open to all, on `listen`, which is on loopback.
    pub fn new(data: PathBuf, listen: SocketAddr) -> Self {
        Self {
            data,
            listen,
            public_url: None,
            dev: false,
            also_trust: Vec::new(),
            tls: None,
            admin: None,
            bounds: Bounds::default(),
            registry: Some(RegistryConfig::default()),
            log: LogConfig::default(),
            tsa: TsaConfig::default(),
            ca: CaConfig::default(),
            trust: true,
            witness: None,
        }
    }

    /// Opens all services, makes those that are not there yet, starts to listen and writes what clients need.
    pub fn build(self) -> BoxFuture<'static, Result<Stack, StackError>> {
        // In a box, so that it is compiled here and not again by everyone who builds one.
        Box::pin(open::build(self))
    }
}

/// Of the registry.
#[derive(Clone, Default)]
pub struct RegistryConfig {
    /// Users and rights; without them the stack listens on loopback only.
    pub auth: Option<AuthFiles>,
    /// Without users: whether everybody may push and pull who reaches it through a proxy, by the public URL.
    pub anonymous: bool,
    /// Collect garbage while it runs.
    pub garbage: Option<GarbageCollection>,
    /// What decides about pulls; needs `auth`.
    pub gate: Option<Arc<dyn PullGate>>,
}

/// Of the transparency log.
#[derive(Clone, Default)]
pub struct LogConfig {
    /// Sign checkpoints with ML-DSA-44 as well.
    pub ml_dsa: bool,
    /// Bounds and pace.
    pub limits: log::Limits,
    /// Who has to cosign its checkpoints; unset, nobody.
    pub witnesses: Option<Arc<Witnesses>>,
    /// Serve a search of it, which tells so much of identities; unset, there is none.
    pub search: Option<Identities>,
}

/// Of the witness.
#[derive(Clone, Debug, Default)]
pub struct WitnessConfig {
    /// The logs that it cosigns.
    pub logs: Vec<WitnessedLog>,
    /// Cosign the stack's own log, too. Who runs both proves nothing by it to others.
    pub own_log: bool,
    /// Its name; unset, it keeps its own, or one is made up.
    pub name: Option<String>,
    /// Cosign with ML-DSA-44, too.
    pub ml_dsa: bool,
}

/// Of the timestamp authority.
pub struct TsaConfig {
    /// How far timestamps may be off. They state it; beyond it there are none.
    pub accuracy: Duration,
    /// The time servers to ask; unset, the kernel's own bound counts.
    pub ntp: Option<NtpConfig>,
    /// Its key and certificates; unset, it makes its own.
    pub identity: Option<tsa::Identity>,
}

impl Default for TsaConfig {
    fn default() -> Self {
        Self { accuracy: Duration::from_secs(1), ntp: None, identity: None }
    }
}

/// Of the certificate authority.
pub struct CaConfig {
    /// Whose identity tokens are believed.
    pub issuers: Issuers,
    /// Its keys and certificates; unset, it makes its own.
    pub hierarchy: Option<Hierarchy>,
    /// The roots of other authorities, whose certificates the log of certificates takes as well.
    pub ct_roots: Vec<Certificate>,
    /// What one identity may have.
    pub per_identity: Rate,
    /// What the identities of one issuer may have together.
    pub per_issuer: Rate,
}

impl Default for CaConfig {
    fn default() -> Self {
        let (per_identity, per_issuer) = (ca::PER_IDENTITY, ca::PER_ISSUER);
        let ct_roots = Vec::new();
        Self { issuers: Issuers::default(), hierarchy: None, ct_roots, per_identity, per_issuer }
    }
}

/// A stack that listens and is ready to run.
pub struct Stack {
    host: Host,
    admin: Option<Host>,
    url: String,
    services: Services,
    client: ClientFiles,
    /// Who is told of new logs, as long as this is there.
    told: Arc<Told>,
    ledger: Arc<Ledger>,
    /// Held for its lock, and let go last.
    root: Arc<DataDir>,
}

impl Stack {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.host.local_addr()
    }

    /// Where operators ask.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Host::local_addr)
    }

    /// How clients reach it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it serves.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// What clients are given.
    pub fn client(&self) -> &ClientFiles {
        &self.client
    }

    /// Serves until `stop` is ready, then lets the requests under way end, then closes the services, the
    /// logs last: what the others have promised to log is in them by then.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), StackError> {
        self.run_boxed(Box::pin(stop)).await
    }

    fn run_boxed<'a>(self, stop: BoxFuture<'a, ()>) -> BoxFuture<'a, Result<(), StackError>> {
        Box::pin(self.run_until(stop))
    }

    async fn run_until(self, stop: BoxFuture<'_, ()>) -> Result<(), StackError> {
        let Self { host, admin, services, told, ledger, root, .. } = self;
        let traffic = Arc::new(Traffic::default());
        let mut beside = JoinSet::new();
        beside.spawn(tell_when_ready(services.clone()));
        if let Some(registry) = &services.registry {
            beside.spawn(registry.housekeeping());
        }
        if let Some(servers) = services.time_servers.clone() {
            beside.spawn(async move { servers.watch().await });
        }
        if let Some(trust) = services.trust.clone() {
            let of_trust = Arc::clone(&ledger);
            beside.spawn(async move { trust.run(move || of_trust.tell_clients()).await });
        }
        let (of_ca, of_tsa) = (Arc::clone(&ledger), ledger);
        beside.spawn(services.ca.clone().keep_renewed(move || of_ca.tell_clients()));
        beside.spawn(services.tsa.clone().keep_renewed(move || of_tsa.tell_clients()));
        if let Some(search) = services.search.clone() {
            beside.spawn(search.follow());
        }
        let (log, search) = (Arc::clone(&services.log), services.search.clone());
        beside.spawn(async move {
            log.answer_requests(|shard| search.iter().for_each(|search| search.add(shard))).await;
        });
        let ct = Arc::clone(&services.ct);
        beside.spawn(async move { ct.answer_requests(|_| ()).await });
        if let Some(admin) = admin {
            let (own, traffic, parts) = (services.clone(), Arc::clone(&traffic), services.clone());
            let router = operators(move || metrics::page(&own, &traffic), move || parts.readiness());
            beside.spawn(admin.run(router, std::future::pending()));
        }
        let answer = route::answer(&services, traffic).map_err(StackError::Threads)?;
        host.serve(answer, stop).await;
        // Whoever is told that it stopped may open the directories: nothing here holds them any more.
        beside.shutdown().await;
        tokio::join!(services.log.close(), services.ct.close());
        drop((services, told, root));
        Ok(())
    }
}

/// The services of a stack. Clones are the same ones.
#[derive(Clone)]
pub struct Services {
    /// The registry, if it has one.
    pub registry: Option<Registry>,
    /// The transparency log, in its shards.
    pub log: Arc<Shards>,
    /// The search of it, if there is one.
    search: Option<Searching>,
    /// The timestamp authority.
    pub tsa: Tsa,
    /// The certificate authority.
    pub ca: Ca,
    /// The log of its certificates, in its shards.
    pub ct: Arc<CertificateLogs>,
    /// The issuer for development, if there is one.
    pub dev: Option<Arc<DevIssuer>>,
    /// The repository of trust, if it has one.
    pub trust: Option<Watch>,
    /// The witness of others' logs, if it is one.
    pub witness: Option<Witness>,
    time_servers: Option<Arc<NtpBound>>,
}

impl Services {
    /// Each service, and whether it can do its work now.
    pub fn readiness(&self) -> Vec<(&'static str, bool)> {
        let log = rekor::is_ready(&self.log);
        let ct = self.ct.is_ready();
        let mut parts =
            vec![("log", log), ("ct", ct), ("tsa", self.tsa.is_ready()), ("ca", self.ca.is_ready())];
        parts.extend(self.registry.as_ref().map(|registry| ("registry", registry.store().is_writing())));
        // Before there is a root nobody follows it.
        parts.extend(self.trust.as_ref().and_then(Watch::is_serving).map(|serving| ("trust", serving)));
        parts.extend(self.witness.as_ref().map(|witness| ("witness", witness.is_cosigning())));
        parts
    }

    /// Whether all of them can.
    pub fn is_ready(&self) -> bool {
        self.readiness().iter().all(|(_, ready)| *ready)
    }
}
