//! The metrics of each service.

use std::sync::atomic::{AtomicU64, Ordering};

use signet_formats::x509::Certificate;
use signet_services::ca::{Ca, Counts};
use signet_services::log::Log;
use signet_services::trust::Watch;
use signet_services::tsa::Tsa;

use super::Page;

/// Of logs.
pub(crate) fn logs(page: &mut Page, logs: &[Log]) {
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
    counted("signet_log_unwitnessed_total", "Checkpoints that too few witnesses cosigned.", |log| {
        load(&log.counters().unwitnessed)
    });
    page.family("signet_log_queued_bytes", "gauge", "Bytes of entries that wait.");
    for log in logs {
        let queued = log.counters().queued_bytes.load(Ordering::Relaxed);
        page.sample("", &[("log", log.signer().origin())], queued);
    }
}

/// Of a timestamp authority.
pub(crate) fn timestamps(page: &mut Page, tsa: &Tsa) {
    let counters = tsa.counters();
    page.family("signet_tsa_tokens_total", "counter", "Timestamps given.");
    page.sample("", &[], counters.granted());
    page.family("signet_tsa_refusals_total", "counter", "Requests refused, by the failure of RFC 3161.");
    for (failure, count) in counters.refused() {
        page.sample("", &[("failure", &format!("{failure:?}"))], count);
    }
    let help = "When a certificate of the timestamp authority ends, in Unix time.";
    ends(page, "signet_tsa_not_after_seconds", help, "certificate", &tsa.chains());
    key_signs(page, "signet_tsa_key_signs", tsa.key_doubt());
    let Some((bound, sources)) = tsa.time_state() else { return };
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

/// Of a certificate authority.
pub(crate) fn certificates(page: &mut Page, ca: &Ca) {
    let Counts { issued, refused, without_keys, failed } = ca.counts();
    page.family("signet_ca_certificates_total", "counter", "Certificates issued.");
    page.sample("", &[], issued);
    page.family("signet_ca_refusals_total", "counter", "Requests for certificates refused.");
    page.sample("", &[], refused);
    let help = "Requests that could not be answered, by whose fault.";
    page.family("signet_ca_failures_total", "counter", help);
    page.sample("", &[("of", "authority")], failed);
    page.sample("", &[("of", "issuer")], without_keys);
    let help = "When an issuing certificate ends, in Unix time.";
    ends(page, "signet_ca_not_after_seconds", help, "intermediate", &ca.chains());
    key_signs(page, "signet_ca_key_signs", ca.key_doubt());
}

/// Of a repository of trust.
pub(crate) fn trust(page: &mut Page, watch: &Watch) {
    page.family("signet_trust_not_after_seconds", "gauge", "When trust metadata ends, in Unix time.");
    for (role, expires) in watch.ends() {
        page.sample("", &[("role", role.name())], expires);
    }
    let help = "Times that trust metadata which was due could not be signed or published.";
    page.family("signet_trust_failures_total", "counter", help);
    page.sample("", &[], watch.failures());
}

/// Whether there is no doubt about a key.
fn key_signs(page: &mut Page, name: &'static str, doubt: Option<String>) {
    page.family(name, "gauge", "Whether the key of the authority signed when it was asked last.");
    page.sample("", &[], u8::from(doubt.is_none()));
}

/// When the first certificates of chains end.
fn ends(page: &mut Page, name: &'static str, help: &str, label: &str, chains: &[Vec<Certificate>]) {
    page.family(name, "gauge", help);
    for (number, own) in chains.iter().filter_map(|chain| chain.first()).enumerate() {
        page.sample("", &[(label, &number.to_string())], own.not_after());
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
