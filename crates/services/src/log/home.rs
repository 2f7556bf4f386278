//! A log that keeps its keys in its own directory.

use std::io;
use std::path::Path;
use std::sync::Arc;

use signet_crypto::KeyAlgorithm;
use signet_formats::note::{NoteError, VerifierKey};
use signet_keys::FileError;
use signet_store::DataDir;
use signet_store::fs::Disk;

use super::chunk::Layout;
use super::identity::Identity;
use super::{Config, Log, LogSigner, OpenError};
use crate::own_key::{has_own_key, made_up_name, own_key, wrong_keys};

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
            let dir = DataDir::open_on(disk, &data, signet_store::Kind::Log).map_err(OpenError::from)?;
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

/// Refuses the directory of a log that keeps its keys there, if a part of it is gone; before a key is made in its place.
pub(crate) fn refuse_half(data: &Path) -> Result<(), OpenError> {
    Identity::at_home(data).map(drop)
}

/// What is wrong with the private keys in the directory of a log that keeps them there.
pub fn fsck_keys(data: &Path) -> Vec<String> {
    let keys = match Identity::read(data) {
        Ok(found) => found.map(|found| found.keys).unwrap_or_default(),
        // It is found with the log itself.
        Err(_) => return Vec::new(),
    };
    wrong_keys(data, &keys)
}

/// Makes an end of the log in this directory, which nobody has open: it signs nothing any more.
pub fn freeze_at(disk: &Disk, data: &Path) -> io::Result<()> {
    let layout = Layout::new(data);
    disk.put(data, &layout.frozen(), b"")
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
    let known = Identity::at_home(dir.path())?;
    let ed25519 = own_key(dir, KeyAlgorithm::Ed25519)?;
    let ml_dsa = match options.ml_dsa || has_own_key(dir, KeyAlgorithm::MlDsa44) {
        true => Some(Arc::new(own_key(dir, KeyAlgorithm::MlDsa44)?) as Arc<_>),
        false => None,
    };
    let origin = options.origin.clone().or(known.map(|known| known.origin));
    let origin = origin.unwrap_or_else(|| made_up_name("log"));
    LogSigner::new(&origin, Arc::new(ed25519), ml_dsa).map_err(|error| HomeError::Name { origin, error })
}
