//! Entries of transparency logs, Rekor v1 and v2.

mod tiles;
mod v1;
mod v2;

use signet_crypto::Digest;
use signet_formats::rekor::{PublicKeyDetails, TlogEntry, Verifier};

use crate::Result;
use crate::web::Web;

/// The versions of the API in a signing config that this client speaks.
pub const API_VERSIONS: &[u32] = &[1, 2];

/// A log to write to.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// Its base URL.
    pub url: &'a str,
    /// The version of its API: one of [`API_VERSIONS`], or it is taken for 2.
    pub api_version: u32,
}

/// A signature to log.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The digest of what was signed: of the artifact, or of a DSSE pre-authentication encoding.
    pub digest: Digest,
    /// The signature over it.
    pub signature: Vec<u8>,
    /// What verifies it.
    pub verifier: Verifier,
    /// By which algorithms.
    pub key_details: PublicKeyDetails,
    /// The DSSE envelope as JSON, if the signature is one's: Rekor v1 logs those as such.
    pub envelope: Option<String>,
}

/// A log that may answer, by the name in its checkpoints.
#[derive(Clone, Debug)]
pub struct KnownLog {
    /// The origin.
    pub origin: String,
    /// The id in its entries.
    pub id: [u8; 32],
}

/// Logs a signature, or finds the entry where the log has it already. `known` says which id the log of a
/// checkpoint has. Nothing of the entry is verified.
pub async fn log(web: &Web, log: Log<'_>, submission: &Submission, known: &[KnownLog]) -> Result<TlogEntry> {
    match log.api_version {
        1 => v1::add(web, log.url, submission).await,
        _ => v2::add(web, log.url, submission, known).await,
    }
}
