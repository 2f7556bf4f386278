//! What operators are told, in the text format of Prometheus.

use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use signet_services::log::Log;

use super::Services;
use super::traffic::Traffic;

/// All metrics of a stack.
pub(super) fn page(services: &Services, traffic: &Traffic) -> String {
    let mut page = Page::default();
    page.family("signet_ready", "gauge", "Whether a service can do its work now.");
    for (part, ready) in services.readiness() {
        page.sample("", &[("service", part)], u8::from(ready));
    }
    logs(&mut page, services);
    timestamps(&mut page, services);
    certificates(&mut page, services);
    traffic.write(&mut page);
    if let Some(bytes) = resident_bytes() {
        page.family("process_resident_memory_bytes", "gauge", "Resident memory of the process.");
        page.sample("", &[], bytes);
    }
    page.into_text()
}

fn logs(page: &mut Page, services: &Services) {
    let logs = [&services.log, services.ct.log()];
    page.family("signet_log_entries", "gauge", "Entries that the published checkpoint has.");
    for log in logs {
        page.sample("", &[("log", log.signer().origin())], log.head().checkpoint.size);
    }
    let mut counted = |name: &'static str, help, count: fn(&Log) -> u64| {
        page.family(name, "counter", help);
        logs.iter().for_each(|log| page.sample("", &[("log", log.signer().origin())], count(log)));
    };
    counted("signet_log_added_total", "Entries added.", |log| load(&log.counters().added));
    counted("signet_log_duplicates_total", "Entries that were there already.", |log| {
        load(&log.counters().duplicates)
    });
    counted("signet_log_refused_total", "Entries refused because too many waited.", |log| {
        load(&log.counters().refused)
    });
    counted("signet_log_batches_total", "Batches written.", |log| load(&log.counters().batches));
    counted("signet_log_signing_failures_total", "Checkpoints that could not be signed at once.", |log| {
        load(&log.counters().signing_failures)
    });
    page.family("signet_log_queued_bytes", "gauge", "Bytes of entries that wait.");
    for log in logs {
        let queued = log.counters().queued_bytes.load(Ordering::Relaxed);
        page.sample("", &[("log", log.signer().origin())], queued);
    }
}

fn timestamps(page: &mut Page, services: &Services) {
    let counters = services.tsa.counters();
    page.family("signet_tsa_tokens_total", "counter", "Timestamps given.");
    page.sample("", &[], counters.granted());
    page.family("signet_tsa_refusals_total", "counter", "Requests refused, by the failure of RFC 3161.");
    for (failure, count) in counters.refused() {
        page.sample("", &[("failure", &format!("{failure:?}"))], count);
    }
    let Some((bound, sources)) = services.tsa.time_state() else { return };
    if let Some(bound) = bound {
        page.family("signet_tsa_clock_bound_seconds", "gauge", "How far the clock may be off.");
        page.sample("", &[], bound.as_secs_f64());
    }
    page.family("signet_tsa_source_offset_seconds", "gauge", "How far a source is ahead of the clock.");
    for source in &sources {
        if let Ok(offset) = source.offset {
            page.sample("", &[("source", &source.name)], offset as f64 / 1e6);
        }
    }
    page.family("signet_tsa_source_up", "gauge", "Whether a source of time answered.");
    for source in &sources {
        page.sample("", &[("source", &source.name)], u8::from(source.offset.is_ok()));
    }
}

fn certificates(page: &mut Page, services: &Services) {
    let (issued, refused) = services.ca.counts();
    page.family("signet_ca_certificates_total", "counter", "Certificates issued.");
    page.sample("", &[], issued);
    page.family("signet_ca_refusals_total", "counter", "Requests for certificates refused.");
    page.sample("", &[], refused);
    page.family("signet_ca_not_after_seconds", "gauge", "When an issuing certificate ends, in Unix time.");
    for (number, chain) in services.ca.chains().enumerate() {
        if let Some(own) = chain.first() {
            page.sample("", &[("intermediate", &number.to_string())], own.not_after());
        }
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Of this process; `None` where the system does not say.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A page of metrics that is being written.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    /// Begins a metric; what follows are its samples.
    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        // A String takes everything.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample with these labels; of a histogram, with the suffix of its name.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.family);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

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
