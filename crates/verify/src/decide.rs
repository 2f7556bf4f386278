//! The one function.

use std::sync::OnceLock;

use signet_crypto::Digest;

use crate::budget::{Budget, MAX_OPERATIONS};
use crate::code::Code;
use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::prepared::{PreparedPolicy, PreparedTrust, Unusable};
use crate::rules;
use crate::signature::{self, Assessment, Context};
use crate::subject::Subject;
use crate::trust::{TrustSnapshot, id_of};
use crate::verdict::{Check, ENGINE, Inputs, Node, Outcome, SCHEMA, Signer, Verdict};
use crate::workers::Workers;

/// Decides whether the policy permits the subject.
///
/// `at` is the time of the decision in seconds since 1970-01-01 UTC. Every check is made and shown,
/// within a work budget; a bad signature never hides a good one. The answer is
/// - *allow* if the sound signatures satisfy every rule,
/// - *undecidable* if they do not and something was not read, a limit was hit, or trust or policy is unusable,
/// - *deny* otherwise.
pub fn decide(
    subject: &Subject,
    evidence: &Evidence,
    trust: &TrustSnapshot,
    policy: &Policy,
    at: i64,
) -> Verdict {
    decide_unprepared(subject, evidence, trust, policy, at, None)
}

/// The same as [`decide`], with the signatures assessed by `workers`.
pub fn decide_by(
    subject: &Subject,
    evidence: &Evidence,
    trust: &TrustSnapshot,
    policy: &Policy,
    at: i64,
    workers: &dyn Workers,
) -> Verdict {
    decide_unprepared(subject, evidence, trust, policy, at, Some(workers))
}

/// The same as [`decide`], for many decisions by one trust snapshot.
pub fn decide_prepared(
    subject: &Subject,
    evidence: &Evidence,
    trust: &PreparedTrust,
    policy: &Policy,
    at: i64,
) -> Verdict {
    decide_using(subject, evidence, trust, policy, at, None)
}

fn decide_unprepared(
    subject: &Subject,
    evidence: &Evidence,
    trust: &TrustSnapshot,
    policy: &Policy,
    at: i64,
    workers: Option<&dyn Workers>,
) -> Verdict {
    match PreparedTrust::new(trust) {
        Ok(prepared) => decide_using(subject, evidence, &prepared, policy, at, workers),
        Err(unusable) => {
            let inputs = inputs(subject, evidence, id_of(trust), policy, at);
            undecided(inputs, unusable.into())
        }
    }
}

fn decide_using(
    subject: &Subject,
    evidence: &Evidence,
    trust: &PreparedTrust,
    policy: &Policy,
    at: i64,
    workers: Option<&dyn Workers>,
) -> Verdict {
    let inputs = inputs(subject, evidence, trust.id, policy, at);
    let policy = match PreparedPolicy::new(policy, trust) {
        Ok(policy) => policy,
        Err(unusable) => return undecided(inputs, unusable),
    };
    let assess = |workers| {
        let budget = Budget::new(MAX_OPERATIONS);
        let content_is_subject = OnceLock::new();
        let context =
            Context { subject, evidence, trust, policy: &policy, at, budget: &budget, content_is_subject };
        (signature::assess_all(&context, workers), budget.is_exhausted())
    };
    let (assessments, exhausted) = match assess(workers) {
        // What was refused depends on who came first. In order it is always the same.
        (_, true) if workers.is_some() => assess(None),
        assessed => assessed,
    };
    conclude(inputs, evidence, &policy, assessments, exhausted)
}

fn inputs(subject: &Subject, evidence: &Evidence, trust: Digest, policy: &Policy, at: i64) -> Inputs {
    Inputs { subject: id_of(subject), evidence: evidence.id(), trust, policy: id_of(policy), at }
}

fn conclude(
    inputs: Inputs,
    evidence: &Evidence,
    policy: &PreparedPolicy<'_>,
    assessments: Vec<Assessment>,
    exhausted: bool,
) -> Verdict {
    let mut rules = Vec::new();
    let mut signers = Vec::new();
    for rule in &policy.policy.spec.rules {
        let (node, counted) = rules::apply(rule, policy, &assessments);
        rules.push(node);
        signers.extend(counted);
    }
    let satisfied = rules.iter().all(|node| !node.failed());
    let open = open_questions(evidence, &assessments, exhausted);
    let (outcome, code) = match (satisfied, open.first()) {
        (true, _) => (Outcome::Allow, None),
        (false, Some(question)) => (Outcome::Undecidable, question.code),
        (false, None) => (Outcome::Deny, Some(reason(&rules, &assessments))),
    };
    let mut children: Vec<Node> = assessments.into_iter().map(|assessment| assessment.node).collect();
    children.extend(open);
    children.extend(rules);
    let checks = Node::of(Check::Decision, code.map_or(Ok(()), Err))
        .about(&*policy.policy.metadata.name)
        .showing(children);
    verdict(inputs, outcome, code, signers, checks)
}

/// What was not read or not computed, and so might have changed the answer.
fn open_questions(evidence: &Evidence, assessments: &[Assessment], exhausted: bool) -> Vec<Node> {
    let unread = evidence.unread.iter().map(|unread| {
        Node::note(Check::Unread, Some(unread.code)).about(&*unread.origin).found(&*unread.reason)
    });
    let mut open: Vec<Node> = unread.collect();
    let undecided =
        assessments.iter().filter_map(|a| a.node.code.filter(|code| leaves_open(*code)).map(|c| (a, c)));
    open.extend(undecided.map(|(a, code)| Node::note(Check::Unread, Some(code)).about(&*a.origin)));
    if exhausted {
        open.push(Node::note(Check::Budget, Some(Code::BudgetExhausted)));
    }
    open
}

/// Whether a signature that failed with this code might be good after all.
fn leaves_open(code: Code) -> bool {
    code.class() == crate::Class::Undecided
}

/// Why the answer is no: the reason of the signature that came closest, else that of the rules.
fn reason(rules: &[Node], assessments: &[Assessment]) -> Code {
    if assessments.is_empty() {
        return Code::Unsigned;
    }
    let sound = assessments.iter().any(Assessment::is_sound);
    let closest = assessments.iter().max_by_key(|assessment| assessment.progress());
    match (sound, closest.and_then(|assessment| assessment.node.code)) {
        (false, Some(code)) => code,
        _ => rules.iter().find_map(|rule| rule.code).unwrap_or(Code::ThresholdNotMet),
    }
}

fn undecided(inputs: Inputs, unusable: Unusable) -> Verdict {
    let (check, code, why) = match unusable {
        Unusable::Policy(why) => (Check::Policy, Code::PolicyInvalid, why),
        Unusable::Trust(why) => (Check::Trust, Code::TrustUnusable, why),
    };
    let checks = Node::fail(Check::Decision, code).resting_on(vec![Node::fail(check, code).found(why)]);
    verdict(inputs, Outcome::Undecidable, Some(code), Vec::new(), checks)
}

fn verdict(
    inputs: Inputs,
    outcome: Outcome,
    code: Option<Code>,
    signers: Vec<Signer>,
    checks: Node,
) -> Verdict {
    Verdict { schema: SCHEMA.to_owned(), engine: ENGINE, outcome, code, inputs, signers, checks }
}
