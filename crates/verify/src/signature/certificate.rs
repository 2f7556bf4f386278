//! The signing certificate: its path at each proven time, and its certificate-transparency timestamps.

use std::collections::BTreeSet;

use signet_crypto::Digest;
use signet_formats::sct::Sct;
use signet_formats::x509::Certificate;

use super::chain::{self, Leaf, Paths, Purpose};
use crate::Code;
use crate::budget::Budget;
use crate::prepared::{PreparedAuthority, PreparedLog, PreparedTrust, Voucher};
use crate::verdict::{Check, Node};

/// What is known of a signing certificate after its checks.
pub(super) struct Certified {
    pub(super) nodes: Vec<Node>,
    /// The CT logs with a valid timestamp.
    pub(super) certificate_logs: BTreeSet<Voucher>,
}

/// Checks the path at each of the proven times, and every embedded SCT.
pub(super) fn check(
    certificate: &Certificate,
    supplied: &[Certificate],
    times: &[i64],
    trust: &PreparedTrust,
    budget: &Budget,
) -> Certified {
    let leaf = &Leaf::new(certificate, supplied);
    let mut nodes = Vec::new();
    let mut issued_by = None;
    if times.is_empty() {
        nodes.push(Node::fail(Check::Certificate, Code::TimeUnproven));
    }
    let mut paths = Paths::new(leaf, &trust.certificate_authorities, Purpose::CodeSigning, budget);
    for time in times {
        let found = paths.authority_at(*time);
        let about = format!("at {}", super::time_text(*time));
        let wanted = "a path to an authority of the trust root, valid at that time";
        nodes.push(match found {
            Ok(authority) => Node::pass(Check::Certificate).about(about).found(&*authority.name),
            Err(code) => {
                Node::fail(Check::Certificate, code).about(about).found(life(certificate)).wanted(wanted)
            }
        });
        issued_by = issued_by.or(found.ok());
    }
    let (node, certificate_logs) = check_scts(certificate, leaf, issued_by, trust, budget);
    nodes.extend(node);
    Certified { nodes, certificate_logs }
}

fn life(leaf: &Certificate) -> String {
    let issuer = leaf.issuer();
    format!(
        "issued by {issuer}, valid {} to {}",
        super::time_text(leaf.not_before()),
        super::time_text(leaf.not_after())
    )
}

/// The node of the embedded SCTs, none where there are none, and the logs that are proven by them.
///
/// An SCT of an unknown log is passed over; one of a known log that does not verify is a failure.
fn check_scts(
    certificate: &Certificate,
    leaf: &Leaf<'_>,
    issued_by: Option<&PreparedAuthority>,
    trust: &PreparedTrust,
    budget: &Budget,
) -> (Option<Node>, BTreeSet<Voucher>) {
    let mut logs = BTreeSet::new();
    let scts = match certificate.scts() {
        Ok(scts) if scts.is_empty() => return (None, logs),
        Ok(scts) => scts,
        Err(e) => {
            let node = Node::fail(Check::CertificateTransparency, Code::SctInvalid).found(e.to_string());
            return (Some(node), logs);
        }
    };
    let Some(authority) = issued_by else {
        // The issuer's key is part of what the log signed, and no issuer is known: the path failed above.
        return (None, logs);
    };
    let issuers = chain::issuer_key_hashes(leaf, authority);
    let tbs = certificate.precert_tbs();
    let mut nodes = Vec::new();
    for sct in &scts {
        // A trust root lists a log once for each span of time in which it is trusted: any of them will do.
        let instances = trust.certificate_logs.iter().filter(|log| log.log_id == sct.log_id());
        let outcomes = instances.map(|log| (log, check_sct(sct, log, &issuers, &tbs, budget)));
        let Some((log, outcome)) = first_sound(outcomes) else { continue };
        nodes.push(Node::of(Check::CertificateTransparency, outcome).about(&*log.base_url));
        if outcome.is_ok() {
            logs.insert(log.voucher.clone());
        }
    }
    let found = format!("{} timestamps, {} of trusted logs", scts.len(), nodes.len());
    (Some(Node::pass(Check::CertificateTransparency).found(found).resting_on(nodes)), logs)
}

/// The first that is sound, or else the first.
fn first_sound<T>(outcomes: impl Iterator<Item = (T, Result<(), Code>)>) -> Option<(T, Result<(), Code>)> {
    let mut first = None;
    for (of, outcome) in outcomes {
        if outcome.is_ok() {
            return Some((of, outcome));
        }
        first = first.or(Some((of, outcome)));
    }
    first
}

fn check_sct(
    sct: &Sct,
    log: &PreparedLog,
    issuers: &[Digest],
    tbs: &[u8],
    budget: &Budget,
) -> Result<(), Code> {
    let seconds = i64::try_from(sct.timestamp() / 1000).map_err(|_| Code::SctInvalid)?;
    if !log.valid_for.contains(seconds) {
        return Err(Code::LogOutsideValidity);
    }
    for issuer in issuers {
        budget.spend(1).map_err(|_| Code::BudgetExhausted)?;
        if sct.verify(&log.key, issuer, tbs).is_ok() {
            return Ok(());
        }
    }
    Err(Code::SctInvalid)
}
