//! What was verified and what was signed.

use serde::Serialize;
use signet_verify::{Outcome, Verdict};

use super::ErrorBody;
use crate::error::CliError;

/// The verdicts of `signet verify` and `signet verify-blob`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyDocument<'a> {
    /// One for each image or file, in the order they were given.
    pub(crate) results: Vec<ImageBody<'a>>,
}

/// What came of one image or file.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignDocument {
    /// One for each manifest or file, in the order they were signed.
    pub(crate) signed: Vec<SignedBody>,
    /// What was not signed. Where nothing was and the reason is one, there is an `error` document instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failed: Vec<UnsignedBody>,
}

/// An image or manifest that was not signed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnsignedBody {
    /// Its name, by digest where it could be resolved.
    pub(crate) name: String,
    /// Why it was not signed.
    pub(crate) error: ErrorBody,
}

/// What was done for one manifest or file.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedBody {
    /// Its name, by digest.
    pub(crate) name: String,
    /// The platform, for a manifest of an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// `signed`, or `present` if a sound signature of this key or identity was there.
    pub(crate) action: SignAction,
    /// Whom the signing certificate names, and who vouches for it; only of what was signed without a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    /// Where the signature is: a referrer's digest, a tag, or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stored: Option<String>,
    /// Whether another writer could still have removed the signature from a list unseen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) race_possible: bool,
}

/// What signing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum SignAction {
    /// A signature was made and stored.
    Signed,
    /// A sound signature of the same key or identity was there; nothing was changed.
    Present,
}
