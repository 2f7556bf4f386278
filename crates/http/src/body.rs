//! Bodies within bounds.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use reqwest::Response;

use crate::Failure;

/// What [`collect_unpacked`] unpacks, as the value of `Accept-Encoding`.
pub const ENCODINGS: &str = "gzip, identity";

/// Reads all of a body of at most `most` bytes, as they were before they were compressed. Some compress what they answer
/// also where nobody asked for it: logs may, and what stands in front of an object store does.
pub async fn collect_unpacked(response: Response, most: usize) -> Result<Bytes, CollectError> {
    let headers = response.headers().clone();
    let body = collect(response, most).await?;
    unpacked(&headers, body, most)
}

/// Reads all of a body of at most `most` bytes, as they were sent.
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
    /// It broke off, or is compressed in another way than it says.
    Broken(Failure),
}

/// The words of somebody else, without what a terminal would obey, and short.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}

/// A body as its headers say that it was compressed.
fn unpacked(headers: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, CollectError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    match (encodings.next().map(|encoding| encoding.as_bytes()), encodings.next()) {
        (None | Some(b"" | b"identity"), None) => Ok(body),
        // The answer to a HEAD says how what it does not have would be compressed.
        _ if body.is_empty() => Ok(body),
        (Some(b"gzip"), None) => gunzip(&body, most),
        (first, _) => {
            let named = printable(&String::from_utf8_lossy(first.unwrap_or_default()));
            Err(broken(format!("its encoding `{named}` is not one of {ENCODINGS}")))
        }
    }
}

fn gunzip(body: &[u8], most: usize) -> Result<Bytes, CollectError> {
    let mut unpacked = Vec::new();
    // One byte more tells what is too large from what just fits.
    let room = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(body).take(room).read_to_end(&mut unpacked);
    read.map_err(|error| broken(format!("it is not compressed as it says: {error}")))?;
    match unpacked.len() > most {
        true => Err(CollectError::TooLarge),
        false => Ok(unpacked.into()),
    }
}

fn broken(why: String) -> CollectError {
    CollectError::Broken(Failure::Malformed(why))
}

/// The most characters of somebody else's words that are shown.
const MAX_WORDS: usize = 200;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    async fn collected(encodings: &[&str], body: Vec<u8>) -> Result<Bytes, CollectError> {
        let mut answer = http::Response::builder();
        for encoding in encodings {
            answer = answer.header(CONTENT_ENCODING, *encoding);
        }
        collect_unpacked(answer.body(body).unwrap().into(), MOST).await
    }

    #[tokio::test]
    async fn what_was_compressed_unasked_is_unpacked() {
        let full = vec![7; MOST];
        for (encodings, sent) in [
            (&[][..], full.clone()),
            (&["identity"], full.clone()),
            (&["gzip"], packed(&full)),
            (&["gzip"], [packed(&full[..9]), packed(&full[9..])].concat()),
        ] {
            assert_eq!(collected(encodings, sent).await.unwrap(), full, "{encodings:?}");
        }
        assert_eq!(collected(&["gzip"], Vec::new()).await.unwrap(), Bytes::new(), "the answer to a HEAD");
    }

    #[tokio::test]
    async fn what_is_compressed_is_no_larger_than_what_is_not() {
        for size in [MOST + 1, 64 << 20] {
            assert_eq!(collected(&["gzip"], packed(&vec![0; size])).await, Err(CollectError::TooLarge));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_unpacked_is_no_body() {
        let (whole, cut) = (packed(b"body"), packed(b"body")[..12].to_vec());
        for (encodings, sent) in [
            (&["gzip"][..], b"body".to_vec()),
            (&["gzip"], cut),
            (&["gzip"], [&whole[..], b"more"].concat()),
            (&["br"], whole.clone()),
            (&["gzip, gzip"], packed(&whole)),
            (&["gzip", "gzip"], packed(&whole)),
        ] {
            let refused = collected(encodings, sent).await;
            let is_malformed = matches!(refused, Err(CollectError::Broken(Failure::Malformed(_))));
            assert!(is_malformed, "{encodings:?}: {refused:?}");
        }
    }

    const MOST: usize = 256 << 10;
}
