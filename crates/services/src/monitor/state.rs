//! What a monitor keeps.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signet_crypto::Digest;
use signet_formats::base64;
use signet_formats::checkpoint::SignedCheckpoint;

use super::range::Range;

/// Where it keeps it.
pub(super) struct StateDir(PathBuf);

impl StateDir {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self(path))
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

    fn file(&self, origin: &str, extension: &str) -> PathBuf {
        let name = Digest::sha256(origin.as_bytes()).hex();
        self.0.join(format!("{}.{extension}", name.get(..16).unwrap_or(&name)))
    }
}

/// Whether the name in a checkpoint is the log's. Rekor v1 adds the id of the tree.
fn is_of(origin: &str, stated: &str) -> bool {
    stated.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(" - "))
}

/// How far a log was read.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) checkpoint: SignedCheckpoint,
    pub(super) range: Range,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    checkpoint: String,
    peaks: Vec<(u8, String)>,
}

impl Kept {
    fn of(seen: &Seen) -> Self {
        let peaks = seen.range.peaks().iter().map(|(height, hash)| (*height, base64::encode(hash))).collect();
        Self { checkpoint: seen.checkpoint.note().to_string(), peaks }
    }

    /// What fits together only.
    fn read(self) -> Option<Seen> {
        let checkpoint = SignedCheckpoint::parse(self.checkpoint.as_bytes()).ok()?;
        let peaks = self
            .peaks
            .iter()
            .map(|(height, hash)| Some((*height, base64::decode(hash).ok()?.try_into().ok()?)));
        let range = Range::new(checkpoint.checkpoint().size, peaks.collect::<Option<_>>()?)?;
        (range.root() == checkpoint.checkpoint().root).then_some(Seen { checkpoint, range })
    }
}

/// Writes a document, whole or not at all.
pub(super) fn write_whole(path: &Path, document: &impl Serialize) -> io::Result<()> {
    write_bytes(path, &serde_json::to_vec_pretty(document).map_err(io::Error::other)?)
}

fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}
