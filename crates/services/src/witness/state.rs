//! What a witness knows of one log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use signet_crypto::Digest;
use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::cosignature;
use signet_formats::merkle::{self, MerkleError, proves_another_tree, verify_consistency};
use signet_formats::note::{KeyKind, Note, NoteError, NoteSignature, VerifierKey};
use signet_formats::tlog::AddCheckpoint;
use signet_store::fs::Disk;

use super::allowance::Allowance;
use super::{Cosigner, OpenError, Refusal, Shared, WitnessedLog};
use crate::clock::Reading;
use crate::quiet::Quiet;

/// One log, and the newest checkpoint of it that was cosigned.
pub(super) struct LogState {
    log: WitnessedLog,
    pub(super) newest: Option<SignedCheckpoint>,
    /// Whether the directory says that some was cosigned: one without it has lost it.
    is_marked: bool,
    allowance: Allowance,
    /// Of contradictions, and of what is not proven.
    lines: [Quiet; 2],
}

impl LogState {
    /// What the directory has of the log. A file that is not this witness's own word is refused.
    pub(super) fn load(
        root: &Path,
        log: WitnessedLog,
        cosigner: &Cosigner,
        now: Reading,
    ) -> Result<Self, OpenError> {
        let path = place(root, &log.origin);
        let damaged = |why: String| OpenError::Damaged { path: path.clone(), why };
        let newest = match fs::read(&path) {
            Ok(bytes) => Some(SignedCheckpoint::parse(&bytes).map_err(|error| damaged(error.to_string()))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(newest) = &newest {
            let ours = cosigner.keys().next().ok_or(NoteError::NoSignatureByKey);
            ours.and_then(|key| cosignature::verify(newest, key))
                .map_err(|error| damaged(error.to_string()))?;
            if newest.checkpoint().origin != log.origin {
                return Err(damaged("it is of another log".to_owned()));
            }
        }
        let is_marked = mark(root, &log.origin).is_file();
        if is_marked && newest.is_none() {
            return Err(damaged(format!("what was cosigned last of `{}` is gone", log.origin)));
        }
        let allowance = Allowance::load(&spent(root, &log.origin), log.per_day, now)?;
        Ok(Self {
            log,
            newest,
            is_marked,
            allowance,
            lines: [Quiet::every(SAID_EVERY), Quiet::every(SAID_EVERY)],
        })
    }

    /// Checks in the order of the specification; then makes it durable, then gives the lines.
    pub(super) async fn add_checkpoint(
        &mut self,
        shared: &Arc<Shared>,
        request: AddCheckpoint,
    ) -> Result<Vec<NoteSignature>, Refusal> {
        self.check_signature(&request.checkpoint)?;
        let (old_size, new) = (request.old_size, request.checkpoint.checkpoint());
        if old_size > new.size {
            return Err(Refusal::Backwards { old: old_size, new: new.size });
        }
        let size = self.newest.as_ref().map_or(0, |newest| newest.checkpoint().size);
        if old_size != size {
            return Err(Refusal::Conflict { size });
        }
        if let Err(error) = self.check_history(new, &request.proof) {
            self.keep_evidence(shared, &request).await;
            return Err(Refusal::Inconsistent(error));
        }
        let is_again = self.newest.as_ref().is_some_and(|newest| newest.checkpoint() == new);
        // Anybody has what was published and can ask for it again: that takes nothing of what the log may have.
        match is_again.then(|| self.lines(shared)) {
            None => self.take(shared).await?,
            Some(None) => {}
            Some(Some(lines)) => return Ok(lines),
        }
        self.cosign(shared, request.checkpoint).await
    }

    /// What it has said of the newest checkpoint, if that was just now.
    fn lines(&self, shared: &Arc<Shared>) -> Option<Vec<NoteSignature>> {
        let (newest, now) = (self.newest.as_ref()?, u64::try_from(shared.clock.seconds()).ok()?);
        let line = |key: &VerifierKey| {
            let made = cosignature::verify(newest, key).ok()?.timestamp;
            let is_young = made <= now && now - made < AGAIN_AFTER;
            newest.note().signatures_by(key).next().cloned().filter(|_| is_young)
        };
        shared.cosigner.keys().map(line).collect()
    }

    /// Takes one of those that the log may have today; on disk before it is used, so that a restart gives nothing back.
    async fn take(&mut self, shared: &Arc<Shared>) -> Result<(), Refusal> {
        let now = shared.clock.read();
        self.allowance.take(now.steady).map_err(|wait| Refusal::TooMany { wait })?;
        let Some(text) = self.allowance.kept(now) else { return Ok(()) };
        let target = spent(shared.dir.path(), &self.log.origin);
        put(shared, target, text).await.map_err(|error| Refusal::Failed(error.to_string()))
    }

    /// At least one known key has signed, and none of them wrongly. Lines of unknown keys are dropped later.
    fn check_signature(&self, signed: &SignedCheckpoint) -> Result<(), Refusal> {
        let mut by_any = false;
        for key in &self.log.keys {
            let verified = match key.kind() {
                KeyKind::SubtreeV1 => cosignature::verify(signed, key).map(drop),
                _ => signed.note().verify(key),
            };
            match verified {
                Ok(()) => by_any = true,
                Err(NoteError::NoSignatureByKey) => {}
                Err(_) => return Err(Refusal::Unsigned),
            }
        }
        if by_any { Ok(()) } else { Err(Refusal::Unsigned) }
    }

    fn check_history(&self, new: &Checkpoint, proof: &[merkle::Hash]) -> Result<(), MerkleError> {
        let empty = merkle::root(&[]);
        let (old_size, old_root) = match &self.newest {
            Some(newest) => (newest.checkpoint().size, newest.checkpoint().root),
            None => (0, empty),
        };
        if new.size == 0 && new.root != empty {
            return Err(MerkleError::RootMismatch);
        }
        verify_consistency(old_size, new.size, &old_root, &new.root, proof)
    }

    async fn cosign(
        &mut self,
        shared: &Arc<Shared>,
        signed: SignedCheckpoint,
    ) -> Result<Vec<NoteSignature>, Refusal> {
        let failed = |error: &dyn std::fmt::Display| Refusal::Failed(error.to_string());
        let time = u64::try_from(shared.clock.seconds()).unwrap_or(0);
        if time == 0 {
            return Err(Refusal::Failed("the clock is not set".to_owned()));
        }
        let lines =
            shared.cosigner.cosign(signed.checkpoint(), time).await.map_err(|error| failed(&error))?;
        let cosigned = self.with(&signed, &lines).map_err(|error| failed(&error))?;
        let is_new = self.newest.as_ref().is_none_or(|newest| newest.checkpoint() != signed.checkpoint());
        // The same again only says a later time: nothing depends on it being kept.
        if is_new {
            let target = place(shared.dir.path(), &self.log.origin);
            put(shared, target, cosigned.note().to_string()).await.map_err(|error| failed(&error))?;
        }
        if !self.is_marked {
            let target = mark(shared.dir.path(), &self.log.origin);
            put(shared, target, self.log.origin.clone()).await.map_err(|error| failed(&error))?;
            self.is_marked = true;
        }
        self.newest = Some(cosigned);
        Ok(lines)
    }

    /// The checkpoint with the log's lines and ours, and no other.
    fn with(&self, signed: &SignedCheckpoint, ours: &[NoteSignature]) -> Result<SignedCheckpoint, NoteError> {
        let mut note = Note::new(signed.note().text())?;
        let known = |key: &VerifierKey| signed.note().signatures_by(key).next().cloned();
        for line in self.log.keys.iter().filter_map(known).chain(ours.iter().cloned()) {
            note.push(line)?;
        }
        SignedCheckpoint::parse(note.to_string().as_bytes()).map_err(|_| NoteError::Malformed)
    }

    /// Two checkpoints that a log signed and of which only one can be true are worth keeping, and so is one that may be of
    /// another history: whoever reads both can ask the log.
    async fn keep_evidence(&mut self, shared: &Arc<Shared>, request: &AddCheckpoint) {
        let Some(newest) = &self.newest else { return };
        let (old, new) = (newest.checkpoint(), request.checkpoint.checkpoint());
        let contradicts = match old.size == new.size {
            true => old.root != new.root,
            false => proves_another_tree(old.size, new.size, &old.root, &new.root, &request.proof),
        };
        let (log, size, counters) = (&self.log.origin, new.size, &shared.counters);
        let counter = if contradicts { &counters.contradictions } else { &counters.unproven };
        counter.fetch_add(1, Ordering::Relaxed);
        // Anybody can send the same again and again.
        let [contradiction, doubt] = &mut self.lines;
        let line = if contradicts { contradiction } else { doubt };
        match line.say(shared.clock.read().steady) {
            Some(unsaid) if contradicts => tracing::error!(log, size, unsaid, "the log contradicts itself"),
            Some(unsaid) => tracing::warn!(log, size, unsaid, "{UNPROVEN_LINE}"),
            None => {}
        }
        // Those are apart: anybody can send a true checkpoint with a wrong proof, so that they fill up.
        let place = if contradicts { EVIDENCE } else { UNPROVEN };
        let dir = shared.dir.path().join(place).join(Digest::sha256(log.as_bytes()).hex());
        let name = Digest::sha256(request.checkpoint.note().text().as_bytes()).hex();
        if fs::read_dir(&dir).is_ok_and(|kept| kept.count() >= MAX_EVIDENCE) {
            return;
        }
        if let Err(error) = put(shared, dir.join(name), format!("{}\n{request}", newest.note())).await {
            tracing::error!(%error, "the evidence could not be kept");
        }
    }
}

async fn put(shared: &Arc<Shared>, target: PathBuf, text: String) -> io::Result<()> {
    let kept = Arc::clone(shared);
    let put = move || {
        let (disk, scratch): (&Disk, PathBuf) = (kept.dir.disk(), kept.dir.path().join(super::home::SCRATCH));
        disk.put(&scratch, &target, text.as_bytes())
    };
    let done = tokio::task::spawn_blocking(put).await.map_err(io::Error::other)?;
    shared.has_written(done.is_ok());
    done
}

fn place(root: &Path, origin: &str) -> PathBuf {
    root.join(super::home::LOGS).join(Digest::sha256(origin.as_bytes()).hex())
}

/// How many of its day's checkpoints a log has had.
fn spent(root: &Path, origin: &str) -> PathBuf {
    root.join("spent").join(Digest::sha256(origin.as_bytes()).hex())
}

/// There from the first cosignature of a log on.
fn mark(root: &Path, origin: &str) -> PathBuf {
    root.join(super::home::MARKS).join(Digest::sha256(origin.as_bytes()).hex())
}

/// Requests of which one contradicts what was cosigned, with that.
const EVIDENCE: &str = "evidence";
/// Those of which nothing tells whether they do.
const UNPROVEN: &str = "unproven";
const UNPROVEN_LINE: &str = "the log has signed what it does not prove to be of the same history";
/// How often a line about either is said of one log.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// After how many seconds the same checkpoint is signed again, with a later time.
const AGAIN_AFTER: u64 = 60;
/// Of one log.
const MAX_EVIDENCE: usize = 16;
