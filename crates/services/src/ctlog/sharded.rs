//! A log of certificates in shards: whoever submits to it need not know which of them takes entries.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use signet_crypto::PublicKey;
use signet_formats::sct::Sct;
use signet_formats::x509::Certificate;
use signet_store::fs::Disk;

use super::chain::Submitted;
use super::{CertificateLog, ChainKind, SubmitError};
use crate::ca::{CtError, CtLog, PrecertEntry};
use crate::clock::Clock;
use crate::log::{AddError, Book, Config, HomeError, Log, Opener, REFRESH, Shards};

/// The shards of one log of certificates.
pub type CertificateLogs = Shards<CertificateOptions>;

/// Which log of certificates to make, and what it accepts.
pub struct CertificateOptions {
    origin: Option<String>,
    clock: Arc<dyn Clock>,
    roots: Roots,
}

impl CertificateLogs {
    /// Opens the log in `data` and all its shards, making the first, and its key, if the directory is absent or empty.
    pub async fn open_home(data: &Path, origin: &str, clock: Arc<dyn Clock>) -> Result<Self, HomeError> {
        Self::open_home_on(Disk::default(), data, origin, clock).await
    }

    /// The same, on a disk that may inject faults.
    pub async fn open_home_on(
        disk: Disk,
        data: &Path,
        origin: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HomeError> {
        let options =
            CertificateOptions { origin: Some(origin.to_owned()), ..CertificateOptions::new(clock) };
        let config = Config { refresh: Some(REFRESH), ..Config::new(data.to_owned()) };
        Self::open(disk, config, options).await
    }

    /// Opens all that a book has.
    pub async fn open_all_of(
        book: Arc<dyn Book>,
        disk: Disk,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HomeError> {
        let config = Config { refresh: Some(REFRESH), ..Config::new(book.root().to_owned()) };
        Self::of(book, disk, config, CertificateOptions::new(clock)).await
    }

    /// Accepts chains that end at one of these, and no others.
    pub fn accept(&self, roots: Vec<Certificate>) {
        self.opener.roots.set(roots);
    }

    /// The roots that chains may end at.
    pub fn roots(&self) -> Arc<[Certificate]> {
        self.opener.roots.all()
    }

    /// The logs behind them, the oldest first.
    pub fn logs(&self) -> Vec<Log> {
        self.all().iter().map(|shard| shard.log().clone()).collect()
    }

    /// Whether it can promise now.
    pub fn is_ready(&self) -> bool {
        self.active().is_some_and(|shard| shard.is_ready())
    }

    /// Takes a chain, the certificate first, and promises that it is in the shard that takes entries.
    pub async fn submit(&self, chain: &[Certificate], kind: ChainKind) -> Result<Sct, SubmitError> {
        self.promise(&Submitted::of(chain, &self.roots(), kind)?).await
    }

    /// A shard that is frozen before it has the entry has another after it, which takes it.
    async fn promise(&self, submitted: &Submitted) -> Result<Sct, SubmitError> {
        let mut shard = self.active().ok_or(AddError::Closed)?;
        loop {
            let promised = shard.promise(submitted).await;
            let newest = self.active().ok_or(AddError::Closed)?;
            let is_frozen = matches!(promised, Err(SubmitError::Add(AddError::Frozen)));
            if !is_frozen || newest.is(&shard) {
                return promised;
            }
            shard = newest;
        }
    }
}

#[async_trait]
impl CtLog for CertificateLogs {
    /// Its own word: the keys are in this process.
    fn keys(&self) -> Option<&[PublicKey]> {
        None
    }

    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    /// The CA of this process needs no root: it is asked for what it issues itself.
    async fn add_pre_chain(&self, entry: &PrecertEntry) -> Result<Sct, CtError> {
        let submitted = Submitted::of_precertificate(&entry.precertificate, entry.tbs.clone(), &entry.chain);
        let submitted = submitted.map_err(|error| CtError(error.to_string()))?;
        self.promise(&submitted).await.map_err(|error| CtError(error.to_string()))
    }
}

impl CertificateOptions {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { origin: None, clock, roots: Roots::default() }
    }
}

#[async_trait]
impl Opener for CertificateOptions {
    type Shard = CertificateLog;

    fn origin(&self) -> Option<String> {
        self.origin.clone()
    }

    async fn open(
        &self,
        disk: Disk,
        config: Config,
        origin: Option<String>,
    ) -> Result<CertificateLog, HomeError> {
        CertificateLog::open(disk, config, origin, Arc::clone(&self.clock), self.roots.clone()).await
    }
}

/// The roots that chains may end at, the same of all shards. Clones are the same ones.
#[derive(Clone)]
pub(super) struct Roots(Arc<RwLock<Arc<[Certificate]>>>);

impl Roots {
    pub(super) fn all(&self) -> Arc<[Certificate]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, roots: Vec<Certificate>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = roots.into();
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Arc::from(Vec::new()))))
    }
}
