//! When a request is sent again, and after what pause.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};

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
        let wait = match error {
            Error::RateLimited { retry_after: Some(wait), .. } => *wait + jitter(LATE),
            _ => backoff(self.sent),
        };
        let spent = self.sent >= self.limits.attempts || self.waited + wait > self.limits.retry_wait;
        if spent || !error.is_transient() {
            return false;
        }
        tokio::time::sleep(wait).await;
        self.waited += wait;
        self.sent += 1;
        true
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3); the date is counted from the answer's own
/// `Date`, so that clocks need not agree.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let stated = text(RETRY_AFTER)?;
    if let Ok(seconds) = stated.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(stated).ok()?;
    let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let wait = until.duration_since(now.unwrap_or_else(SystemTime::now));
    Some(wait.unwrap_or(Duration::ZERO))
}

/// A random time of at most `most`.
pub(super) fn jitter(most: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    most.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

/// 50 to 100 ms, doubled with each attempt.
fn backoff(sent: u32) -> Duration {
    let step = FIRST_PAUSE * 2u32.saturating_pow(sent.min(8) - 1);
    step / 2 + jitter(step / 2)
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How much later than told clients come back, lest all come at once.
const LATE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(retry: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let noon = "Sun, 06 Nov 1994 12:00:00 GMT";
        assert_eq!(stated("7", None), Some(Duration::from_secs(7)));
        assert_eq!(stated("Sun, 06 Nov 1994 12:00:05 GMT", Some(noon)), Some(Duration::from_secs(5)));
        assert_eq!(stated(noon, Some("Sun, 06 Nov 1994 12:00:05 GMT")), Some(Duration::ZERO), "past");
        assert_eq!(stated("Sunday, 06-Nov-94 12:00:09 GMT", Some(noon)), Some(Duration::from_secs(9)));
        assert_eq!(stated(noon, None), Some(Duration::ZERO), "by our own clock");
        assert_eq!(stated("soon", Some(noon)), None);
        assert_eq!(stated("-1", None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_in_count_and_time() {
        let limits = Limits { attempts: 3, retry_wait: Duration::from_secs(9), ..Limits::default() };
        let server = Error::Server { what: "x".into(), status: 503 };
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
        assert!(!Attempts::new(&limits).again(&Error::NotFound { what: "x".into() }).await);
    }
}
