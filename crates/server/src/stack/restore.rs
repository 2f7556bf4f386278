//! A stack from its backup.
//!
//! A log that is restored may be older than what it has published. To go on with it would be a second history under one name:
//! it is frozen, and another begins beside it, unless [`log::is_newest`] finds proof that nothing newer exists.

use std::fmt::Display;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::WitnessPolicy;
use signet_services::log::{self, Doubt, Evidence, Witnesses};
use signet_services::trust::mark_restored;
use signet_store::DataDir;

use super::backup::{BackupError, Copied};
use super::made::{self, Part};
use super::names::{Line, Names, Shard};
use super::place::Place;
use super::trust;
use super::unpack::unpack;
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
    /// Whose cosignatures the log needed to its end: they are asked now. The policy in the backup does not say it: another
    /// may have followed it, whose witnesses the log went on with.
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
    let place = Place::take(data)?;
    let made = match place.open() {
        Ok(root) => match fill(&root, archive, witnessed, now).await {
            Ok(made) => place.reveal(&root).map(|()| made),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    if made.is_err() {
        place.clear()?;
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
    if let Some(lost) = made::lost(Some(&names), root.path()).into_iter().find(|lost| !lost.is_left_out()) {
        return Err(foreign(&lost));
    }
    names.made = names.made.without(Part::Witness);
    // It may have been taken into use since; what takes its place is made anew.
    (names.next, names.next_ct) = (None, None);
    mark_restored(&root.path().join(trust::DIR)).map_err(|error| foreign(&error))?;
    // Of a log of certificates there are no witnesses.
    let unwitnessed = Evidence { witnesses: None, ..evidence.clone() };
    for (line, shards, evidence) in
        [(Line::Log, &mut names.log, &evidence), (Line::Ct, &mut names.ct, &unwitnessed)]
    {
        for shard in shards.iter() {
            let path = Names::dir(root, line, shard);
            log::make_dirs(root.disk(), &path).map_err(|error| BackupError::Io { path, error })?;
        }
        let Some(current) = shards.last_mut() else { continue };
        let path = Names::dir(root, line, current);
        let newest = log::is_newest(&path, evidence).await;
        match newest.map_err(|error| BackupError::Log { path: path.clone(), why: error.to_string() })? {
            Ok(()) => restored.resumed.push(current.origin.clone()),
            Err(doubt) => {
                log::freeze_at(root.disk(), &path).map_err(|error| BackupError::Io { path, error })?;
                current.end = Some(evidence.now);
                restored.frozen.push((current.origin.clone(), doubt));
                shards.push(Shard::new(line, evidence.now));
            }
        }
    }
    Ok(names)
}

fn asked(policy: WitnessPolicy) -> Arc<Witnesses> {
    Arc::new(Witnesses::new(policy, Arc::new(HttpWitnesses::default()), WITNESS_WITHIN))
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
