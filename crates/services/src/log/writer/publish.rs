//! How the writer publishes: it signs, has the head witnessed, keeps it and shows it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::merkle::Hash;
use signet_formats::note::Note;
use signet_formats::tlog::{consistency_proof, tree_root};
use tokio::time::sleep;

use super::{Failure, Writer};
use crate::log::witnessing::{Prove, Witnesses};
use crate::log::{Head, Shared};

impl Writer {
    /// Asks the witnesses, until they have said that nothing newer was seen than what was published.
    pub(super) fn ask_witnesses(&mut self) -> Result<(), Failure> {
        let Some(witnesses) = self.shared.witnesses.clone().filter(|_| self.is_in_doubt()) else {
            return Ok(());
        };
        let asked = self.runtime.block_on(self.shared.unless_closing(self.shared.compare(&witnesses)));
        let doubt = asked.unwrap_or_else(|| Ok(Err(CLOSING.to_owned())))?.err();
        if doubt.is_some() && doubt != self.doubt {
            tracing::warn!(why = doubt, log = self.shared.signer.origin(), "nothing new is signed yet");
        }
        self.doubt = doubt;
        Ok(())
    }

    /// Publishes, if it may. `Err` says why it was not done.
    pub(super) fn try_to_publish(&mut self, is_new: bool) -> Result<Result<(), String>, Failure> {
        if let Some(doubt) = &self.doubt {
            return Ok(Err(doubt.clone()));
        }
        // Whoever ends the log does not wait for those once more who have just refused.
        if let Some(why) = self.unpublished.as_ref().filter(|_| self.shared.is_closing() && !is_new) {
            return Ok(Err(why.clone()));
        }
        let published = self.publish()?;
        self.unpublished = published.clone().err();
        Ok(published)
    }

    /// Signs the head of what is durable, has it witnessed, and shows it to readers. `Err` says why too few cosigned.
    fn publish(&mut self) -> Result<Result<(), String>, Failure> {
        let size = self.size();
        let root = tree_root(&self.shared.nodes(), size)?;
        let origin = self.shared.signer.origin().to_owned();
        let checkpoint = Checkpoint { origin, size, root, extensions: Vec::new() };
        let mut note = self.sign(&checkpoint)?;
        if let Some(witnesses) = self.shared.witnesses.clone() {
            note = match self.cosign(&witnesses, &note)? {
                Ok(note) => note,
                Err(why) => {
                    self.shared.counters.unwitnessed.fetch_add(1, Ordering::Relaxed);
                    return Ok(Err(why));
                }
            };
        }
        self.shared.publish(Head { checkpoint, note: note.to_string().into() });
        self.published = Instant::now();
        Ok(Ok(()))
    }

    /// While the signer fails, nothing else is done.
    fn sign(&self, checkpoint: &Checkpoint) -> io::Result<Note> {
        loop {
            match self.runtime.block_on(self.shared.signer.sign(checkpoint)) {
                Ok(note) => return Ok(note),
                Err(error) if self.shared.is_closing() => {
                    return Err(io::Error::other(error));
                }
                Err(error) => {
                    self.shared.counters.signing_failures.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(%error, "the checkpoint could not be signed; trying again");
                    thread::sleep(SIGN_AGAIN_AFTER);
                }
            }
        }
    }

    /// What was witnessed is on disk before anybody sees it: after a start it is shown again as it is.
    fn cosign(&mut self, witnesses: &Arc<Witnesses>, note: &Note) -> Result<Result<Note, String>, Failure> {
        let signed = SignedCheckpoint::parse(note.to_string().as_bytes()).map_err(io::Error::other)?;
        let prove = Arc::new(Prover(Arc::clone(&self.shared)));
        // Of those who answered last time when the others sufficed.
        self.hear(witnesses)?;
        let cosigned = self.runtime.block_on(self.shared.unless_closing(witnesses.cosign(&signed, prove)));
        let is_more = self.hear(witnesses)?;
        let note = match cosigned.unwrap_or_else(|| Err(CLOSING.to_owned())) {
            Ok(note) => note,
            Err(why) => {
                self.doubt = is_more.then(|| why.clone());
                return Ok(Err(why));
            }
        };
        let layout = &self.shared.layout;
        self.disk().put(&layout.scratch, &layout.checkpoint(), note.to_string().as_bytes())?;
        Ok(Ok(note))
    }

    /// Ends the log if a witness shows what it has signed and does not have. Whether one says that there is more.
    fn hear(&self, witnesses: &Witnesses) -> Result<bool, Failure> {
        let mut is_more = false;
        for ahead in witnesses.take_ahead() {
            is_more |= self.shared.refuse_if_behind(&ahead)?;
        }
        Ok(is_more)
    }
}

/// Proofs out of the log's own nodes.
pub(in crate::log) struct Prover(pub(in crate::log) Arc<Shared>);

impl Prove for Prover {
    fn prove(&self, old_size: u64, new_size: u64) -> Result<Vec<Hash>, String> {
        consistency_proof(&self.0.nodes(), old_size, new_size).map_err(|error| error.to_string())
    }
}

impl Shared {
    /// What is waited for; `None` if the log is being shut down and it has not come soon.
    async fn unless_closing<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut closing = self.closing.subscribe();
        let given_up = async {
            // An error says that nobody can end it any more; its handles are held here.
            let _ = closing.wait_for(|closing| *closing).await;
            sleep(CLOSING_WITHIN).await;
        };
        tokio::select! {
            done = work => Some(done),
            () = given_up => None,
        }
    }
}

/// How long witnesses are waited for yet when the log is shut down.
const CLOSING_WITHIN: Duration = Duration::from_secs(2);
const CLOSING: &str = "the log is being shut down";
const SIGN_AGAIN_AFTER: Duration = Duration::from_millis(500);
