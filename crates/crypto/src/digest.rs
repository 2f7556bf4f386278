//! Typed digests in the OCI spelling, `<algorithm>:<lower-case hex>`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest as lc;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A digest and the algorithm that made it.
///
/// Text form: `sha256:` and 64 lower-case hex digits, and so on (OCI image-spec, "Digests").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    /// The first `algorithm.len()` bytes are the value, the rest is zero.
    bytes: [u8; MAX_LEN],
}

impl Digest {
    /// The SHA-256 of `data`.
    pub fn sha256(data: &[u8]) -> Self {
        Self::of(DigestAlgorithm::Sha256, data)
    }

    /// The digest of `data` under `algorithm`.
    pub fn of(algorithm: DigestAlgorithm, data: &[u8]) -> Self {
        Self::from_lc(algorithm, lc::digest(algorithm.lc(), data))
    }

    /// A digest from its raw value; an error if the length is not the algorithm's.
    pub fn from_bytes(algorithm: DigestAlgorithm, value: &[u8]) -> Result<Self, DigestParseError> {
        let mut bytes = [0; MAX_LEN];
        match bytes.get_mut(..value.len()) {
            Some(head) if value.len() == algorithm.len() => head.copy_from_slice(value),
            _ => return Err(DigestParseError::Length),
        }
        Ok(Self { algorithm, bytes })
    }

    /// A digest from hex of either case, as Rekor and in-toto write it.
    pub fn from_hex(algorithm: DigestAlgorithm, hex: &str) -> Result<Self, DigestParseError> {
        let digits = hex.as_bytes();
        if digits.len() != 2 * algorithm.len() {
            return Err(DigestParseError::Length);
        }
        let mut bytes = [0; MAX_LEN];
        for (slot, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or(DigestParseError::Hex)?;
                *slot = *slot << 4 | u8::try_from(value).unwrap_or(0);
            }
        }
        Ok(Self { algorithm, bytes })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The raw value: 32, 48 or 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.len()).unwrap_or(&self.bytes)
    }

    /// The value as lower-case hex, without the algorithm's name.
    pub fn hex(&self) -> String {
        let mut hex = String::with_capacity(2 * self.algorithm.len());
        for byte in self.as_bytes() {
            hex.push(hex_digit(byte >> 4));
            hex.push(hex_digit(byte & 0xf));
        }
        hex
    }

    fn from_lc(algorithm: DigestAlgorithm, value: lc::Digest) -> Self {
        let (mut bytes, value) = ([0; MAX_LEN], value.as_ref());
        if let Some(head) = bytes.get_mut(..value.len()) {
            head.copy_from_slice(value);
        }
        Self { algorithm, bytes }
    }

    pub(crate) fn to_lc(self) -> Result<lc::Digest, aws_lc_rs::error::Unspecified> {
        lc::Digest::import_less_safe(self.as_bytes(), self.algorithm.lc())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.algorithm, f)?;
        f.write_str(":")?;
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestParseError;

    fn from_str(text: &str) -> Result<Self, DigestParseError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestParseError::Form)?;
        if hex.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(DigestParseError::Hex);
        }
        Self::from_hex(algorithm.parse()?, hex)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A digest as OCI spells it: the algorithm, a colon, and the value in lower-case hex.",
            "type": "string",
            "pattern": "^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$",
        })
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// The digest algorithms that Signet accepts anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl DigestAlgorithm {
    /// The length of a value in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a digest is never empty")]
    pub fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn lc(self) -> &'static lc::Algorithm {
        match self {
            Self::Sha256 => &lc::SHA256,
            Self::Sha384 => &lc::SHA384,
            Self::Sha512 => &lc::SHA512,
        }
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}

impl FromStr for DigestAlgorithm {
    type Err = DigestParseError;

    fn from_str(name: &str) -> Result<Self, DigestParseError> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "sha384" => Ok(Self::Sha384),
            "sha512" => Ok(Self::Sha512),
            _ => Err(DigestParseError::Algorithm),
        }
    }
}

/// Why a digest could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestParseError {
    /// The algorithm is not sha256, sha384 or sha512.
    Algorithm,
    /// There is no `:` between algorithm and value.
    Form,
    /// The value has a character that is not a (lower-case) hex digit.
    Hex,
    /// The value is not as long as the algorithm's output.
    Length,
}

impl fmt::Display for DigestParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "unknown digest algorithm (sha256, sha384 and sha512 are accepted)",
            Self::Form => "not a digest: expected `<algorithm>:<hex>`",
            Self::Hex => "the digest has characters that are not lower-case hex",
            Self::Length => "the digest has the wrong length for its algorithm",
        })
    }
}

impl std::error::Error for DigestParseError {}

/// A digest being computed over a stream.
#[derive(Clone)]
pub struct Hasher {
    algorithm: DigestAlgorithm,
    context: lc::Context,
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self { algorithm, context: lc::Context::new(algorithm.lc()) }
    }

    /// Adds the next bytes of the stream.
    pub fn update(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        Digest::from_lc(self.algorithm, self.context.finish())
    }
}

const MAX_LEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn text_form_round_trips() {
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(digest, Digest::sha256(b""));
        assert_eq!(digest.to_string(), EMPTY);
    }

    #[test]
    fn a_stream_hashes_like_the_whole() {
        let mut hasher = Hasher::new(DigestAlgorithm::Sha512);
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.finish(), Digest::of(DigestAlgorithm::Sha512, b"abc"));
    }

    #[test]
    fn malformed_digests_are_refused_for_their_reason() {
        let cases = [
            ("md5:d41d8cd98f00b204e9800998ecf8427e", DigestParseError::Algorithm),
            ("e3b0c442", DigestParseError::Form),
            (
                "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
                DigestParseError::Hex,
            ),
            ("sha256:e3b0", DigestParseError::Length),
            (
                "sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                DigestParseError::Hex,
            ),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Digest>(), Err(why), "{text}");
        }
    }
}
