//! A log of certificates (RFC 6962), read as C2SP static-ct-api has it.
//!
//! It is a [`Log`] whose entries have their index in them: the promise is signed once the entry is durable and
//! published, so that nothing is ever promised that is not there already. It takes chains that end at a root it was told of.
//!
//! Trusted? Its key is. What an attacker who can write the directory gains: what he gains with any log; `issuers/` is
//! checked as it is read. May it be lost? No: certificates would exist that no log shows.

mod chain;
mod recent;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};
use signet_formats::sct::Sct;
use signet_formats::static_ct::{SignedEntry, TileLeaf};
use signet_formats::tlog::EntryBundle;
use signet_formats::x509::Certificate;
use signet_keys::{Payload, SignError, Signer};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};
use tokio::task::spawn_blocking;

pub use chain::{ChainError, Kind as ChainKind};

use crate::ca::{CtError, CtLog, PrecertEntry};
use crate::clock::{Clock, milliseconds};
use crate::log::{self, AddError, HomeError, Log, LogSigner, OpenError, ReadError};
use crate::own_key::own_key;
use chain::Submitted;
use recent::Recent;

/// A running log of certificates. Clones are the same log.
#[derive(Clone)]
pub struct CertificateLog {
    inner: Arc<Inner>,
}

struct Inner {
    log: Log,
    key: Arc<dyn Signer>,
    log_id: [u8; 32],
    clock: Arc<dyn Clock>,
    disk: Disk,
    root: PathBuf,
    roots: RwLock<Arc<[Certificate]>>,
    recent: Recent,
}

impl CertificateLog {
    /// Opens the log of this name in `data`, making it, and its key, if the directory is absent or empty.
    pub async fn open(data: &Path, origin: &str, clock: Arc<dyn Clock>) -> Result<Self, HomeError> {
        Self::open_on(Disk::default(), data, origin, clock).await
    }

    /// The same, on a disk that may inject faults.
    pub async fn open_on(
        disk: Disk,
        data: &Path,
        origin: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HomeError> {
        let config = log::Config { refresh: Some(log::REFRESH), ..log::Config::new(data.to_owned()) };
        Self::open_with(disk, config, origin, clock).await
    }

    /// The same, of this log.
    pub(crate) async fn open_with(
        disk: Disk,
        config: log::Config,
        origin: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HomeError> {
        let (path, own) = (config.data.clone(), disk.clone());
        let opened = spawn_blocking(move || {
            let dir = DataDir::open_on(own, &path, Kind::Ct).map_err(OpenError::from)?;
            log::refuse_half(dir.path())?;
            dir.disk().make_dirs(&dir.path().join(ISSUERS)).map_err(OpenError::Io)?;
            let key = own_key(&dir, KeyAlgorithm::EcdsaP256)?;
            Ok::<_, HomeError>((dir, Arc::new(key)))
        });
        let (dir, key) = opened.await.map_err(|error| OpenError::Io(io::Error::other(error)))??;
        let named = |error| HomeError::Name { origin: origin.to_owned(), error };
        let signer = LogSigner::of_certificates(origin, key.clone(), Arc::clone(&clock)).map_err(named)?;
        let root = dir.path().to_owned();
        let log = Log::open_in(dir, config, signer).await?;
        let log_id = key.public_key().id().as_bytes().try_into();
        let log_id = log_id.map_err(|_| OpenError::Damaged("its key has no id".to_owned()))?;
        let recent = Recent::of_log(&log).map_err(OpenError::from)?;
        let roots = RwLock::new(Arc::from(Vec::new()));
        let inner = Inner { log, key, log_id, clock, disk, root, roots, recent };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Accepts chains that end at one of these, and no others.
    pub fn accept(&self, roots: Vec<Certificate>) {
        *self.inner.roots.write().unwrap_or_else(PoisonError::into_inner) = roots.into();
    }

    /// The roots that chains may end at.
    pub fn roots(&self) -> Arc<[Certificate]> {
        Arc::clone(&self.inner.roots.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The log itself: its checkpoint, tiles and counters.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// Takes a chain, the certificate first, and promises that it is in the log.
    pub async fn submit(&self, chain: &[Certificate], kind: ChainKind) -> Result<Sct, SubmitError> {
        let submitted = Submitted::of(chain, &self.roots(), kind)?;
        self.inner.promise(submitted).await
    }

    /// The certificate of an issuer, by its SHA-256. Reads the disk.
    pub fn issuer(&self, fingerprint: &Digest) -> Result<Option<Vec<u8>>, ReadError> {
        match fs::read(self.inner.issuer_path(fingerprint)) {
            Ok(der) if Digest::sha256(&der) == *fingerprint => Ok(Some(der)),
            Ok(_) => Err(io::Error::other(format!("the issuer {fingerprint} is damaged")).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl CtLog for CertificateLog {
    fn public_key(&self) -> &PublicKey {
        self.inner.key.public_key()
    }

    fn is_own(&self) -> bool {
        true
    }

    /// The CA of this process needs no root: it is asked for what it issues itself.
    async fn add_pre_chain(&self, entry: &PrecertEntry) -> Result<Sct, CtError> {
        let submitted = Submitted::of_precertificate(&entry.precertificate, entry.tbs.clone(), &entry.chain);
        let submitted = submitted.map_err(|error| CtError(error.to_string()))?;
        self.inner.promise(submitted).await.map_err(|error| CtError(error.to_string()))
    }
}

/// Why nothing was promised.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The log did not take it.
    #[error(transparent)]
    Add(#[from] AddError),
    /// It is no chain that the log accepts.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The issuers could not be written.
    #[error("the issuers could not be written: {0}")]
    Io(#[from] io::Error),
    /// The promise was not signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Inner {
    async fn promise(self: &Arc<Self>, submitted: Submitted) -> Result<Sct, SubmitError> {
        let Submitted { entry, identity, issuers } = submitted;
        let (index, timestamp) = match self.recent.find(&identity) {
            Some(known) => known,
            None => {
                let timestamp = milliseconds(self.clock.as_ref());
                let chain = self.keep(issuers).await?;
                let leaf = TileLeaf { timestamp, entry: entry.clone(), index: 0, chain };
                let bytes = leaf.to_bytes().ok_or(ChainError::TooLarge)?;
                let index = self.log.add(bytes.into()).await?.index;
                self.recent.insert(identity, (index, timestamp));
                (index, timestamp)
            }
        };
        let extensions = signet_formats::sct::leaf_index_extension(index).ok_or(ChainError::TooLarge)?;
        let signed = entry.signed_data(timestamp, &extensions).ok_or(ChainError::TooLarge)?;
        let signature = self.key.sign(Scheme::EcdsaP256Sha256, Payload::Message(&signed)).await?;
        Ok(Sct::new(self.log_id, timestamp, extensions, signature))
    }

    /// Makes the issuers durable before an entry names them. Their fingerprints.
    async fn keep(self: &Arc<Self>, issuers: Vec<Certificate>) -> io::Result<Vec<[u8; 32]>> {
        let inner = Arc::clone(self);
        let keep = move || {
            let mut fingerprints = Vec::new();
            for issuer in issuers {
                let fingerprint = issuer.fingerprint();
                let path = inner.issuer_path(&fingerprint);
                if !path.is_file() {
                    inner.disk.put(&inner.root, &path, issuer.der())?;
                }
                fingerprints.push(fingerprint.as_bytes().try_into().map_err(io::Error::other)?);
            }
            Ok(fingerprints)
        };
        spawn_blocking(keep).await.map_err(io::Error::other)?
    }

    fn issuer_path(&self, fingerprint: &Digest) -> PathBuf {
        self.root.join(ISSUERS).join(fingerprint.hex())
    }
}

/// What is wrong with the issuers in a log's directory.
pub fn fsck_issuers(data: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(data.join(ISSUERS)) else { return Vec::new() };
    let damaged = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let intact = fs::read(&path).is_ok_and(|der| Digest::sha256(&der).hex() == name);
        (!intact).then(|| format!("the issuer {name} is damaged"))
    };
    entries.filter_map(|entry| damaged(entry.ok()?.path())).collect()
}

/// The newest entries of a log, in order.
fn newest(log: &Log, count: u64) -> Result<Vec<TileLeaf>, ReadError> {
    let size = log.head().checkpoint.size;
    let first = size.saturating_sub(count) / signet_formats::tlog::TILE_WIDTH;
    let mut leaves = Vec::new();
    for bundle in (first..).map_while(|index| EntryBundle::of_log(index, size)) {
        let tile = log.entries(bundle)?.unwrap_or_default();
        let read: Result<Vec<_>, _> = signet_formats::static_ct::tile_leaves(&tile).collect();
        leaves.extend(read.map_err(io::Error::other)?);
    }
    Ok(leaves)
}

/// What an entry is about, however often it is submitted.
fn identity(entry: &SignedEntry) -> [u8; 32] {
    let digest = match entry {
        SignedEntry::Certificate(der) => Digest::sha256(der),
        SignedEntry::Precertificate { issuer_key_hash, tbs, .. } => {
            Digest::sha256(&[&b"precertificate"[..], issuer_key_hash, tbs].concat())
        }
    };
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Where the issuers' certificates are, below the log's directory.
const ISSUERS: &str = "issuers";

#[cfg(test)]
mod tests;
