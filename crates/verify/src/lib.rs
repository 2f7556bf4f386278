//! The one function, and the values it takes and gives.
//!
//! [`decide`] answers whether a [`Subject`] may be used, from [`Evidence`], a [`TrustSnapshot`], a
//! [`Policy`] and a time, with a [`Verdict`] that shows every check. Pure: the same five values give
//! the same bytes, on any machine, at any time. Everything else in Signet fetches, caches, stores or shows.

mod budget;
mod code;
mod decide;
mod evidence;
mod needs;
mod policy;
mod prepared;
mod rules;
mod signature;
mod subject;
mod submission;
mod trust;
pub mod tuf;
mod verdict;
mod workers;

pub use code::{Class, Code, UnknownCode};
pub use decide::{decide, decide_by, decide_prepared};
pub use evidence::{Content, Evidence, EvidenceItem, MAX_ARTIFACT_BYTES, Unread};
pub use needs::Needs;
pub use policy::{
    CertificateIdentity, Claim, CompiledMatcher, KeyReference, Matcher, Metadata, Pattern, Policy,
    PolicyError, PredicateRule, Principal, RepositoryRule, Rule, Spec,
};
pub use prepared::{PreparedTrust, TrustUnusable};
pub use subject::{Subject, SubjectKind};
pub use submission::{SubmissionRefused, check_submission, is_logged};
pub use trust::{TrustSnapshot, TrustedAuthority, TrustedKey, TrustedLog, TrustedWitness, Window};
pub use verdict::{Check, CheckResult, ENGINE, Inputs, Node, Outcome, SCHEMA, Signer, Verdict};
pub use workers::Workers;
