//! What a registry's operator is told of requests that failed through no fault of the client.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use signet_services::quiet::Quiet;
use tracing::error;

use super::error::ApiError;

/// Tells of one failure a second: the log is likely to be on the disk that is full.
pub(super) struct Failures {
    began: Instant,
    line: Mutex<Quiet>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { began: Instant::now(), line: Mutex::new(Quiet::every(Duration::from_secs(1))) }
    }
}

impl Failures {
    /// Tells of an answer that says that the registry failed. No query: secrets may be in it.
    pub(super) fn tell(&self, failure: &ApiError, method: &Method, path: &str) {
        if !failure.is_ours() {
            return;
        }
        let said = self.line.lock().unwrap_or_else(PoisonError::into_inner).say(self.began.elapsed());
        if let Some(unsaid) = said {
            error!(%failure, %method, path, unsaid, "a request failed");
        }
    }
}
