//! DER as certificates and tokens are written in.

use const_oid::ObjectIdentifier;

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// A value of a one-byte tag.
pub(super) fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..0x80) => der.push(short),
        _ => {
            der.push(0x80 | u8::try_from(significant.len()).expect("a length has at most eight bytes"));
            der.extend(significant);
        }
    }
    der.extend(content);
    der
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    encode(SEQUENCE, parts)
}

pub(super) fn oid(text: &str) -> Vec<u8> {
    encode(0x06, &[ObjectIdentifier::new_unwrap(text).as_bytes()])
}

/// A number of one byte below 128.
pub(super) fn small(number: u8) -> Vec<u8> {
    encode(0x02, &[&[number]])
}

/// A positive number from bytes of any value: one bit is cleared, one set.
pub(super) fn serial(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    encode(0x02, &[&bytes])
}

/// `GeneralizedTime`, to the second.
pub(super) fn generalized_time(seconds: i64) -> Vec<u8> {
    encode(0x18, &[digits(seconds).as_bytes(), b"Z"])
}

/// `UTCTime` up to 2049, as RFC 5280 §4.1.2.5 demands.
pub(super) fn time(seconds: i64) -> Vec<u8> {
    let digits = digits(seconds);
    match digits.get(..2) {
        Some("20") => encode(0x17, &[digits.as_bytes().get(2..).expect("a year has four digits"), b"Z"]),
        _ => generalized_time(seconds),
    }
}

fn digits(seconds: i64) -> String {
    let text = signet_formats::time::format(seconds).expect("the time has a date");
    text.chars().filter(char::is_ascii_digit).take(14).collect()
}
