//! TLS from PEM files, which are followed as they change: a certificate that is renewed needs no restart.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::stamp::{Stamp, stamp};

/// Where the server's certificate and key are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those between it and the root, PEM.
    pub certificates: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads the files, and again whenever they have changed.
    pub(crate) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let followed = Followed::new(self.clone())?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(invalid)?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(followed));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn read(&self) -> io::Result<Arc<CertifiedKey>> {
        let certificates = CertificateDer::pem_file_iter(&self.certificates).and_then(Iterator::collect);
        let certificates: Vec<_> = certificates.map_err(|error| unreadable(&self.certificates, &error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unreadable(&self.key, &error))?;
        let certified = CertifiedKey::from_der(certificates, key, &aws_lc_rs::default_provider());
        certified.map(Arc::new).map_err(|error| self.mismatched(&error))
    }

    fn mismatched(&self, error: &rustls::Error) -> io::Error {
        let (certificates, key) = (self.certificates.display(), self.key.display());
        io::Error::new(io::ErrorKind::InvalidData, format!("`{certificates}` with the key `{key}`: {error}"))
    }

    fn stamps(&self) -> [Stamp; 2] {
        [stamp(&self.certificates), stamp(&self.key)]
    }
}

/// The newest certificate that the files had together with its key.
#[derive(Debug)]
struct Followed {
    files: TlsFiles,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Arc<CertifiedKey>,
    /// The state of the files when they were last read, also if they could not be used.
    seen: [Stamp; 2],
    looked: Instant,
}

impl Followed {
    fn new(files: TlsFiles) -> io::Result<Self> {
        let (seen, looked) = (files.stamps(), Instant::now());
        let state = State { current: files.read()?, seen, looked };
        Ok(Self { files, state: Mutex::new(state) })
    }

    /// Looks at the files first, if that was a while ago. What cannot be used, such as a certificate whose key is not
    /// there yet, changes nothing.
    fn at(&self, now: Instant) -> Arc<CertifiedKey> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.looked) >= LOOK_EVERY {
            state.looked = now;
            let found = self.files.stamps();
            if found != state.seen {
                state.seen = found;
                match self.files.read() {
                    Ok(certified) => {
                        state.current = certified;
                        tracing::info!("the TLS certificate was read again");
                    }
                    Err(error) => {
                        tracing::error!(%error, "the TLS certificate is unusable: the one before stays");
                    }
                }
            }
        }
        Arc::clone(&state.current)
    }
}

impl ResolvesServerCert for Followed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.at(Instant::now()))
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn unreadable(path: &Path, error: &pem::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{}`: {error}", path.display()))
}

const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    use super::*;

    fn made(name: &str) -> Made<rcgen::KeyPair> {
        generate_simple_self_signed([name.to_owned()]).unwrap()
    }

    #[test]
    fn a_renewed_certificate_is_shown_once_its_key_is_there_too() {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificates: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        // Names of different lengths: the files differ in size where the clock of the disk is coarse.
        let (old, new) = (made("a"), made("renewed.example.org"));
        fs::write(&files.certificates, old.cert.pem()).unwrap();
        fs::write(&files.key, old.signing_key.serialize_pem()).unwrap();
        let followed = Followed::new(files.clone()).unwrap();
        let later = |times: u32| Instant::now() + LOOK_EVERY * times;
        let shown = |at| followed.at(at).cert.first().cloned().unwrap();
        assert_eq!(&shown(later(1)), old.cert.der());

        fs::write(&files.certificates, new.cert.pem()).unwrap();
        assert_eq!(&shown(later(2)), old.cert.der(), "its key is not there yet");
        fs::write(&files.key, "junk").unwrap();
        assert_eq!(&shown(later(3)), old.cert.der());
        fs::write(&files.key, new.signing_key.serialize_pem()).unwrap();
        assert_eq!(&shown(later(3)), old.cert.der(), "not looked at again so soon");
        assert_eq!(&shown(later(5)), new.cert.der());
        fs::remove_file(&files.certificates).unwrap();
        assert_eq!(&shown(later(7)), new.cert.der());
    }
}
