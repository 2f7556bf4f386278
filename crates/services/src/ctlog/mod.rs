//! A log of certificates (RFC 6962), read as C2SP static-ct-api has it.
//!
//! It is a [`Log`] whose entries have their index in them: the promise is signed once the entry is durable and
//! published, so that nothing is ever promised that is not there already. It takes chains that end at a root it was told of.
//!
//! Trusted? Its key is. What an attacker who can write the directory gains: what he gains with any log; `issuers/` is
//! checked as it is read. May it be lost? No: certificates would exist that no log shows.

mod chain;
mod recent;
mod sharded;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
pub use sharded::{CertificateLogs, CertificateOptions};

use crate::clock::{Clock, milliseconds};
use crate::log::{self, AddError, HomeError, Log, LogSigner, OpenError, ReadError};
use crate::own_key::{made_up_name, own_key};
use chain::Submitted;
use recent::Recent;
use sharded::Roots;

/// A shard of a running log of certificates. Clones are the same one.
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
    roots: Roots,
    recent: Recent,
    /// An issuer that the disk did not take.
    unkept: Mutex<Option<Certificate>>,
}

impl CertificateLog {
    /// Opens a log, making it, and its key, if the directory is absent or empty; the name is for one that has none yet.
    async fn open(
        disk: Disk,
        config: log::Config,
        origin: Option<String>,
        clock: Arc<dyn Clock>,
        roots: Roots,
    ) -> Result<Self, HomeError> {
        let (path, own) = (config.data.clone(), disk.clone());
        let opened = spawn_blocking(move || {
            let dir = DataDir::open_on(own, &path, Kind::Ct).map_err(OpenError::from)?;
            log::refuse_half(dir.path())?;
            dir.disk().make_dirs(&dir.path().join(ISSUERS)).map_err(OpenError::Io)?;
            let key = own_key(&dir, KeyAlgorithm::EcdsaP256)?;
            let origin = origin.map_or_else(|| log::origin_of(dir.path()), |origin| Ok(Some(origin)))?;
            Ok::<_, HomeError>((dir, Arc::new(key), origin.unwrap_or_else(|| made_up_name(DIR))))
        });
        let (dir, key, origin) = opened.await.map_err(|error| OpenError::Io(io::Error::other(error)))??;
        let signer = LogSigner::of_certificates(&origin, key.clone(), Arc::clone(&clock));
        let signer = signer.map_err(|error| HomeError::Name { origin, error })?;
        let root = dir.path().to_owned();
        let log = Log::open_in(dir, config, signer).await?;
        let log_id = key.public_key().id().as_bytes().try_into();
        let log_id = log_id.map_err(|_| OpenError::Damaged("its key has no id".to_owned()))?;
        let recent = Recent::of_log(&log).map_err(OpenError::from)?;
        let inner = Inner { log, key, log_id, clock, disk, root, roots, recent, unkept: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The roots that chains may end at.
    pub fn roots(&self) -> Arc<[Certificate]> {
        self.inner.roots.all()
    }

    /// The key that its promises are signed with.
    pub fn public_key(&self) -> &PublicKey {
        self.inner.key.public_key()
    }

    /// The log itself: its checkpoint, tiles and counters.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// Whether it can promise now. Where the disk did not take an issuer it is asked again, so that it is told when it does.
    pub fn is_ready(&self) -> bool {
        let unkept = lock(&self.inner.unkept).clone();
        self.log().is_writing() && unkept.is_none_or(|issuer| self.inner.keep_issuer(&issuer).is_ok())
    }

    /// Takes a chain, the certificate first, and promises that it is in the log.
    pub async fn submit(&self, chain: &[Certificate], kind: ChainKind) -> Result<Sct, SubmitError> {
        self.promise(&Submitted::of(chain, &self.roots(), kind)?).await
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

    async fn promise(&self, submitted: &Submitted) -> Result<Sct, SubmitError> {
        self.inner.promise(submitted).await
    }

    /// Whether both are the same log.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl AsRef<Log> for CertificateLog {
    fn as_ref(&self) -> &Log {
        self.log()
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
    async fn promise(self: &Arc<Self>, submitted: &Submitted) -> Result<Sct, SubmitError> {
        let Submitted { entry, identity, issuers } = submitted;
        let (index, timestamp) = match self.recent.find(identity) {
            Some(known) => known,
            None => {
                let timestamp = milliseconds(self.clock.as_ref());
                let chain = self.keep(issuers.clone()).await?;
                let leaf = TileLeaf { timestamp, entry: entry.clone(), index: 0, chain };
                let bytes = leaf.to_bytes().ok_or(ChainError::TooLarge)?;
                let index = self.log.add(bytes.into()).await?.index;
                self.recent.insert(*identity, (index, timestamp));
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
                inner.keep_issuer(&issuer)?;
                let fingerprint = issuer.fingerprint();
                fingerprints.push(fingerprint.as_bytes().try_into().map_err(io::Error::other)?);
            }
            Ok(fingerprints)
        };
        spawn_blocking(keep).await.map_err(io::Error::other)?
    }

    fn keep_issuer(&self, issuer: &Certificate) -> io::Result<()> {
        let path = self.issuer_path(&issuer.fingerprint());
        if path.is_file() {
            return Ok(());
        }
        let kept = self.disk.put(&self.root, &path, issuer.der());
        *lock(&self.unkept) = kept.is_err().then(|| issuer.clone());
        kept
    }

    fn issuer_path(&self, fingerprint: &Digest) -> PathBuf {
        self.root.join(ISSUERS).join(fingerprint.hex())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Where a stack, and an authority by itself, keep their log of certificates, below their own directory.
pub const DIR: &str = "ct";
/// Where the issuers' certificates are, below the log's directory.
const ISSUERS: &str = "issuers";

#[cfg(test)]
mod tests;
