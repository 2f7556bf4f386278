//! A log that keeps its keys in its own directory.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use signet_crypto::KeyAlgorithm;
use signet_formats::note::{NoteError, VerifierKey};
use signet_keys::{
    Existing, FileError, PasswordSource, PrivateFormat, PrivateKey, read_private, write_private,
};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};
use uuid::Uuid;

use super::chunk::Layout;
use super::open::{Identity, OpenError};
use super::{Config, Log, LogSigner};

/// Which log to make, where there is none yet.
#[derive(Clone, Debug, Default)]
pub struct HomeOptions {
    /// The log's name; unset, one is made from its key.
    pub origin: Option<String>,
    /// Sign with ML-DSA-44, too.
    pub ml_dsa: bool,
}

impl Log {
    /// Opens a log whose private keys are in its directory, under `keys`; the first start makes them, for their owner only.
    pub async fn open_home(disk: Disk, config: Config, options: HomeOptions) -> Result<Self, HomeError> {
        let data = config.data.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let dir = DataDir::open_on(disk, &data, Kind::Log).map_err(OpenError::from)?;
            let signer = signer(&dir, &options)?;
            Ok::<_, HomeError>((dir, signer))
        });
        let (dir, signer) = opened.await.map_err(|error| OpenError::Io(io::Error::other(error)))??;
        Ok(Self::open_in(dir, config, signer).await?)
    }
}

/// The name of the log in this directory; `None` if there is no log yet.
pub fn origin_of(data: &Path) -> Result<Option<String>, OpenError> {
    Ok(Identity::read(data)?.map(|identity| identity.origin))
}

/// Makes the directories of a log for what a backup leaves out: it is made again from the entries.
pub fn make_dirs(disk: &Disk, data: &Path) -> io::Result<()> {
    Layout::new(data).make(disk)
}

/// The public keys of the log in this directory.
pub fn keys_of(data: &Path) -> Result<Vec<VerifierKey>, OpenError> {
    let keys = Identity::demand(data)?.keys;
    let malformed = |error: NoteError| OpenError::Damaged(error.to_string());
    keys.iter().map(|key| key.parse().map_err(malformed)).collect()
}

/// A host name that nobody else has: names of logs are never looked up, only compared.
pub fn made_up_name(kind: &str) -> String {
    let unique = Uuid::new_v4().simple().to_string();
    format!("{kind}-{}.signet.internal", unique.get(..12).unwrap_or(&unique))
}

/// Why a log with keys of its own was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// A key could not be read or written.
    #[error(transparent)]
    Key(#[from] FileError),
    /// The name cannot be a log's.
    #[error("`{origin}` cannot be a log's name: {error}")]
    Name {
        /// The name.
        origin: String,
        /// What is wrong with it.
        error: NoteError,
    },
    /// The log could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

fn signer(dir: &DataDir, options: &HomeOptions) -> Result<LogSigner, HomeError> {
    let keys = dir.path().join("keys");
    dir.disk().make_dirs(&keys).map_err(OpenError::Io)?;
    let known = Identity::read(dir.path())?;
    let ed25519 = own_key(dir, &keys.join("ed25519.key"), KeyAlgorithm::Ed25519)?;
    let path = keys.join("ml-dsa-44.key");
    let ml_dsa = match options.ml_dsa || path.is_file() {
        true => Some(Arc::new(own_key(dir, &path, KeyAlgorithm::MlDsa44)?) as Arc<_>),
        false => None,
    };
    let origin = options.origin.clone().or(known.map(|known| known.origin));
    let origin = origin.unwrap_or_else(|| made_up_name("log"));
    LogSigner::new(&origin, Arc::new(ed25519), ml_dsa).map_err(|error| HomeError::Name { origin, error })
}

/// Reads a key, or makes it. A crash in between leaves none.
pub(crate) fn own_key(dir: &DataDir, path: &Path, algorithm: KeyAlgorithm) -> Result<PrivateKey, HomeError> {
    if fs::exists(path).map_err(OpenError::Io)? {
        // Asked for only if the operator has put it under one.
        return Ok(read_private(path, &PasswordSource::Environment)?);
    }
    let key = PrivateKey::generate(algorithm).map_err(|error| FileError { path: path.to_owned(), error })?;
    write_private(path, &key, PrivateFormat::Pkcs8, Existing::Refuse)?;
    dir.disk().sync_parent(path).map_err(OpenError::Io)?;
    Ok(key)
}
