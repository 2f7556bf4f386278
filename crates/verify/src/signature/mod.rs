//! Assessing one signature: its form, what it is about, its cryptography and all that supports it.

pub(crate) mod candidate;
mod certificate;
mod chain;
pub(crate) mod checked;
mod entry_binding;
mod log;
mod message;
mod signed_bytes;
mod timestamp;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use signet_crypto::{Digest, Scheme};
use signet_formats::x509::Certificate;

use self::candidate::{Candidate, FormError, Material};
use self::message::SignedBy;
use crate::Code;
use crate::budget::Budget;
use crate::evidence::{Content, Evidence, EvidenceItem};
use crate::policy::RepositoryRule;
use crate::prepared::{PreparedPolicy, PreparedTrust, Voucher};
use crate::subject::{Subject, SubjectKind};
use crate::verdict::{Check, Node};
use crate::workers::Workers;

/// What every check of one decision looks at.
pub(crate) struct Context<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) evidence: &'a Evidence,
    pub(crate) trust: &'a PreparedTrust,
    pub(crate) policy: &'a PreparedPolicy<'a>,
    pub(crate) at: i64,
    pub(crate) budget: &'a Budget,
    /// Whether the whole content, where it is at hand, is the subject: hashed once, however many signatures ask.
    pub(crate) content_is_subject: OnceLock<bool>,
}

/// What one signature proves, whatever the policy makes of it.
#[derive(Debug)]
pub(crate) struct Assessment {
    /// Where it came from.
    pub(crate) origin: String,
    /// Every check of it.
    pub(crate) node: Node,
    /// Who made it, if it is sound.
    pub(crate) identity: Identity,
    /// The scheme that verifies it, if one does.
    pub(crate) scheme: Option<Scheme>,
    /// The predicate type, if a statement was signed.
    pub(crate) predicate_type: Option<String>,
    /// The annotations that were signed: of each subject that is the subject, or of the payload.
    pub(crate) annotations: Vec<BTreeMap<String, String>>,
    /// The proven times of signing, ascending and distinct.
    pub(crate) times: Vec<i64>,
    /// The trusted logs that hold it.
    pub(crate) logs: BTreeSet<Voucher>,
    /// The trusted authorities that stamped it.
    pub(crate) timestamp_authorities: BTreeSet<Voucher>,
    /// The names of the trusted witnesses that cosigned a checkpoint over it.
    pub(crate) witnesses: BTreeSet<String>,
    /// The trusted CT logs that hold its certificate.
    pub(crate) certificate_logs: BTreeSet<Voucher>,
}

impl Assessment {
    /// Whether no check of it failed.
    pub(crate) fn is_sound(&self) -> bool {
        !self.node.failed()
    }

    /// How many checks it passed, to tell which of several failures says most.
    pub(crate) fn progress(&self) -> usize {
        self.node.children.iter().filter(|child| !child.failed()).count()
    }

    fn unreadable(origin: &str, form: Node) -> Self {
        Self {
            origin: origin.to_owned(),
            node: Node::pass(Check::Signature).about(origin).resting_on(vec![form]),
            identity: Identity::Unknown,
            scheme: None,
            predicate_type: None,
            annotations: Vec::new(),
            times: Vec::new(),
            logs: BTreeSet::new(),
            timestamp_authorities: BTreeSet::new(),
            witnesses: BTreeSet::new(),
            certificate_logs: BTreeSet::new(),
        }
    }
}

/// Who made a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The holder of the key with this id.
    Key(Digest),
    /// Whoever the certificate names.
    Certificate {
        /// The subject alternative names.
        names: Vec<String>,
        /// The OIDC issuer, if the certificate states one.
        issuer: Option<String>,
        /// The Fulcio claims by the last arc of their identifiers.
        claims: BTreeMap<u32, String>,
    },
    /// Nobody that is known.
    Unknown,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {id}"),
            Self::Certificate { names, issuer, .. } => {
                let issuer = issuer.as_deref().unwrap_or("none");
                write!(f, "{} (issuer {issuer})", names.join(", "))
            }
            Self::Unknown => f.write_str("nobody that is known"),
        }
    }
}

/// Assesses every signature in the evidence, in its order; by `workers` in theirs, with the same result as long as the
/// budget suffices.
pub(crate) fn assess_all(context: &Context<'_>, workers: Option<&dyn Workers>) -> Vec<Assessment> {
    let items = &context.evidence.items;
    let assessed: Vec<OnceLock<Vec<Assessment>>> = items.iter().map(|_| OnceLock::new()).collect();
    if let Some(workers) = workers {
        workers.do_all(items.len(), &|number| {
            if let (Some(item), Some(slot)) = (items.get(number), assessed.get(number)) {
                slot.get_or_init(|| assess_item(context, item));
            }
        });
    }
    // What is not done yet is done here: no evidence is passed over.
    let all = items.iter().zip(assessed);
    all.flat_map(|(item, slot)| slot.into_inner().unwrap_or_else(|| assess_item(context, item))).collect()
}

fn assess_item(context: &Context<'_>, item: &EvidenceItem) -> Vec<Assessment> {
    let within = context.budget.spend_bytes(item.content.size());
    let read = within.map_err(|_| FormError::budget_exhausted()).and_then(|()| candidate::read(item));
    match read {
        Ok(candidates) => {
            candidates.into_iter().map(|candidate| assess_as_meant(context, item, candidate)).collect()
        }
        Err(form) => vec![Assessment::unreadable(&item.origin, form.into())],
    }
}

/// As what it says it is. Where that is not sound, a legacy signature by a key of the policy is one whatever
/// certificate stands beside it: what `cosign2 sign --key --certificate` makes, `cosign2 verify --key` takes.
fn assess_as_meant(context: &Context<'_>, item: &EvidenceItem, candidate: Candidate<'_>) -> Assessment {
    let assessment = assess(context, &candidate);
    if assessment.is_sound() || matches!(item.content, Content::Bundle { .. }) {
        return assessment;
    }
    match message::known_key(context, &candidate) {
        Some(hint) => assess(context, &candidate.by_key(hint)),
        None => assessment,
    }
}

fn assess(context: &Context<'_>, candidate: &Candidate<'_>) -> Assessment {
    let mut nodes = vec![Node::pass(Check::Form).found(candidate.form.clone())];
    nodes.push(message::check_subject(context, candidate));
    nodes.extend(check_repository(context, candidate));

    let signed = message::check_signature(context, candidate);
    nodes.push(signed.node);
    let stamps = timestamp::check_all(context, candidate);
    nodes.extend(stamps.nodes);
    let logged = log::check_all(context, candidate, signed.by.as_ref(), &stamps.times);
    nodes.extend(logged.nodes);

    let mut times: Vec<i64> = stamps.times.into_iter().chain(logged.times).collect();
    times.sort_unstable();
    times.dedup();
    let (more, certificate_logs) = check_signer(context, candidate, signed.by.as_ref(), &times);
    nodes.extend(more.into_iter().map(|node| because_of_unknown(node, &nodes)).collect::<Vec<_>>());

    Assessment {
        origin: candidate.origin.to_owned(),
        node: Node::pass(Check::Signature).about(candidate.origin).resting_on(nodes),
        identity: identity(candidate, signed.by.as_ref()),
        scheme: signed.by.map(|by| by.scheme),
        predicate_type: candidate.predicate_type().map(str::to_owned),
        annotations: candidate.annotations(context.subject),
        times,
        logs: logged.logs,
        timestamp_authorities: stamps.authorities,
        witnesses: logged.witnesses,
        certificate_logs,
    }
}

/// Where a time is unproven because its log or authority is not trusted, that is the reason to give.
fn because_of_unknown(mut node: Node, before: &[Node]) -> Node {
    if node.code == Some(Code::TimeUnproven) {
        let unknown = before.iter().filter_map(|other| other.code);
        let mut unknown = unknown.filter(|code| matches!(code, Code::LogUnknown | Code::TimestampUntrusted));
        node.code = unknown.next_back().or(node.code);
    }
    node
}

/// The certificate's path and CT timestamps, or the key's window.
fn check_signer(
    context: &Context<'_>,
    candidate: &Candidate<'_>,
    signed_by: Option<&SignedBy<'_>>,
    times: &[i64],
) -> (Vec<Node>, BTreeSet<Voucher>) {
    match (&candidate.beside.material, signed_by) {
        (Material::Certificate { leaf, supplied }, _) => {
            let checked = certificate::check(leaf, supplied, times, context.trust, context.budget);
            (checked.nodes, checked.certificate_logs)
        }
        (Material::Key { .. }, Some(SignedBy { known: Some(key), .. })) => {
            let decision_time = [context.at];
            let when = if times.is_empty() { &decision_time } else { times };
            let outside = when.iter().find(|time| !key.is_trusted_at(**time));
            let node = outside.map(|time| {
                let windows: Vec<String> = key.windows.iter().map(ToString::to_string).collect();
                Node::fail(Check::KeyValidity, Code::KeyOutsideValidity)
                    .found(time_text(*time))
                    .wanted(windows.join(" or "))
            });
            (node.into_iter().collect(), BTreeSet::new())
        }
        (Material::Key { .. }, _) => (Vec::new(), BTreeSet::new()),
    }
}

fn identity(candidate: &Candidate<'_>, signed_by: Option<&SignedBy<'_>>) -> Identity {
    match (&candidate.beside.material, signed_by) {
        (Material::Certificate { leaf, .. }, Some(_)) => certificate_identity(leaf),
        (Material::Key { .. }, Some(SignedBy { known: Some(key), .. })) => Identity::Key(key.key.id()),
        _ => Identity::Unknown,
    }
}

fn certificate_identity(leaf: &Certificate) -> Identity {
    let names = leaf.subject_alt_names().iter().filter_map(|name| name.text().map(str::to_owned));
    // Contradicting claims are a failure of form: the candidate was not read then.
    let claims = leaf.fulcio().unwrap_or_default();
    Identity::Certificate {
        names: names.collect(),
        issuer: claims.issuer().map(str::to_owned),
        claims: claims.iter().map(|(arc, value)| (arc, value.to_owned())).collect(),
    }
}

/// Holds the repository names that were signed for the subject against the one that was asked for: one of
/// them must be it. Where either side has none, the policy says what that means.
fn check_repository(context: &Context<'_>, candidate: &Candidate<'_>) -> Option<Node> {
    if context.subject.kind == SubjectKind::File {
        return None;
    }
    let rule = context.policy.policy.spec.repository;
    let signed = candidate.repositories(context.subject);
    let code = match context.subject.name.as_deref() {
        _ if signed.is_empty() => Code::RepositoryUnsigned,
        None => Code::RepositoryUnknown,
        Some(asked) => {
            let asked = repository_of(asked);
            match signed.iter().find(|name| repository_of(name) == asked) {
                Some(name) => return Some(Node::pass(Check::Repository).found(*name)),
                None => Code::RepositoryMismatch,
            }
        }
    };
    let node = match (rule, code) {
        (RepositoryRule::Note, Code::RepositoryMismatch)
        | (RepositoryRule::Deny, Code::RepositoryUnsigned) => Node::note(Check::Repository, Some(code)),
        (RepositoryRule::Note, _) => return None,
        (RepositoryRule::Deny | RepositoryRule::Require, _) => Node::fail(Check::Repository, code),
    };
    let found = signed.iter().take(MAX_SHOWN).copied().collect::<Vec<_>>().join(", ");
    let found = if found.is_empty() { "no repository".to_owned() } else { found };
    Some(node.found(found).wanted(context.subject.name.as_deref().unwrap_or("a repository to compare with")))
}

/// The repository of a reference: without tag and digest, in its normal form if it has one.
fn repository_of(name: &str) -> String {
    let parsed = name.parse::<signet_formats::oci::Reference>();
    parsed.map_or_else(|_| name.to_owned(), |reference| reference.repository.to_string())
}

/// The most names, digests or keys that a check spells out.
const MAX_SHOWN: usize = 8;
/// How far the clocks of logs and authorities may be ahead of the verifier's, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 60;

/// A time for people and documents.
fn time_text(time: i64) -> String {
    signet_formats::time::format(time).unwrap_or_else(|_| time.to_string())
}
