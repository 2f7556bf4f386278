//! What a monitor keeps.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use signet_crypto::Digest;
use signet_formats::base64;
use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_store::fs::Disk;
use signet_store::{OpenError, lock};

use super::range::{Grown, Range};

/// Where it keeps it.
pub(super) struct StateDir {
    path: PathBuf,
    /// Two monitors would forget what the other has read and told.
    _lock: File,
}

impl StateDir {
    /// Refused while another monitor has it.
    pub(super) fn open(path: PathBuf) -> Result<Self, OpenError> {
        fs::create_dir_all(&path).map_err(|error| OpenError::Io { path: path.clone(), error })?;
        Ok(Self { _lock: lock(&path)?, path })
    }

    /// Of what somebody was told, and when.
    pub(super) fn told(&self) -> io::Result<BTreeMap<String, i64>> {
        self.numbers(TOLD)
    }

    pub(super) fn keep_told(&self, told: &BTreeMap<String, i64>) -> io::Result<()> {
        write_whole(&self.path.join(TOLD), told)
    }

    /// How many findings of each log were dropped.
    pub(super) fn dropped(&self) -> io::Result<BTreeMap<String, u64>> {
        self.numbers(DROPPED)
    }

    pub(super) fn keep_dropped(&self, dropped: &BTreeMap<String, u64>) -> io::Result<()> {
        write_whole(&self.path.join(DROPPED), dropped)
    }

    /// How far a log was read; `None` if it is not known.
    pub(super) fn load(&self, origin: &str) -> io::Result<Option<Seen>> {
        let path = self.file(origin, "json");
        let damaged =
            || io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is damaged", path.display()));
        match fs::read(&path) {
            Ok(bytes) => {
                let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
                kept.read()
                    .filter(|seen| is_of(origin, &seen.checkpoint.checkpoint().origin))
                    .map(Some)
                    .ok_or_else(damaged)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn keep(&self, origin: &str, seen: &Seen) -> io::Result<()> {
        write_whole(&self.file(origin, "json"), &Kept::of(seen))
    }

    /// Keeps two checkpoints of which only one can be true. The same two are kept once.
    pub(super) fn keep_evidence(
        &self,
        origin: &str,
        one: &SignedCheckpoint,
        other: &SignedCheckpoint,
    ) -> io::Result<PathBuf> {
        let texts = Digest::sha256([one.note().text(), other.note().text()].concat().as_bytes()).hex();
        let path = self.file(origin, &format!("{}.fork", texts.get(..16).unwrap_or(&texts)));
        if !path.exists() {
            write_bytes(&path, format!("{}\n{}", one.note(), other.note()).as_bytes())?;
        }
        Ok(path)
    }

    /// Keeps a checkpoint of which nothing has shown yet that it is of the history that was read. `None` if there are too many.
    pub(super) fn keep_unproven(&self, origin: &str, head: &SignedCheckpoint) -> io::Result<Option<PathBuf>> {
        let text = Digest::sha256(head.note().text().as_bytes()).hex();
        let path = self.file(origin, &format!("{}.unproven", text.get(..16).unwrap_or(&text)));
        if !path.exists() {
            if self.unproven(origin)?.len() >= MAX_UNPROVEN {
                return Ok(None);
            }
            write_bytes(&path, head.note().to_string().as_bytes())?;
        }
        Ok(Some(path))
    }

    /// Those checkpoints, and where they are.
    pub(super) fn unproven(&self, origin: &str) -> io::Result<Vec<(PathBuf, SignedCheckpoint)>> {
        let prefix = name_of(origin);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(&prefix) && name.ends_with(".unproven") {
                let head = SignedCheckpoint::parse(&fs::read(&path)?).map_err(io::Error::other)?;
                found.push((path, head));
            }
        }
        Ok(found)
    }

    fn numbers<N: DeserializeOwned>(&self, name: &str) -> io::Result<BTreeMap<String, N>> {
        match fs::read(self.path.join(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("`{name}` is damaged"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    fn file(&self, origin: &str, extension: &str) -> PathBuf {
        self.path.join(format!("{}.{extension}", name_of(origin)))
    }
}

fn name_of(origin: &str) -> String {
    let name = Digest::sha256(origin.as_bytes()).hex();
    name.get(..16).unwrap_or(&name).to_owned()
}

/// Whether the name in a checkpoint is the log's. Rekor v1 adds the id of the tree.
fn is_of(origin: &str, stated: &str) -> bool {
    stated.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(" - "))
}

/// How far a log was read.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The newest that it has shown of this history.
    pub(super) checkpoint: SignedCheckpoint,
    /// What was read: its beginning, or all of it.
    pub(super) grown: Grown,
    /// How many of the entries say something that could not be read.
    pub(super) unread: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    checkpoint: String,
    /// The size of the range; absent, that of the checkpoint.
    #[serde(default)]
    size: Option<u64>,
    peaks: Vec<(u8, String)>,
    /// The leaves that were read after it.
    #[serde(default)]
    recent: String,
    #[serde(default)]
    unread: u64,
}

impl Kept {
    fn of(seen: &Seen) -> Self {
        let (base, recent) = (seen.grown.base(), seen.grown.recent());
        Self {
            checkpoint: seen.checkpoint.note().to_string(),
            size: Some(base.size()),
            peaks: base.peaks().iter().map(|(height, hash)| (*height, base64::encode(hash))).collect(),
            recent: base64::encode(recent.as_flattened()),
            unread: seen.unread,
        }
    }

    /// What fits together only.
    fn read(self) -> Option<Seen> {
        let checkpoint = SignedCheckpoint::parse(self.checkpoint.as_bytes()).ok()?;
        let peaks = self
            .peaks
            .iter()
            .map(|(height, hash)| Some((*height, base64::decode(hash).ok()?.try_into().ok()?)));
        let Checkpoint { size, root, .. } = checkpoint.checkpoint();
        let base = Range::new(self.size.unwrap_or(*size), peaks.collect::<Option<_>>()?)?;
        let recent = base64::decode(&self.recent).ok()?;
        let (recent, []) = recent.as_chunks() else { return None };
        let grown = Grown::new(base, recent.to_vec());
        let fits = match grown.range().size() == *size {
            true => grown.range().root() == *root,
            false => grown.range().size() < *size,
        };
        fits.then_some(Seen { checkpoint, grown, unread: self.unread })
    }
}

/// Writes a document, whole or not at all.
pub(super) fn write_whole(path: &Path, document: &impl Serialize) -> io::Result<()> {
    write_bytes(path, &serde_json::to_vec_pretty(document).map_err(io::Error::other)?)
}

/// It survives a power cut: evidence may be all that there is of a fork.
fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    Disk::default().put(path.parent().unwrap_or(&path), &path, bytes)
}

const TOLD: &str = "told.json";
const DROPPED: &str = "dropped.json";
/// The most checkpoints of a log that are kept until they are proven.
const MAX_UNPROVEN: usize = 32;
