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
