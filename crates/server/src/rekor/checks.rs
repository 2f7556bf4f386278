//! The threads that check signatures: one a core, each taking several requests at a time.

use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use signet_formats::rekor::HashedRekordRequest;
use signet_services::log::AddError;
use signet_verify::check_submission;
use tokio::sync::oneshot;

use super::error::ApiError;

/// A handle to the threads. They end with it.
pub(super) struct Checks {
    queue: SyncSender<Check>,
}

struct Check {
    request: Bytes,
    reply: oneshot::Sender<Result<Bytes, ApiError>>,
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

    /// The leaf of a request whose signature verifies.
    pub(super) async fn leaf(&self, request: Bytes) -> Result<Bytes, ApiError> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Check { request, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(ApiError::Add(AddError::Busy)),
            Err(TrySendError::Disconnected(_)) => return Err(ApiError::Add(AddError::Closed)),
        }
        answer
            .await
            .unwrap_or_else(|_| Err(ApiError::Internal("a check has ended without an answer".to_owned())))
    }
}

fn work(checks: &Mutex<Receiver<Check>>) {
    loop {
        let waiting = checks.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(first) = waiting.recv() else { return };
        // Under load a thread is woken once for several requests.
        let batch: Vec<Check> = std::iter::once(first).chain(waiting.try_iter().take(MORE_AT_ONCE)).collect();
        drop(waiting);
        for Check { request, reply } in batch {
            // Whoever has gone away needs no answer.
            if !reply.is_closed() {
                let _ = reply.send(check(&request));
            }
        }
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
const MORE_AT_ONCE: usize = 7;
