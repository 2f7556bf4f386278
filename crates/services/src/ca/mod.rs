//! The keyless CA: certificates of ten minutes for whoever an identity token is about.
//!
//! Trusted? Its keys are, and the issuers that it believes. Every certificate is promised to a log and
//! recorded on the disk before anybody gets it. May the data directory be lost? Its keys: a new hierarchy
//! has to be put into the trust root. Its audit records: then the log alone shows what was issued.

mod ct;
mod error;
mod hierarchy;
mod issue;
mod own_log;
mod proof;
mod renewal;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use signet_crypto::KeyAlgorithm;
use signet_formats::x509::Certificate;
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};

pub use ct::{CtError, CtLog, PrecertEntry};
pub use error::{CaError, Fault, IssueError};
pub use hierarchy::Hierarchy;
pub use own_log::own_log;
pub use proof::{Proof, ProofError};

use crate::authority::{AuthorityError, refuse_given};
use crate::clock::Clock;
use crate::given_key;
use crate::journal::Journal;
use crate::limit::Limiter;
pub use crate::limit::Rate;
use crate::oidc::{Issuers, Verifier};

/// What one identity may have, unless it is configured.
pub const PER_IDENTITY: Rate = Rate { count: 600, per: Duration::from_secs(60) };
/// What the identities of one issuer may have together, unless it is configured.
pub const PER_ISSUER: Rate = Rate { count: 60_000, per: Duration::from_secs(60) };

/// What a CA is built from.
pub struct Config {
    /// Whose tokens are believed.
    pub verifier: Verifier,
    /// Whether it is for development, as the authority that it makes for itself then says in its name.
    pub development: bool,
    /// Its keys and certificates; `None` for its own, kept in the data directory.
    pub hierarchy: Option<Hierarchy>,
    /// The log that promises to publish.
    pub log: Arc<dyn CtLog>,
    /// What one identity may have.
    pub per_identity: Rate,
    /// What the identities of one issuer may have together.
    pub per_issuer: Rate,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// A CA of its own that believes what `verifier` does, and whose certificates are promised by `log`.
    pub fn new(verifier: Verifier, log: Arc<dyn CtLog>, clock: Arc<dyn Clock>) -> Self {
        Self {
            verifier,
            development: false,
            hierarchy: None,
            log,
            per_identity: PER_IDENTITY,
            per_issuer: PER_ISSUER,
            clock,
        }
    }
}

/// A keyless CA. Clones are the same one.
#[derive(Clone)]
pub struct Ca {
    inner: Arc<Inner>,
}

struct Inner {
    verifier: Verifier,
    hierarchy: RwLock<Arc<Hierarchy>>,
    /// Whether its certificates come from elsewhere, and no next ones are made.
    given: bool,
    development: bool,
    log: Arc<dyn CtLog>,
    audit: Journal,
    identities: Limiter,
    issuers: Limiter,
    clock: Arc<dyn Clock>,
    issued: AtomicU64,
    refused: AtomicU64,
    without_keys: AtomicU64,
    failed: AtomicU64,
    dir: DataDir,
}

impl Inner {
    fn hierarchy(&self) -> Arc<Hierarchy> {
        Arc::clone(&self.hierarchy.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ca {
    /// Opens the CA of this data directory, making it if there is none.
    pub async fn open(path: &Path, config: Config) -> Result<Self, CaError> {
        Self::open_on(Disk::default(), path, config).await
    }

    /// The same, on a disk that may inject faults.
    pub async fn open_on(disk: Disk, path: &Path, config: Config) -> Result<Self, CaError> {
        refuse_given(config.hierarchy.is_some(), config.development)?;
        Self::open_in(DataDir::open_on(disk, path, Kind::Ca)?, config).await
    }

    /// The same, in a data directory that is open already. In a box, so that it is compiled here once and not again by
    /// every caller.
    pub fn open_in(dir: DataDir, config: Config) -> BoxFuture<'static, Result<Self, CaError>> {
        Box::pin(Self::opened(dir, config))
    }

    async fn opened(dir: DataDir, config: Config) -> Result<Self, CaError> {
        let disk = dir.disk().clone();
        let (given, development) = (config.hierarchy.is_some(), config.development);
        let hierarchy = match config.hierarchy {
            Some(hierarchy) => {
                let given = hierarchy.taken_by(&dir, development)?;
                if let Some(issuer) = given.first() {
                    given_key::ask_first(issuer.signer()).await;
                }
                given
            }
            None => Hierarchy::of_directory(&dir, config.clock.seconds(), development).await?,
        };
        let path = dir.path().join("audit.jsonl");
        let audit = Journal::open(disk, &path).map_err(|error| AuthorityError::Io { path, error })?;
        let inner = Inner {
            verifier: config.verifier,
            hierarchy: RwLock::new(Arc::new(hierarchy)),
            given,
            development,
            log: config.log,
            audit,
            identities: Limiter::new(config.per_identity),
            issuers: Limiter::new(config.per_issuer),
            clock: config.clock,
            issued: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            without_keys: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dir,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A certificate for the bearer of the token, who proves to hold a key: the certificate first, the
    /// root last.
    pub async fn issue(&self, token: &str, proof: &Proof) -> Result<Vec<Certificate>, IssueError> {
        let issued = self.inner.issue(token, proof).await;
        let counter = match issued.as_ref().map_err(IssueError::fault) {
            Ok(_) => &self.inner.issued,
            Err(Fault::Client) => &self.inner.refused,
            Err(Fault::Issuer) => &self.inner.without_keys,
            Err(Fault::Authority) => &self.inner.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        issued
    }

    /// The chains that verifiers need to know, each with its root last.
    pub fn chains(&self) -> Vec<Vec<Certificate>> {
        self.inner.hierarchy().chains().map(<[_]>::to_vec).collect()
    }

    /// The chain that certificates are issued under now.
    pub fn active_chain(&self) -> Vec<Certificate> {
        let hierarchy = self.inner.hierarchy();
        hierarchy.active(self.inner.clock.seconds()).map(|issuer| issuer.chain().to_vec()).unwrap_or_default()
    }

    /// The roots of its chains.
    pub fn roots(&self) -> Vec<Certificate> {
        self.inner.hierarchy().chains().filter_map(<[_]>::last).cloned().collect()
    }

    /// The issuers of tokens that are believed.
    pub fn issuers(&self) -> &Issuers {
        self.inner.verifier.issuers()
    }

    /// What operators may not expect of how it was set up, a sentence each.
    pub fn notes(&self) -> Vec<&'static str> {
        let is_ed25519 = |certificate: &Certificate| {
            certificate.public_key().is_ok_and(|key| key.algorithm() == KeyAlgorithm::Ed25519)
        };
        let chains = self.chains();
        let rules = [
            (
                self.issuers().iter().next().is_none(),
                "no issuer of identity tokens is configured: nobody gets a certificate",
            ),
            (
                chains.iter().flatten().any(is_ed25519),
                "a certificate of the authority has an Ed25519 key: sigstore-python refuses what it issues",
            ),
        ];
        rules.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect()
    }

    /// How many requests ended how since the start.
    pub fn counts(&self) -> Counts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Inner { issued, refused, without_keys, failed, .. } = self.inner.as_ref();
        let (issued, refused) = (load(issued), load(refused));
        Counts { issued, refused, without_keys: load(without_keys), failed: load(failed) }
    }

    /// Whether there is a certificate to issue under now, and what is issued can be recorded and logged.
    pub fn is_ready(&self) -> bool {
        let inner = &self.inner;
        let active = inner.hierarchy().active(inner.clock.seconds()).is_some();
        inner.audit.is_writing() && inner.log.is_ready() && active && self.key_doubt().is_none()
    }

    /// Why its key is not to be counted on to sign now.
    pub fn key_doubt(&self) -> Option<String> {
        self.inner.hierarchy().active(self.inner.clock.seconds())?.signer().doubt()
    }
}

/// How many requests for a certificate ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// With a certificate.
    pub issued: u64,
    /// With none, because of who asked, or how.
    pub refused: u64,
    /// With none, because the keys of the token's issuer could not be had.
    pub without_keys: u64,
    /// With none, because the authority could not.
    pub failed: u64,
}

#[cfg(test)]
mod tests;
