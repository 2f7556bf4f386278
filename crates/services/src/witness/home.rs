//! From a directory to a running witness.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};
use signet_crypto::KeyAlgorithm;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::note::{NoteError, VerifierKey};
use signet_keys::FileError;
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};
use tokio::sync::Mutex;

use super::state::LogState;
use super::{Config, Cosigner, Counters, Shared, Witness, WitnessedLog, id_of};
use crate::own_key::{has_own_key, lost_keys, made_up_name, own_key};

/// Which witness to make, where there is none yet.
#[derive(Clone, Debug, Default)]
pub struct HomeOptions {
    /// The witness's name; unset, one is made from its key.
    pub name: Option<String>,
    /// Cosign with ML-DSA-44, too.
    pub ml_dsa: bool,
}

impl Witness {
    /// Opens a witness whose private keys are in its directory; the first start makes them, for their owner only.
    pub async fn open_home(disk: Disk, config: Config, options: HomeOptions) -> Result<Self, OpenError> {
        let opened = tokio::task::spawn_blocking(move || {
            let dir = DataDir::open_on(disk, &config.data, Kind::Witness)?;
            let cosigner = own_cosigner(&dir, &options)?;
            Self::start(dir, config, cosigner)
        });
        opened.await.map_err(io::Error::other)?
    }

    /// Opens a witness whose keys are elsewhere.
    pub async fn open_on(disk: Disk, config: Config, cosigner: Cosigner) -> Result<Self, OpenError> {
        let opened = tokio::task::spawn_blocking(move || {
            Self::start(DataDir::open_on(disk, &config.data, Kind::Witness)?, config, cosigner)
        });
        opened.await.map_err(io::Error::other)?
    }

    fn start(dir: DataDir, config: Config, cosigner: Cosigner) -> Result<Self, OpenError> {
        let known = Identity::begun(dir.path())?;
        for made in [SCRATCH, LOGS, MARKS] {
            dir.disk().make_dirs(&dir.path().join(made))?;
        }
        for unfinished in fs::read_dir(dir.path().join(SCRATCH))? {
            fs::remove_file(unfinished?.path())?;
        }
        Identity::of(&cosigner).settle(known, &dir)?;
        let (now, mut logs) = (config.clock.read(), BTreeMap::new());
        for log in merged(config.logs)? {
            let id = id_of(&log.origin);
            logs.insert(id, Arc::new(Mutex::new(LogState::load(dir.path(), log, &cosigner, now)?)));
        }
        let (logs, counters) = (RwLock::new(logs), Counters::default());
        Ok(Self {
            shared: Arc::new(Shared {
                dir,
                cosigner,
                clock: config.clock,
                logs,
                counters,
                unwritten: Default::default(),
            }),
        })
    }
}

/// Why a witness was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// What was cosigned last cannot be told.
    #[error("`{}` is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The directory cannot be used.
    #[error(transparent)]
    Dir(#[from] signet_store::OpenError),
    /// The disk failed.
    #[error("the witness cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// A key could not be read or written.
    #[error(transparent)]
    Key(#[from] FileError),
    /// A log has two keys of which one is given twice, or a witness's key.
    #[error("the log `{0}` is given with a key that is no log's, or twice")]
    LogKey(String),
    /// The name cannot be a witness's.
    #[error("`{name}` cannot be a witness's name: {error}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: NoteError,
    },
    /// The directory is the witness of another name or other keys.
    #[error("this is the witness of the key `{found}`")]
    Other {
        /// The first key that it was made with.
        found: String,
    },
}

/// What is wrong with the directory of a witness; nothing, where there is none.
pub fn fsck(data: &Path) -> Vec<String> {
    match damage(data) {
        Ok(findings) => findings,
        Err(error) => vec![error.to_string()],
    }
}

/// What it has cosigned last of each log has to be its own word.
fn damage(data: &Path) -> Result<Vec<String>, OpenError> {
    let Some(identity) = Identity::begun(data)? else { return Ok(Vec::new()) };
    let malformed =
        |error: NoteError| OpenError::Damaged { path: data.join(IDENTITY_FILE), why: error.to_string() };
    let keys: Vec<VerifierKey> =
        identity.keys.iter().map(|key| key.parse()).collect::<Result<_, _>>().map_err(malformed)?;
    let own = keys.first().ok_or(NoteError::NoSignatureByKey).map_err(malformed)?;
    let mut findings = Vec::new();
    for file in fs::read_dir(data.join(LOGS))? {
        let path = file?.path();
        let word = SignedCheckpoint::parse(&fs::read(&path)?);
        if !word.is_ok_and(|signed| cosignature::verify(&signed, own).is_ok()) {
            findings.push(format!("`{}` is not what the witness has cosigned", path.display()));
        }
    }
    // A witness from before there were marks has none.
    for mark in fs::read_dir(data.join(MARKS)).into_iter().flatten() {
        let path = data.join(LOGS).join(mark?.file_name());
        if !path.is_file() {
            findings.push(format!("`{}` is gone: what was cosigned last", path.display()));
        }
    }
    Ok(findings)
}

fn is_filled(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// The first key of the witness in this directory, as far as that can be read.
pub fn key_of(data: &Path) -> Option<String> {
    Identity::read(data).ok()??.keys.into_iter().next()
}

/// One log for each origin, with all its keys.
fn merged(logs: Vec<WitnessedLog>) -> Result<Vec<WitnessedLog>, OpenError> {
    let mut by_origin: BTreeMap<String, WitnessedLog> = BTreeMap::new();
    for log in logs {
        match by_origin.entry(log.origin.clone()) {
            Entry::Vacant(place) => drop(place.insert(log)),
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if log.keys.iter().any(|key| known.keys.contains(key)) {
                    return Err(OpenError::LogKey(log.origin));
                }
                known.keys.extend(log.keys);
            }
        }
    }
    Ok(by_origin.into_values().collect())
}

fn own_cosigner(dir: &DataDir, options: &HomeOptions) -> Result<Cosigner, OpenError> {
    let known = Identity::begun(dir.path())?;
    if let Some(path) = known.iter().find_map(|known| lost_keys(dir.path(), &known.keys).into_iter().next()) {
        return Err(OpenError::Damaged { path, why: "it is gone".to_owned() });
    }
    let ed25519 = own_key(dir, KeyAlgorithm::Ed25519)?;
    let ml_dsa = match options.ml_dsa || has_own_key(dir, KeyAlgorithm::MlDsa44) {
        true => Some(Arc::new(own_key(dir, KeyAlgorithm::MlDsa44)?) as Arc<_>),
        false => None,
    };
    let name =
        options.name.clone().or(known.map(|known| known.name)).unwrap_or_else(|| made_up_name("witness"));
    Cosigner::new(&name, Arc::new(ed25519), ml_dsa).map_err(|error| OpenError::Name { name, error })
}

/// Whose witness a directory is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    name: String,
    keys: Vec<String>,
    /// Whether it marks which logs it has cosigned; one from before it did does not say it.
    #[serde(default)]
    marks: bool,
}

impl Identity {
    fn of(cosigner: &Cosigner) -> Self {
        let name = cosigner.keys().next().map(|key| key.name().to_owned()).unwrap_or_default();
        Self { name, keys: cosigner.keys().map(ToString::to_string).collect(), marks: true }
    }

    /// As [`Identity::read`]. Refused if a part of the witness is there and another is gone: it would forget what it has cosigned.
    fn begun(data: &Path) -> Result<Option<Self>, OpenError> {
        let known = Self::read(data)?;
        let lost = match &known {
            Some(_) if !data.join(LOGS).is_dir() => Some(LOGS),
            Some(Self { marks: true, .. }) if !data.join(MARKS).is_dir() => Some(MARKS),
            None if [LOGS, MARKS].iter().any(|dir| is_filled(&data.join(dir))) => Some(IDENTITY_FILE),
            _ => None,
        };
        match lost {
            Some(name) => Err(OpenError::Damaged { path: data.join(name), why: "it is gone".to_owned() }),
            None => Ok(known),
        }
    }

    fn read(data: &Path) -> Result<Option<Self>, OpenError> {
        let path = data.join(IDENTITY_FILE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| OpenError::Damaged { path, why: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses another witness's directory. Keys may be added, not taken away.
    fn settle(&self, found: Option<Self>, dir: &DataDir) -> Result<(), OpenError> {
        if let Some(known) = &found {
            let other = known.keys.iter().find(|key| !self.keys.contains(key));
            if let Some(other) = other {
                return Err(OpenError::Other { found: other.clone() });
            }
        }
        if found.as_ref() != Some(self) {
            let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
            dir.disk().put(&dir.path().join(SCRATCH), &dir.path().join(IDENTITY_FILE), &text)?;
        }
        Ok(())
    }
}

/// Unfinished files, removed at each start.
pub(super) const SCRATCH: &str = "tmp";
/// What was cosigned last, of each log.
pub(super) const LOGS: &str = "logs";
/// Which logs were cosigned at all: what was cosigned last of them cannot be forgotten without a word.
pub(super) const MARKS: &str = "cosigned";
const IDENTITY_FILE: &str = "witness.json";
