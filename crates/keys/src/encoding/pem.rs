//! The PEM block of a key file.

use std::str;

use der::pem::{Decoder, LineEnding, encode_string};
use zeroize::Zeroizing;

use crate::error::Error;

/// The label and content of the first block that is not `EC PARAMETERS`, which `openssl ecparam -genkey`
/// writes in front of the key. Text outside of blocks is ignored (RFC 7468 §2).
pub(super) fn decode(text: &[u8]) -> Result<(&str, Zeroizing<Vec<u8>>), Error> {
    let text = str::from_utf8(text).map_err(|_| Error::NotAKey)?;
    let mut rest = text;
    loop {
        let start = rest.find(BEGIN).ok_or(Error::NotAKey)?;
        let block = rest.get(start..).ok_or(Error::NotAKey)?;
        let (label, after) =
            block.strip_prefix(BEGIN).and_then(|b| b.split_once("-----")).ok_or(Error::NotAKey)?;
        if label != EC_PARAMETERS {
            return Ok((label, content(block, label)?));
        }
        rest = after;
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

fn content(block: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let malformed = |what| Error::Malformed { format: "PEM", what };
    let end = format!("-----END {label}-----");
    let length = block.find(&end).ok_or(malformed("the block has no end"))? + end.len();
    let block = block.get(..length).unwrap_or(block);
    if block.contains("Proc-Type:") {
        return Err(Error::UnsupportedEncryption {
            what: "OpenSSL's old PEM encryption (`openssl pkcs8 -topk8` rewrites it)",
        });
    }
    let mut decoder = Decoder::new_detect_wrap(block.as_bytes()).map_err(|_| malformed("not RFC 7468"))?;
    // Allocated once, so that no copy of a secret is left behind by growing.
    let mut content = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut content).map_err(|_| malformed("not base64"))?;
    Ok(content)
}

const BEGIN: &str = "-----BEGIN ";
const EC_PARAMETERS: &str = "EC PARAMETERS";
