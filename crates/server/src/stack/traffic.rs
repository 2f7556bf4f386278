//! How many requests there were, how they ended, and how long they took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

use crate::metrics::Page;

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Registry,
    Log,
    Ct,
    Tsa,
    Ca,
    Trust,
    Witness,
    Other,
}

impl Part {
    /// Whose requests have this path.
    pub(super) fn of(path: &str) -> Self {
        let is_below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = PREFIXES.iter().find(|(prefix, _)| is_below(prefix));
        found.map_or(Self::Other, |(_, part)| *part)
    }

    /// Its name in metrics and logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Log => "log",
            Self::Ct => "ct",
            Self::Tsa => "tsa",
            Self::Ca => "ca",
            Self::Trust => "trust",
            Self::Witness => "witness",
            Self::Other => "other",
        }
    }
}

/// Counts since the start.
#[derive(Default)]
pub(super) struct Traffic {
    parts: [Counts; PARTS.len()],
}

#[derive(Default)]
struct Counts {
    /// By the first digit of the status, from 1 on.
    statuses: [AtomicU64; 5],
    /// By the first bound of [`BOUNDS_MS`] that holds, and those beyond all.
    times: [AtomicU64; BOUNDS_MS.len() + 1],
    microseconds: AtomicU64,
}

impl Traffic {
    /// Counts a request that was answered so, after this time.
    pub(super) fn count(&self, part: Part, status: StatusCode, elapsed: Duration) {
        let Some((_, counts)) = PARTS.iter().zip(&self.parts).find(|(known, _)| **known == part) else {
            return;
        };
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let bound = BOUNDS_MS.iter().position(|bound| elapsed <= Duration::from_millis(*bound));
        let times = counts.times.get(bound.unwrap_or(BOUNDS_MS.len()));
        for counter in [counts.statuses.get(class), times].into_iter().flatten() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        counts.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// Writes the counts.
    pub(super) fn write(&self, page: &mut Page) {
        page.family("signet_http_requests_total", "counter", "Requests by service and class of status.");
        for (part, counts) in PARTS.iter().zip(&self.parts) {
            for (class, count) in (1..).zip(&counts.statuses) {
                let class = format!("{class}xx");
                page.sample("", &[("service", part.name()), ("status", &class)], load(count));
            }
        }
        page.family("signet_http_request_seconds", "histogram", "How long answers took, to their headers.");
        for (part, counts) in PARTS.iter().zip(&self.parts) {
            let mut below = 0;
            for (bound, count) in BOUNDS_MS.iter().zip(&counts.times) {
                below += load(count);
                let bound = (*bound as f64 / 1000.0).to_string();
                page.sample("_bucket", &[("service", part.name()), ("le", &bound)], below);
            }
            let all = below + counts.times.last().map_or(0, load);
            page.sample("_bucket", &[("service", part.name()), ("le", "+Inf")], all);
            page.sample("_sum", &[("service", part.name())], load(&counts.microseconds) as f64 / 1e6);
            page.sample("_count", &[("service", part.name())], all);
        }
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

const PARTS: [Part; 8] =
    [Part::Registry, Part::Log, Part::Ct, Part::Tsa, Part::Ca, Part::Trust, Part::Witness, Part::Other];
const PREFIXES: [(&str, Part); 16] = [
    ("/v2", Part::Registry),
    ("/api/v2/log", Part::Log),
    ("/api/v2/checkpoint", Part::Log),
    ("/api/v2/tile", Part::Log),
    ("/api/v1/search", Part::Log),
    ("/api/v2/signingCert", Part::Ca),
    ("/api/v2/trustBundle", Part::Ca),
    ("/api/v2/configuration", Part::Ca),
    ("/api/v1/signingCert", Part::Ca),
    ("/api/v1/rootCert", Part::Ca),
    ("/api/v1/timestamp", Part::Tsa),
    ("/ct", Part::Ct),
    ("/shard", Part::Log),
    ("/tuf", Part::Trust),
    ("/add-checkpoint", Part::Witness),
    ("/witness", Part::Witness),
];
const BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_one_services() {
        let cases = [
            ("/v2", Part::Registry),
            ("/v2/app/manifests/1", Part::Registry),
            ("/v2x", Part::Other),
            ("/api/v2/log/entries", Part::Log),
            ("/api/v2/tile/0/000", Part::Log),
            ("/api/v2/signingCert", Part::Ca),
            ("/api/v1/signingCert", Part::Ca),
            ("/api/v1/timestamp/certchain", Part::Tsa),
            ("/ct/x/checkpoint", Part::Ct),
            ("/shard/log-1/api/v2/checkpoint", Part::Log),
            ("/tuf/timestamp.json", Part::Trust),
            ("/add-checkpoint", Part::Witness),
            ("/ready", Part::Other),
        ];
        for (path, part) in cases {
            assert_eq!(Part::of(path), part, "{path}");
        }
    }

    #[test]
    fn times_add_up_in_their_buckets() {
        let traffic = Traffic::default();
        for ms in [1, 3, 6_000] {
            traffic.count(Part::Tsa, StatusCode::OK, Duration::from_millis(ms));
        }
        traffic.count(Part::Tsa, StatusCode::NOT_FOUND, Duration::ZERO);
        let mut page = Page::default();
        traffic.write(&mut page);
        let text = page.into_text();
        for line in [
            "signet_http_requests_total{service=\"tsa\",status=\"2xx\"} 3\n",
            "signet_http_requests_total{service=\"tsa\",status=\"4xx\"} 1\n",
            "signet_http_request_seconds_bucket{service=\"tsa\",le=\"0.001\"} 2\n",
            "signet_http_request_seconds_bucket{service=\"tsa\",le=\"0.005\"} 3\n",
            "signet_http_request_seconds_bucket{service=\"tsa\",le=\"5\"} 3\n",
            "signet_http_request_seconds_bucket{service=\"tsa\",le=\"+Inf\"} 4\n",
            "signet_http_request_seconds_count{service=\"tsa\"} 4\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
