//! When a request is sent again, and after what pause.

use std::time::Duration;

use signet_http::{backoff, jitter};

use crate::{Error, Limits};

/// The attempts at one request.
pub(super) struct Attempts<'a> {
    limits: &'a Limits,
    sent: u32,
    waited: Duration,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, sent: 1, waited: Duration::ZERO }
    }

    /// Waits before another attempt; false where `error` is final or the bounds are reached.
    pub(super) async fn again(&mut self, error: &Error) -> bool {
        error.is_transient() && self.once_more(error).await
    }

    /// Waits before another attempt, whatever `error` is; false where the bounds are reached.
    pub(super) async fn once_more(&mut self, error: &Error) -> bool {
        let wait = match error {
            Error::RateLimited { retry_after: Some(wait), .. }
            | Error::Server { retry_after: Some(wait), .. } => *wait + jitter(LATE),
            _ => backoff(self.sent),
        };
        if self.sent >= self.limits.attempts || self.waited + wait > self.limits.retry_wait {
            return false;
        }
        tokio::time::sleep(wait).await;
        self.waited += wait;
        self.sent += 1;
        true
    }
}

/// How much later than told clients come back, lest all come at once.
const LATE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_in_count_and_time() {
        let limits = Limits { attempts: 3, retry_wait: Duration::from_secs(9), ..Limits::default() };
        let failed = |status, seconds: Option<u64>| Error::Server {
            what: "x".into(),
            status,
            detail: String::new(),
            retry_after: seconds.map(Duration::from_secs),
        };
        let server = failed(503, None);
        let mut attempts = Attempts::new(&limits);
        assert!(attempts.again(&server).await && attempts.again(&server).await);
        assert!(!attempts.again(&server).await, "three were sent");
        let limited = |seconds| Error::RateLimited {
            registry: "r".into(),
            retry_after: Some(Duration::from_secs(seconds)),
        };
        let mut attempts = Attempts::new(&limits);
        assert!(!attempts.again(&limited(10)).await, "too long at once");
        assert!(attempts.again(&limited(5)).await);
        assert!(!attempts.again(&limited(5)).await, "too long together");
        let (mut attempts, began) = (Attempts::new(&limits), tokio::time::Instant::now());
        assert!(attempts.again(&failed(503, Some(3))).await);
        assert!(began.elapsed() >= Duration::from_secs(3), "as it said");
        assert!(!attempts.again(&failed(503, Some(7))).await, "too long together");
        for last in [failed(501, None), failed(507, None), Error::NotFound { what: "x".into() }] {
            assert!(!Attempts::new(&limits).again(&last).await, "{last} is final");
        }
    }
}
