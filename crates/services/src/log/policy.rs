//! Whose cosignatures the checkpoints of a log need. It stands in the log's directory, so that nothing that opens the log
//! goes on without them: a log that was witnessed once shows and signs nothing that is not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_crypto::Digest;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::{PolicyLog, WitnessPolicy};
use signet_store::fs::Disk;

use super::chunk::Layout;
use super::identity::Identity;
use super::{LogSigner, OpenError, places_of};

/// The witness policy of the newest shard of the log in this directory; `None` if nobody has to cosign.
pub fn policy_of(data: &Path) -> Result<Option<WitnessPolicy>, OpenError> {
    match places_of(data)?.last() {
        Some(newest) => kept(&newest.data),
        None => Ok(None),
    }
}

/// The policy that a log was opened with last. One that is not what the log says of it is none.
pub(super) fn kept(root: &Path) -> Result<Option<WitnessPolicy>, OpenError> {
    let damaged = |error| OpenError::Damaged(format!("`{POLICY_FILE}`: {error}"));
    let text = match fs::read(file(root)) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    // A log from before this was kept says nothing of it.
    let stated = Identity::read(root)?.and_then(|identity| identity.policy);
    let is_another = |stated: &String| text.as_ref().map(|text| id_of(text)).as_ref() != Some(stated);
    if stated.as_ref().is_some_and(is_another) {
        let what = if text.is_some() { "is another than the log had" } else { "is missing" };
        let why = format!("`{POLICY_FILE}` {what}; give it again, or one of `quorum none`");
        return Err(OpenError::Damaged(why));
    }
    text.map(|text| WitnessPolicy::parse(&text).map_err(damaged)).transpose()
}

/// Keeps the policy that a log is opened with, before anything is signed. Refuses one that is for other logs, and
/// none where there was one.
pub(super) fn settle(
    disk: &Disk,
    layout: &Layout,
    signer: &LogSigner,
    identity: &mut Identity,
    given: Option<&WitnessPolicy>,
) -> Result<(), OpenError> {
    let Some(given) = given else {
        return kept(&layout.root)?.map_or(Ok(()), |_| Err(OpenError::Witnessed));
    };
    let ours = |known: &PolicyLog| signer.keys().any(|key| *key == known.key);
    if !given.logs().is_empty() && !given.logs().iter().any(ours) {
        let keys = signer.keys().map(ToString::to_string).collect();
        return Err(OpenError::PolicyOfOthers { keys });
    }
    let file = file(&layout.root);
    if fs::read(&file).ok().as_deref() != Some(given.text()) {
        disk.put(&layout.scratch, &file, given.text())?;
    }
    let id = Some(id_of(given.text()));
    if identity.policy != id {
        identity.policy = id;
        identity.write(disk, layout)?;
    }
    Ok(())
}

/// Whether those have cosigned a checkpoint who have to. A tree without entries claims nothing.
pub(super) fn is_met(policy: &WitnessPolicy, signed: &SignedCheckpoint) -> bool {
    signed.checkpoint().size == 0 || policy.is_met_by(signed, 1..)
}

fn id_of(policy: &[u8]) -> String {
    Digest::sha256(policy).hex()
}

fn file(root: &Path) -> PathBuf {
    root.join(POLICY_FILE)
}

const POLICY_FILE: &str = "witness-policy";
