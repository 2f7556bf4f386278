//! The threads that check signatures: one a core, each taking several requests at a time. What verifies they give to the
//! log themselves, so that who waits is woken once, when it is there.

use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use signet_formats::rekor::HashedRekordRequest;
use signet_services::log::{AddError, Added, Log};
use signet_verify::check_submission;
use tokio::sync::oneshot;

use super::error::ApiError;
use super::face::Served;

/// A handle to the threads. They end with it.
pub(super) struct Checks {
    queue: SyncSender<Check>,
}

struct Check {
    request: Bytes,
    log: Served,
    reply: oneshot::Sender<Result<Logged, ApiError>>,
}

/// An entry that the log has.
pub(super) struct Logged {
    /// Its leaf.
    pub(super) entry: Bytes,
    /// Where it is.
    pub(super) added: Added,
    /// The log: it may have been rotated meanwhile.
    pub(super) log: Log,
}

impl Checks {
    /// Starts as many threads as there are cores.
    pub(super) fn start() -> io::Result<Self> {
        let (queue, checks) = mpsc::sync_channel(MAX_WAITING);
        let checks = Arc::new(Mutex::new(checks));
        let cores = thread::available_parallelism().map_or(2, NonZeroUsize::get);
        for core in 0..cores {
            let checks = Arc::clone(&checks);
            thread::Builder::new().name(format!("log-check-{core}")).spawn(move || work(&checks))?;
        }
        Ok(Self { queue })
    }

    /// Logs a request whose signature verifies.
    pub(super) async fn log(&self, request: Bytes, log: Served) -> Result<Logged, ApiError> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Check { request, log: log.clone(), reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(ApiError::Add(AddError::Busy)),
            Err(TrySendError::Disconnected(_)) => return Err(ApiError::Add(AddError::Closed)),
        }
        match answer.await {
            Ok(logged) => logged,
            Err(_) => Err(unanswered(&log.log()?)),
        }
    }
}

/// Why nobody answers: the log has ended, or there is a defect.
fn unanswered(log: &Log) -> ApiError {
    match log.is_writing() {
        true => ApiError::Internal("a check has ended without an answer".to_owned()),
        false => ApiError::Add(log.ended()),
    }
}

fn work(checks: &Mutex<Receiver<Check>>) {
    loop {
        let waiting = checks.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(first) = waiting.recv() else { return };
        // Under load a thread is woken once for several requests.
        let batch: Vec<Check> = std::iter::once(first).chain(waiting.try_iter().take(MORE_AT_ONCE)).collect();
        drop(waiting);
        // Whoever has gone away needs no answer.
        batch.into_iter().filter(|check| !check.reply.is_closed()).for_each(Check::run);
    }
}

impl Check {
    fn run(self) {
        let Self { request, log, reply } = self;
        let checked = check(&request).and_then(|entry| Ok((entry, log.log()?)));
        let (entry, log) = match checked {
            Ok(checked) => checked,
            // As below: who has gone away asks again.
            Err(refused) => return drop(reply.send(Err(refused))),
        };
        log.clone().submit(entry.clone(), move |added| {
            let logged = added.map(|added| Logged { entry, added, log }).map_err(ApiError::Add);
            drop(reply.send(logged));
        });
    }
}

/// The leaf of a request whose signature verifies.
pub(super) fn check(request: &[u8]) -> Result<Bytes, ApiError> {
    let invalid =
        |error: &dyn std::fmt::Display| ApiError::Invalid(format!("invalid hashedrekord request: {error}"));
    let request = HashedRekordRequest::parse(request).map_err(|error| invalid(&error))?;
    let entry = check_submission(request).map_err(|error| invalid(&error))?;
    entry.to_body().map(Bytes::from).map_err(|error| invalid(&error))
}

/// How many requests may wait for a check; more are refused as too many.
const MAX_WAITING: usize = 8192;
const MORE_AT_ONCE: usize = 31;
