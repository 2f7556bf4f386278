//! The PEM blocks of a key file. What is in them may be secret, so it is decoded into memory that is cleared.

use der::pem::{Decoder, LineEnding, encode_string};
use zeroize::Zeroizing;

use crate::error::Error;

/// A block that is not decoded yet.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    /// The block, and what follows it.
    text: &'a str,
}

/// The blocks that are not `EC PARAMETERS`, which `openssl ecparam -genkey` writes in front of the key. Text outside of
/// blocks is ignored (RFC 7468 §2).
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let block = |(start, begin): (usize, &str)| {
        let (_, text) = text.split_at_checked(start)?;
        let (label, _) = text.strip_prefix(begin)?.split_once("-----")?;
        Some(Block { label, text })
    };
    text.match_indices(BEGIN).filter_map(block).filter(|block| block.label != EC_PARAMETERS)
}

impl Block<'_> {
    pub(super) fn content(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let malformed = |what| Error::Malformed { format: "PEM", what };
        let end = format!("-----END {}-----", self.label);
        let length = self.text.find(&end).ok_or(malformed("the block has no end"))? + end.len();
        let block = self.text.get(..length).unwrap_or(self.text);
        if block.contains("Proc-Type:") {
            return Err(Error::UnsupportedEncryption {
                what: "OpenSSL's old PEM encryption (`openssl pkcs8 -topk8` rewrites it)",
            });
        }
        let mut decoder =
            Decoder::new_detect_wrap(block.as_bytes()).map_err(|_| malformed("not RFC 7468"))?;
        // Allocated once, so that no copy of a secret is left behind by growing.
        let mut content = Zeroizing::new(vec![0; decoder.remaining_len()]);
        decoder.decode(&mut content).map_err(|_| malformed("not base64"))?;
        Ok(content)
    }
}

pub(super) fn encode(label: &str, content: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = encode_string(label, LineEnding::LF, content);
    text.map(|text| Zeroizing::new(text.into_bytes())).map_err(|_| Error::Library { action: "encode PEM" })
}

pub(super) const SIGSTORE: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
pub(super) const COSIGN: &str = "ENCRYPTED COSIGN PRIVATE KEY";
pub(super) const PKCS8: &str = "PRIVATE KEY";
pub(super) const ENCRYPTED_PKCS8: &str = "ENCRYPTED PRIVATE KEY";
pub(super) const SEC1: &str = "EC PRIVATE KEY";
pub(super) const PKCS1: &str = "RSA PRIVATE KEY";
pub(super) const SPKI: &str = "PUBLIC KEY";
pub(super) const PKCS1_PUBLIC: &str = "RSA PUBLIC KEY";

const BEGIN: &str = "-----BEGIN ";
const EC_PARAMETERS: &str = "EC PARAMETERS";
