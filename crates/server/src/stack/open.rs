//! From a configuration to a stack that listens.

use std::net::SocketAddr;
use std::sync::Arc;

use signet_formats::trusted_root::TrustedRoot;
use signet_services::authority::{refuse_directory, refuse_given};
use signet_services::ca::{self, Ca, CaError};
use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLogs;
use signet_services::log::{self, HomeOptions, Shards};
use signet_services::oidc::dev::DevIssuer;
use signet_services::tsa::ntp::NtpBound;
use signet_services::tsa::{self, TimeSource, Tsa, TsaError};
use signet_services::witness::{self, Witness};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};
use tokio::task::spawn_blocking;

use super::backup::is_moved;
use super::book::{Book, witnessed};
use super::client::{ClientFiles, Clients};
use super::ledger::{Ledger, Told};
use super::names::{Line, Names};
use super::{
    CaConfig, Config, LogConfig, RegistryConfig, Services, Stack, StackError, TsaConfig, WitnessConfig, trust,
};
use crate::exposure::{Exposure, Reach, ReachError, is_of_this_machine};
use crate::host::Address;
use crate::registry::{self, Registry};
use crate::rekor::Searching;
use crate::{fulcio, oidc_dev, rekor};

/// Opens all services and starts to listen.
pub(super) async fn build(config: Config) -> Result<Stack, StackError> {
    let url = config.stated_url()?;
    refuse_given(config.ca.hierarchy.is_some(), config.dev).map_err(CaError::from)?;
    refuse_given(config.tsa.identity.is_some(), config.dev).map_err(TsaError::from)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let data = config.data.clone();
    let root = Arc::new(blocking(move || Ok(DataDir::open(&data, Kind::Stack)?)).await?);
    if is_moved(root.path()) {
        return Err(StackError::Moved { path: root.path().to_owned() });
    }
    let address = Address::take(config.listen, config.tls.as_ref())?;
    let (own_url, admin) =
        (address.url(), config.admin.map(|listen| Address::take(listen, None)).transpose()?);
    let url = url.unwrap_or_else(|| own_url.clone());
    let names = Names::of(&root, clock.seconds(), config.dev)?;
    let ledger = Arc::new(Ledger::new(Arc::clone(&root), names.clone(), Arc::clone(&clock)));
    let opening = Opening {
        root: &root,
        names: &names,
        ledger: &ledger,
        clock: &clock,
        dev: config.dev,
        url: &own_url,
        also_trust: config.also_trust,
    };
    let identities = config.log.search;
    let own_log = config.witness.as_ref().is_some_and(|witness| witness.own_log);
    let (registry, log, witness, (tsa, time_servers), (ca, ct, dev)) = tokio::try_join!(
        opening.registry(config.registry, config.listen, &url),
        opening.log(config.log),
        opening.witness(config.witness),
        opening.tsa(config.tsa),
        opening.ca(config.ca),
    )?;
    let search = match identities {
        Some(identities) => {
            let log = Arc::clone(&log);
            let open = move || Searching::open(&log, identities).map_err(log::OpenError::Io);
            Some(blocking(move || Ok(open().map_err(log::HomeError::Open)?)).await?)
        }
        None => None,
    };
    let trust = config.trust.then(|| trust::open(&root, &clock)).transpose()?;
    let services = Services { registry, log, search, tsa, ca, ct, dev, trust, witness, time_servers };
    note_begun(&ledger).await?;
    let (client, told) = opening.acquaint(&services, &url, own_log).await?;
    // The repository of trust may have begun.
    note_begun(&ledger).await?;
    // Operators may ask as soon as clients may.
    let admin = admin.map(Address::listen).transpose()?;
    let host = address.listen()?.bounded(config.bounds);
    Ok(Stack { host, admin, url, services, client, told, ledger, root })
}

/// Before anybody is told of them.
async fn note_begun(ledger: &Arc<Ledger>) -> Result<(), StackError> {
    let (noting, path) = (Arc::clone(ledger), ledger.file());
    let unusable = move |error: std::io::Error| StackError::Names { path, why: error.to_string() };
    blocking(move || noting.note_begun().map_err(unusable)).await
}

impl Config {
    /// The URL that clients are told, if it is not where the stack listens. Refuses what would be open to the
    /// network and should not be.
    fn stated_url(&self) -> Result<Option<String>, ReachError> {
        let Self { listen, admin, dev, .. } = *self;
        let reach = Reach { listen, admin, tls: self.tls.is_some(), url: self.public_url.as_deref(), dev };
        let url = reach.stated_url()?;
        let is_open =
            self.registry.as_ref().is_some_and(|registry| registry.auth.is_none() && !registry.anonymous);
        match &url {
            Some(url) if is_open && !is_of_this_machine(url) => {
                Err(ReachError::exposed(format!("`{url}`"), Exposure::OpenRegistry))
            }
            None if listen.ip().is_unspecified() => {
                Err(ReachError::exposed(listen.to_string(), Exposure::Nameless))
            }
            _ => Ok(url),
        }
    }
}

type OpenCa = (Ca, Arc<CertificateLogs>, Option<Arc<DevIssuer>>);

/// What all services are opened with.
struct Opening<'a> {
    root: &'a Arc<DataDir>,
    names: &'a Names,
    ledger: &'a Arc<Ledger>,
    clock: &'a Arc<dyn Clock>,
    dev: bool,
    /// Where the stack listens.
    url: &'a str,
    /// What clients are to trust besides.
    also_trust: Vec<TrustedRoot>,
}

impl Opening<'_> {
    /// Has everybody know of the logs who has to.
    async fn acquaint(
        &self,
        services: &Services,
        url: &str,
        own_log: bool,
    ) -> Result<(ClientFiles, Arc<Told>), StackError> {
        let witness = services.witness.clone().filter(|_| own_log);
        if let Some(witness) = &witness {
            services.log.all().iter().try_for_each(|log| witness.know(witnessed(log)))?;
        }
        let clients = Clients {
            root: Arc::clone(self.root),
            url: url.to_owned(),
            ca: services.ca.clone(),
            tsa: services.tsa.clone(),
            also_trust: self.also_trust.clone(),
            trust: services.trust.clone(),
        };
        let files = clients.write(self.names)?;
        if let Some(trust) = &services.trust {
            trust::begin(trust, self.dev).await?;
        }
        let root = clients.write_root()?;
        let told = Arc::new(Told { clients, witness });
        self.ledger.tell(&told);
        Ok((ClientFiles { root, ..files }, told))
    }

    async fn registry(
        &self,
        config: Option<RegistryConfig>,
        listen: SocketAddr,
        public_url: &str,
    ) -> Result<Option<Registry>, StackError> {
        let Some(config) = config else { return Ok(None) };
        let mut own = registry::Config::new(self.root.path().join("registry"), listen);
        own.auth = config.auth;
        own.garbage = config.garbage;
        own.gate = config.gate;
        // The stack speaks HTTPS itself, or is told the URL of what does before it.
        own.allow_http = true;
        own.public_host = public_url.parse::<http::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
        blocking(move || Ok(Some(own.open()?))).await
    }

    async fn log(&self, config: LogConfig) -> Result<Arc<Shards>, StackError> {
        // Directories and names are the book's.
        let mut own = log::Config::new(self.root.path().to_owned());
        own.kind = Some(log::Kind::HashedRekord);
        own.limits = config.limits;
        own.refresh = config.witnesses.is_some().then_some(log::REFRESH);
        own.witnesses = config.witnesses;
        let options = HomeOptions { origin: None, ml_dsa: config.ml_dsa };
        let book = Arc::new(Book::new(self.ledger, Line::Log));
        let shards = Shards::of(book, Disk::default(), own, options).await?;
        let active = shards.active().ok_or_else(|| self.nameless())?;
        rekor::begin(&active).await.map_err(StackError::FirstEntry)?;
        Ok(Arc::new(shards))
    }

    async fn witness(&self, config: Option<WitnessConfig>) -> Result<Option<Witness>, StackError> {
        let Some(WitnessConfig { logs, name, ml_dsa, .. }) = config else { return Ok(None) };
        let data = self.root.path().join("witness");
        let own = witness::Config { data, logs, clock: Arc::clone(self.clock) };
        let options = witness::HomeOptions { name, ml_dsa };
        Ok(Some(Witness::open_home(Disk::default(), own, options).await?))
    }

    async fn tsa(&self, config: TsaConfig) -> Result<(Tsa, Option<Arc<NtpBound>>), StackError> {
        let mut own = tsa::Config::new(Arc::clone(self.clock));
        let servers = config.ntp.map(|ntp| Arc::new(NtpBound::new(ntp, Arc::clone(self.clock))));
        if let TimeSource::Bounded { accuracy, bound } = &mut own.time {
            *accuracy = config.accuracy;
            if let Some(servers) = &servers {
                *bound = Arc::clone(servers) as _;
            }
        }
        if self.dev {
            own.time = TimeSource::Development;
        }
        let tsa = Tsa::open(&self.root.path().join("tsa"), config.identity, own).await?;
        // Asked before anything is said of it, and before the first request: neither need be refused.
        if let Some(servers) = servers.as_ref().filter(|_| !self.dev) {
            servers.ask().await;
        }
        Ok((tsa, servers))
    }

    async fn ca(&self, config: CaConfig) -> Result<OpenCa, StackError> {
        let path = self.root.path().join("ca");
        let (given, development) = (config.hierarchy.is_some(), self.dev);
        let dev_url = self.dev.then(|| format!("{}{}", self.url, oidc_dev::PATH));
        // The development issuer's RSA key takes a moment to make.
        let (dir, dev) = blocking(move || {
            let dir = DataDir::open(&path, Kind::Ca)?;
            refuse_directory(&dir, given, development).map_err(CaError::from)?;
            let dev = dev_url.map(|url| DevIssuer::open(dir.disk(), dir.path(), &url)).transpose()?;
            Ok((dir, dev))
        })
        .await?;
        let verifier = fulcio::verifier(config.issuers, dev.as_ref(), Arc::clone(self.clock))?;
        let book = Arc::new(Book::new(self.ledger, Line::Ct));
        let ct = CertificateLogs::open_all_of(book, Disk::default(), Arc::clone(self.clock)).await?;
        let ct = Arc::new(ct);
        let mut own = ca::Config::new(verifier, Arc::clone(&ct) as _, Arc::clone(self.clock));
        own.development = self.dev;
        own.hierarchy = config.hierarchy;
        own.per_identity = config.per_identity;
        own.per_issuer = config.per_issuer;
        let ca = Ca::open_in(dir, own).await?;
        ct.accept([ca.roots(), config.ct_roots].concat());
        Ok((ca, ct, dev.map(Arc::new)))
    }

    /// [`Names`] has at least one of each, as it is read.
    fn nameless(&self) -> StackError {
        StackError::Names { path: self.root.path().to_owned(), why: "a log has no name".to_owned() }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StackError> + Send + 'static,
) -> Result<T, StackError> {
    spawn_blocking(work).await?
}
