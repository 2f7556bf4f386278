//! The JSON documents of `--output json`. Each names its schema and version; changes within one are additive.

use std::net::SocketAddr;

use serde::Serialize;
use signet_crypto::Digest;
use signet_verify::{Code, Outcome, Verdict};

use crate::error::CliError;

/// What stands in place of a result that an error prevented.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorDocument {
    /// `signet.dev/error/v1`.
    pub(crate) schema: &'static str,
    /// The error.
    pub(crate) error: ErrorBody,
}

/// An error: what, why, and what to do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorBody {
    /// The stable code.
    pub(crate) code: Code,
    /// What happened.
    pub(crate) title: &'static str,
    /// What it was about, and why.
    pub(crate) detail: String,
    /// What to do.
    pub(crate) hint: String,
}

impl From<&CliError> for ErrorDocument {
    fn from(error: &CliError) -> Self {
        Self { schema: "signet.dev/error/v1", error: error.into() }
    }
}

impl From<&CliError> for ErrorBody {
    fn from(error: &CliError) -> Self {
        Self {
            code: error.code,
            title: error.code.title(),
            detail: error.detail.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// The codes that `signet explain` was asked about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainDocument {
    /// `signet.dev/codes/v1`.
    pub(crate) schema: &'static str,
    /// The codes, in the order of their numbers.
    pub(crate) codes: Vec<CodeBody>,
}

/// One row of the table of codes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodeBody {
    /// The code.
    pub(crate) code: Code,
    /// What happened.
    pub(crate) title: &'static str,
    /// Why it is a reason to stop.
    pub(crate) explanation: &'static str,
    /// What to do.
    pub(crate) hint: &'static str,
    /// The exit status of a command that ends with it.
    pub(crate) exit_status: u8,
}

impl From<Code> for CodeBody {
    fn from(code: Code) -> Self {
        Self {
            code,
            title: code.title(),
            explanation: code.explanation(),
            hint: code.hint(),
            exit_status: code.class().exit_status(),
        }
    }
}

/// The key pair that was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyPairDocument {
    /// `signet.dev/key-pair/v1`.
    pub(crate) schema: &'static str,
    /// The file of the private key.
    pub(crate) private: String,
    /// The file of the public key.
    pub(crate) public: String,
    /// The algorithm.
    pub(crate) algorithm: String,
    /// SHA-256 of the public key's SubjectPublicKeyInfo.
    pub(crate) id: Digest,
    /// Whether the private key is under a password.
    pub(crate) encrypted: bool,
}

/// What a key file is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyDocument {
    /// `signet.dev/key/v1`.
    pub(crate) schema: &'static str,
    /// `private` or `public`.
    pub(crate) kind: String,
    /// The file's format.
    pub(crate) format: String,
    /// How it is encrypted, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption: Option<String>,
    /// The algorithm, where it shows without the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<String>,
    /// SHA-256 of the public half, where it shows without the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Digest>,
    /// Whether others than the owner may read a private key's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) readable_by_others: Option<bool>,
}

/// The verdicts of `signet verify` and `signet verify-blob`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyDocument<'a> {
    /// `signet.dev/verify/v1`.
    pub(crate) schema: &'static str,
    /// One for each image or file, in the order they were given.
    pub(crate) results: Vec<ImageBody<'a>>,
}

/// What came of one image or file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageBody<'a> {
    /// Its name; an image is named by the digest that was verified.
    pub(crate) name: String,
    /// The answer.
    pub(crate) outcome: Outcome,
    /// The verdict, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<&'a Verdict>,
    /// Why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorBody>,
}

impl<'a> ImageBody<'a> {
    /// The body of a verdict, or of what prevented one.
    pub(crate) fn new(name: &str, result: Result<&'a Verdict, &CliError>) -> Self {
        let name = name.to_owned();
        match result {
            Ok(verdict) => Self { name, outcome: verdict.outcome, verdict: Some(verdict), error: None },
            Err(error) => {
                Self { name, outcome: Outcome::Undecidable, verdict: None, error: Some(error.into()) }
            }
        }
    }
}

/// What `signet sign` did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignDocument {
    /// `signet.dev/sign/v1`.
    pub(crate) schema: &'static str,
    /// One for each manifest or file, in the order they were signed.
    pub(crate) signed: Vec<SignedBody>,
}

/// What was done for one manifest or file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedBody {
    /// Its name, by digest.
    pub(crate) name: String,
    /// The platform, for a manifest of an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// `signed`, or `present` if a sound signature of this key was there.
    pub(crate) action: SignAction,
    /// Where the signature is: a referrer's digest, a tag, or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stored: Option<String>,
    /// Whether another writer could still have removed the signature from a list unseen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) race_possible: bool,
}

/// What signing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SignAction {
    /// A signature was made and stored.
    Signed,
    /// A sound signature of the same key was there; nothing was changed.
    Present,
}

/// A service that has started.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServeDocument {
    /// `signet.dev/serve/v1`.
    pub(crate) schema: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How clients reach it there.
    pub(crate) url: String,
    /// Its data directory.
    pub(crate) data: String,
}

/// The log that is served.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServeLogDocument {
    /// `signet.dev/serve-log/v1`.
    pub(crate) schema: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How clients reach it there.
    pub(crate) url: String,
    /// Its data directory.
    pub(crate) data: String,
    /// Its name.
    pub(crate) origin: String,
    /// Its public keys, as C2SP signed-note has them; Ed25519 first.
    pub(crate) keys: Vec<String>,
    /// How many entries it has.
    pub(crate) size: u64,
}

/// What `signet log fsck` found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogFsckDocument {
    /// `signet.dev/log-fsck/v1`.
    pub(crate) schema: &'static str,
    /// The data directory.
    pub(crate) data: String,
    /// The log's name.
    pub(crate) origin: String,
    /// How many entries are sound, from the first on.
    pub(crate) size: u64,
    /// The root of the tree over them.
    pub(crate) root: Digest,
    /// What is wrong.
    pub(crate) findings: Vec<String>,
}

/// The proof of an entry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogProofDocument {
    /// `signet.dev/log-proof/v1`.
    pub(crate) schema: &'static str,
    /// The entry's index.
    pub(crate) index: u64,
    /// The size of the tree that it is proven in.
    pub(crate) size: u64,
    /// The proof, as C2SP tlog-proof.
    pub(crate) proof: String,
}

/// What was done to a log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogDocument {
    /// `signet.dev/log-export/v1` or `signet.dev/log-freeze/v1`.
    pub(crate) schema: &'static str,
    /// The data directory.
    pub(crate) data: String,
    /// How many entries the log has.
    pub(crate) size: u64,
}

/// What `signet fsck` found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FsckDocument {
    /// `signet.dev/fsck/v1`.
    pub(crate) schema: &'static str,
    /// The data directory.
    pub(crate) data: String,
    /// How many repositories were checked.
    pub(crate) repositories: usize,
    /// How many pieces of content were read.
    pub(crate) contents: usize,
    /// What is wrong, a sentence each.
    pub(crate) findings: Vec<String>,
}

/// What `signet registry gc` removed, or would remove.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GcDocument {
    /// `signet.dev/gc/v1`.
    pub(crate) schema: &'static str,
    /// The data directory.
    pub(crate) data: String,
    /// Whether nothing was removed.
    pub(crate) dry_run: bool,
    /// Manifests, as `REPOSITORY@DIGEST`.
    pub(crate) manifests: Vec<String>,
    /// Blobs taken out of repositories, as `REPOSITORY@DIGEST`.
    pub(crate) blobs: Vec<String>,
    /// Content that no repository had any more.
    pub(crate) contents: Vec<Digest>,
    /// How many bytes that content had.
    pub(crate) bytes: u64,
    /// Repositories left alone because a manifest in them is damaged.
    pub(crate) damaged: Vec<String>,
}

/// What `signet copy` did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CopyDocument {
    /// `signet.dev/copy/v1`.
    pub(crate) schema: &'static str,
    /// From where.
    pub(crate) source: String,
    /// To where.
    pub(crate) destination: String,
    /// The digest of the image, the same on both sides.
    pub(crate) digest: Digest,
    /// Manifests sent.
    pub(crate) manifests_sent: u64,
    /// Manifests that were there.
    pub(crate) manifests_present: u64,
    /// Blobs sent.
    pub(crate) blobs_sent: u64,
    /// Blobs that were there, or that the registry took from another of its repositories.
    pub(crate) blobs_present: u64,
    /// Bytes of the blobs sent.
    pub(crate) bytes_sent: u64,
    /// Signatures, attestations and whatever else refers to the image.
    pub(crate) referrers: u64,
    /// Tags of cosign's older attachments.
    pub(crate) attachments: u64,
    /// Whether another writer could still have removed a signature from a list unseen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) race_possible: bool,
}

/// What `signet demo` showed; there is none if a step did not go as said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoDocument {
    /// `signet.dev/demo/v1`.
    pub(crate) schema: &'static str,
    /// Where the registry listened.
    pub(crate) registry: String,
    /// The steps, in their order.
    pub(crate) steps: Vec<DemoStep>,
}

/// A step of the demonstration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoStep {
    /// What happens.
    pub(crate) title: String,
    /// The commands that were run.
    pub(crate) commands: Vec<String>,
    /// The code with which the last of them was refused, as it had to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
}

/// Everything attached to an image, as `signet inspect` shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InspectDocument {
    /// `signet.dev/inspect/v1`.
    pub(crate) schema: &'static str,
    /// The image, by digest.
    pub(crate) image: String,
    /// The media type of its manifest.
    pub(crate) media_type: String,
    /// The signatures and attestations.
    pub(crate) signatures: Vec<SignatureBody>,
    /// What else refers to it.
    pub(crate) others: Vec<OtherBody>,
    /// What could not be read.
    pub(crate) unread: Vec<UnreadBody>,
    /// The answer, if it was said whom to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
}

/// One signature or attestation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignatureBody {
    /// Where it is.
    pub(crate) origin: String,
    /// What it claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<ClaimsBody>,
    /// Why its claims cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) malformed: Option<String>,
    /// What verification made of it, if it was said whom to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<Verified>,
}

/// What verification made of a signature.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verified {
    /// Whether it counts for a rule of the policy.
    pub(crate) counts: bool,
    /// Who made it, if it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
}

/// What a signature claims; none of it is verified.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClaimsBody {
    /// `bundle v0.3`, `cosign signature`, …
    pub(crate) form: String,
    /// Who signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// The predicate type, of a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) predicate_type: Option<String>,
    /// What it is about.
    pub(crate) subjects: Vec<SubjectClaim>,
    /// Entries of transparency logs.
    pub(crate) log_entries: Vec<LogClaim>,
    /// How many timestamps there are.
    pub(crate) timestamps: usize,
}

impl ClaimsBody {
    /// No claims but the form.
    pub(crate) fn new(form: &str) -> Self {
        Self { form: form.to_owned(), ..Self::default() }
    }
}

/// What a signature claims to be about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubjectClaim {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The digest.
    pub(crate) digest: String,
}

/// A log entry that a signature carries.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogClaim {
    /// Its index.
    pub(crate) index: u64,
    /// Its kind and version.
    pub(crate) kind: String,
    /// The time that the log states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) integrated_time: Option<String>,
}

/// Something attached that holds no signature.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OtherBody {
    /// Where it is.
    pub(crate) origin: String,
    /// What it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
}

/// Something that could not be read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnreadBody {
    /// Where it is.
    pub(crate) origin: String,
    /// Why, as a code.
    pub(crate) code: Code,
    /// Why, in words.
    pub(crate) reason: String,
}

/// An image and what hangs from it, as `signet tree` shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TreeDocument {
    /// `signet.dev/tree/v1`.
    pub(crate) schema: &'static str,
    /// The image as it was named.
    pub(crate) image: String,
    /// Its manifest.
    pub(crate) root: TreeNode,
}

/// A manifest in a tree.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TreeNode {
    /// `index`, `image`, `signature`, `attestation` or `artifact`, as the manifest says.
    pub(crate) kind: &'static str,
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its platform, in an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// The tag under which it is found, for cosign's older attachments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// The artifact type that it states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    /// What could not be read below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<String>,
    /// What refers to it, and what it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<TreeNode>,
}

/// What `signet doctor` found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoctorDocument {
    /// `signet.dev/doctor/v1`.
    pub(crate) schema: &'static str,
    /// One for each check that was made.
    pub(crate) findings: Vec<Finding>,
}

/// The finding of one check.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    /// What was checked.
    pub(crate) check: &'static str,
    /// How it is.
    pub(crate) health: Health,
    /// What was found.
    pub(crate) detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    /// As it should be.
    Pass,
    /// It works, and could be better.
    Warn,
    /// It does not work.
    Fail,
}

impl Finding {
    /// A finding that needs no fix.
    pub(crate) fn new(check: &'static str, health: Health, detail: String) -> Self {
        Self { check, health, detail, fix: None }
    }

    /// Something that failed, with the error's own hint as the fix.
    pub(crate) fn fail(check: &'static str, error: &CliError) -> Self {
        let detail = format!("{} ({}): {}", error.code.title(), error.code, error.detail);
        Self { check, health: Health::Fail, detail, fix: Some(error.hint.clone()) }
    }

    /// The same, with what to do.
    pub(crate) fn fix(mut self, fix: &str) -> Self {
        self.fix = Some(fix.to_owned());
        self
    }
}
