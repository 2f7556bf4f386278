//! Rekor v1: the answer holds promise and proof.

use signet_formats::rekor::{EntryV1, MAX_ANSWER_V1_BYTES, TlogEntry, read_answer_v1};

use super::Submission;
use crate::web::{Answer, Call, Repeat, Web};
use crate::{Error, Result};

/// Proposes the entry. A log that has it says where it is.
pub(super) async fn add(web: &Web, base: &str, submission: &Submission) -> Result<TlogEntry> {
    let base = base.trim_end_matches('/');
    let Submission { digest, signature, verifier, .. } = submission;
    let proposal = match &submission.envelope {
        Some(envelope) => EntryV1::Dsse { envelope, verifier },
        None => EntryV1::HashedRekord { digest, signature, verifier },
    };
    let body = proposal.to_json().unwrap_or_default();
    let url = format!("{base}/api/v1/log/entries");
    // What was added by an attempt whose answer got lost is found as a duplicate.
    let call =
        Call::post(&url, WHAT, MAX_ANSWER_V1_BYTES, Repeat::Always, ("application/json", body.into()))?;
    let answer = web.exchange(&call).await?;
    match answer.status {
        200 | 201 => read(&call, &answer),
        409 => existing(web, base, &call, &answer).await,
        _ => Err(answer.refusal(&call)),
    }
}

/// The entry that the answer to a duplicate names in its `Location`.
async fn existing(web: &Web, base: &str, call: &Call<'_>, answer: &Answer) -> Result<TlogEntry> {
    let location = answer.header("location").unwrap_or_default();
    let uuid = location.rsplit('/').next().unwrap_or_default();
    // 64 hex digits, or 80 with the tree's number; nothing else is put into a URL.
    if ![64, 80].contains(&uuid.len()) || !uuid.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(call.malformed("it has the entry already and does not say where"));
    }
    let url = format!("{base}/api/v1/log/entries/{uuid}");
    let call = Call::get(&url, WHAT, MAX_ANSWER_V1_BYTES)?;
    read(&call, &web.ask(&call).await?)
}

fn read(call: &Call<'_>, answer: &Answer) -> Result<TlogEntry, Error> {
    read_answer_v1(&answer.body).map_err(|error| call.malformed(error))
}

const WHAT: &str = "a log entry";
