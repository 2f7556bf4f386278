//! Writes DER (X.690 §10): the one canonical form of each value.

use const_oid::ObjectIdentifier;

use crate::time;

/// Encodes a value of a single-byte tag whose content is `parts`, one after another.
pub(crate) fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length >= 0x80 {
        let bytes = length.to_be_bytes();
        let significant = bytes.iter().skip_while(|byte| **byte == 0);
        // At most eight bytes, so the low seven bits hold the count.
        out.push(0x80 | significant.clone().count() as u8);
        out.extend(significant);
    } else {
        out.push(length as u8);
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    encode(tag::SEQUENCE, parts)
}

/// A SET OF, whose members DER sorts by their encodings (X.690 §11.6).
pub(crate) fn set_of(mut members: Vec<Vec<u8>>) -> Vec<u8> {
    members.sort();
    encode(tag::SET, &[&members.concat()])
}

/// The value under the explicit tag `[number]`, a number below 31.
pub(crate) fn explicit(number: u8, value: &[u8]) -> Vec<u8> {
    encode(tag::CONTEXT_CONSTRUCTED | number, &[value])
}

pub(crate) fn oid(oid: &ObjectIdentifier) -> Vec<u8> {
    encode(tag::OID, &[oid.as_bytes()])
}

/// The non-negative INTEGER of these big-endian bytes.
pub(crate) fn integer(magnitude: &[u8]) -> Vec<u8> {
    encode(tag::INTEGER, &[&unsigned(magnitude)])
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    encode(tag::BOOLEAN, &[&[if value { 0xff } else { 0 }]])
}

pub(crate) fn null() -> Vec<u8> {
    encode(tag::NULL, &[])
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    encode(tag::OCTET_STRING, &[bytes])
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    encode(tag::BIT_STRING, &[&[0], bytes])
}

/// A BIT STRING of named bits below 32, without the zero bits at its end (X.690 §11.2.2).
pub(crate) fn named_bits(bits: &[u32]) -> Vec<u8> {
    let number = bits.iter().fold(0, |set, bit| set | 0x8000_0000_u32.checked_shr(*bit).unwrap_or(0));
    let used = 32 - number.trailing_zeros();
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().take(used.div_ceil(8) as usize).collect();
    let unused = (8 - used % 8) % 8;
    encode(tag::BIT_STRING, &[&[unused as u8], &bytes])
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    encode(tag::UTF8_STRING, &[text.as_bytes()])
}

/// A GeneralizedTime of whole seconds, or of milliseconds without zeros at their end (X.690 §11.7).
pub(crate) fn generalized_time(seconds: i64, millis: u16) -> Result<Vec<u8>, time::TimeError> {
    let fraction = format!(".{millis:03}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    Ok(encode(tag::GENERALIZED_TIME, &[digits(seconds)?.as_bytes(), fraction.as_bytes(), b"Z"]))
}

/// A `Time`: UTCTime through the year 2049, from then on GeneralizedTime (RFC 5280 §4.1.2.5).
pub(crate) fn time(seconds: i64) -> Result<Vec<u8>, time::TimeError> {
    let digits = digits(seconds)?;
    match digits.split_at_checked(2) {
        Some(("19", short)) if short >= "5" => Ok(encode(tag::UTC_TIME, &[short.as_bytes(), b"Z"])),
        Some(("20", short)) if short < "5" => Ok(encode(tag::UTC_TIME, &[short.as_bytes(), b"Z"])),
        _ => generalized_time(seconds, 0),
    }
}

/// The content of a non-negative INTEGER: big-endian, in the fewest bytes.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let significant: Vec<u8> = magnitude.iter().copied().skip_while(|byte| *byte == 0).collect();
    match significant.first() {
        Some(first) if *first < 0x80 => significant,
        _ => [&[0], significant.as_slice()].concat(),
    }
}

/// `YYYYMMDDHHMMSS`.
fn digits(seconds: i64) -> Result<String, time::TimeError> {
    Ok(time::format(seconds)?.chars().filter(char::is_ascii_digit).collect())
}

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
        assert_eq!(octets(&[1; 127])[..2], [4, 127]);
        assert_eq!(octets(&[1; 128])[..3], [4, 0x81, 128]);
        assert_eq!(octets(&[1; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn integers_are_never_negative() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn named_bits_end_with_a_set_bit() {
        assert_eq!(named_bits(&[0]), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(&[5, 6]), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(&[8]), [3, 3, 7, 0, 0x80]);
        assert_eq!(named_bits(&[25]), [3, 5, 6, 0, 0, 0, 0x40]);
        assert_eq!(named_bits(&[]), [3, 1, 0]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        assert_eq!(time(0).unwrap(), encode(0x17, &[b"700101000000Z"]));
        assert_eq!(time(2_524_607_999).unwrap(), encode(0x17, &[b"491231235959Z"]));
        assert_eq!(time(2_524_608_000).unwrap(), encode(0x18, &[b"20500101000000Z"]));
        assert_eq!(generalized_time(0, 120).unwrap(), encode(0x18, &[b"19700101000000.12Z"]));
        assert_eq!(generalized_time(0, 0).unwrap(), encode(0x18, &[b"19700101000000Z"]));
        assert!(time(i64::MAX).is_err());
    }

    #[test]
    fn members_of_a_set_are_sorted() {
        assert_eq!(set_of(vec![vec![5, 0], vec![2, 1, 1]]), [0x31, 5, 2, 1, 1, 5, 0]);
    }
}
