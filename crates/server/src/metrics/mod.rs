//! Metrics, in the text format of Prometheus, and the routes that operators ask at.

pub(crate) mod services;

use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Response, StatusCode};

use crate::answer::full;

/// The routes for operators, at an address of their own: the page of metrics, whether the process lives, and which of its
/// parts can do their work.
pub(crate) fn operators<R: IntoIterator<Item = (&'static str, bool)>>(
    page: impl Fn() -> Page + Clone + Send + Sync + 'static,
    parts: impl Fn() -> R + Clone + Send + Sync + 'static,
) -> Router {
    let metrics = move || async move { full(StatusCode::OK, TEXT, page().into_text()) };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || full(StatusCode::OK, "application/json", r#"{"status":"SERVING"}"#)))
        .route("/ready", get(move || async move { readiness(parts()) }))
}

/// The routes for operators of a service that is alone: its readiness, what `write` says of it, and the process.
pub(crate) fn operators_of(
    service: &'static str,
    is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
    write: impl Fn(&mut Page) + Clone + Send + Sync + 'static,
) -> Router {
    let parts = move || [(service, is_ready())];
    let told = parts.clone();
    let page = move || {
        let mut page = Page::default();
        page.readiness(&told());
        write(&mut page);
        page.process();
        page
    };
    operators(page, parts)
}

fn readiness(parts: impl IntoIterator<Item = (&'static str, bool)>) -> Response<Body> {
    let parts: Vec<_> = parts.into_iter().collect();
    let status = match parts.iter().all(|(_, ready)| *ready) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let document: serde_json::Map<_, _> =
        parts.into_iter().map(|(part, ready)| (part.to_owned(), ready.into())).collect();
    full(status, "application/json", serde_json::Value::Object(document).to_string())
}

/// A page of metrics that is being written.
#[derive(Default)]
pub(crate) struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    /// Begins a metric; what follows are its samples.
    pub(crate) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        // A String takes everything.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample with these labels; of a histogram, with the suffix of its name.
    pub(crate) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.family);
    }

    /// A metric without labels that only grows.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str, count: &AtomicU64) {
        self.family(name, "counter", help);
        self.sample("", &[], count.load(Ordering::Relaxed));
    }

    /// Whether each service can do its work.
    pub(crate) fn readiness(&mut self, parts: &[(&str, bool)]) {
        self.family("signet_ready", "gauge", "Whether a service can do its work now.");
        for (part, ready) in parts {
            self.sample("", &[("service", part)], u8::from(*ready));
        }
    }

    /// What the system says of the process.
    pub(crate) fn process(&mut self) {
        if let Some(bytes) = resident_bytes() {
            self.family("process_resident_memory_bytes", "gauge", "Resident memory of the process.");
            self.sample("", &[], bytes);
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// Of this process; `None` where the system does not say.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.family("m", "gauge", "help");
        page.sample("", &[("a", "x\"y\\z\n")], 1);
        page.sample("", &[], 2.5);
        assert_eq!(page.into_text(), "# HELP m help\n# TYPE m gauge\nm{a=\"x\\\"y\\\\z\\n\"} 1\nm 2.5\n");
    }
}
