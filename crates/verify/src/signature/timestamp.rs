//! RFC 3161 timestamps over the signature.

use std::collections::BTreeSet;

use signet_formats::timestamp::{TimestampError, TimestampToken};
use signet_formats::x509::Certificate;

use super::candidate::Candidate;
use super::chain::{self, Leaf, Purpose};
use super::{CLOCK_SKEW_SECONDS, Context, time_text};
use crate::Code;
use crate::prepared::{PreparedAuthority, Voucher};
use crate::verdict::{Check, Node};

/// What the timestamps of one signature prove.
#[derive(Default)]
pub(super) struct Stamps {
    pub(super) nodes: Vec<Node>,
    pub(super) times: Vec<i64>,
    /// The authorities, each counted once however often it stamped.
    pub(super) authorities: BTreeSet<Voucher>,
}

/// Checks every timestamp. One of an unknown authority is noted and proves nothing; one that is
/// malformed, or contradicts the signature or its authority, is a failure.
pub(super) fn check_all(context: &Context<'_>, candidate: &Candidate<'_>) -> Stamps {
    let mut stamps = Stamps::default();
    for der in &candidate.beside.timestamps {
        let (node, proof) = check(context, candidate, der);
        stamps.nodes.push(node);
        if let Some((time, authority)) = proof {
            stamps.times.push(time);
            stamps.authorities.insert(authority);
        }
    }
    stamps
}

fn check(context: &Context<'_>, candidate: &Candidate<'_>, der: &[u8]) -> (Node, Option<(i64, Voucher)>) {
    let token = match read(der) {
        Ok(token) => token,
        Err(e) => return (Node::fail(Check::Timestamp, Code::TimestampMalformed).found(e.to_string()), None),
    };
    let time = token.info().seconds;
    let about = format!("timestamp of {}", time_text(time));
    if token.info().verify_imprint(&candidate.signature).is_err() {
        return (Node::fail(Check::Timestamp, Code::TimestampImprintMismatch).about(about), None);
    }
    if time > context.at.saturating_add(CLOCK_SKEW_SECONDS) {
        return (Node::fail(Check::Timestamp, Code::TimestampFuture).about(about), None);
    }
    match vouched(context, &token) {
        Ok(authority) => {
            let node = Node::pass(Check::Timestamp).about(about).found(&*authority.name);
            (node, Some((time, authority.voucher.clone())))
        }
        Err(Code::TimestampUntrusted) => {
            (Node::note(Check::Timestamp, Some(Code::TimestampUntrusted)).about(about), None)
        }
        Err(code) => (Node::fail(Check::Timestamp, code).about(about), None),
    }
}

/// Bundles carry responses, cosign's annotations bare tokens in older versions.
fn read(der: &[u8]) -> Result<TimestampToken, TimestampError> {
    TimestampToken::from_response(der).or_else(|e| TimestampToken::from_token(der).map_err(|_| e))
}

/// The authority that made the token: its certificate signed it, and is valid in every respect at the
/// time the token itself states. Each token is bound to the one authority whose window is applied.
fn vouched<'a>(context: &Context<'a>, token: &TimestampToken) -> Result<&'a PreparedAuthority, Code> {
    let mut closest = Code::TimestampUntrusted;
    for authority in &context.trust.timestamp_authorities {
        match by_authority(context, token, authority) {
            Ok(()) => return Ok(authority),
            Err(Code::TimestampUntrusted) => {}
            Err(code) => closest = code,
        }
    }
    Err(closest)
}

fn by_authority(
    context: &Context<'_>,
    token: &TimestampToken,
    authority: &PreparedAuthority,
) -> Result<(), Code> {
    let signer = signer(token, authority).ok_or(Code::TimestampUntrusted)?;
    let (time, budget) = (token.info().seconds, context.budget);
    let leaf = Leaf::new(signer, token.certificates());
    chain::verify(&leaf, authority, Purpose::TimeStamping, time, budget)?;
    budget.spend(1).map_err(|_| Code::BudgetExhausted)?;
    token.verify(signer).map_err(|_| Code::TimestampInvalid)
}

/// The certificate that must have signed: the one that the trust root names, and an embedded one may
/// not replace it (GHSA-xm5m-wgh2-rrg3); where the trust root has issuers only, the embedded one.
fn signer<'a>(token: &'a TimestampToken, authority: &'a PreparedAuthority) -> Option<&'a Certificate> {
    let names = |certificate: &&Certificate| token.signed_data().signer().id().matches(certificate);
    match authority.leaf() {
        Some(leaf) => Some(leaf).filter(names),
        None => token.certificates().iter().find(names),
    }
}
