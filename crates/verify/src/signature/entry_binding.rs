//! Whether a log entry is about this signature: every field that both state must agree
//! (sigstore client-spec §4.1; GHSA-whqx-f9j3-ch6m is what happens without).
//!
//! One field is not compared: the `envelopeHash` of `dsse` and the `hash` of `intoto` are over the envelope as
//! somebody spelled it when it was uploaded. A bundle has its parts and not that spelling. What the envelope
//! says is bound all the same: payload, its type where it is logged, signature and key.

use signet_crypto::{Digest, Scheme};
use signet_formats::dsse::IN_TOTO_PAYLOAD_TYPE;
use signet_formats::rekor::{
    Body, DsseV001, DsseV002, EntrySignature, EntrySignatureV002, HashedRekordV002, IntotoV002, RekorError,
    TlogEntry, Verifier,
};

use super::Context;
use super::candidate::{Candidate, Material, Message};
use super::message::{SignedBy, logged_digest};
use crate::Code;
use crate::verdict::{Check, Node};

/// Compares the entry's body with the signature, its key or certificate, and what was signed.
pub(super) fn check(
    context: &Context<'_>,
    candidate: &Candidate<'_>,
    signed_by: Option<&SignedBy<'_>>,
    entry: &TlogEntry,
) -> Node {
    let evidence = Side { context, candidate, signed_by };
    let kind = format!("{} {}", entry.kind.kind, entry.kind.version);
    if context.budget.spend_bytes(entry.body.len()).is_err() {
        return Node::fail(Check::EntryBinding, Code::BudgetExhausted).about(kind);
    }
    let body = match entry.decode_body() {
        Ok(body) => body,
        Err(e) => return Node::fail(Check::EntryBinding, code_of(&e)).about(kind).found(e.to_string()),
    };
    let mismatch = match &body {
        Body::HashedRekordV001(body) => {
            evidence.signed(&body.digest).or_else(|| evidence.signature(&body.signature))
        }
        Body::HashedRekordV002(body) => evidence.hashed_rekord_v2(body),
        Body::DsseV001(body) => evidence.dsse_v1(body),
        Body::DsseV002(body) => evidence.dsse_v2(body),
        Body::IntotoV002(body) => evidence.intoto(body),
        _ => return Node::fail(Check::EntryBinding, Code::LogEntryKindUnsupported).about(kind),
    };
    match mismatch {
        None => Node::pass(Check::EntryBinding).about(kind),
        Some(field) => Node::fail(Check::EntryBinding, Code::LogEntryMismatch)
            .about(kind)
            .found(format!("another {field}"))
            .wanted(format!("the {field} of the evidence")),
    }
}

fn code_of(error: &RekorError) -> Code {
    match error {
        RekorError::UnknownKind(_) => Code::LogEntryKindUnsupported,
        RekorError::KindMismatch { .. } => Code::LogEntryMismatch,
        _ => Code::LogEntryForm,
    }
}

/// The evidence's side of the comparison. Each method names the first field that differs.
struct Side<'a> {
    context: &'a Context<'a>,
    candidate: &'a Candidate<'a>,
    signed_by: Option<&'a SignedBy<'a>>,
}

type Mismatch = Option<&'static str>;

impl Side<'_> {
    /// The digest of what was signed: the artifact, the payload or the pre-authentication encoding.
    fn signed(&self, logged: &Digest) -> Mismatch {
        let ours = logged_digest(self.context, self.candidate, logged.algorithm());
        differs(ours.as_ref() == Some(logged), "digest")
    }

    fn payload(&self, logged: &Digest) -> Mismatch {
        let same = match &self.candidate.message {
            Message::Statement(statement) => {
                let ours = statement.signed.payload_digest(logged.algorithm(), self.context.budget);
                ours.is_ok_and(|ours| ours == *logged)
            }
            Message::Payload { .. } | Message::Artifact { .. } => false,
        };
        differs(same, "payload digest")
    }

    fn signature(&self, logged: &EntrySignature) -> Mismatch {
        differs(logged.signature == self.candidate.signature, "signature")
            .or_else(|| self.verifier(&logged.verifier))
    }

    fn verifier(&self, logged: &Verifier) -> Mismatch {
        let known = self.signed_by.and_then(|by| by.known);
        let same = match (&self.candidate.beside.material, logged, known) {
            (Material::Certificate { leaf, .. }, Verifier::Certificate(der), _) => leaf.der() == der,
            (Material::Key { .. }, Verifier::PublicKey(spki), Some(known)) => known.key.spki_der() == spki,
            _ => false,
        };
        differs(same, "key or certificate")
    }

    fn signature_v2(&self, logged: &EntrySignatureV002) -> Mismatch {
        let scheme = logged.key_details.meaning().map(|(_, scheme)| scheme);
        differs(logged.signature == self.candidate.signature, "signature")
            .or_else(|| self.verifier(&logged.verifier))
            .or_else(|| differs(scheme.is_some_and(|scheme| self.can_have_used(scheme)), "algorithm"))
    }

    fn can_have_used(&self, scheme: Scheme) -> bool {
        match (&self.candidate.beside.material, self.signed_by) {
            (_, Some(by)) => scheme.fits(by.algorithm),
            (Material::Certificate { leaf, .. }, None) => {
                leaf.public_key().is_ok_and(|key| scheme.fits(key.algorithm()))
            }
            (Material::Key { .. }, None) => false,
        }
    }

    fn hashed_rekord_v2(&self, body: &HashedRekordV002) -> Mismatch {
        self.signed(&body.digest)
            .or_else(|| self.signature_v2(&body.signature))
            .or_else(|| self.algorithm(body))
    }

    /// The log checks such a signature by the algorithm that it states, over a digest of that algorithm's hash. Those of
    /// envelopes it checked by SHA-256, whatever it stated.
    fn algorithm(&self, body: &HashedRekordV002) -> Mismatch {
        let stated = body.signature.key_details.meaning();
        let hash = stated.and_then(|(_, scheme)| scheme.digest());
        let hashed = hash.is_none_or(|hash| hash == body.digest.algorithm());
        let used = self.signed_by.is_none_or(|by| stated == Some((by.algorithm, by.scheme)));
        differs(hashed && used, "algorithm")
    }

    fn dsse_v1(&self, body: &DsseV001) -> Mismatch {
        self.payload(&body.payload_hash).or_else(|| self.only(&body.signatures, Self::signature))
    }

    fn dsse_v2(&self, body: &DsseV002) -> Mismatch {
        self.payload(&body.payload_hash).or_else(|| self.only(&body.signatures, Self::signature_v2))
    }

    fn intoto(&self, body: &IntotoV002) -> Mismatch {
        let payload = body.payload.as_ref().and_then(|logged| match &self.candidate.message {
            Message::Statement(statement) => differs(statement.signed.payload() == logged, "payload"),
            _ => Some("payload"),
        });
        let of_type = differs(body.payload_type == IN_TOTO_PAYLOAD_TYPE, "payload type");
        self.payload(&body.payload_hash)
            .or(of_type)
            .or(payload)
            .or_else(|| self.only(&body.signatures, Self::signature))
    }

    /// The one signature of the logged envelope, which must be the evidence's.
    fn only<T>(&self, logged: &[T], compare: impl Fn(&Self, &T) -> Mismatch) -> Mismatch {
        match logged {
            [signature] => compare(self, signature),
            _ => Some("number of signatures"),
        }
    }
}

fn differs(same: bool, field: &'static str) -> Mismatch {
    (!same).then_some(field)
}
