//! When a request is sent again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3); the date is counted from the answer's own
/// `Date`, so that clocks need not agree.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
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
pub fn jitter(most: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    most.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

/// The pause after `sent` attempts: 50 to 100 ms, doubled with each.
pub fn backoff(sent: u32) -> Duration {
    let step = FIRST_PAUSE * 2u32.saturating_pow(sent.clamp(1, 8) - 1);
    step / 2 + jitter(step / 2)
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
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
}
