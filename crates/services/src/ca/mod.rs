//! The keyless CA: certificates of ten minutes for whoever an identity token is about.
//!
//! Trusted? Its keys are, and the issuers that it believes. Every certificate is promised to a log and
//! recorded on the disk before anybody gets it. May the data directory be lost? Its keys: a new hierarchy
//! has to be put into the trust root. Its audit records: then the log alone shows what was issued.

mod ct;
mod hierarchy;
mod own_log;
mod proof;
mod renewal;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use signet_crypto::{KeyAlgorithm, PublicKey};
use signet_formats::x509::{Certificate, NewExtension, TbsCertificate, distinguished_name, key_id, oid};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind, OpenError};

pub use ct::{CtError, CtLog, PrecertEntry};
pub use hierarchy::Hierarchy;
pub use own_log::own_log;
pub use proof::{Proof, ProofError};

use crate::authority::{AuthorityError, DIGITAL_SIGNATURE, Issuer, random_serial, refuse_given};
use crate::clock::Clock;
use crate::given_key;
use crate::journal::{Journal, JournalError};
use crate::limit::Limiter;
pub use crate::limit::Rate;
use crate::log::HomeError;
use crate::oidc::{Identity, Issuers, TokenError, Verifier};

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

impl Inner {
    async fn issue(&self, token: &str, proof: &Proof) -> Result<Vec<Certificate>, IssueError> {
        let identity = self.verifier.verify(token).await?;
        let key = proof.check(&identity.challenge)?;
        self.limit(&identity)?;
        let now = self.clock.seconds();
        let hierarchy = self.hierarchy();
        let issuer = hierarchy.active(now).ok_or(IssueError::Expired)?;
        let own = issuer.certificate().ok_or(IssueError::Expired)?;
        if now + LIFE > own.not_after() {
            return Err(IssueError::Expired);
        }
        // Not after the promise: the log would show what nobody was ever given.
        if !self.audit.is_writing() {
            return Err(JournalError::Ended.into());
        }
        let mut tbs = certificate(&identity, &key, own, now)?;
        let sct = self.promise(issuer, &tbs).await?;
        tbs.extensions.push(NewExtension::sct_list(&[sct]).ok_or(AuthorityError::Unwritable)?);
        let issued = issuer.issue(&tbs).await?;
        self.audit.append(record(&identity, &issued, now)).await?;
        Ok([vec![issued], issuer.chain().to_vec()].concat())
    }

    fn hierarchy(&self) -> Arc<Hierarchy> {
        Arc::clone(&self.hierarchy.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn limit(&self, identity: &Identity) -> Result<(), IssueError> {
        let now = self.clock.read().steady;
        let name = format!("{} {}", identity.issuer, identity.name.text().unwrap_or_default());
        let limited = |wait| IssueError::RateLimited { wait };
        self.identities.take(&name, now).map_err(limited)?;
        self.issuers.take(&identity.issuer, now).map_err(limited)
    }

    /// Has the log promise to publish the certificate, and checks that another's log did.
    async fn promise(
        &self,
        issuer: &Issuer,
        tbs: &TbsCertificate,
    ) -> Result<signet_formats::sct::Sct, IssueError> {
        let mut poisoned = tbs.clone();
        poisoned.extensions.push(NewExtension::poison());
        let entry = PrecertEntry {
            precertificate: issuer.issue(&poisoned).await?,
            chain: issuer.chain().to_vec(),
            tbs: tbs.to_der(issuer.algorithm()).ok_or(AuthorityError::Unwritable)?,
        };
        let sct = self.log.add_pre_chain(&entry).await?;
        let is_signed = |keys: &[PublicKey]| {
            keys.iter().any(|key| sct.verify(key, &entry.issuer_key_hash(), &entry.tbs).is_ok())
        };
        match self.log.keys().is_none_or(is_signed) {
            true => Ok(sct),
            false => Err(CtError("its promise is not signed by its key".to_owned()).into()),
        }
    }
}

/// What the certificate says, in the order that Fulcio writes it.
fn certificate(
    identity: &Identity,
    key: &PublicKey,
    issuer: &Certificate,
    now: i64,
) -> Result<TbsCertificate, AuthorityError> {
    let mut extensions = vec![
        NewExtension::key_usage(&[DIGITAL_SIGNATURE]),
        NewExtension::purpose(oid::CODE_SIGNING, false),
        NewExtension::subject_key_id(&key_id(key)),
        NewExtension::authority_key_id(issuer.subject_key_id().unwrap_or_default()),
        NewExtension::subject_alt_name(&identity.name),
    ];
    extensions.extend(identity.extensions.iter().map(|(n, value)| NewExtension::fulcio(*n, value)));
    Ok(TbsCertificate {
        serial: random_serial()?,
        issuer: issuer.subject().der().to_vec(),
        subject: distinguished_name(&[]),
        not_before: now,
        not_after: now + LIFE,
        key: key.clone(),
        extensions,
    })
}

/// The audit record: one line of JSON.
fn record(identity: &Identity, issued: &Certificate, now: i64) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let record = serde_json::json!({
        "time": now,
        "serial": hex(issued.serial()),
        "certificate": issued.fingerprint().to_string(),
        "issuer": identity.issuer,
        "subject": identity.subject,
        "identity": identity.name.text(),
        "key": signet_crypto::Digest::sha256(issued.spki()).to_string(),
        "notAfter": issued.not_after(),
        "extensions": identity.extensions,
    });
    record.to_string()
}

/// Why a CA was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// Its keys, certificates or files are unusable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The log of certificates that it keeps itself.
    #[error("the log of certificates: {0}")]
    Ct(#[from] HomeError),
    /// The data directory cannot be opened.
    #[error(transparent)]
    Dir(#[from] OpenError),
}

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The token is not to be believed.
    #[error("the identity token is not accepted: {0}")]
    Token(#[from] TokenError),
    /// The client has not proven to hold the key.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Too many certificates for this identity or issuer.
    #[error("too many certificates for this identity or issuer; try again in {} s", wait.as_secs() + 1)]
    RateLimited {
        /// When to try again.
        wait: Duration,
    },
    /// The log promised nothing.
    #[error(transparent)]
    Log(#[from] CtError),
    /// The record could not be written.
    #[error("the certificate could not be recorded: {0}")]
    Audit(#[from] JournalError),
    /// No certificate of the CA is valid.
    #[error("the authority's own certificate is not valid now")]
    Expired,
    /// The CA's key did not sign.
    #[error("the authority did not sign: {0}")]
    Authority(#[from] AuthorityError),
}

impl IssueError {
    /// Who alone can do something about it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Token(TokenError::KeysUnavailable { .. }) => Fault::Issuer,
            Self::Token(_) | Self::Proof(_) | Self::RateLimited { .. } => Fault::Client,
            Self::Log(_) | Self::Audit(_) | Self::Expired | Self::Authority(_) => Fault::Authority,
        }
    }
}

/// Because of whom no certificate was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Who asked, or how.
    Client,
    /// The issuer of the token: its keys cannot be had.
    Issuer,
    /// The authority, and what it depends on.
    Authority,
}

/// How long a certificate is valid, in seconds.
const LIFE: i64 = 10 * 60;

#[cfg(test)]
mod tests;
