//! Whose cosignatures the checkpoints of a log need. It stands in the log's directory, so that nothing that opens the log
//! goes on without them: a log that was witnessed once shows and signs nothing that is not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::{PolicyLog, WitnessPolicy};
use signet_store::fs::Disk;

use super::chunk::Layout;
use super::{LogSigner, OpenError, places_of};

/// The witness policy of the newest shard of the log in this directory; `None` if nobody has to cosign.
pub fn policy_of(data: &Path) -> Result<Option<WitnessPolicy>, OpenError> {
    match places_of(data)?.last() {
        Some(newest) => kept(&newest.data),
        None => Ok(None),
    }
}

/// The policy that a log was opened with last.
pub(super) fn kept(root: &Path) -> Result<Option<WitnessPolicy>, OpenError> {
    let damaged = |error| OpenError::Damaged(format!("`{POLICY_FILE}`: {error}"));
    match fs::read(file(root)) {
        Ok(text) => WitnessPolicy::parse(&text).map(Some).map_err(damaged),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Keeps the policy that a log is opened with, before anything is signed. Refuses one that is for other logs, and
/// none where there was one.
pub(super) fn settle(
    disk: &Disk,
    layout: &Layout,
    signer: &LogSigner,
    given: Option<&WitnessPolicy>,
) -> Result<(), OpenError> {
    let known = kept(&layout.root)?;
    let Some(given) = given else {
        return known.map_or(Ok(()), |_| Err(OpenError::Witnessed));
    };
    let ours = |known: &PolicyLog| signer.keys().any(|key| *key == known.key);
    if !given.logs().is_empty() && !given.logs().iter().any(ours) {
        let keys = signer.keys().map(ToString::to_string).collect();
        return Err(OpenError::PolicyOfOthers { keys });
    }
    if known.is_none_or(|known| known.text() != given.text()) {
        disk.put(&layout.scratch, &file(&layout.root), given.text())?;
    }
    Ok(())
}

/// Whether those have cosigned a checkpoint who have to. A tree without entries claims nothing.
pub(super) fn is_met(policy: &WitnessPolicy, signed: &SignedCheckpoint) -> bool {
    signed.checkpoint().size == 0 || policy.is_met_by(signed, 1)
}

fn file(root: &Path) -> PathBuf {
    root.join(POLICY_FILE)
}

const POLICY_FILE: &str = "witness-policy";
