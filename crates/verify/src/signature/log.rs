//! Transparency-log entries: what they say, that they are in the log, and that they are about this signature.

use std::collections::BTreeSet;

use signet_crypto::{Digest, Scheme};
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::merkle;
use signet_formats::note::VerifierKey;
use signet_formats::rekor::{InclusionProof, TlogEntry};

use super::candidate::Candidate;
use super::message::SignedBy;
use super::{CLOCK_SKEW_SECONDS, Context, entry_binding, time_text};
use crate::Code;
use crate::prepared::{PreparedLog, Voucher};
use crate::verdict::{Check, Node};

/// What the log entries of one signature prove.
#[derive(Default)]
pub(super) struct Logged {
    pub(super) nodes: Vec<Node>,
    pub(super) times: Vec<i64>,
    pub(super) logs: BTreeSet<Voucher>,
    pub(super) witnesses: BTreeSet<String>,
}

/// Checks every entry. One of an unknown log is noted and proves nothing; one that contradicts the
/// evidence, its log or itself is a failure.
///
/// `stamped` are the times that timestamps prove: the logs of Rekor v2 state none of their own, so
/// theirs are what the trust root's window is held against.
pub(super) fn check_all(
    context: &Context<'_>,
    candidate: &Candidate<'_>,
    signed_by: Option<&SignedBy<'_>>,
    stamped: &[i64],
) -> Logged {
    let mut logged = Logged::default();
    for entry in &candidate.beside.entries {
        let about = format!("entry {} of log {}", entry.log_index, hex(&entry.log_id));
        let binding = entry_binding::check(context, candidate, signed_by, entry);
        let instances = context.trust.logs.iter().filter(|log| log.log_id == entry.log_id);
        let Some((log, proven)) = prove_by_any(context, entry, instances, stamped) else {
            let unknown = Node::note(Check::LogEntry, Some(Code::LogUnknown)).about(about);
            logged.nodes.push(unknown.resting_on(vec![binding]));
            continue;
        };
        let mut children = vec![binding];
        children.extend(proven.nodes);
        let node = Node::pass(Check::LogEntry).about(about).found(&*log.base_url).resting_on(children);
        if !node.failed() {
            logged.times.extend(proven.time);
            logged.logs.insert(log.voucher.clone());
            // A quorum is one checkpoint's: who cosigned another one is no part of it.
            if proven.witnesses.len() > logged.witnesses.len() {
                logged.witnesses = proven.witnesses;
            }
        }
        logged.nodes.push(node);
    }
    logged
}

/// The proofs of one entry.
struct Proven {
    nodes: Vec<Node>,
    /// The integrated time, if the log signed it.
    time: Option<i64>,
    witnesses: BTreeSet<String>,
}

/// The proofs by the instance of the log that bears them out, or came closest: a trust root lists a log once
/// for each span of time in which it is trusted.
fn prove_by_any<'a>(
    context: &Context<'_>,
    entry: &TlogEntry,
    instances: impl Iterator<Item = &'a PreparedLog>,
    stamped: &[i64],
) -> Option<(&'a PreparedLog, Proven)> {
    let mut closest: Option<(&PreparedLog, Proven)> = None;
    for log in instances {
        let proven = prove(context, entry, log, stamped);
        if proven.failures() == 0 {
            return Some((log, proven));
        }
        if closest.as_ref().is_none_or(|(_, other)| proven.failures() < other.failures()) {
            closest = Some((log, proven));
        }
    }
    closest
}

impl Proven {
    fn failures(&self) -> usize {
        self.nodes.iter().filter(|node| node.failed()).count()
    }
}

fn prove(context: &Context<'_>, entry: &TlogEntry, log: &PreparedLog, stamped: &[i64]) -> Proven {
    let mut proven = Proven { nodes: Vec::new(), time: None, witnesses: BTreeSet::new() };
    if let Some(promise) = &entry.promise {
        let (node, time) = check_promise(context, entry, promise, log);
        proven.nodes.push(node);
        proven.time = time;
    }
    match &entry.proof {
        Some(proof) => prove_inclusion(context, entry, proof, log, &mut proven),
        None if entry.promise.is_none() => {
            proven
                .nodes
                .push(Node::fail(Check::InclusionProof, Code::LogEntryForm).found("no proof, no promise"));
        }
        None => {}
    }
    let now = [context.at];
    let times = match (proven.time.as_slice(), stamped) {
        ([], []) => &now,
        ([], stamped) => stamped,
        (integrated, _) => integrated,
    };
    if let Some(outside) = times.iter().find(|time| !log.valid_for.contains(**time)) {
        let node = Node::fail(Check::LogEntry, Code::LogOutsideValidity);
        proven.nodes.push(node.found(time_text(*outside)).wanted(log.valid_for.to_string()));
    }
    proven
}

/// The signed entry timestamp of Rekor v1, which alone vouches for the integrated time.
fn check_promise(
    context: &Context<'_>,
    entry: &TlogEntry,
    promise: &[u8],
    log: &PreparedLog,
) -> (Node, Option<i64>) {
    let (Some(payload), Some(time)) = (entry.set_payload(), entry.integrated_time) else {
        return (Node::fail(Check::SignedEntryTimestamp, Code::SetInvalid).found("no integrated time"), None);
    };
    if context.budget.spend_over(&payload).is_err() {
        return (Node::fail(Check::SignedEntryTimestamp, Code::BudgetExhausted), None);
    }
    let signed = |scheme: &Scheme| log.key.verify(*scheme, &payload, promise).is_ok();
    if !Scheme::for_key(log.key.algorithm()).iter().any(signed) {
        return (Node::fail(Check::SignedEntryTimestamp, Code::SetInvalid), None);
    }
    let text = time_text(time);
    if time > context.at.saturating_add(CLOCK_SKEW_SECONDS) {
        return (Node::fail(Check::SignedEntryTimestamp, Code::IntegratedTimeFuture).found(text), None);
    }
    (Node::pass(Check::SignedEntryTimestamp).found(text), Some(time))
}

/// The leaf is in the tree of the proof, and the log signed that tree. The witnesses of it count.
fn prove_inclusion(
    context: &Context<'_>,
    entry: &TlogEntry,
    proof: &InclusionProof,
    log: &PreparedLog,
    proven: &mut Proven,
) {
    proven.nodes.push(Node::of(Check::InclusionProof, check_inclusion(context, entry, proof)));
    let Some(text) = &proof.checkpoint else {
        // Version 0.1 bundles may have a proof without one; then the promise is what counts.
        if entry.promise.is_none() {
            proven.nodes.push(Node::fail(Check::Checkpoint, Code::CheckpointInvalid).found("none"));
        }
        return;
    };
    let signed = match SignedCheckpoint::parse(text.as_bytes()) {
        Ok(signed) => signed,
        Err(e) => {
            proven.nodes.push(Node::fail(Check::Checkpoint, Code::CheckpointInvalid).found(e.to_string()));
            return;
        }
    };
    let outcome = check_checkpoint(context, &signed, proof, log);
    proven.nodes.push(Node::of(Check::Checkpoint, outcome).found(&*signed.checkpoint().origin));
    if outcome.is_ok() {
        proven.witnesses = witnesses(context, &signed);
        if !proven.witnesses.is_empty() {
            let names: Vec<&str> = proven.witnesses.iter().map(String::as_str).collect();
            proven.nodes.push(Node::pass(Check::Witnesses).found(names.join(", ")));
        }
    }
}

fn check_inclusion(context: &Context<'_>, entry: &TlogEntry, proof: &InclusionProof) -> Result<(), Code> {
    // Rekor v1 counts the entry over all its shards and the proof within one; v2 has one count.
    if is_v2(entry) && proof.log_index != entry.log_index {
        return Err(Code::InclusionProofInvalid);
    }
    let hashes: Option<Vec<merkle::Hash>> = proof.hashes.iter().map(sha256_array).collect();
    let root = sha256_array(&proof.root_hash).ok_or(Code::InclusionProofInvalid)?;
    context.budget.spend_bytes(entry.body.len()).map_err(|_| Code::BudgetExhausted)?;
    let leaf = merkle::leaf_hash(&entry.body);
    let hashes = hashes.ok_or(Code::InclusionProofInvalid)?;
    merkle::verify_inclusion(proof.log_index, proof.tree_size, &leaf, &hashes, &root)
        .map_err(|_| Code::InclusionProofInvalid)
}

fn is_v2(entry: &TlogEntry) -> bool {
    entry.kind.version == "0.0.2" && entry.kind.kind != "intoto"
}

fn sha256_array(digest: &Digest) -> Option<merkle::Hash> {
    digest.as_bytes().try_into().ok()
}

fn check_checkpoint(
    context: &Context<'_>,
    signed: &SignedCheckpoint,
    proof: &InclusionProof,
    log: &PreparedLog,
) -> Result<(), Code> {
    context.budget.spend(1).map_err(|_| Code::BudgetExhausted)?;
    let key = log_key(signed, log).ok_or(Code::CheckpointInvalid)?;
    signed.note().verify(&key).map_err(|_| Code::CheckpointInvalid)?;
    let checkpoint = signed.checkpoint();
    let agrees =
        checkpoint.size == proof.tree_size && checkpoint.root.as_slice() == proof.root_hash.as_bytes();
    if agrees { Ok(()) } else { Err(Code::CheckpointMismatch) }
}

/// The log's key under the name by which it signed this note.
///
/// An Ed25519 key (Rekor v2, C2SP) signs as the origin, and both are the host of the log's URL. An
/// ECDSA or RSA key (Rekor v1) signs under a name of its own: there the key's id alone decides.
fn log_key(signed: &SignedCheckpoint, log: &PreparedLog) -> Option<VerifierKey> {
    let ed25519 = log.key.algorithm() == signet_crypto::KeyAlgorithm::Ed25519;
    if ed25519 && signed.checkpoint().origin != log.origin() {
        return None;
    }
    let of_line = |name: &str| VerifierKey::log(name, log.key.clone()).ok();
    let mut lines = signed.note().signatures().iter();
    lines.find_map(|line| {
        let key = of_line(line.name()).filter(|key| key.id() == line.key_id())?;
        (!ed25519 || line.name() == log.origin()).then_some(key)
    })
}

/// The names of the trusted witnesses whose cosignature verifies. A key counts once, whatever it is called.
fn witnesses(context: &Context<'_>, signed: &SignedCheckpoint) -> BTreeSet<String> {
    let cosigned = |key: &&VerifierKey| {
        signed.note().signatures_by(key).next().is_some()
            && context.budget.spend(1).is_ok()
            && cosignature::verify(signed, key).is_ok()
    };
    let mut keys = BTreeSet::new();
    let cosigned = context.trust.witnesses.iter().filter(cosigned);
    cosigned.filter(|key| keys.insert(key.key().spki_der())).map(|key| key.name().to_owned()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
