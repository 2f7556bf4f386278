//! Timestamps (RFC 3161 over HTTP, RFC 3161 §3.4).

use signet_formats::timestamp::{TimestampRequest, TimestampToken};

use crate::Result;
use crate::web::{Call, Repeat, Web};

/// The versions of the API in a signing config that this client speaks.
pub const API_VERSIONS: &[u32] = &[1];

/// Asks the authority at `url` for a timestamp and returns its `TimeStampResp`, which answers the request:
/// it is for its digest and repeats its nonce. Who signed it is for the verifier to check.
pub async fn stamp(web: &Web, url: &str, request: &TimestampRequest) -> Result<Vec<u8>> {
    let body = ("application/timestamp-query", request.to_der().into());
    let call = Call::post(url, "a timestamp", MAX_ANSWER, Repeat::Always, body)?;
    let answer = web.ask(&call).await?;
    let token = TimestampToken::from_response(&answer.body).map_err(|error| call.malformed(error))?;
    request.verify_answer(token.info()).map_err(|error| call.malformed(error))?;
    Ok(answer.body.to_vec())
}

/// A token with several certificates has some KiB.
const MAX_ANSWER: usize = 64 * 1024;
