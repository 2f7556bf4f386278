//! The threads that check signatures: one a core, each taking several requests at a time. What verifies they give to the
//! log themselves, so that who waits is woken once, when it is there.

use std::io;
use std::num::NonZeroUsize;
use std::panic;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use signet_formats::rekor::HashedRekordRequest;
use signet_services::log::{AddError, Added, Log};
use signet_verify::check_submission;
use tokio::sync::oneshot;

use super::error::ApiError;
use super::face::Served;
use super::queue::Queue;

/// A handle to the threads. They end with it.
pub(super) struct Checks {
    queue: Arc<Queue<Check>>,
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
        // Made first, it ends the threads that were started if one is not.
        let checks = Self { queue: Arc::new(Queue::new(MAX_WAITING)) };
        let cores = thread::available_parallelism().map_or(2, NonZeroUsize::get);
        for core in 0..cores {
            let queue = Arc::clone(&checks.queue);
            thread::Builder::new().name(format!("log-check-{core}")).spawn(move || work(&queue))?;
        }
        Ok(checks)
    }

    /// Logs a request whose signature verifies.
    pub(super) async fn log(&self, request: Bytes, log: Served) -> Result<Logged, ApiError> {
        let (reply, answer) = oneshot::channel();
        let check = Check { request, log: log.clone(), reply };
        self.queue.push(check).ok_or(ApiError::Add(AddError::Busy))?;
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

impl Drop for Checks {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(queue: &Queue<Check>) {
    let mut batch = Vec::with_capacity(AT_ONCE);
    while queue.take(AT_ONCE, &mut batch) {
        // Whoever has waited too long needs no answer.
        batch.drain(..).filter(|check| !check.reply.is_closed()).for_each(Check::run);
    }
}

impl Check {
    fn run(self) {
        let Self { request, log, reply } = self;
        let checked = panic::catch_unwind(|| check(&request)).unwrap_or_else(|_| Err(panicked()));
        let checked = checked.and_then(|entry| Ok((entry, log.log()?)));
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

/// A defect, and one request's: the thread goes on with those of others.
fn panicked() -> ApiError {
    ApiError::Internal("a check has panicked".to_owned())
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
/// Under load a thread is woken once for several requests.
const AT_ONCE: usize = 32;
