//! What was signed, and whether the signature is over it.

use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm, PublicKey, Scheme};
use signet_formats::base64;

use super::candidate::{Candidate, Material, Message};
use super::signed_bytes::SignedBytes;
use super::{Context, MAX_SHOWN};
use crate::Code;
use crate::prepared::PreparedKey;
use crate::verdict::{Check, Node};

/// The outcome of checking the signature itself.
pub(super) struct Signed<'a> {
    pub(super) node: Node,
    /// What verifies the signature, if something does.
    pub(super) by: Option<SignedBy<'a>>,
}

/// The key and the scheme that verify a signature.
pub(super) struct SignedBy<'a> {
    /// The key of the policy; none where it is the one in the candidate's certificate.
    pub(super) known: Option<&'a PreparedKey>,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) scheme: Scheme,
}

/// Whether the signature is about the subject.
pub(super) fn check_subject(context: &Context<'_>, candidate: &Candidate<'_>) -> Node {
    let subject = context.subject;
    let (holds, code, found) = match &candidate.message {
        Message::Artifact { stated: None } => return Node::pass(Check::SubjectBinding),
        Message::Artifact { stated: Some(digest) } => {
            (subject.has(digest), Code::MessageDigestMismatch, digest.to_string())
        }
        Message::Payload { payload, .. } => (
            subject.has(&payload.manifest_digest),
            Code::SubjectMismatch,
            payload.manifest_digest.to_string(),
        ),
        Message::Statement(signed) => {
            let holds = signed.subjects_that_are(subject).next().is_some();
            (holds, Code::SubjectMismatch, subjects_text(&signed.statement))
        }
    };
    let node = Node::of(Check::SubjectBinding, if holds { Ok(()) } else { Err(code) });
    node.found(found).wanted(join(&subject.digests))
}

fn subjects_text(statement: &signet_formats::in_toto::Statement) -> String {
    let digests: Vec<Digest> =
        statement.subjects.iter().flat_map(|s| s.digests.clone()).take(MAX_SHOWN).collect();
    join(&digests)
}

fn join(digests: &[Digest]) -> String {
    digests.iter().map(Digest::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks the signature with the key it claims: of the certificate, or of the policy's principals.
pub(super) fn check_signature<'a>(context: &Context<'a>, candidate: &Candidate<'_>) -> Signed<'a> {
    match &candidate.beside.material {
        Material::Certificate { leaf, .. } => match leaf.public_key() {
            Ok(key) => {
                let (outcome, algorithm) = (verify(context, candidate, &key), key.algorithm());
                let by = outcome.ok().map(|scheme| SignedBy { known: None, algorithm, scheme });
                let node = Node::of(Check::Cryptography, outcome.map(|_| ()));
                Signed { node: node.about(format!("certificate key {algorithm}")), by }
            }
            Err(e) => Signed {
                node: Node::fail(Check::Cryptography, Code::SchemeUnsupported).found(e.to_string()),
                by: None,
            },
        },
        Material::Key { hint } => by_policy_key(context, candidate, hint.as_deref()),
    }
}

/// Tries the policy's keys, the hinted one alone if it is among them.
fn by_policy_key<'a>(context: &Context<'a>, candidate: &Candidate<'_>, hint: Option<&str>) -> Signed<'a> {
    let keys = &context.policy.keys;
    if keys.is_empty() {
        let node = Node::fail(Check::Cryptography, Code::KeyMaterialUnusable);
        return Signed { node: node.found("a signature by a key").wanted("one by a certificate"), by: None };
    }
    let hinted = hint.and_then(|hint| keys.iter().find(|known| hint_of(&known.key) == hint));
    let tried: Vec<&PreparedKey> = hinted.map_or_else(|| keys.iter().collect(), |key| vec![key]);
    let mut code = Code::SignerUnknown;
    for known in &tried {
        match verify(context, candidate, &known.key) {
            Ok(scheme) => {
                let node = Node::pass(Check::Cryptography).about(format!("key {}, {scheme}", known.key.id()));
                let by = SignedBy { known: Some(known), algorithm: known.key.algorithm(), scheme };
                return Signed { node, by: Some(by) };
            }
            Err(failure) => code = more_open(code, failure),
        }
    }
    // A hint at a key that the policy does not name says more than "does not verify".
    if hint.is_some() && hinted.is_none() && code == Code::SignatureInvalid {
        code = Code::SignerUnknown;
    }
    let found = hint.map_or("a signature without a key hint".to_owned(), hint_text);
    let wanted = tried.iter().map(|known| format!("key {}", known.key.id())).take(MAX_SHOWN);
    let wanted = wanted.collect::<Vec<_>>().join(" or ");
    Signed { node: Node::fail(Check::Cryptography, code).found(found).wanted(wanted), by: None }
}

/// The hint at the key in the candidate's certificate, if it is one of the policy's.
pub(super) fn known_key(context: &Context<'_>, candidate: &Candidate<'_>) -> Option<String> {
    let Material::Certificate { leaf, .. } = &candidate.beside.material else { return None };
    let key = leaf.public_key().ok()?;
    context.policy.keys.iter().any(|known| known.key == key).then(|| hint_of(&key))
}

/// The hint at a key that bundles carry: base64 of the SHA-256 of its SubjectPublicKeyInfo.
fn hint_of(key: &PublicKey) -> String {
    base64::encode(key.id().as_bytes())
}

/// A hint in the form in which keys are named elsewhere, if it is one.
fn hint_text(hint: &str) -> String {
    let id = base64::decode(hint).ok().and_then(|id| Digest::from_bytes(DigestAlgorithm::Sha256, &id).ok());
    id.map_or_else(|| format!("key hint `{hint}`"), |id| format!("key {id}"))
}

/// Of two failures the one that leaves more open: content that was not at hand, a budget used up.
fn more_open(one: Code, other: Code) -> Code {
    match one.class() {
        crate::Class::Undecided => one,
        _ => other,
    }
}

/// Tries the schemes that the key may have been used with; the one that verifies.
fn verify(context: &Context<'_>, candidate: &Candidate<'_>, key: &PublicKey) -> Result<Scheme, Code> {
    let mut failure = Code::SignatureInvalid;
    for scheme in Scheme::for_key(key.algorithm()) {
        match verify_with(context, candidate, key, *scheme) {
            Ok(()) => return Ok(*scheme),
            Err(code) => failure = more_open(failure, code),
        }
    }
    Err(failure)
}

fn verify_with(
    context: &Context<'_>,
    candidate: &Candidate<'_>,
    key: &PublicKey,
    scheme: Scheme,
) -> Result<(), Code> {
    let signature = &candidate.signature;
    match &candidate.message {
        Message::Payload { signed, .. } => verify_bytes(context, signed, key, scheme, signature),
        Message::Statement(statement) => verify_bytes(context, &statement.signed, key, scheme, signature),
        Message::Artifact { stated } => verify_artifact(context, stated.as_ref(), key, scheme, signature),
    }
}

/// A signature over bytes that are at hand: by their digest where the scheme signs one.
fn verify_bytes(
    context: &Context<'_>,
    signed: &SignedBytes,
    key: &PublicKey,
    scheme: Scheme,
    signature: &[u8],
) -> Result<(), Code> {
    let outcome = match scheme.digest() {
        Some(algorithm) => {
            let digest = signed.digest(algorithm, context.budget)?;
            context.budget.spend(1).map_err(|_| Code::BudgetExhausted)?;
            key.verify_digest(scheme, &digest, signature)
        }
        None => {
            context.budget.spend_over(signed.bytes()).map_err(|_| Code::BudgetExhausted)?;
            key.verify(scheme, signed.bytes(), signature)
        }
    };
    outcome.map_err(|_| Code::SignatureInvalid)
}

/// A signature over the artifact: by its digest where the scheme signs one, else by the whole content.
fn verify_artifact(
    context: &Context<'_>,
    stated: Option<&Digest>,
    key: &PublicKey,
    scheme: Scheme,
    signature: &[u8],
) -> Result<(), Code> {
    let Some(algorithm) = scheme.digest() else {
        return verify_content(context, key, scheme, signature);
    };
    if stated.is_some_and(|digest| digest.algorithm() != algorithm) {
        // The signer says it hashed otherwise, so this is not its scheme.
        return Err(Code::SignatureInvalid);
    }
    let digest = context.subject.digest(algorithm).ok_or(Code::ContentNeeded)?;
    context.budget.spend(1).map_err(|_| Code::BudgetExhausted)?;
    key.verify_digest(scheme, digest, signature).map_err(|_| Code::SignatureInvalid)
}

fn verify_content(
    context: &Context<'_>,
    key: &PublicKey,
    scheme: Scheme,
    signature: &[u8],
) -> Result<(), Code> {
    let content = &context.evidence.artifact.as_ref().ok_or(Code::ContentNeeded)?.0;
    if !*context.content_is_subject.get_or_init(|| context.subject.is(content)) {
        return Err(Code::SubjectMismatch);
    }
    context.budget.spend_over(content).map_err(|_| Code::BudgetExhausted)?;
    key.verify(scheme, content, signature).map_err(|_| Code::SignatureInvalid)
}

/// The digest of what was signed, as Rekor logs it; none where it is not known or the budget is used up, which
/// the decision tells of by itself.
pub(super) fn logged_digest(
    context: &Context<'_>,
    candidate: &Candidate<'_>,
    algorithm: DigestAlgorithm,
) -> Option<Digest> {
    match &candidate.message {
        Message::Payload { signed, .. } => signed.digest(algorithm, context.budget).ok(),
        Message::Statement(statement) => statement.signed.digest(algorithm, context.budget).ok(),
        Message::Artifact { .. } => context.subject.digest(algorithm).copied(),
    }
}
