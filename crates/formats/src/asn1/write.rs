//! Writes DER (X.690 §10): the one canonical form of each value.
//!
//! A value is described first, by references to its parts, and written when it is whole: the length that stands before
//! each part is known then, and all bytes go into one buffer.

use const_oid::ObjectIdentifier;

use crate::time::{self, TimeError};

/// What can be written as DER.
pub(crate) trait Encode {
    /// How many bytes it has.
    fn size(&self) -> usize;

    /// Writes it after what is there.
    fn write(&self, out: &mut Vec<u8>);

    /// All of it, alone.
    fn der(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        self.write(&mut out);
        out
    }
}

/// DER that is there already.
impl Encode for &[u8] {
    fn size(&self) -> usize {
        self.len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// DER that is there already.
impl Encode for Vec<u8> {
    fn size(&self) -> usize {
        self.len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// A value that may be left out.
impl<T: Encode> Encode for Option<T> {
    fn size(&self) -> usize {
        self.as_ref().map_or(0, T::size)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.write(out));
    }
}

/// A value whose content is other values, one after another.
pub(crate) struct Constructed<'a> {
    tag: u8,
    content: usize,
    parts: &'a [&'a dyn Encode],
}

impl Encode for Constructed<'_> {
    fn size(&self) -> usize {
        with_header(self.content)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_header(self.tag, self.content, out);
        self.parts.iter().for_each(|part| part.write(out));
    }
}

/// A value whose content is bytes.
pub(crate) struct Primitive<'a> {
    tag: u8,
    /// Stands before the others.
    first: Option<u8>,
    bytes: &'a [u8],
}

impl Primitive<'_> {
    /// The same under another tag.
    pub(crate) fn tagged(self, tag: u8) -> Self {
        Self { tag, ..self }
    }

    fn content(&self) -> usize {
        usize::from(self.first.is_some()) + self.bytes.len()
    }
}

impl Encode for Primitive<'_> {
    fn size(&self) -> usize {
        with_header(self.content())
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_header(self.tag, self.content(), out);
        out.extend(self.first);
        out.extend_from_slice(self.bytes);
    }
}

/// A value whose content is made for it, and short.
pub(crate) struct Short {
    tag: u8,
    content: usize,
    bytes: [u8; MAX_SHORT],
}

impl Short {
    /// Of these bytes, one after another; what is beyond [`MAX_SHORT`] is left out.
    fn new<'a>(tag: u8, bytes: impl IntoIterator<Item = &'a u8>) -> Self {
        let mut short = Self { tag, content: 0, bytes: [0; MAX_SHORT] };
        for (place, byte) in short.bytes.iter_mut().zip(bytes) {
            *place = *byte;
            short.content += 1;
        }
        short
    }
}

impl Encode for Short {
    fn size(&self) -> usize {
        with_header(self.content)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_header(self.tag, self.content, out);
        out.extend(self.bytes.iter().take(self.content));
    }
}

/// A value of a single-byte tag whose content is `parts`, one after another.
pub(crate) fn constructed_of<'a>(tag: u8, parts: &'a [&'a dyn Encode]) -> Constructed<'a> {
    Constructed { tag, content: parts.iter().map(|part| part.size()).sum(), parts }
}

/// A value of a single-byte tag whose content is these bytes.
pub(crate) fn primitive_of(tag: u8, bytes: &[u8]) -> Primitive<'_> {
    Primitive { tag, first: None, bytes }
}

pub(crate) fn sequence<'a>(parts: &'a [&'a dyn Encode]) -> Constructed<'a> {
    constructed_of(tag::SEQUENCE, parts)
}

/// A SET OF, whose members DER sorts by their encodings (X.690 §11.6).
pub(crate) fn set_of(mut members: Vec<Vec<u8>>) -> Vec<u8> {
    members.sort();
    let members: Vec<&dyn Encode> = members.iter().map(|member| member as &dyn Encode).collect();
    constructed_of(tag::SET, &members).der()
}

/// The value under the explicit tag `[number]`, a number below 31.
pub(crate) fn explicit<'a>(number: u8, value: &'a [&'a dyn Encode; 1]) -> Constructed<'a> {
    constructed_of(tag::CONTEXT_CONSTRUCTED | number, value)
}

pub(crate) fn oid(oid: &ObjectIdentifier) -> Primitive<'_> {
    primitive_of(tag::OID, oid.as_bytes())
}

/// The non-negative INTEGER of these big-endian bytes.
pub(crate) fn integer(magnitude: &[u8]) -> Primitive<'_> {
    let start = magnitude.iter().position(|byte| *byte > 0).unwrap_or(magnitude.len());
    let bytes = magnitude.get(start..).unwrap_or_default();
    // Without a zero before it, a number whose first bit is set would be negative.
    let needs_zero = bytes.first().is_none_or(|first| *first >= 0x80);
    Primitive { tag: tag::INTEGER, first: needs_zero.then_some(0), bytes }
}

/// The content of [`integer`].
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let Primitive { first, bytes, .. } = integer(magnitude);
    first.into_iter().chain(bytes.iter().copied()).collect()
}

pub(crate) fn boolean(value: bool) -> Primitive<'static> {
    primitive_of(tag::BOOLEAN, if value { &[0xff] } else { &[0] })
}

pub(crate) fn null() -> Primitive<'static> {
    primitive_of(tag::NULL, &[])
}

pub(crate) fn octets(bytes: &[u8]) -> Primitive<'_> {
    primitive_of(tag::OCTET_STRING, bytes)
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Primitive<'_> {
    Primitive { tag: tag::BIT_STRING, first: Some(0), bytes }
}

/// A BIT STRING of named bits below 32, without the zero bits at its end (X.690 §11.2.2).
pub(crate) fn named_bits(bits: &[u32]) -> Short {
    let number = bits.iter().fold(0, |set, bit| set | 0x8000_0000_u32.checked_shr(*bit).unwrap_or(0));
    let used = 32 - number.trailing_zeros();
    let unused = (8 - used % 8) % 8;
    let bytes = number.to_be_bytes();
    Short::new(tag::BIT_STRING, [unused as u8].iter().chain(bytes.iter().take(used.div_ceil(8) as usize)))
}

pub(crate) fn utf8(text: &str) -> Primitive<'_> {
    primitive_of(tag::UTF8_STRING, text.as_bytes())
}

/// A GeneralizedTime of whole seconds, or of milliseconds below 1000 without zeros at their end (X.690 §11.7).
pub(crate) fn generalized_time(seconds: i64, millis: u16) -> Result<Short, TimeError> {
    let digit = |number: u16| b'0' + (number % 10) as u8;
    let fraction = [b'.', digit(millis / 100), digit(millis / 10), digit(millis)];
    // The point goes with the last zero.
    let kept = fraction.iter().rposition(|byte| *byte > b'0').map_or(0, |last| last + 1);
    let text = time::digits(seconds)?;
    Ok(Short::new(tag::GENERALIZED_TIME, text.iter().chain(fraction.iter().take(kept)).chain(b"Z")))
}

/// A `Time`: UTCTime through the year 2049, from then on GeneralizedTime (RFC 5280 §4.1.2.5).
pub(crate) fn time(seconds: i64) -> Result<Short, TimeError> {
    match time::digits(seconds)? {
        [b'1', b'9', short @ ..] if short.first() >= Some(&b'5') => Ok(utc_time(&short)),
        [b'2', b'0', short @ ..] if short.first() < Some(&b'5') => Ok(utc_time(&short)),
        _ => generalized_time(seconds, 0),
    }
}

fn utc_time(digits: &[u8]) -> Short {
    Short::new(tag::UTC_TIME, digits.iter().chain(b"Z"))
}

/// How many bytes a value of so many bytes of content has.
fn with_header(content: usize) -> usize {
    2 + length_bytes(content) + content
}

/// Of a long form (X.690 §8.1.3.5), how many bytes say the length.
fn length_bytes(content: usize) -> usize {
    match content {
        ..0x80 => 0,
        _ => (usize::BITS - content.leading_zeros()).div_ceil(8) as usize,
    }
}

fn write_header(tag: u8, content: usize, out: &mut Vec<u8>) {
    let long = length_bytes(content);
    // At most eight bytes, so the low seven bits hold the count.
    out.extend([tag, if long == 0 { content as u8 } else { 0x80 | long as u8 }]);
    let bytes = content.to_be_bytes();
    out.extend(bytes.iter().skip(bytes.len() - long));
}

/// The longest is a GeneralizedTime with milliseconds.
const MAX_SHORT: usize = 19;

/// The tag bytes that Signet writes.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    pub(crate) const CONTEXT_PRIMITIVE: u8 = 0x80;
    pub(crate) const CONTEXT_CONSTRUCTED: u8 = 0xa0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_fewest_bytes() {
        assert_eq!(octets(&[1; 127]).der()[..2], [4, 127]);
        assert_eq!(octets(&[1; 128]).der()[..3], [4, 0x81, 128]);
        assert_eq!(octets(&[1; 256]).der()[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn integers_are_never_negative() {
        assert_eq!(integer(&[]).der(), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 0x7f]).der(), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]).der(), [2, 2, 0, 0x80]);
    }

    #[test]
    fn named_bits_end_with_a_set_bit() {
        assert_eq!(named_bits(&[0]).der(), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(&[5, 6]).der(), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(&[8]).der(), [3, 3, 7, 0, 0x80]);
        assert_eq!(named_bits(&[25]).der(), [3, 5, 6, 0, 0, 0, 0x40]);
        assert_eq!(named_bits(&[]).der(), [3, 1, 0]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        let is = |time: Result<Short, TimeError>, tag, text: &str| {
            assert_eq!(time.unwrap().der(), primitive_of(tag, text.as_bytes()).der());
        };
        is(time(-631_152_001), 0x18, "19491231235959Z");
        is(time(-631_152_000), 0x17, "500101000000Z");
        is(time(0), 0x17, "700101000000Z");
        is(time(2_524_607_999), 0x17, "491231235959Z");
        is(time(2_524_608_000), 0x18, "20500101000000Z");
        assert!(time(i64::MAX).is_err());
    }

    #[test]
    fn a_fraction_does_not_end_in_zero() {
        let cases = [(0, "Z"), (120, ".12Z"), (100, ".1Z"), (7, ".007Z"), (30, ".03Z"), (999, ".999Z")];
        for (millis, end) in cases {
            let text = format!("19700101000000{end}");
            let time = generalized_time(0, millis).unwrap().der();
            assert_eq!(time, primitive_of(0x18, text.as_bytes()).der(), "{millis}");
        }
    }

    #[test]
    fn a_length_counts_all_that_is_inside() {
        let inner = [7; 126];
        let absent = None::<Primitive<'_>>;
        let der = sequence(&[&explicit(3, &[&octets(&inner)]), &absent, &boolean(true)]).der();
        assert_eq!(der.len(), 137);
        assert_eq!(der[..8], [0x30, 0x81, 134, 0xa3, 0x81, 128, 4, 126]);
        assert_eq!(der[der.len() - 3..], [1, 1, 0xff]);
    }

    #[test]
    fn members_of_a_set_are_sorted() {
        assert_eq!(set_of(vec![vec![5, 0], vec![2, 1, 1]]), [0x31, 5, 2, 1, 1, 5, 0]);
    }
}
