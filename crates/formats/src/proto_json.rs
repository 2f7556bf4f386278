//! The rules of proto3 JSON, by which Sigstore's documents are written: `null` means absent, 64-bit
//! integers are strings or numbers, enum values are names or numbers, bytes are base64, and a field
//! is read by its lowerCamelCase name or its original one.

use std::borrow::Cow;
use std::fmt;
use std::io;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::ser::Formatter;
use signet_crypto::DigestAlgorithm;

use crate::base64;
use crate::bounded::List;

/// What is wrong with one field of a document that is well-formed otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// The bytes are not strict base64.
    Base64 {
        /// The field's name.
        field: &'static str,
    },
    /// There are more elements than are accepted.
    Count {
        /// The field's name.
        field: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The value is none of the enumeration that Signet knows.
    Enumeration {
        /// The field's name.
        field: &'static str,
        /// The value found.
        value: String,
    },
    /// The value has the wrong length.
    Length {
        /// The field's name.
        field: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The field is absent or empty.
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// The number is negative where only a count or an index makes sense.
    Negative {
        /// The field's name.
        field: &'static str,
        /// The value found.
        value: i64,
    },
    /// The text is not an RFC 3339 time.
    Time {
        /// The field's name.
        field: &'static str,
    },
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64 { field } => write!(f, "`{field}` is not strict base64"),
            Self::Count { field, count, limit } => {
                write!(f, "`{field}` has {count} elements, more than the {limit} allowed")
            }
            Self::Enumeration { field, value } => write!(f, "`{field}` has the unknown value `{value}`"),
            Self::Length { field, bytes } => write!(f, "`{field}` has the wrong length of {bytes} bytes"),
            Self::Missing { field } => write!(f, "`{field}` is missing or empty"),
            Self::Negative { field, value } => write!(f, "`{field}` is negative ({value})"),
            Self::Time { field } => write!(f, "`{field}` is not an RFC 3339 time"),
        }
    }
}

impl std::error::Error for FieldError {}

/// The JSON of a document.
pub(crate) fn to_string(document: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Vec::new();
    write(document, &mut text)?;
    String::from_utf8(text).map_err(ser::Error::custom)
}

/// Writes the JSON of a document.
pub(crate) fn write(document: &impl Serialize, text: &mut Vec<u8>) -> serde_json::Result<()> {
    document.serialize(&mut serde_json::Serializer::with_formatter(text, Spelling))
}

/// Spells bytes in base64, in which there is nothing to escape, and so nothing to look for.
struct Spelling;

impl Formatter for Spelling {
    fn write_byte_array<W: io::Write + ?Sized>(&mut self, writer: &mut W, bytes: &[u8]) -> io::Result<()> {
        self.begin_string(writer)?;
        base64::write(bytes, writer)?;
        self.end_string(writer)
    }
}

/// A string that is borrowed from the document where it has no escapes.
#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    /// As it stands there.
    Plain(Cow<'a, str>),
    /// The base64 spelling of bytes, made when it is written, which only [`write`] does.
    Base64(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The string.
    pub(crate) fn into_str(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => text,
            Self::Base64(bytes) => Cow::Owned(base64::encode(bytes)),
        }
    }

    /// The string, if it has any characters.
    fn non_empty(self) -> Option<Cow<'a, str>> {
        Some(self.into_str()).filter(|text| !text.is_empty())
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Plain(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(text) => serializer.serialize_str(text),
            Self::Base64(bytes) => serializer.serialize_bytes(bytes),
        }
    }
}

struct TextVisitor;

impl<'de> de::Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::Plain(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Plain(Cow::Owned(text.to_owned())))
    }
}

/// An `int64`: written as a string, read as a string or a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int64(pub(crate) i64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Int64Visitor)
    }
}

impl Serialize for Int64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Int64Visitor;

impl de::Visitor<'_> for Int64Visitor {
    type Value = Int64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a 64-bit integer as a string or number")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Int64, E> {
        Ok(Int64(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Int64, E> {
        i64::try_from(value).map(Int64).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Int64, E> {
        let value: i64 = text.parse().map_err(E::custom)?;
        // One value has one spelling: no `+1`, `007` or `-0`.
        if value.to_string() == text { Ok(Int64(value)) } else { Err(E::custom("not a decimal integer")) }
    }
}

/// A value of an enumeration: written as its name, read as a name or a number.
#[derive(Clone, Debug)]
pub(crate) enum EnumValue<'a> {
    Name(Cow<'a, str>),
    Number(i64),
}

impl EnumValue<'_> {
    /// The entry of `table` with this name or number.
    pub(crate) fn find<T: Copy>(
        &self,
        table: &[(T, i64, &str)],
        field: &'static str,
    ) -> Result<T, FieldError> {
        let entry = table.iter().find(|(_, number, name)| match self {
            Self::Name(given) => given == name,
            Self::Number(given) => given == number,
        });
        entry
            .map(|(value, _, _)| *value)
            .ok_or_else(|| FieldError::Enumeration { field, value: self.to_string() })
    }
}

impl fmt::Display for EnumValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for EnumValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EnumVisitor)
    }
}

impl Serialize for EnumValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

struct EnumVisitor;

impl<'de> de::Visitor<'de> for EnumVisitor {
    type Value = EnumValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an enumeration value as a name or number")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<EnumValue<'de>, E> {
        Ok(EnumValue::Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<EnumValue<'de>, E> {
        Ok(EnumValue::Name(Cow::Owned(name.to_owned())))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<EnumValue<'de>, E> {
        Ok(EnumValue::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<EnumValue<'de>, E> {
        i64::try_from(number).map(EnumValue::Number).map_err(E::custom)
    }
}

/// The field's value, which must be there.
pub(crate) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, FieldError> {
    value.ok_or(FieldError::Missing { field })
}

/// The bytes of a field that must be there and not be empty.
pub(crate) fn bytes(value: Option<Text<'_>>, field: &'static str) -> Result<Vec<u8>, FieldError> {
    let text = required(value.and_then(Text::non_empty), field)?;
    base64::decode(text.as_bytes()).map_err(|_| FieldError::Base64 { field })
}

/// As [`bytes`], for what [`base64::decode_any`] is for.
pub(crate) fn bytes_in_any_form(value: Option<Text<'_>>, field: &'static str) -> Result<Vec<u8>, FieldError> {
    let text = required(value.and_then(Text::non_empty), field)?;
    base64::decode_any(&text).map_err(|_| FieldError::Base64 { field })
}

/// As [`bytes`], for what [`base64::decode_folded`] is for.
pub(crate) fn folded_bytes(value: Option<Text<'_>>, field: &'static str) -> Result<Vec<u8>, FieldError> {
    let text = required(value.and_then(Text::non_empty), field)?;
    base64::decode_folded(&text).map_err(|_| FieldError::Base64 { field })
}

/// The bytes of a field that must be there and have the length of `N`.
pub(crate) fn array<const N: usize>(
    value: Option<Text<'_>>,
    field: &'static str,
) -> Result<[u8; N], FieldError> {
    let bytes = bytes(value, field)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| FieldError::Length { field, bytes: bytes.len() })
}

/// An index or count; proto3 leaves zero out.
pub(crate) fn unsigned(value: Option<Int64>, field: &'static str) -> Result<u64, FieldError> {
    let value = value.map_or(0, |number| number.0);
    u64::try_from(value).map_err(|_| FieldError::Negative { field, value })
}

/// The elements of a list of at most `MAX`; an absent list is empty.
pub(crate) fn list<T, const MAX: usize>(
    value: Option<List<T, MAX>>,
    field: &'static str,
) -> Result<Vec<T>, FieldError> {
    let list = value.unwrap_or_default();
    match list.count {
        count if count > MAX => Err(FieldError::Count { field, count, limit: MAX }),
        _ => Ok(list.items),
    }
}

/// The hash algorithms of sigstore_common.proto that Signet accepts.
pub(crate) const HASH_ALGORITHMS: &[(DigestAlgorithm, i64, &str)] = &[
    (DigestAlgorithm::Sha256, 1, "SHA2_256"),
    (DigestAlgorithm::Sha384, 2, "SHA2_384"),
    (DigestAlgorithm::Sha512, 3, "SHA2_512"),
];

/// The name of a hash algorithm in sigstore_common.proto.
pub(crate) fn hash_name(algorithm: DigestAlgorithm) -> &'static str {
    HASH_ALGORITHMS.iter().find(|(known, _, _)| *known == algorithm).map_or("", |(_, _, name)| name)
}
