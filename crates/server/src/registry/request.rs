//! What a request says: its query and the headers that the API reads.

use http::{HeaderMap, HeaderName, Uri, header};
use percent_encoding::percent_decode_str;
use signet_crypto::Digest;
use signet_store::registry::Expect;

use super::error::{self, ApiError};

/// The query's parameters, decoded. `+` stands for itself: media types have it, and a space is nowhere.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().split('&').take(MAX_PARAMETERS);
        Self(pairs.filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decode(k), decode(v))).collect())
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A digest among the parameters.
    pub(super) fn digest(&self, name: &str) -> Result<Option<Digest>, ApiError> {
        self.first(name).map(digest).transpose()
    }
}

/// Reads a digest that a client sent.
pub(super) fn digest(text: &str) -> Result<Digest, ApiError> {
    text.parse().map_err(|why| ApiError::bad_request(error::DIGEST_INVALID, format!("`{text}`: {why}")))
}

/// The text of a header that may be there once and has to be understood: whoever passes it over does something else than
/// what was asked.
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ApiError> {
    let mut lines = headers.get_all(&name).iter();
    let unreadable =
        || ApiError::bad_request(error::UNSUPPORTED, format!("the header `{name}` cannot be read"));
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => line.to_str().map(Some).map_err(|_| unreadable()),
        (Some(_), Some(_)) => Err(unreadable()),
    }
}

/// A header's text, if it is there and is text.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The chunk's first byte, from `Content-Range: <first>-<last>` (distribution-spec, "Pushing a blob
/// in chunks"), checked against `Content-Length`.
pub(super) fn chunk_start(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(range) = only(headers, header::CONTENT_RANGE)? else { return Ok(None) };
    let malformed = || ApiError::bad_request(error::BLOB_UPLOAD_INVALID, "the `Content-Range` is malformed");
    let (first, last) = range.split_once('-').ok_or_else(malformed)?;
    let first = number(first).ok_or_else(malformed)?;
    let last = number(last).ok_or_else(malformed)?;
    let length = text(headers, header::CONTENT_LENGTH).and_then(number);
    match length.is_none_or(|length| first.checked_add(length) == last.checked_add(1)) {
        true => Ok(Some(first)),
        false => {
            Err(ApiError::bad_request(error::SIZE_INVALID, "`Content-Range` and `Content-Length` differ"))
        }
    }
}

/// What `If-Match` and `If-None-Match` ask of the tag.
pub(super) fn expectation(headers: &HeaderMap) -> Result<Expect, ApiError> {
    match (only(headers, header::IF_MATCH)?, only(headers, header::IF_NONE_MATCH)?) {
        (None, None) => Ok(Expect::Anything),
        (Some("*"), None) => Ok(Expect::Existing),
        (None, Some("*")) => Ok(Expect::Absent),
        (Some(tags), None) => Ok(Expect::OneOf(entity_tags(tags).collect())),
        _ => {
            Err(ApiError::bad_request(error::UNSUPPORTED, "that combination of conditions is not supported"))
        }
    }
}

/// Whether the client has that content already (`If-None-Match`).
pub(super) fn has_already(headers: &HeaderMap, digest: &Digest) -> bool {
    text(headers, header::IF_NONE_MATCH)
        .is_some_and(|tags| tags == "*" || entity_tags(tags).any(|d| d == *digest))
}

/// The bytes that `Range` asks for, of `size`: `None` for all of them.
pub(super) fn range(headers: &HeaderMap, size: u64) -> Result<Option<std::ops::Range<u64>>, Unsatisfiable> {
    // Several ranges, or another unit, are answered with the whole, as RFC 9110, 14.2 allows.
    let Some(range) = text(headers, header::RANGE).and_then(|r| r.strip_prefix("bytes=")) else {
        return Ok(None);
    };
    let Some((first, last)) = range.split_once('-') else { return Ok(None) };
    let wanted = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(suffix)) if first.is_empty() => size.saturating_sub(suffix)..size,
        _ => return Ok(None),
    };
    match wanted.is_empty() {
        true => Err(Unsatisfiable),
        false => Ok(Some(wanted)),
    }
}

/// The range has no byte of the content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsatisfiable;

fn entity_tags(list: &str) -> impl Iterator<Item = Digest> {
    list.split(',').filter_map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"').parse().ok())
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

const MAX_PARAMETERS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn ranges_are_cut_to_the_content() {
        let of = |text| range(&headers(header::RANGE, text), 10);
        assert_eq!(of("bytes=0-3"), Ok(Some(0..4)));
        assert_eq!(of("bytes=8-99"), Ok(Some(8..10)));
        assert_eq!(of("bytes=4-"), Ok(Some(4..10)));
        assert_eq!(of("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(of("bytes=-99"), Ok(Some(0..10)));
        for whole in ["bytes=0-1,4-5", "bytes=3-1", "bytes=-", "bytes=+1-2", "lines=1-2"] {
            assert_eq!(of(whole), Ok(None), "{whole}");
        }
        for outside in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(of(outside), Err(Unsatisfiable), "{outside}");
        }
    }

    /// An `If-Match` with a byte above ASCII, which an entity tag may have, had been passed over: the push happened.
    #[test]
    fn a_condition_that_cannot_be_read_is_refused() {
        let tag = format!("\"{}\"", Digest::sha256(b"x"));
        for name in [header::IF_MATCH, header::IF_NONE_MATCH, header::CONTENT_RANGE] {
            let mut obscure = HeaderMap::new();
            obscure.insert(&name, http::HeaderValue::from_bytes(b"\"\xff\"").unwrap());
            let mut twice = headers(name.clone(), &tag);
            twice.append(&name, tag.parse().unwrap());
            for headers in [obscure, twice] {
                assert!(expectation(&headers).is_err() || chunk_start(&headers).is_err(), "{name}");
            }
        }
        let one = expectation(&headers(header::IF_MATCH, &tag)).unwrap();
        assert_eq!(one, Expect::OneOf(vec![Digest::sha256(b"x")]));
        assert_eq!(expectation(&HeaderMap::new()).unwrap(), Expect::Anything);
        let none = expectation(&headers(header::IF_MATCH, "\"nonsense\"")).unwrap();
        assert!(!none.accepts(Some(Digest::sha256(b"x"))), "what is no digest names nothing");
    }

    #[test]
    fn a_chunk_is_where_and_as_long_as_it_says() {
        assert_eq!(chunk_start(&headers(header::CONTENT_RANGE, "5-9")).unwrap(), Some(5));
        let mut wrong = headers(header::CONTENT_RANGE, "5-9");
        wrong.insert(header::CONTENT_LENGTH, 4.into());
        assert!(chunk_start(&wrong).is_err());
        for malformed in ["5", "a-9", "5-", "-9", "+5-9", "5-99999999999999999999"] {
            assert!(chunk_start(&headers(header::CONTENT_RANGE, malformed)).is_err(), "{malformed}");
        }
    }
}
