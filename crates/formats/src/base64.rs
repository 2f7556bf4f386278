//! Base64 as RFC 4648 §4 writes it: standard alphabet, padding demanded, nothing else between.

use std::fmt;
use std::io;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{PAD, STANDARD as LETTER_BY_LETTER, URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The bytes that `text` stands for.
///
/// White space, missing or surplus padding and non-zero trailing bits are refused, so that one value
/// has one spelling.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|_| Base64Error)
}

/// As [`decode`], but line breaks are skipped, at any place.
///
/// Only for values that people paste from the output of openssl (signatures attached to images,
/// timestamps), and that Go's decoder, which their other readers use, takes as well.
pub fn decode_folded(text: &str) -> Result<Vec<u8>, Base64Error> {
    if text.contains(LINE_BREAKS) { decode(text.replace(LINE_BREAKS, "")) } else { decode(text) }
}

/// The one spelling of `bytes`.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Writes [`encode`] of `bytes`, without making it first.
pub(crate) fn write<W: io::Write + ?Sized>(bytes: &[u8], out: &mut W) -> io::Result<()> {
    if bytes.len() <= HASH {
        // Vectors would do most of it letter by letter all the same, after what it costs to begin with them.
        write_in::<{ HASH / 3 * 4 }, W>(&LETTER_BY_LETTER, bytes, out)
    } else {
        write_in::<{ CHUNK / 3 * 4 }, W>(&*STANDARD, bytes, out)
    }
}

/// The same in parts, each a text of so many letters.
fn write_in<const LETTERS: usize, W: io::Write + ?Sized>(
    engine: &impl Engine,
    bytes: &[u8],
    out: &mut W,
) -> io::Result<()> {
    let mut text = [0; LETTERS];
    for chunk in bytes.chunks(LETTERS / 4 * 3) {
        let length = engine.encode_slice(chunk, &mut text).map_err(io::Error::other)?;
        out.write_all(text.get(..length).unwrap_or_default())?;
    }
    Ok(())
}

/// The bytes that `text` stands for in the alphabet of URLs, without padding (RFC 4648 §5), as tokens
/// spell them. As strict as [`decode`].
pub fn decode_url(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Base64Error)
}

/// The bytes that `text` stands for in either alphabet, padded or not: proto3 JSON has readers take all four spellings.
///
/// Only for requests, of which nothing but the bytes is kept.
pub fn decode_any(text: &str) -> Result<Vec<u8>, Base64Error> {
    // Nearly all are of this spelling.
    if let Ok(bytes) = decode(text) {
        return Ok(bytes);
    }
    if text.contains(['-', '_']) && text.contains(['+', '/']) {
        return Err(Base64Error);
    }
    let missing = match (text.contains('='), text.len() % 4) {
        (false, 2) => "==",
        (false, 3) => "=",
        _ => "",
    };
    decode(text.replace('-', "+").replace('_', "/") + missing)
}

/// The spelling of `bytes` that [`decode_url`] reads.
pub fn encode_url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes that a document spells in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64Visitor)
    }
}

struct Base64Visitor;

impl de::Visitor<'_> for Base64Visitor {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a base64 string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Base64, E> {
        decode(text).map(Base64).map_err(E::custom)
    }
}

/// The text is not strict standard base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base64Error;

impl fmt::Display for Base64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not strict base64 (standard alphabet, padded, no white space)")
    }
}

impl std::error::Error for Base64Error {}

/// The standard alphabet by vector instructions, where the processor has them: a keyless bundle is base64 within base64
/// within base64, and to decode it letter by letter took a fifth of what a decision costs beside its cryptography.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static STANDARD: LazyLock<base64::engine::simd::Simd> =
    LazyLock::new(|| base64::engine::simd::Simd::standard(PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static STANDARD: LazyLock<base64::engine::GeneralPurpose> = LazyLock::new(|| LETTER_BY_LETTER);

/// How many bytes [`write`] spells at once: a multiple of three.
const CHUNK: usize = 384;
/// The same for hashes and what else is short: nothing larger need be cleared first.
const HASH: usize = 48;
const LINE_BREAKS: [char; 2] = ['\r', '\n'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_4648_vectors_round_trip() {
        let vectors = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, text) in vectors {
            assert_eq!(encode(plain), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
        }
    }

    #[test]
    fn what_is_written_in_parts_is_the_same_text() {
        for length in [0, 1, 2, 32, HASH, HASH + 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let (bytes, mut text) = (vec![0xfb; length], Vec::new());
            write(&bytes, &mut text).unwrap();
            assert_eq!(text, encode(&bytes).into_bytes(), "{length}");
        }
    }

    proptest! {
        /// Vectors take 32 letters at once; what one letter alone would be refused for is refused among them, too.
        #[test]
        fn a_wrong_letter_is_refused_at_any_place(
            bytes in prop::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(),
            wrong in any::<u8>(),
        ) {
            let mut text = encode(&bytes).into_bytes();
            prop_assert!(decode(&text).is_ok_and(|decoded| decoded == bytes));
            let at = at.index(text.len());
            text[at] = wrong;
            let letter_by_letter = base64::engine::general_purpose::STANDARD.decode(&text);
            prop_assert_eq!(decode(&text), letter_by_letter.map_err(|_| Base64Error));
        }
    }

    #[test]
    fn proto3_json_has_four_spellings_of_the_same_bytes() {
        for text in ["-_-_-w==", "-_-_-w", "+/+/+w==", "+/+/+w"] {
            assert_eq!(decode_any(text).unwrap(), [0xfb, 0xff, 0xbf, 0xfb], "{text}");
        }
        for text in ["+_+_+w==", "-_-_-w=", "-_-_-x", "-_-_-", "-_-_-w==\n", "Zg===", "Zg=\n"] {
            assert_eq!(decode_any(text), Err(Base64Error), "{text:?}");
        }
    }

    #[test]
    fn only_line_breaks_may_fold() {
        assert_eq!(decode_folded("Zm9v\r\nYg==\n").unwrap(), b"foob");
        assert_eq!(decode_folded("Zm9v Yg=="), Err(Base64Error));
    }

    #[test]
    fn junk_white_space_padding_and_trailing_bits_are_refused() {
        for text in
            ["Zg", "Zg=", "Zg===", "Zh==", "Zm8=\n", " Zm8=", "Zm 8=", "Zm_v", "Zm-v", "=", "Zg==Zg=="]
        {
            assert_eq!(decode(text), Err(Base64Error), "{text:?}");
        }
    }
}
