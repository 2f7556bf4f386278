//! The answer: an outcome and the tree of checks that led to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, Scheme};
use signet_formats::text::shortened;

use crate::Code;

/// The number of the rules by which decisions are made; raised whenever the same inputs may give another answer.
pub const ENGINE: u32 = 1;

/// The name and version of the verdict document. Changes within a version are additive.
pub const SCHEMA: &str = "signet.dev/verdict/v1";

/// The answer of [`crate::decide`], and everything that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The [`ENGINE`] that decided.
    pub engine: u32,
    /// The answer.
    pub outcome: Outcome,
    /// The reason, where the answer is not yes: the one of the signature that came closest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The names of the inputs, by which the decision can be made again.
    pub inputs: Inputs,
    /// The signatures that count, one a principal and rule.
    pub signers: Vec<Signer>,
    /// Every check, passed or not.
    pub checks: Node,
}

impl Verdict {
    /// Whether the answer is yes.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }

    /// Whether a signature of this scheme counts for a rule.
    pub fn counts(&self, scheme: Scheme) -> bool {
        let rules = self.checks.children.iter().filter(|node| node.check == Check::Rule);
        let mut signatures = rules.flat_map(|rule| &rule.children);
        signatures.any(|signature| !signature.failed() && signature.scheme == Some(scheme))
    }
}

/// The three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The policy is satisfied.
    Allow,
    /// The policy is not satisfied, and nothing unread could have changed that.
    Deny,
    /// The policy is not satisfied by what could be read; more might satisfy it.
    Undecidable,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undecidable => "undecidable",
        })
    }
}

/// The ids of the inputs: SHA-256 of the canonical JSON of each, and the decision time itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// The id of the subject.
    pub subject: Digest,
    /// The id of the evidence, in whose canonical JSON each blob stands as its own SHA-256.
    pub evidence: Digest,
    /// The id of the trust snapshot.
    pub trust: Digest,
    /// The id of the policy.
    pub policy: Digest,
    /// The decision time, in seconds since 1970-01-01 UTC.
    pub at: i64,
}

/// A principal whose signature counted for a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// The rule it counted for.
    pub rule: String,
    /// The principal's name in the policy.
    pub principal: String,
    /// Who it was: `key sha256:…`, or `IDENTITY (issuer ISSUER)`.
    pub identity: String,
    /// Where the signature came from.
    pub origin: String,
    /// The predicate type that was signed, if a statement was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate_type: Option<String>,
    /// The proven times of signing, in seconds since 1970-01-01 UTC; empty if the time is unproven.
    pub times: Vec<i64>,
}

/// One check, with the checks it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// What was checked.
    pub check: Check,
    /// How it went.
    pub result: CheckResult,
    /// The reason, where it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What it was about: an origin, a log, an authority, a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The scheme of the signature, where it stands for a principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// The rule that was applied and where it stands.
    pub spec: String,
    /// The checks that this one rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

impl Node {
    /// A check that passed.
    pub fn pass(check: Check) -> Self {
        Self::new(check, CheckResult::Pass, None)
    }

    /// A check that failed, and why.
    pub fn fail(check: Check, code: Code) -> Self {
        Self::new(check, CheckResult::Fail, Some(code))
    }

    /// Something worth saying that decides nothing.
    pub fn note(check: Check, code: Option<Code>) -> Self {
        Self::new(check, CheckResult::Note, code)
    }

    /// A check that passed or failed.
    pub fn of(check: Check, outcome: Result<(), Code>) -> Self {
        outcome.map_or_else(|code| Self::fail(check, code), |()| Self::pass(check))
    }

    /// The same, saying what it is about.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(said(&about.into()));
        self
    }

    /// The same, saying what was found.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(said(&found.into()));
        self
    }

    /// The same, saying what was wanted.
    #[must_use]
    pub fn wanted(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = Some(said(&wanted.into()));
        self
    }

    /// The same, resting on these checks; it fails with the first of them that fails.
    #[must_use]
    pub fn resting_on(mut self, children: Vec<Self>) -> Self {
        if let Some(failed) = children.iter().find(|child| child.failed())
            && !self.failed()
        {
            self.result = CheckResult::Fail;
            self.code = failed.code;
        }
        self.children.extend(children);
        self
    }

    /// The same, showing these checks without depending on them.
    #[must_use]
    pub fn showing(mut self, children: Vec<Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Whether the check failed.
    pub fn failed(&self) -> bool {
        self.result == CheckResult::Fail
    }

    fn new(check: Check, result: CheckResult, code: Option<Code>) -> Self {
        Self {
            check,
            result,
            code,
            about: None,
            found: None,
            wanted: None,
            scheme: None,
            spec: check.spec().to_owned(),
            children: Vec::new(),
        }
    }
}

/// What a check says: much of it is what unverified evidence says, however long.
fn said(text: &str) -> String {
    shortened(text, MAX_SAID).into_owned()
}

/// The most characters of each thing that a check says: eight keys or digests are less.
const MAX_SAID: usize = 1024;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It decides nothing under this policy.
    Note,
}

macro_rules! checks {
    ($($name:ident $spec:literal)*) => {
        /// What is checked. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Check {
            $(#[doc = $spec] $name,)*
        }

        impl Check {
            /// Every check, in the order in which they are made.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The rule that is applied, and where it stands.
            pub fn spec(self) -> &'static str {
                match self { $(Self::$name => $spec,)* }
            }
        }
    };
}

checks! {
    Decision "Signet: decide(subject, evidence, trust, policy, at)"
    Signature "Signet: one signature and all that supports it"
    Form "the specification of the evidence's media type"
    SubjectBinding "the signed digest is the subject's (sigstore client-spec §5; cosign SIGNATURE_SPEC)"
    Repository "the signed repository name is the one that was asked for (containers signedIdentity)"
    LogEntry "Rekor client rules (rekor-tiles CLIENTS.md; sigstore client-spec §4.1)"
    EntryBinding "every field of the log entry is the evidence's own (sigstore client-spec §4.1)"
    SignedEntryTimestamp "the log's promise over the entry (Rekor v1, RFC 8785)"
    InclusionProof "RFC 6962 §2.1.1"
    Checkpoint "C2SP tlog-checkpoint and signed-note"
    Witnesses "C2SP tlog-cosignature"
    Timestamp "RFC 3161 §2.4.2, RFC 5816"
    Certificate "RFC 5280 §6.1 at each proven time; EKU codeSigning"
    CertificateTransparency "RFC 6962 §3.2; C2SP static-ct-api"
    KeyValidity "the trust snapshot's window for the key"
    Cryptography "the signature over the message (DSSE protocol.md; FIPS 186-5, RFC 8017, RFC 8032, FIPS 204)"
    Principal "the policy's principals"
    Rule "the policy's rule: distinct principals, log entries, timestamps, predicate type"
    Unread "evidence that could not be read"
    Budget "the bound on the work of one decision"
    Trust "the trust snapshot"
    Policy "the policy"
}
