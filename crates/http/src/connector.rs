//! The HTTP clients, each made when it is first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_native_certs};

use crate::failure::reason;
use crate::{is_loopback, proxies};

/// One client for each way out, so that plain HTTP to this machine loads no roots and no proxy.
pub struct Connector {
    options: TlsOptions,
    /// More certificate authorities, in PEM.
    authorities: String,
    system_roots: fn() -> CertificateResult,
    timeouts: Timeouts,
    plain: Clients,
    tls: Clients,
    identified: Clients,
}

/// Those that go straight to a host, and those that may go through a proxy.
#[derive(Default)]
struct Clients {
    direct: OnceLock<Result<reqwest::Client>>,
    proxied: OnceLock<Result<reqwest::Client>>,
}

/// What a connection is made with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    Plain,
    Tls,
    /// TLS, and our certificate for who asks for it.
    Identified,
}

impl Connector {
    /// A connector; nothing is read or connected before it is needed.
    pub fn new(tls: TlsOptions, timeouts: Timeouts) -> Self {
        Self::with_system_roots(tls, timeouts, load_native_certs)
    }

    /// The same, which trusts these authorities too, given in PEM.
    pub fn trusting(self, authorities: &str) -> Self {
        Self { authorities: authorities.to_owned(), ..self }
    }

    fn with_system_roots(
        tls: TlsOptions,
        timeouts: Timeouts,
        system_roots: fn() -> CertificateResult,
    ) -> Self {
        let [plain, secure, identified] = std::array::from_fn(|_| Clients::default());
        let authorities = String::new();
        Self { options: tls, authorities, system_roots, timeouts, plain, tls: secure, identified }
    }

    /// The client for `url`: it follows no redirects and sends nothing twice. This machine is never asked
    /// through a proxy, as Go's clients do. Nobody is shown our certificate.
    pub fn client(&self, url: &Url) -> Result<&reqwest::Client> {
        self.of_security(url, if is_secure(url) { Security::Tls } else { Security::Plain })
    }

    /// The same for a host that our certificate was given for: it is shown to it if it asks.
    pub fn identified(&self, url: &Url) -> Result<&reqwest::Client> {
        match is_secure(url) && self.options.identity.is_some() {
            true => self.of_security(url, Security::Identified),
            false => self.client(url),
        }
    }

    fn of_security(&self, url: &Url, security: Security) -> Result<&reqwest::Client> {
        let clients = match security {
            Security::Plain => &self.plain,
            Security::Tls => &self.tls,
            Security::Identified => &self.identified,
        };
        let direct = is_loopback(url);
        let cell = if direct { &clients.direct } else { &clients.proxied };
        cell.get_or_init(|| self.build(security, direct)).as_ref().map_err(Clone::clone)
    }

    fn build(&self, security: Security, direct: bool) -> Result<reqwest::Client> {
        let unusable = if direct { None } else { proxies::unusable(|name| std::env::var_os(name)) };
        if let Some(variable) = unusable {
            return Err(SetupError::configuration(Path::new(variable), "it does not name an HTTP proxy"));
        }
        let identity = self.options.identity.as_ref().filter(|_| security == Security::Identified);
        let identity = identity.map(|(chain, key)| (chain.as_path(), key.as_path()));
        let tls = match security {
            Security::Plain => config(RootCertStore::empty(), None)?,
            Security::Tls | Security::Identified => config(self.roots()?, identity)?,
        };
        let builder = reqwest::Client::builder()
            .user_agent(concat!("signet/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.timeouts.connect)
            .read_timeout(self.timeouts.idle)
            .tls_backend_preconfigured(tls);
        let builder = if direct { builder.no_proxy() } else { builder };
        builder.build().map_err(|error| SetupError::System(reason(&error)))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let system = (self.system_roots)();
        let has_own = !self.options.authorities.is_empty() || !self.authorities.is_empty();
        if let (true, false, Some(error)) = (system.certs.is_empty(), has_own, system.errors.first()) {
            return Err(SetupError::configuration(Path::new("the system's certificate authorities"), error));
        }
        roots.add_parsable_certificates(system.certs);
        for path in &self.options.authorities {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| SetupError::configuration(path, error))?;
            }
        }
        for certificate in CertificateDer::pem_slice_iter(self.authorities.as_bytes()) {
            let unusable =
                |error: String| SetupError::configuration(Path::new("the authorities given"), error);
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
        }
        Ok(roots)
    }
}

/// Certificates and keys for HTTPS, besides the system's roots.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// PEM files of more certificate authorities.
    pub authorities: Vec<PathBuf>,
    /// PEM files of our certificate chain and its key, for the hosts that are asked with [`Connector::identified`].
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How long a connection may say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to reach a host.
    pub connect: Duration,
    /// Time without a byte arriving.
    pub idle: Duration,
}

/// A client, or why there is none.
type Result<T, E = SetupError> = std::result::Result<T, E>;

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A certificate or key that cannot be used.
    #[error("`{path}`: {reason}")]
    Configuration {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no sockets, names or randomness.
    #[error("{0}")]
    System(String),
}

impl SetupError {
    fn configuration(path: &Path, reason: impl ToString) -> Self {
        Self::Configuration { path: path.display().to_string(), reason: reason.to_string() }
    }
}

fn is_secure(url: &Url) -> bool {
    url.scheme() == "https"
}

fn config(roots: RootCertStore, identity: Option<(&Path, &Path)>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::System(error.to_string()))?
        .with_root_certificates(roots);
    let Some((chain, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| SetupError::configuration(key, error))?;
    builder
        .with_client_auth_cert(certificates(chain)?, private)
        .map_err(|error| SetupError::configuration(chain, error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(SetupError::configuration(path, "it holds no PEM certificate"))
        }
        other => other.map_err(|error| SetupError::configuration(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(1), idle: Duration::from_secs(1) };

    #[test]
    fn the_systems_roots_are_loaded_for_https_only_and_once() {
        static LOADED: AtomicUsize = AtomicUsize::new(0);
        fn load() -> CertificateResult {
            LOADED.fetch_add(1, Ordering::SeqCst);
            CertificateResult::default()
        }
        let http = Connector::with_system_roots(TlsOptions::default(), TIMEOUTS, load);
        let client = |url: &str| http.client(&url.parse().unwrap()).map(|_| ());
        for url in ["http://127.0.0.1:1", "http://localhost", "http://registry.example"] {
            assert_eq!(client(url), Ok(()), "{url}");
        }
        assert_eq!(LOADED.load(Ordering::SeqCst), 0);
        for _ in 0..2 {
            assert_eq!(client("https://registry.example"), Ok(()));
        }
        assert_eq!(LOADED.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_system_without_readable_roots_is_told() {
        let http = Connector::with_system_roots(TlsOptions::default(), TIMEOUTS, || {
            rustls_native_certs::load_certs_from_paths(Some(Path::new("/nowhere/roots.pem")), None)
        });
        let outcome = http.client(&"https://registry.example".parse().unwrap()).map(|_| ());
        assert!(matches!(outcome, Err(SetupError::Configuration { .. })), "{outcome:?}");
    }
}
