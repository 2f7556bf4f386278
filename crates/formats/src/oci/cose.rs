//! As much of COSE (RFC 9052) and CBOR (RFC 8949) as tells where a message ends.

/// Whether the bytes are one tagged `COSE_Sign1` message (RFC 9052 §4.2) and nothing after it: protected header,
/// unprotected header, payload, signature.
pub(super) fn is_sign1(bytes: &[u8]) -> bool {
    let parts = [BYTES, MAP, BYTES, BYTES];
    let rest = bytes.strip_prefix(&SIGN1).and_then(|rest| {
        parts.into_iter().try_fold(rest, |rest, kind| match rest.first()? >> 5 == kind {
            true => skip(rest, MAX_DEPTH),
            false => None,
        })
    });
    rest.is_some_and(<[u8]>::is_empty)
}

/// What follows the data item at the beginning. Lengths that are not stated beforehand are none that signatures have.
fn skip(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let (kind, argument, rest) = head(bytes)?;
    let items = match kind {
        BYTES | TEXT => return rest.get(usize::try_from(argument).ok()?..),
        ARRAY => argument,
        MAP => argument.checked_mul(2)?,
        TAG => 1,
        _ => 0,
    };
    let depth = if items > 0 { depth.checked_sub(1)? } else { depth };
    // Each item has a byte at the least, so that a large number ends with the bytes.
    (0..items).try_fold(rest, |rest, _| skip(rest, depth))
}

/// The major type, its argument, and what follows them (RFC 8949 §3).
fn head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (kind, short) = (first >> 5, first & 0x1f);
    let length = match short {
        0..=23 => return Some((kind, u64::from(short), rest)),
        24..=27 => 1 << (short - 24),
        _ => return None,
    };
    let (argument, rest) = rest.split_at_checked(length)?;
    Some((kind, argument.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)), rest))
}

/// The tag of `COSE_Sign1` and its array of four.
const SIGN1: [u8; 2] = [0xd2, 0x84];
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_and_alone() {
        // The unprotected header holds an array, a tagged text, a float and numbers of each width.
        let unprotected = b"\xa3\x18\x21\x82\x41x\x58\x01y\x63key\xc1\x61z\x39\x01\x00\xfb\0\0\0\0\0\0\0\0";
        let message = [&SIGN1, b"\x43\xa1\x01\x26".as_slice(), unprotected, b"\x42{}", b"\x41s"].concat();
        assert!(is_sign1(&message));
        assert!(!is_sign1(&[&message, b"\0".as_slice()].concat()), "something follows");
        for end in 0..message.len() {
            assert!(!is_sign1(&message[..end]), "cut off at {end}");
        }
        for other in [&b"\xd2\x84\x40\x40\x40\x40"[..], b"\xd2\x84\x40\xa0\xf6\x40", b"\x84\x40\xa0\x40\x40"]
        {
            assert!(!is_sign1(other), "{other:?}");
        }
    }

    #[test]
    fn numbers_and_depth_are_bounded_by_the_bytes() {
        let with = |header: &[u8]| [&SIGN1, b"\x40".as_slice(), header, b"\x40\x40"].concat();
        let nested = |depth: usize| [&b"\xa1\x01"[..], &b"\x81".repeat(depth), b"\x01"].concat();
        assert!(is_sign1(&with(&nested(MAX_DEPTH - 1))) && !is_sign1(&with(&nested(MAX_DEPTH))));
        assert!(!is_sign1(&with(b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff")));
        assert!(!is_sign1(&with(b"\xa1\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff")));
        assert!(!is_sign1(&with(b"\xbf\xff")), "no stated length");
    }
}
