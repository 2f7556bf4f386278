//! Bodies within bounds.

use bytes::Bytes;
use reqwest::Response;

use crate::Failure;

/// Reads all of a body of at most `most` bytes.
pub async fn collect(mut response: Response, most: usize) -> Result<Bytes, CollectError> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(CollectError::TooLarge);
    }
    let mut all = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| CollectError::Broken(Failure::of(&error)))?
    {
        if all.len() + chunk.len() > most {
            return Err(CollectError::TooLarge);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.into())
}

/// Why a body was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectError {
    /// It is larger than it may be.
    TooLarge,
    /// It broke off.
    Broken(Failure),
}

/// The words of somebody else, without what a terminal would obey, and short.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}

/// The most characters of somebody else's words that are shown.
const MAX_WORDS: usize = 200;
