//! Reading JSON that security hangs on: whatever two readers could understand differently is refused.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr2;
use serde::Deserialize;
use serde_json::Value;

use crate::objects::Objects;
use crate::text::shortened;

/// How deep objects and arrays may nest.
pub const MAX_DEPTH: usize = 64;

/// Reads a document of at most `max_bytes` bytes.
///
/// Refused are: invalid UTF-8 anywhere, a key that stands twice in one object (however it is escaped),
/// nesting deeper than [`MAX_DEPTH`], anything after the document, an array where a struct is wanted, and what else `T` does
/// not accept.
pub fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8], max_bytes: usize) -> Result<T, JsonError> {
    if bytes.len() > max_bytes {
        return Err(JsonError::TooLarge { bytes: bytes.len(), limit: max_bytes });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    Scanner::new().scan(bytes)?;
    parse_part(text)
}

/// Reads what [`parse`] has read as part of a document.
pub fn parse_part<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = T::deserialize(Objects(&mut reader)).and_then(|read| reader.end().map(|()| read));
    read.map_err(malformed)
}

/// The same of what was read as a value.
pub(crate) fn parse_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, JsonError> {
    T::deserialize(Objects(value)).map_err(malformed)
}

fn malformed(error: serde_json::Error) -> JsonError {
    JsonError::Malformed(said(&error.to_string()))
}

/// What is said of a document, which may repeat any text of it.
pub(crate) fn said(text: &str) -> String {
    shortened(text, MAX_SAID).into_owned()
}

/// The most characters of a document that an error repeats.
const MAX_SAID: usize = 200;

/// Why a document was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// One object has this key twice.
    DuplicateKey(String),
    /// It is not JSON, or not of the expected shape; where and how.
    Malformed(String),
    /// It is not UTF-8.
    NotUtf8,
    /// It nests deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It is larger than it may be.
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateKey(key) => write!(f, "the key `{key}` stands twice in one JSON object"),
            Self::Malformed(what) => write!(f, "malformed JSON: {what}"),
            Self::NotUtf8 => f.write_str("the JSON is not UTF-8"),
            Self::TooDeep => write!(f, "the JSON nests deeper than {MAX_DEPTH}"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "the JSON has {bytes} bytes, more than the {limit} allowed")
            }
        }
    }
}

impl std::error::Error for JsonError {}

/// Finds duplicate keys and deep nesting; that the text is JSON at all is left to the parser.
struct Scanner<'a> {
    /// The keys seen in every open object, outermost first.
    keys: Vec<Cow<'a, [u8]>>,
    /// For each open object or array, how many keys were seen before it.
    open: Vec<usize>,
}

impl<'a> Scanner<'a> {
    /// With room for what most documents have.
    fn new() -> Self {
        Self { keys: Vec::with_capacity(16), open: Vec::with_capacity(8) }
    }

    fn scan(mut self, text: &'a [u8]) -> Result<(), JsonError> {
        let mut rest = text;
        while let Some((byte, tail)) = rest.split_first() {
            rest = match byte {
                b'"' => self.string(tail),
                b'{' | b'[' => self.enter(tail)?,
                b'}' | b']' => self.leave(tail)?,
                _ => tail,
            };
        }
        Ok(())
    }

    fn enter(&mut self, tail: &'a [u8]) -> Result<&'a [u8], JsonError> {
        if self.open.len() == MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        self.open.push(self.keys.len());
        Ok(tail)
    }

    fn leave(&mut self, tail: &'a [u8]) -> Result<&'a [u8], JsonError> {
        let start = self.open.pop().unwrap_or(0);
        let own = self.keys.get_mut(start..).unwrap_or_default();
        own.sort_unstable();
        match own.windows(2).find_map(|pair| pair.first().filter(|key| pair.last() == Some(key))) {
            Some(key) => Err(JsonError::DuplicateKey(said(&String::from_utf8_lossy(key)))),
            None => {
                self.keys.truncate(start);
                Ok(tail)
            }
        }
    }

    /// Notes the string if it is a key, and returns what follows it.
    fn string(&mut self, text: &'a [u8]) -> &'a [u8] {
        let (end, escaped) = string_end(text);
        let (Some(body), Some(tail)) = (text.get(..end), text.get(end + 1..)) else {
            return &[];
        };
        if tail.trim_ascii_start().first() == Some(&b':') {
            self.keys.push(if escaped { unescape(body) } else { Cow::Borrowed(body) });
        }
        tail
    }
}

/// Where the closing quote is (or the text ends), and whether there is an escape before it.
fn string_end(text: &[u8]) -> (usize, bool) {
    let mut end = 0;
    let mut escaped = false;
    while let Some(found) = text.get(end..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        end += found;
        if text.get(end) == Some(&b'"') {
            return (end, escaped);
        }
        escaped = true;
        end += 2;
    }
    (text.len(), escaped)
}

/// The key that is meant; a malformed escape stays as it is, for the parser to refuse.
fn unescape(body: &[u8]) -> Cow<'_, [u8]> {
    let quoted = [b"\"", body, b"\""].concat();
    match serde_json::from_slice::<String>(&quoted) {
        Ok(key) => Cow::Owned(key.into_bytes()),
        Err(_) => Cow::Borrowed(body),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Value, JsonError> {
        parse(text.as_bytes(), 1 << 20)
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_level() {
        let twice = |key: &str| Err(JsonError::DuplicateKey(key.to_owned()));
        assert_eq!(read(r#"{"a":1,"b":2,"a":3}"#), twice("a"));
        assert_eq!(read(r#"{"x":[{"b":{"c":1 , "c" : 1}}]}"#), twice("c"));
        assert_eq!(read(r#"{"a":1,"\u0061":2}"#), twice("a"));
        assert_eq!(read(r#"{"":1,"":2}"#), twice(""));
    }

    #[test]
    fn the_same_key_in_different_objects_is_fine() {
        let text = r#"{"a":{"a":"a\"","b":["a","a","\\"]},"b":[{"a":1},{"a":":"}]}"#;
        assert_eq!(read(text).unwrap(), json!({"a":{"a":"a\"","b":["a","a","\\"]},"b":[{"a":1},{"a":":"}]}));
    }

    /// A bundle that was one string of 8 MB stood on the terminal of whoever verified the image.
    #[test]
    fn an_error_repeats_no_more_than_a_little_of_the_document() {
        let long = "x".repeat(100_000);
        let texts =
            [format!("\"{long}\""), format!("{{\"{long}\":1}}"), format!("{{\"{long}\":1,\"{long}\":2}}")];
        for text in texts {
            let error = parse::<Vec<u8>>(text.as_bytes(), 1 << 20).unwrap_err().to_string();
            assert!(error.len() < 300, "{error}");
        }
        let error = parse::<Vec<u8>>(format!("\"{long}\"").as_bytes(), 1 << 20).unwrap_err().to_string();
        assert!(error.ends_with("at line 1 column 100002"), "{error}");
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(read(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
    }

    #[test]
    fn size_utf8_and_trailing_junk_are_checked() {
        assert!(parse::<Value>(b"[1]", 3).is_ok());
        assert_eq!(parse::<Value>(b"[11]", 3), Err(JsonError::TooLarge { bytes: 4, limit: 3 }));
        assert_eq!(parse::<Value>(b"\"\xff\"", 9), Err(JsonError::NotUtf8));
        for text in
            ["{} x", "{}{}", "", "{\"a\":1,}", "\u{feff}{}", "{'a':1}", "[NaN]", "[01]", "\"a", "{\"a\\"]
        {
            assert!(matches!(read(text), Err(JsonError::Malformed(_))), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<Value>(&bytes, 1000);
        }

        #[test]
        fn what_serde_writes_is_read_back(keys in proptest::collection::btree_map(".*", ".*", 0..8)) {
            let text = serde_json::to_vec(&keys).unwrap();
            prop_assert_eq!(parse::<std::collections::BTreeMap<String, String>>(&text, 1 << 20).unwrap(), keys);
        }
    }
}
