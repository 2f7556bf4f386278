//! A stack from its backup.
//!
//! A log that is restored may be older than what it has published. To go on with it would be a second history under one name:
//! it is frozen, and another begins beside it, unless [`log::is_newest`] finds proof that nothing newer exists.

use std::fmt::Display;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::WitnessPolicy;
use signet_platform::{Access, Staged};
use signet_services::log::{self, Doubt, Evidence, Witnesses};
use signet_services::trust::mark_restored;
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};
use tar::{Archive, EntryType};

use super::backup::{ABOUT, About, BackupError, Copied, ORDER};
use super::names::{Names, Shard};
use super::trust;
use crate::witness::HttpWitnesses;

/// What a restore made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What was read.
    pub copied: Copied,
    /// The logs that go on, because nothing newer of them exists.
    pub resumed: Vec<String>,
    /// The logs that are frozen, and why: others begin in their places.
    pub frozen: Vec<(String, Doubt)>,
}

/// What there is, besides the archive, to show that nothing newer was published.
#[derive(Clone, Default)]
pub struct Witnessed {
    /// Checkpoints that others have seen.
    pub heads: Vec<SignedCheckpoint>,
    /// Whose cosignatures the log needed to its end: they are asked now. Unset, as the backup says.
    pub policy: Option<WitnessPolicy>,
    /// When the stack had stopped for good, in seconds since 1970: cosignatures that are later count without asking.
    pub stopped: Option<i64>,
}

/// Makes the stack of a backup in `data`, which has to be absent or empty.
pub async fn restore(
    archive: impl Read,
    data: &Path,
    witnessed: Witnessed,
    now: i64,
) -> Result<Restored, BackupError> {
    let failed = |error| BackupError::Io { path: data.to_owned(), error };
    let data = &std::path::absolute(data).map_err(failed)?;
    // Under its name only once it is whole: half a stack would make the missing half anew.
    let mut unfinished = data.clone().into_os_string();
    unfinished.push(".restoring");
    let unfinished = PathBuf::from(unfinished);
    for path in [data, &unfinished] {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                return Err(BackupError::NotEmpty { path: path.clone() });
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let root = DataDir::open(&unfinished, Kind::Stack)?;
    let made = fill(&root, archive, witnessed, now).await;
    match &made {
        Ok(_) => root.disk().rename(&unfinished, data).map_err(failed)?,
        Err(_) => fs::remove_dir_all(&unfinished).map_err(failed)?,
    }
    made
}

/// The stack in its directory.
async fn fill(
    root: &DataDir,
    archive: impl Read,
    witnessed: Witnessed,
    now: i64,
) -> Result<Restored, BackupError> {
    let failed = |error| BackupError::Io { path: root.path().to_owned(), error };
    let (copied, about) = unpack(archive, root.path())?;
    let evidence = Evidence {
        heads: witnessed.heads,
        ended: about.moved,
        witnesses: witnessed.policy.map(asked),
        // When the backup was taken it was running.
        since: witnessed.stopped.map(|stopped| stopped.max(about.taken)),
        now,
    };
    let mut restored = Restored { copied, ..Restored::default() };
    let names = settle(root, evidence, &mut restored).await?;
    names.keep(root).map_err(failed)?;
    // As they were made; what is in them is for the stack's owner only.
    restrict_below(root.path()).map_err(failed)?;
    Ok(restored)
}

/// Decides about each log that was written to: it goes on, or another begins.
async fn settle(root: &DataDir, evidence: Evidence, restored: &mut Restored) -> Result<Names, BackupError> {
    let foreign = |error: &dyn Display| BackupError::Foreign(error.to_string());
    let mut names = Names::read(root)
        .map_err(|error| foreign(&error))?
        .ok_or_else(|| foreign(&"it has no `stack.json`"))?;
    // It may have been taken into use since; what takes its place is made anew.
    (names.next, names.next_ct) = (None, None);
    mark_restored(&root.path().join(trust::DIR)).map_err(|error| foreign(&error))?;
    // Of a log of certificates there are no witnesses.
    let unwitnessed = Evidence { witnesses: None, ..evidence.clone() };
    for (kind, shards, evidence) in [("log", &mut names.log, &evidence), ("ct", &mut names.ct, &unwitnessed)]
    {
        for shard in shards.iter() {
            let path = Names::dir(root, kind, shard);
            log::make_dirs(root.disk(), &path).map_err(|error| BackupError::Io { path, error })?;
        }
        let Some(current) = shards.last_mut() else { continue };
        let path = Names::dir(root, kind, current);
        match is_newest(&path, evidence)
            .await
            .map_err(|error| BackupError::Log { path: path.clone(), why: error.to_string() })?
        {
            Ok(()) => restored.resumed.push(current.origin.clone()),
            Err(doubt) => {
                log::freeze_at(root.disk(), &path).map_err(|error| BackupError::Io { path, error })?;
                current.end = Some(evidence.now);
                restored.frozen.push((current.origin.clone(), doubt));
                shards.push(Shard::new(kind, evidence.now));
            }
        }
    }
    Ok(names)
}

/// Whether nothing newer of the log in this directory was published. Its own policy says who is asked, unless another is given.
async fn is_newest(path: &Path, evidence: &Evidence) -> Result<Result<(), Doubt>, log::OpenError> {
    let witnesses = match &evidence.witnesses {
        Some(given) => Some(Arc::clone(given)),
        None => log::policy_of(path)?.map(asked),
    };
    log::is_newest(path, &Evidence { witnesses, ..evidence.clone() }).await
}

fn asked(policy: WitnessPolicy) -> Arc<Witnesses> {
    Arc::new(Witnesses::new(policy, Arc::new(HttpWitnesses::default()), WITNESS_WITHIN))
}

/// Writes the files of an archive below `root`, each of them synced; what it says of itself is not one.
fn unpack(archive: impl Read, root: &Path) -> Result<(Copied, About), BackupError> {
    let foreign = |error: io::Error| BackupError::Foreign(error.to_string());
    let (disk, mut copied, mut about) = (Disk::default(), Copied::default(), None);
    let mut archive = Archive::new(archive);
    for entry in archive.entries().map_err(foreign)? {
        let mut entry = entry.map_err(foreign)?;
        let path = entry.path().map_err(foreign)?.into_owned();
        if path == Path::new(ABOUT) {
            about = Some(stated(&mut entry).map_err(foreign)?);
            continue;
        }
        let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
        let first = path.components().next().map(|part| part.as_os_str().to_owned());
        let is_ours = first.is_some_and(|first| ORDER.iter().any(|known| first == **known));
        if !is_below || !is_ours || entry.header().entry_type() != EntryType::Regular {
            return Err(BackupError::Foreign(format!("`{}` does not belong there", path.display())));
        }
        let target = root.join(&path);
        let written = write(&disk, &target, &mut entry);
        copied.bytes += written.map_err(|error| BackupError::Io { path: target, error })?;
        copied.files += 1;
    }
    let about = about.ok_or_else(|| BackupError::Foreign(format!("it has no `{ABOUT}`")))?;
    Ok((copied, about))
}

fn stated(entry: &mut impl Read) -> io::Result<About> {
    Ok(serde_json::from_reader(entry.take(MAX_ABOUT_BYTES))?)
}

fn write(disk: &Disk, target: &Path, content: &mut impl Read) -> io::Result<u64> {
    if let Some(dir) = target.parent() {
        disk.make_dirs(dir)?;
    }
    let mut staged = Staged::beside(target, Access::Private)?;
    let length = io::copy(content, staged.file())?;
    staged.publish()?;
    Ok(length)
}

fn restrict_below(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            signet_platform::restrict(&path)?;
            restrict_below(&path)?;
        }
    }
    Ok(())
}

/// As long as a person waits for an answer.
const WITNESS_WITHIN: Duration = Duration::from_secs(10);
/// A time and a yes or no.
const MAX_ABOUT_BYTES: u64 = 4096;
