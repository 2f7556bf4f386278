//! Rekor v2: the answer comes when a checkpoint covers the entry.

use signet_formats::rekor::{EntrySignatureV002, HashedRekordRequest, HashedRekordV002, TlogEntry};

use super::{KnownLog, Submission, tiles};
use crate::web::{Call, Repeat, Web};
use crate::{Error, Result};

/// Adds the entry. Of one that the log has already it says the index, and the rest is read from its tiles.
pub(super) async fn add(
    web: &Web,
    base: &str,
    submission: &Submission,
    known: &[KnownLog],
) -> Result<TlogEntry> {
    let base = format!("{}/api/v2", base.trim_end_matches('/'));
    let signature = EntrySignatureV002 {
        signature: submission.signature.clone(),
        verifier: submission.verifier.clone(),
        key_details: submission.key_details,
    };
    let request =
        HashedRekordRequest { digest: submission.digest.as_bytes().to_vec(), signature: signature.clone() };
    let body = request.to_json().unwrap_or_default();
    let url = format!("{base}/log/entries");
    // What was added by an attempt whose answer got lost is found as a duplicate.
    let call =
        Call::post(&url, "a log entry", MAX_ANSWER, Repeat::Always, ("application/json", body.into()))?;
    let answer = web.exchange(&call).await?;
    match answer.status {
        200 | 201 => TlogEntry::parse(&answer.body, MAX_ANSWER).map_err(|error| call.malformed(error)),
        409 => {
            let index = answer.header("x-log-index").and_then(|index| index.parse().ok());
            let index = index
                .ok_or_else(|| call.malformed("it has the entry already and does not say at which index"))?;
            let wanted = HashedRekordV002 { digest: submission.digest, signature };
            tiles::entry(web, &base, index, &wanted, known).await
        }
        405 => Err(Error::Frozen { host: call.host() }),
        _ => Err(answer.refusal(&call)),
    }
}

/// An entry has at most 64 KiB, in base64; its proof and checkpoint some more.
const MAX_ANSWER: usize = 512 * 1024;
