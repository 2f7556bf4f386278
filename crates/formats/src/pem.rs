//! PEM (RFC 7468): base64 blocks between `-----BEGIN label-----` and `-----END label-----`.

use std::fmt;

use signet_crypto::{KeyError, PublicKey};

use crate::base64;

/// The largest PEM text that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The most blocks that one text may have.
pub const MAX_BLOCKS: usize = 256;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What the block says it is, such as `CERTIFICATE`.
    pub label: String,
    /// The decoded bytes.
    pub contents: Vec<u8>,
}

/// All blocks in their order. Text outside of blocks is explanatory (RFC 7468 §2) and skipped.
pub fn parse(text: &[u8]) -> Result<Vec<Block>, PemError> {
    if text.len() > MAX_BYTES {
        return Err(PemError::TooLarge);
    }
    let text = std::str::from_utf8(text).map_err(|_| PemError::Malformed)?;
    let mut lines = text.lines().map(str::trim_end);
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN) else { continue };
        if blocks.len() == MAX_BLOCKS {
            return Err(PemError::TooMany);
        }
        let label = label.strip_suffix(DASHES).ok_or(PemError::Malformed)?;
        blocks.push(block(label, &mut lines)?);
    }
    if blocks.is_empty() { Err(PemError::Empty) } else { Ok(blocks) }
}

/// The only block of a text that must have exactly one.
pub fn single(text: &[u8]) -> Result<Block, PemError> {
    let mut blocks = parse(text)?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) => Ok(block),
        _ => Err(PemError::TooMany),
    }
}

/// The DER of every block of a text that must hold nothing but certificates.
pub fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    parse(text)?
        .into_iter()
        .map(|block| match block.label.as_str() {
            CERTIFICATE => Ok(block.contents),
            _ => Err(PemError::Label(block.label)),
        })
        .collect()
}

/// The key of a text that must have one `PUBLIC KEY` and no other block.
pub fn public_key(text: &str) -> Result<PublicKey, KeyError> {
    let block = single(text.trim_ascii_start().as_bytes()).map_err(|_| KeyError::Malformed)?;
    match block.label.as_str() {
        PUBLIC_KEY => PublicKey::from_spki_der(&block.contents),
        _ => Err(KeyError::Unsupported),
    }
}

/// The text of one block, in lines of 64 characters.
pub fn encode(label: &str, contents: &[u8]) -> String {
    let body = base64::encode(contents);
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    for (at, character) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    format!("{text}\n{END}{label}{DASHES}\n")
}

/// The label of an X.509 certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a SubjectPublicKeyInfo.
pub const PUBLIC_KEY: &str = "PUBLIC KEY";

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemError {
    /// There is no block.
    Empty,
    /// A block has this label where another was needed.
    Label(String),
    /// A block does not end, has headers, or its contents are not strict base64.
    Malformed,
    /// There are more than [`MAX_BLOCKS`] blocks, or several where one was needed.
    TooMany,
    /// The text is larger than [`MAX_BYTES`].
    TooLarge,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no PEM block"),
            Self::Label(label) => write!(f, "the PEM block is a `{label}`, which is not accepted here"),
            Self::Malformed => f.write_str("the PEM is malformed"),
            Self::TooMany => f.write_str("there are too many PEM blocks"),
            Self::TooLarge => write!(f, "the PEM is larger than {MAX_BYTES} bytes"),
        }
    }
}

impl std::error::Error for PemError {}

fn block<'a>(label: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<Block, PemError> {
    let mut body = String::new();
    for line in lines {
        if let Some(end) = line.strip_prefix(END) {
            if end.strip_suffix(DASHES) != Some(label) {
                return Err(PemError::Malformed);
            }
            let contents = base64::decode(body).map_err(|_| PemError::Malformed)?;
            return Ok(Block { label: label.to_owned(), contents });
        }
        body.push_str(line);
    }
    Err(PemError::Malformed)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use signet_crypto::KeyAlgorithm;

    use super::*;

    #[test]
    fn blocks_are_read_in_order_and_text_between_is_skipped() {
        let text = format!("subject=x\n{}note\r\n{}", encode("A", b"one"), encode("B C", &[7; 100]));
        let blocks = parse(text.replace('\n', "\r\n").as_bytes()).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0], Block { label: "A".into(), contents: b"one".to_vec() });
        assert_eq!(blocks[1], Block { label: "B C".into(), contents: vec![7; 100] });
    }

    #[test]
    fn only_certificates_make_a_chain() {
        let certificate = encode(CERTIFICATE, b"der");
        assert_eq!(certificates(certificate.as_bytes()).unwrap(), [b"der"]);
        let key = certificate + &encode(PUBLIC_KEY, b"key");
        assert_eq!(certificates(key.as_bytes()), Err(PemError::Label("PUBLIC KEY".into())));
    }

    #[test]
    fn malformed_texts_are_refused_for_their_reason() {
        let cases = [
            ("", PemError::Empty),
            ("just text", PemError::Empty),
            ("-----BEGIN A-----\nAAAA\n", PemError::Malformed),
            ("-----BEGIN A-----\nAAAA\n-----END B-----\n", PemError::Malformed),
            ("-----BEGIN A-----\nAA A\n-----END A-----\n", PemError::Malformed),
            ("-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END A-----\n", PemError::Malformed),
            ("-----BEGIN A\nAAAA\n-----END A-----\n", PemError::Malformed),
        ];
        for (text, why) in cases {
            assert_eq!(parse(text.as_bytes()), Err(why), "{text:?}");
        }
        assert_eq!(parse(&vec![b' '; MAX_BYTES + 1]), Err(PemError::TooLarge));
        assert_eq!(parse(encode("A", b"").repeat(MAX_BLOCKS + 1).as_bytes()), Err(PemError::TooMany));
        assert_eq!(parse(encode("A", b"").repeat(MAX_BLOCKS).as_bytes()).unwrap().len(), MAX_BLOCKS);
        assert_eq!(single(encode("A", b"").repeat(2).as_bytes()), Err(PemError::TooMany));
    }

    /// A policy takes the key of a file that `--key` takes, whichever tool wrote it.
    #[test]
    fn a_public_key_may_have_text_around_it_and_lines_of_any_length() {
        let key = PublicKey::from_bits(KeyAlgorithm::Ed25519, &[9; 32]).unwrap();
        let text = encode(PUBLIC_KEY, key.spki_der());
        let (start, end) = text.split_at(50);
        for text in [text.clone(), format!("\n  {text}"), format!("of ci:\n{start}\n{end}until 2030\n")] {
            assert_eq!(public_key(&text).as_ref(), Ok(&key), "{text}");
        }
        assert_eq!(public_key(&text.repeat(2)), Err(KeyError::Malformed));
        assert_eq!(public_key(&text.replace(PUBLIC_KEY, "RSA PUBLIC KEY")), Err(KeyError::Unsupported));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(contents in proptest::collection::vec(any::<u8>(), 0..300)) {
            let block = single(encode("X", &contents).as_bytes()).unwrap();
            prop_assert_eq!(block.contents, contents);
        }

        #[test]
        fn any_text_is_parsed_or_refused_without_panic(text in "(-----BEGIN A-----|-----END A-----|\n|[A-Z=-]){0,30}") {
            let _ = parse(text.as_bytes());
        }
    }
}
