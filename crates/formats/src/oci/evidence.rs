//! What a registry may hand out although nobody signed it: signatures and attestations themselves.

use super::media_type;

/// Whether a layer is a signature or an attestation by its media type and its first bytes, at most
/// [`EVIDENCE_HEAD`] of them.
///
/// The media type alone proves nothing: container engines unpack a layer of a type that they do not know like any
/// other. What engines unpack begins with the magic of a compression or with the header of a tar, JSON with neither, and
/// a COSE signature with its tag.
pub fn is_evidence(media_type: &str, head: &[u8]) -> bool {
    let begins_well = match media_type {
        COSE => head.starts_with(&COSE_SIGN1),
        _ if is_json_evidence(media_type) => head.trim_ascii_start().first() == Some(&b'{'),
        _ => false,
    };
    begins_well && !is_tar_header(head)
}

/// Whether signatures or attestations are kept under this media type.
pub fn is_evidence_type(media_type: &str) -> bool {
    media_type == COSE || is_json_evidence(media_type)
}

fn is_json_evidence(media_type: &str) -> bool {
    media_type.starts_with(media_type::SIGSTORE_BUNDLE_PREFIX) || JSON_TYPES.contains(&media_type)
}

/// A block whose checksum is right. JSON can be written that is a tar as well; tar readers refuse any other checksum
/// (POSIX.1-1988, `ustar`: the sum of the header's bytes, those of the sum itself taken for spaces).
fn is_tar_header(head: &[u8]) -> bool {
    let Some((block, stated)) = head.get(..EVIDENCE_HEAD).zip(head.get(CHECKSUM)) else { return false };
    let stated = std::str::from_utf8(stated).ok().map(|text| text.trim_matches([' ', '\0']));
    let Some(stated) = stated.and_then(|text| u32::from_str_radix(text, 8).ok()) else { return false };
    // Old writers summed signed bytes, and readers take either.
    let sum = |value: fn(u8) -> i64| -> i64 {
        let bytes = block.iter().enumerate();
        bytes.map(|(at, byte)| value(if CHECKSUM.contains(&at) { b' ' } else { *byte })).sum()
    };
    [sum(i64::from), sum(|byte| i64::from(byte.cast_signed()))].contains(&i64::from(stated))
}

/// As many bytes of a layer as are looked at: a block of a tar.
pub const EVIDENCE_HEAD: usize = 512;
/// Where a tar header has its checksum.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// What signatures and attestations are kept as: cosign's, in-toto's, Notary Project's.
const JSON_TYPES: [&str; 4] = [
    media_type::SIMPLE_SIGNING,
    media_type::DSSE_ENVELOPE,
    "application/vnd.in-toto+json",
    "application/jose+json",
];
/// Notary Project's other envelope.
const COSE: &str = "application/cose";
/// The tag of `COSE_Sign1` and its array of four (RFC 9052 §4.2).
const COSE_SIGN1: [u8; 2] = [0xd2, 0x84];

#[cfg(test)]
mod tests {
    use super::*;

    /// A header that tar readers take, whose name begins with `name`.
    fn tar_header(name: &[u8]) -> Vec<u8> {
        let mut block = vec![0; EVIDENCE_HEAD];
        block[..name.len()].copy_from_slice(name);
        block[124..136].copy_from_slice(b"00000000000\0");
        block[CHECKSUM].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    #[test]
    fn signatures_and_attestations_are_evidence() {
        for of_json in JSON_TYPES.into_iter().chain([media_type::SIGSTORE_BUNDLE]) {
            assert!(is_evidence(of_json, b"{}"), "{of_json}");
            assert!(is_evidence(of_json, b" \n{\"payload\": "), "{of_json}");
        }
        assert!(is_evidence(COSE, b"\xd2\x84\x58\x00"));
    }

    #[test]
    fn what_an_engine_unpacks_is_none_whatever_it_is_called() {
        let gzip = [0x1f, 0x8b, 0x08, 0x00];
        let zstd = [0x28, 0xb5, 0x2f, 0xfd];
        for named in [media_type::DSSE_ENVELOPE, media_type::SIGSTORE_BUNDLE, COSE] {
            for head in [&gzip[..], &zstd, b"\x7fELF", b"", &tar_header(b"bin/sh")] {
                assert!(!is_evidence(named, head), "{named} {head:?}");
            }
        }
        assert!(!is_evidence(media_type::OCI_LAYER_TAR, b"{}"));
    }

    #[test]
    fn a_tar_that_begins_like_evidence_is_none() {
        assert!(!is_evidence(media_type::DSSE_ENVELOPE, &tar_header(b"{\"payload\":\"")));
        assert!(!is_evidence(COSE, &tar_header(b"\xd2\x84")));
        let mut no_tar = tar_header(b"{\"payload\":\"");
        no_tar[20] += 1;
        assert!(is_evidence(media_type::DSSE_ENVELOPE, &no_tar));
    }

    #[test]
    fn a_checksum_of_signed_bytes_counts() {
        let mut block = tar_header(b"{\"\xff");
        let sum: i64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| match CHECKSUM.contains(&at) {
                true => 32,
                false => i64::from(byte.cast_signed()),
            })
            .sum();
        block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(!is_evidence(media_type::DSSE_ENVELOPE, &block));
    }
}
