//! A walk over DER: which bytes belong to which value, so that signed bytes are kept as they came.
//!
//! Tags and lengths are read by `der`, which accepts only the one canonical form.

mod write;

use std::ops::Range;

use const_oid::ObjectIdentifier;
use der::asn1::{BitStringRef, GeneralizedTime, UtcTime};
use der::{Decode, Header, SliceReader, Tag, TagNumber};

pub(crate) use write::{
    Encode, bit_string, boolean, constructed_of, explicit, generalized_time, integer, named_bits, null,
    octets, oid, primitive_of, sequence, set_of, tag, time, unsigned, utf8,
};

/// The bytes are not DER of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<der::Error> for Malformed {
    fn from(_: der::Error) -> Self {
        Self
    }
}

/// One value with its tag: where it lies, as a whole and without its header.
#[derive(Clone, Copy)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: Tag,
    /// Header and content.
    pub(crate) raw: &'a [u8],
    /// The content alone.
    pub(crate) value: &'a [u8],
    at: usize,
}

impl<'a> Tlv<'a> {
    /// The one value that `bytes` consist of; nothing may follow it.
    pub(crate) fn whole(bytes: &'a [u8], tag: Tag) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let tlv = reader.expect(tag)?;
        reader.finish()?;
        Ok(tlv)
    }

    /// Where the value lies in the bytes that the outermost reader was made of.
    pub(crate) fn range(&self) -> Range<usize> {
        self.at..self.at + self.raw.len()
    }

    /// Where the content lies in the bytes that the outermost reader was made of.
    pub(crate) fn value_range(&self) -> Range<usize> {
        self.at + self.raw.len() - self.value.len()..self.at + self.raw.len()
    }

    /// Reads the content of a constructed value.
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader { rest: self.value, at: self.value_range().start }
    }

    /// The content of an explicitly tagged value, which must be one value of `tag`.
    pub(crate) fn explicit(&self, tag: Tag) -> Result<Self, Malformed> {
        let mut reader = self.reader();
        let inner = reader.expect(tag)?;
        reader.finish()?;
        Ok(inner)
    }

    pub(crate) fn oid(&self) -> Result<ObjectIdentifier, Malformed> {
        ObjectIdentifier::from_bytes(self.value).map_err(|_| Malformed)
    }

    /// A small non-negative INTEGER.
    pub(crate) fn u64(&self) -> Result<u64, Malformed> {
        Ok(u64::from_der(self.raw)?)
    }

    pub(crate) fn bool(&self) -> Result<bool, Malformed> {
        Ok(bool::from_der(self.raw)?)
    }

    pub(crate) fn utf8(&self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.value).map_err(|_| Malformed)
    }

    /// The bytes of a BIT STRING without unused bits.
    pub(crate) fn bit_string(&self) -> Result<&'a [u8], Malformed> {
        BitStringRef::from_der(self.raw)?.as_bytes().ok_or(Malformed)
    }

    /// A `Time` of RFC 5280 in seconds since 1970.
    pub(crate) fn time(&self) -> Result<i64, Malformed> {
        let since_1970 = match self.tag {
            Tag::UtcTime => UtcTime::from_der(self.raw)?.to_unix_duration(),
            _ => GeneralizedTime::from_der(self.raw)?.to_unix_duration(),
        };
        i64::try_from(since_1970.as_secs()).map_err(|_| Malformed)
    }

    /// The content of an INTEGER, two's complement in the fewest bytes.
    pub(crate) fn integer(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            [] => Err(Malformed),
            [0x00, second, ..] if *second < 0x80 => Err(Malformed),
            [0xff, second, ..] if *second >= 0x80 => Err(Malformed),
            value => Ok(value),
        }
    }
}

/// Reads values one after another.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the bytes that the outermost reader was made of.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// The next value, whatever its tag.
    pub(crate) fn next(&mut self) -> Result<Tlv<'a>, Malformed> {
        let tlv = self.peek()?;
        self.skip(&tlv);
        Ok(tlv)
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: Tag) -> Result<Tlv<'a>, Malformed> {
        self.optional(tag)?.ok_or(Malformed)
    }

    /// The next value if it has this tag.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, Malformed> {
        if self.is_finished() {
            return Ok(None);
        }
        let tlv = self.peek()?;
        if tlv.tag != tag {
            return Ok(None);
        }
        self.skip(&tlv);
        Ok(Some(tlv))
    }

    /// Reads the content of the next value, a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Self, Malformed> {
        Ok(self.expect(Tag::Sequence)?.reader())
    }

    pub(crate) fn oid(&mut self) -> Result<ObjectIdentifier, Malformed> {
        self.expect(Tag::ObjectIdentifier)?.oid()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends reading; an error if anything is left.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        match self.is_finished() {
            true => Ok(()),
            false => Err(Malformed),
        }
    }

    fn peek(&self) -> Result<Tlv<'a>, Malformed> {
        let mut header = SliceReader::new(self.rest)?;
        let decoded = Header::decode(&mut header)?;
        let start = usize::try_from(der::Reader::position(&header))?;
        let length = usize::try_from(decoded.length())?;
        let raw = self.rest.get(..start + length).ok_or(Malformed)?;
        Ok(Tlv { tag: decoded.tag(), raw, value: raw.get(start..).ok_or(Malformed)?, at: self.at })
    }

    fn skip(&mut self, tlv: &Tlv<'a>) {
        self.rest = self.rest.get(tlv.raw.len()..).unwrap_or_default();
        self.at += tlv.raw.len();
    }
}

/// The values of a constructed value, at most `limit` of them.
pub(crate) fn list<'a>(of: &Tlv<'a>, limit: usize) -> Result<Vec<Tlv<'a>>, Malformed> {
    let mut reader = of.reader();
    let mut values = Vec::new();
    while !reader.is_finished() {
        if values.len() == limit {
            return Err(Malformed);
        }
        values.push(reader.next()?);
    }
    Ok(values)
}

/// The tag `[number]` of a constructed value: explicit, or implicit of a SEQUENCE or SET.
pub(crate) const fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The tag `[number]` of a primitive value: implicit of a string or a number.
pub(crate) const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}
