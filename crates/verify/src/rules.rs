//! Whether the sound signatures satisfy a rule of the policy.

use std::collections::{BTreeMap, BTreeSet};

use signet_crypto::Digest;
use signet_formats::in_toto::COSIGN_SIGN_V1;

use crate::Code;
use crate::policy::{PredicateRule, Rule};
use crate::prepared::{PreparedPolicy, PreparedPrincipal};
use crate::signature::{Assessment, Identity};
use crate::verdict::{Check, Node, Signer};

/// A rule's node, and the signatures that count for it.
pub(crate) fn apply(
    rule: &Rule,
    policy: &PreparedPolicy<'_>,
    assessments: &[Assessment],
) -> (Node, Vec<Signer>) {
    let mut claims: Vec<Claim<'_>> = Vec::new();
    let mut nodes = Vec::new();
    for assessment in assessments.iter().filter(|a| a.is_sound()) {
        let (node, principals) = claim(rule, policy, assessment);
        nodes.push(node);
        if !principals.is_empty() {
            claims.push(Claim { assessment, principals });
        }
    }
    let matched = match_distinct(&claims);
    let node = outcome(rule, matched.len(), &nodes)
        .about(&*rule.name)
        .found(format!("{} distinct", matched.len()))
        .wanted(wanted(rule))
        .showing(nodes);
    let signers = matched.into_iter().map(|(principal, assessment)| signer(rule, principal, assessment));
    (node, signers.collect())
}

/// A signature that meets the rule's demands, and the principals it may stand for.
struct Claim<'a> {
    assessment: &'a Assessment,
    principals: Vec<&'a str>,
}

fn outcome(rule: &Rule, matched: usize, nodes: &[Node]) -> Node {
    if matched >= usize::try_from(rule.threshold).unwrap_or(usize::MAX) {
        return Node::pass(Check::Rule);
    }
    // Where all signatures lack the same, that is the reason; else their number is.
    let mut codes = nodes.iter().map(|node| node.code);
    let first = codes.next().flatten();
    let code = first.filter(|first| codes.all(|code| code == Some(*first)));
    Node::fail(Check::Rule, code.unwrap_or(Code::ThresholdNotMet))
}

fn wanted(rule: &Rule) -> String {
    format!("{} of {}", rule.threshold, rule.principals.join(", "))
}

/// Whether one signature meets the rule, and for which of its principals.
fn claim<'a>(rule: &'a Rule, policy: &PreparedPolicy<'_>, assessment: &Assessment) -> (Node, Vec<&'a str>) {
    if let Some(refusal) = demands(rule, assessment) {
        return (refusal.about(&assessment.origin), Vec::new());
    }
    let principals: Vec<&str> = rule
        .principals
        .iter()
        .map(String::as_str)
        .filter(|name| policy.principal(name).is_some_and(|p| is_principal(p, &assessment.identity)))
        .collect();
    let node = match principals.is_empty() {
        false => {
            Node { scheme: assessment.scheme, ..Node::pass(Check::Principal).found(principals.join(", ")) }
        }
        true => mismatch(rule, policy, &assessment.identity),
    };
    (node.about(&assessment.origin), principals)
}

/// What the rule asks of the signature besides who made it; the first demand that is not met.
fn demands(rule: &Rule, assessment: &Assessment) -> Option<Node> {
    let certified = matches!(assessment.identity, Identity::Certificate { .. });
    let by_default = u32::from(certified);
    let scts = rule.certificate_timestamps.unwrap_or(1);
    let counts = [
        (Code::LogEntryMissing, assessment.logs.len(), rule.log_entries.unwrap_or(by_default)),
        (Code::TimestampMissing, assessment.timestamp_authorities.len(), rule.timestamps),
        (Code::WitnessesMissing, assessment.witnesses.len(), rule.witnesses),
        (Code::SctMissing, assessment.certificate_logs.len(), if certified { scts } else { 0 }),
    ];
    if !predicate_fits(&rule.predicate_type, assessment.predicate_type.as_deref()) {
        let found = assessment.predicate_type.as_deref().unwrap_or("a plain signature");
        let wanted = String::from(rule.predicate_type.clone());
        return Some(Node::fail(Check::Principal, Code::PredicateTypeMismatch).found(found).wanted(wanted));
    }
    if let Some((found, wanted)) = missing_annotation(rule, assessment) {
        return Some(Node::fail(Check::Principal, Code::AnnotationMismatch).found(found).wanted(wanted));
    }
    let short =
        counts.into_iter().find(|(_, found, wanted)| u32::try_from(*found).is_ok_and(|n| n < *wanted));
    short.map(|(code, found, wanted)| {
        Node::fail(Check::Principal, code).found(found.to_string()).wanted(format!("at least {wanted}"))
    })
}

/// An annotation that was not signed as the rule wants it, as what was found and what is wanted. All of
/// them must be of one subject.
fn missing_annotation(rule: &Rule, assessment: &Assessment) -> Option<(String, String)> {
    let holds = |stated: &BTreeMap<String, String>, (name, value): (&String, &String)| {
        stated.get(name).is_some_and(|found| found == value)
    };
    let signed = &assessment.annotations;
    if signed.iter().any(|stated| rule.annotations.iter().all(|wanted| holds(stated, wanted))) {
        return None;
    }
    let missing = |wanted: &(&String, &String)| !signed.iter().any(|stated| holds(stated, *wanted));
    let (name, value) = rule.annotations.iter().find(missing).or(rule.annotations.first_key_value())?;
    let found = signed.iter().find_map(|stated| stated.get(name));
    let found = found.map(|value| format!("{name}={value}"));
    Some((found.unwrap_or_else(|| format!("no `{name}`")), format!("{name}={value}")))
}

fn predicate_fits(rule: &PredicateRule, found: Option<&str>) -> bool {
    match rule {
        PredicateRule::Any => true,
        PredicateRule::Signature => found.is_none_or(|predicate| predicate == COSIGN_SIGN_V1),
        PredicateRule::Exactly(wanted) => found == Some(wanted),
    }
}

fn is_principal(principal: &PreparedPrincipal, identity: &Identity) -> bool {
    match (principal, identity) {
        (PreparedPrincipal::Key(wanted), Identity::Key(found)) => wanted == found,
        (
            PreparedPrincipal::Certificate { identity: wanted, issuer: wanted_issuer, claims: wanted_claims },
            Identity::Certificate { names, issuer, claims },
        ) => {
            names.iter().any(|name| wanted.matches(name))
                && issuer.as_deref().is_some_and(|issuer| wanted_issuer.matches(issuer))
                && wanted_claims
                    .iter()
                    .all(|(arc, matcher)| claims.get(arc).is_some_and(|c| matcher.matches(c)))
        }
        _ => false,
    }
}

fn mismatch(rule: &Rule, policy: &PreparedPolicy<'_>, identity: &Identity) -> Node {
    let certified =
        |name: &String| matches!(policy.principal(name), Some(PreparedPrincipal::Certificate { .. }));
    let code = match identity {
        Identity::Certificate { .. } if rule.principals.iter().any(certified) => Code::IdentityMismatch,
        Identity::Certificate { .. } => Code::KeyMaterialUnusable,
        Identity::Key(_) | Identity::Unknown => Code::SignerUnknown,
    };
    let wanted: Vec<String> =
        rule.principals.iter().filter_map(|name| policy.describe(name)).take(MAX_DESCRIBED).collect();
    Node::fail(Check::Principal, code).found(identity.to_string()).wanted(wanted.join(" or "))
}

/// The largest set of pairs in which no principal and no signer stands twice: one signer counts for one
/// principal, and one principal counts once (sigstore-go#633, sigstore-js#1702). The order of the claims
/// decides nothing but which of several signatures by one signer is shown.
fn match_distinct<'a>(claims: &[Claim<'a>]) -> Vec<(&'a str, &'a Assessment)> {
    let signers = by_signer(claims);
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    for index in 0..signers.len() {
        augment(&signers, index, &mut holders, &mut Vec::new());
    }
    let pair = |(principal, index): (&'a str, usize)| Some((principal, *signers.get(index)?.get(principal)?));
    holders.into_iter().filter_map(pair).collect()
}

/// For each signer the principals that any of its signatures may stand for, and the first such signature.
/// Certificates of one signer may differ in what else they claim, and so in whom they may stand for.
fn by_signer<'a>(claims: &[Claim<'a>]) -> Vec<BTreeMap<&'a str, &'a Assessment>> {
    let mut signers: Vec<BTreeMap<&str, &Assessment>> = Vec::new();
    let mut known: BTreeMap<Mark<'a>, usize> = BTreeMap::new();
    for claim in claims {
        let marks = Mark::all_of(&claim.assessment.identity);
        let mut same: BTreeSet<usize> = marks.iter().filter_map(|mark| known.get(mark).copied()).collect();
        let signer = same.pop_first().unwrap_or(signers.len());
        let mut principals = signers.get_mut(signer).map(std::mem::take).unwrap_or_default();
        for principal in &claim.principals {
            principals.entry(principal).or_insert(claim.assessment);
        }
        for other in same {
            let others = signers.get_mut(other).map(std::mem::take).unwrap_or_default();
            for (principal, assessment) in others {
                principals.entry(principal).or_insert(assessment);
            }
            known.values_mut().filter(|index| **index == other).for_each(|index| *index = signer);
        }
        known.extend(marks.into_iter().map(|mark| (mark, signer)));
        match signers.get_mut(signer) {
            Some(slot) => *slot = principals,
            None => signers.push(principals),
        }
    }
    // In the order of their marks, whatever that of the claims was.
    known.values().filter_map(|index| signers.get_mut(*index).map(std::mem::take)).collect()
}

/// What tells one signer from another. Certificates that share a name under one issuer are of one signer,
/// whatever other names are in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark<'a> {
    Key(&'a Digest),
    Name { issuer: Option<&'a str>, name: &'a str },
    Unknown,
}

impl<'a> Mark<'a> {
    fn all_of(identity: &'a Identity) -> Vec<Self> {
        match identity {
            Identity::Key(id) => vec![Self::Key(id)],
            Identity::Certificate { names, issuer, .. } => {
                names.iter().map(|name| Self::Name { issuer: issuer.as_deref(), name }).collect()
            }
            Identity::Unknown => vec![Self::Unknown],
        }
    }
}

/// One step of Kuhn's matching: finds a principal for the signer, moving earlier ones if need be.
fn augment<'a>(
    signers: &[BTreeMap<&'a str, &'a Assessment>],
    index: usize,
    holders: &mut BTreeMap<&'a str, usize>,
    visited: &mut Vec<&'a str>,
) -> bool {
    for principal in signers.get(index).into_iter().flat_map(BTreeMap::keys) {
        if visited.contains(principal) {
            continue;
        }
        visited.push(principal);
        let free = match holders.get(principal).copied() {
            None => true,
            Some(holder) => augment(signers, holder, holders, visited),
        };
        if free {
            holders.insert(principal, index);
            return true;
        }
    }
    false
}

fn signer(rule: &Rule, principal: &str, assessment: &Assessment) -> Signer {
    Signer {
        rule: rule.name.clone(),
        principal: principal.to_owned(),
        identity: assessment.identity.to_string(),
        origin: assessment.origin.clone(),
        predicate_type: assessment.predicate_type.clone(),
        times: assessment.times.clone(),
    }
}

const MAX_DESCRIBED: usize = 8;
