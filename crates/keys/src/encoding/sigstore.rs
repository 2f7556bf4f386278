//! cosign's key file: a PKCS#8 key in a NaCl secretbox under a key that scrypt derives from a password,
//! described in JSON (go-securesystemslib `encrypted`).

use std::fmt;

use base64ct::{Base64, Encoding};
use crypto_secretbox::aead::{Aead, KeyInit};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::pem;
use super::scrypt::Cost;
use crate::error::Error;
use crate::password::Password;
use crate::private::random;

/// An encrypted key whose description has been checked.
pub(super) struct Sealed {
    cost: Cost,
    salt: Vec<u8>,
    nonce: [u8; NONCE_LEN],
    ciphertext: Vec<u8>,
}

impl Sealed {
    /// Reads the JSON. Parameters that cosign does not write are refused here, before any work.
    pub(super) fn parse(json: &[u8]) -> Result<Self, Error> {
        let malformed = |what| Error::Malformed { format: FORMAT, what };
        let file: File = serde_json::from_slice(json).map_err(|_| malformed("not the expected JSON"))?;
        if file.kdf.name != KDF {
            return Err(Error::UnsupportedEncryption { what: "a key derivation other than scrypt" });
        }
        if file.cipher.name != CIPHER {
            return Err(Error::UnsupportedEncryption { what: "a cipher other than nacl/secretbox" });
        }
        let salt = base64(&file.kdf.salt)?;
        if salt.len() != SALT_LEN {
            return Err(malformed("the salt is not 32 bytes long"));
        }
        let nonce = base64(&file.cipher.nonce)?;
        let nonce = nonce.try_into().map_err(|_| malformed("the nonce is not 24 bytes long"))?;
        Ok(Self { cost: file.kdf.params.cost()?, salt, nonce, ciphertext: base64(&file.ciphertext)? })
    }

    /// The PKCS#8 key inside.
    pub(super) fn open(&self, password: &Password) -> Result<Zeroizing<Vec<u8>>, Error> {
        let key = self.cost.derive(password, &self.salt)?;
        cipher(&key)
            .decrypt(Nonce::from_slice(&self.nonce), self.ciphertext.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| Error::WrongPassword)
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CIPHER}, {}", self.cost)
    }
}

/// Encrypts a PKCS#8 key with cosign's own parameters.
pub(super) fn seal(pkcs8: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (salt, nonce) = (random::<SALT_LEN>()?, random::<NONCE_LEN>()?);
    let key = Cost::new(N, R, P)?.derive(password, &salt)?;
    let ciphertext = cipher(&key)
        .encrypt(Nonce::from_slice(&nonce), pkcs8)
        .map_err(|_| Error::Library { action: "encrypt a key" })?;
    let file = File {
        kdf: Kdf {
            name: KDF.to_owned(),
            params: Params { n: N, r: R, p: P },
            salt: Base64::encode_string(&salt),
        },
        cipher: Cipher { name: CIPHER.to_owned(), nonce: Base64::encode_string(&nonce) },
        ciphertext: Base64::encode_string(&ciphertext),
    };
    let json = serde_json::to_vec(&file).map_err(|_| Error::Library { action: "write JSON" })?;
    pem::encode(pem::SIGSTORE, &json)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u64,
    p: u64,
}

impl Params {
    /// Only what cosign has written or accepts: three values of N, one of r and p.
    fn cost(self) -> Result<Cost, Error> {
        let refuse = |name, value, accepted| Error::KdfOutOfBounds { name, value, accepted };
        match self {
            Self { n, .. } if !ACCEPTED_N.contains(&n) => Err(refuse("N", n, "32768, 65536 or 131072")),
            Self { r, .. } if r != R => Err(refuse("r", r, "8")),
            Self { p, .. } if p != P => Err(refuse("p", p, "1")),
            Self { n, r, p } => Cost::new(n, r, p),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    name: String,
    nonce: String,
}

fn base64(text: &str) -> Result<Vec<u8>, Error> {
    Base64::decode_vec(text).map_err(|_| Error::Malformed { format: FORMAT, what: "not base64" })
}

fn cipher(key: &[u8; 32]) -> XSalsa20Poly1305 {
    XSalsa20Poly1305::new(Key::from_slice(key))
}

const FORMAT: &str = "encrypted Sigstore key";
const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
const ACCEPTED_N: [u64; 3] = [32_768, 65_536, 131_072];
const N: u64 = 65_536;
const R: u64 = 8;
const P: u64 = 1;
const SALT_LEN: usize = 32;
const NONCE_LEN: usize = 24;
