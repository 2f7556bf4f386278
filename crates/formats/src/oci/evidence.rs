//! What a registry may hand out although nobody signed it: signatures and attestations themselves.

use serde::de::IgnoredAny;

use super::{Descriptor, Manifest, cose, media_type};
use crate::json;

/// What the content of a layer has to be, wholly, to be a signature or an attestation.
///
/// The media type alone proves nothing: container engines unpack a layer of a type that they do not know like any
/// other. Nor does a beginning: what engines unpack may begin like anything and end otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// An object of JSON: a bundle, an envelope, a payload, a statement.
    Json,
    /// A `COSE_Sign1` message, Notary Project's other envelope.
    Cose,
}

impl EvidenceKind {
    /// What a layer of the manifest has to be by its media type; nothing if that is neither signature nor attestation.
    ///
    /// The bytes of COSE may hold anything, also at places that annotations tell engines to begin at (zstd:chunked,
    /// eStargz): it has none, and stands in a manifest that cannot be run.
    pub fn of(manifest: &Manifest, layer: &Descriptor) -> Option<Self> {
        let named = layer.media_type.as_str();
        let config = manifest.config.as_ref().map(|config| config.media_type.as_str());
        let is_json = named.starts_with(media_type::SIGSTORE_BUNDLE_PREFIX) || JSON_TYPES.contains(&named);
        let is_cose = named == COSE
            && layer.annotations.is_empty()
            && config.is_some_and(|config| {
                [media_type::NOTARY_SIGNATURE, media_type::OCI_EMPTY].contains(&config)
            });
        match is_cose {
            true => Some(Self::Cose),
            false => is_json.then_some(Self::Json),
        }
    }

    /// Whether the content, whole and of at most [`MAX_EVIDENCE_BYTES`], is of this kind and nothing else besides.
    pub fn is(self, content: &[u8]) -> bool {
        content.len() <= MAX_EVIDENCE_BYTES
            && match self {
                Self::Json => is_json_object(content),
                Self::Cose => cose::is_sign1(content),
            }
            && !is_tar_too(content)
    }
}

fn is_json_object(content: &[u8]) -> bool {
    content.trim_ascii_start().first() == Some(&b'{')
        && json::parse::<IgnoredAny>(content, MAX_EVIDENCE_BYTES).is_ok()
}

/// Whether the content is the archive of an image layer as well. Such text can be written: the header of an old tar
/// needs no byte that a string of JSON may not have. Any reader of tar demands that the header states the sum of its
/// bytes in octal digits, those of the sum itself taken for spaces (POSIX.1-1988, `ustar`); how they may be
/// surrounded, each reader sees differently, so that nothing is asked of that.
fn is_tar_too(content: &[u8]) -> bool {
    let Some((header, stated)) = content.get(..TAR_BLOCK).zip(content.get(TAR_CHECKSUM)) else {
        return false;
    };
    let sum = |value: fn(u8) -> i64| -> i64 {
        let bytes = header.iter().enumerate();
        bytes.map(|(at, byte)| value(if TAR_CHECKSUM.contains(&at) { b' ' } else { *byte })).sum()
    };
    // Old writers summed signed bytes, and readers take either.
    [sum(i64::from), sum(|byte| i64::from(byte.cast_signed()))].into_iter().any(|sum| {
        let digits = format!("{sum:o}");
        stated.windows(digits.len()).any(|window| window == digits.as_bytes())
    })
}

/// The largest signature or attestation: as large as a bundle or an envelope may be.
pub const MAX_EVIDENCE_BYTES: usize = 16 * 1024 * 1024;
/// What signatures and attestations are kept as: cosign's, in-toto's, Notary Project's.
const JSON_TYPES: [&str; 4] = [
    media_type::SIMPLE_SIGNING,
    media_type::DSSE_ENVELOPE,
    "application/vnd.in-toto+json",
    "application/jose+json",
];
/// Notary Project's other envelope.
const COSE: &str = "application/cose";
const TAR_BLOCK: usize = 512;
/// Where a tar header has its checksum.
const TAR_CHECKSUM: std::ops::Range<usize> = 148..156;

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of a tar of before POSIX, wholly of what strings of JSON may have, with `checksum` made of its sum.
    fn tar_header(fill: u8, name: &[u8], checksum: impl Fn(i64) -> Vec<u8>) -> Vec<u8> {
        let mut block = vec![fill; TAR_BLOCK];
        block[..name.len()].copy_from_slice(name);
        block[100..148].copy_from_slice(b"0000755 0000000 0000000 00000001000 00000000000 ");
        block[TAR_CHECKSUM].fill(b' ');
        block[156] = b'0';
        let sum = checksum(block.iter().map(|byte| i64::from(*byte)).sum());
        block[TAR_CHECKSUM][..sum.len()].copy_from_slice(&sum);
        block
    }

    fn layer(media_type: &str) -> Descriptor {
        Descriptor::of(media_type, b"content")
    }

    /// What a layer is in a manifest with that configuration.
    fn kind(config: &str, layer: &Descriptor) -> Option<EvidenceKind> {
        let json = serde_json::json!({"schemaVersion": 2, "config": self::layer(config), "layers": [layer]});
        EvidenceKind::of(&Manifest::parse(json.to_string().as_bytes()).unwrap(), layer)
    }

    fn usual(sum: i64) -> Vec<u8> {
        format!("{sum:06o} ").into_bytes()
    }

    /// JSON whose first 512 bytes are the header of a tar.
    fn json_and_tar(checksum: impl Fn(i64) -> Vec<u8>) -> Vec<u8> {
        [&tar_header(b'A', b"{\"payload\":\"", checksum), b"\", \"x\": \"content\"}".as_slice()].concat()
    }

    fn sign1(payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [b"\xd2\x84\x43\xa1\x01\x26\xa0\x59".as_slice(), &length, payload, b"\x42ab"].concat()
    }

    #[test]
    fn signatures_and_attestations_are_evidence() {
        for of_json in JSON_TYPES.into_iter().chain([media_type::SIGSTORE_BUNDLE]) {
            for config in [media_type::OCI_CONFIG, media_type::OCI_EMPTY] {
                assert_eq!(kind(config, &layer(of_json)), Some(EvidenceKind::Json));
            }
        }
        assert_eq!(kind(media_type::OCI_EMPTY, &layer(media_type::OCI_LAYER_TAR)), None);
        let long = format!("{{\"payload\": \"{}\"}}\n", "A".repeat(5_000));
        for document in ["{}", " \n{\"critical\": {\"type\": [1, null, true]}}\r\n", &long] {
            assert!(EvidenceKind::Json.is(document.as_bytes()), "{document}");
        }
        assert!(EvidenceKind::Cose.is(&sign1(b"{}")));
    }

    /// Engines that pull parts begin where annotations say, in which COSE may hold a layer.
    #[test]
    fn cose_is_evidence_only_where_nothing_can_be_run() {
        let mut layer = layer(COSE);
        for config in [media_type::NOTARY_SIGNATURE, media_type::OCI_EMPTY] {
            assert_eq!(kind(config, &layer), Some(EvidenceKind::Cose));
        }
        for config in [media_type::OCI_CONFIG, media_type::DOCKER_CONFIG] {
            assert_eq!(kind(config, &layer), None, "{config}");
        }
        let position = "io.github.containers.zstd-chunked.manifest-position";
        layer.annotations.insert(position.to_owned(), "100:200:300:1".to_owned());
        assert_eq!(kind(media_type::NOTARY_SIGNATURE, &layer), None);
    }

    #[test]
    fn what_an_engine_unpacks_is_none_whatever_it_is_called() {
        let tar = [tar_header(0, b"bin/sh", usual), vec![0; 1_024]].concat();
        for content in [&b"\x1f\x8b\x08\x00"[..], b"\x28\xb5\x2f\xfd", b"\x7fELF", b"", b"[]", b"{", &tar] {
            for kind in [EvidenceKind::Json, EvidenceKind::Cose] {
                assert!(!kind.is(content), "{kind:?} {content:?}");
            }
        }
    }

    /// Go trims the field and then ends it at the first NUL, which a list of what tars look like did not.
    #[test]
    fn a_tar_whose_checksum_go_reads_is_no_evidence() {
        let go = |sum: i64| format!("{sum:06o}\0x").into_bytes();
        let name = b"{\"payload\":\"";
        assert!(!EvidenceKind::Json.is(&[tar_header(0, name, go), vec![0; 1_024]].concat()));
        assert!(!EvidenceKind::Json.is(&json_and_tar(go)), "a NUL is no JSON");
        assert!(EvidenceKind::Cose.is(&sign1(&[b'A'; 600])));
        for checksum in [go, usual, |sum: i64| format!("\0\0{sum:o}\0").into_bytes()] {
            let mut content = sign1(&[b'A'; 600]);
            content[..TAR_BLOCK].copy_from_slice(&tar_header(b'A', &sign1(&[b'A'; 600])[..90], checksum));
            assert!(cose::is_sign1(&content) && !EvidenceKind::Cose.is(&content));
        }
    }

    #[test]
    fn json_that_is_a_tar_as_well_is_no_evidence() {
        for checksum in
            [usual, |sum: i64| format!("{sum:08o}").into_bytes(), |sum: i64| format!("  {sum:o}x").into()]
        {
            assert!(!EvidenceKind::Json.is(&json_and_tar(checksum)));
        }
        let another = json_and_tar(|sum| usual(sum + 1));
        assert!(EvidenceKind::Json.is(&another), "no reader of tar takes it");
        let signed = |_| {
            let block = tar_header(b'A', "{\"payload\":\"\u{e9}".as_bytes(), |_| Vec::new());
            usual(block.iter().map(|byte| i64::from(byte.cast_signed())).sum())
        };
        let header = tar_header(b'A', "{\"payload\":\"\u{e9}".as_bytes(), signed);
        assert!(!EvidenceKind::Json.is(&[&header, b"\"}".as_slice()].concat()));
    }

    #[test]
    fn evidence_is_bounded() {
        let document = |size: usize| format!("{{\"a\":\"{}\"}}", "A".repeat(size - 8));
        assert!(EvidenceKind::Json.is(document(MAX_EVIDENCE_BYTES).as_bytes()));
        assert!(!EvidenceKind::Json.is(document(MAX_EVIDENCE_BYTES + 1).as_bytes()));
    }
}
