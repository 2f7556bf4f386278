//! PKCS#8 keys under PBES2 (RFC 8018 §6.2), as `openssl pkcs8 -topk8` and others write them.
//!
//! The `pkcs5` crate is used for the ASN.1 only; key derivation and AES are aws-lc's, scrypt excepted.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use der::{Decode, Encode};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{self, Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf};
use pkcs8::{EncryptedPrivateKeyInfo, EncryptedPrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::scrypt::Cost;
use crate::error::Error;
use crate::password::Password;
use crate::private::random;

/// An encrypted key whose description has been checked.
pub(super) struct Sealed<'a> {
    derivation: Derivation,
    cipher: &'static aws_lc_rs::cipher::Algorithm,
    key_len: usize,
    iv: [u8; 16],
    ciphertext: &'a [u8],
}

enum Derivation {
    Pbkdf2 { prf: pbkdf2::Algorithm, iterations: NonZeroU32, salt: Vec<u8> },
    Scrypt { cost: Cost, salt: Vec<u8> },
}

impl<'a> Sealed<'a> {
    /// Reads an EncryptedPrivateKeyInfo. Excessive parameters are refused here, before any work.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Error> {
        let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| Error::UnsupportedEncryption {
            what: "not PBES2 with PBKDF2 or scrypt and AES (`openssl pkcs8 -topk8` rewrites it)",
        })?;
        let EncryptionScheme::Pbes2(parameters) = info.encryption_algorithm else {
            return Err(Error::UnsupportedEncryption { what: "PBES1, whose ciphers are broken" });
        };
        let (cipher, key_len, iv) = cipher(&parameters.encryption)?;
        let derivation = Derivation::new(&parameters.kdf, key_len)?;
        Ok(Self { derivation, cipher, key_len, iv, ciphertext: info.encrypted_data.as_bytes() })
    }

    /// The PKCS#8 key inside, or bytes that are none if the password is wrong and the padding fits by chance.
    pub(super) fn open(&self, password: &Password) -> Result<Zeroizing<Vec<u8>>, Error> {
        let key = self.derivation.derive(password, self.key_len)?;
        let failed = |_| Error::Library { action: "decrypt a key" };
        let key = UnboundCipherKey::new(self.cipher, &key).map_err(failed)?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(failed)?;
        let context = DecryptionContext::Iv128(FixedLength::from(self.iv));
        let mut buffer = Zeroizing::new(self.ciphertext.to_vec());
        let plaintext = key.decrypt(&mut buffer, context).map_err(|_| Error::WrongPassword)?;
        Ok(Zeroizing::new(plaintext.to_vec()))
    }
}

impl fmt::Display for Sealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.key_len * 8;
        match &self.derivation {
            Derivation::Pbkdf2 { iterations, .. } => {
                write!(f, "AES-{bits}-CBC, PBKDF2 with {iterations} iterations")
            }
            Derivation::Scrypt { cost, .. } => write!(f, "AES-{bits}-CBC, {cost}"),
        }
    }
}

impl Derivation {
    fn new(kdf: &Kdf, key_len: usize) -> Result<Self, Error> {
        if kdf.key_length().is_some_and(|length| usize::from(length) != key_len) {
            return Err(Error::Malformed { format: FORMAT, what: "key length and cipher disagree" });
        }
        match kdf {
            Kdf::Pbkdf2(params) => Ok(Self::Pbkdf2 {
                prf: prf(params.prf)?,
                iterations: iterations(params.iteration_count)?,
                salt: params.salt.as_bytes().to_vec(),
            }),
            Kdf::Scrypt(params) => Ok(Self::Scrypt {
                cost: Cost::new(
                    params.cost_parameter,
                    u64::from(params.block_size),
                    u64::from(params.parallelization),
                )?,
                salt: params.salt.as_bytes().to_vec(),
            }),
            _ => Err(Error::UnsupportedEncryption { what: "a key derivation other than PBKDF2 and scrypt" }),
        }
    }

    /// The first `length` bytes of the derived key; both functions give the same ones for every length.
    fn derive(&self, password: &Password, length: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut key = Zeroizing::new(vec![0; length]);
        match self {
            Self::Pbkdf2 { prf, iterations, salt } => {
                pbkdf2::derive(*prf, *iterations, salt, password.as_bytes(), &mut key);
            }
            Self::Scrypt { cost, salt } => {
                let derived = cost.derive::<MAX_KEY_LEN>(password, salt)?;
                key.iter_mut().zip(derived.iter()).for_each(|(slot, byte)| *slot = *byte);
            }
        }
        Ok(key)
    }
}

/// Encrypts a PKCS#8 key: PBKDF2-HMAC-SHA-256 and AES-256-CBC, which OpenSSL and Go's libraries read.
pub(super) fn seal(pkcs8: &[u8], password: &Password) -> Result<Vec<u8>, Error> {
    let failed = |_| Error::Library { action: "encrypt a key" };
    let kdf = Pbkdf2Params::hmac_sha256(ITERATIONS, &random::<16>()?)
        .map(Kdf::Pbkdf2)
        .map_err(|_| Error::Library { action: "encode PBES2 parameters" })?;
    let key = Derivation::new(&kdf, MAX_KEY_LEN)?.derive(password, MAX_KEY_LEN)?;
    let key = UnboundCipherKey::new(&AES_256, &key).map_err(failed)?;
    // With room for the padding: a buffer that grew would leave the key in the memory it had.
    let mut buffer = Zeroizing::new(Vec::with_capacity(pkcs8.len() + AES_256.block_len()));
    buffer.extend_from_slice(pkcs8);
    let context =
        PaddedBlockEncryptingKey::cbc_pkcs7(key).and_then(|key| key.encrypt(&mut *buffer)).map_err(failed)?;
    let iv = <&[u8]>::try_from(&context).map_err(failed)?;
    let iv = iv.try_into().map_err(|_| Error::Library { action: "encrypt a key" })?;
    let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv };
    let info = EncryptedPrivateKeyInfo {
        encryption_algorithm: EncryptionScheme::Pbes2(Parameters { kdf, encryption }),
        encrypted_data: der::asn1::OctetString::new(&**buffer)
            .map_err(|_| Error::Library { action: "encode DER" })?,
    };
    info.to_der().map_err(|_| Error::Library { action: "encode DER" })
}

type Cipher = (&'static aws_lc_rs::cipher::Algorithm, usize, [u8; 16]);

fn cipher(scheme: &pbes2::EncryptionScheme) -> Result<Cipher, Error> {
    match scheme {
        pbes2::EncryptionScheme::Aes128Cbc { iv } => Ok((&AES_128, 16, *iv)),
        pbes2::EncryptionScheme::Aes192Cbc { iv } => Ok((&AES_192, 24, *iv)),
        pbes2::EncryptionScheme::Aes256Cbc { iv } => Ok((&AES_256, 32, *iv)),
        _ => Err(Error::UnsupportedEncryption { what: "a cipher other than AES-CBC" }),
    }
}

fn prf(prf: Pbkdf2Prf) -> Result<pbkdf2::Algorithm, Error> {
    match prf {
        Pbkdf2Prf::HmacWithSha1 => Ok(pbkdf2::PBKDF2_HMAC_SHA1),
        Pbkdf2Prf::HmacWithSha256 => Ok(pbkdf2::PBKDF2_HMAC_SHA256),
        Pbkdf2Prf::HmacWithSha384 => Ok(pbkdf2::PBKDF2_HMAC_SHA384),
        Pbkdf2Prf::HmacWithSha512 => Ok(pbkdf2::PBKDF2_HMAC_SHA512),
        _ => Err(Error::UnsupportedEncryption { what: "PBKDF2 with another hash than SHA-1/256/384/512" }),
    }
}

fn iterations(count: u32) -> Result<NonZeroU32, Error> {
    match NonZeroU32::new(count) {
        Some(nonzero) if count <= MAX_ITERATIONS => Ok(nonzero),
        _ => Err(Error::KdfOutOfBounds {
            name: "iterations",
            value: u64::from(count),
            accepted: "1 to 10000000",
        }),
    }
}

const FORMAT: &str = "encrypted PKCS#8 key";

/// A few seconds of work; peers write 2,048 (OpenSSL) to 1,300,000.
const MAX_ITERATIONS: u32 = 10_000_000;

/// The current OWASP advice for PBKDF2-HMAC-SHA-256.
const ITERATIONS: u32 = 600_000;

/// The key of AES-256.
const MAX_KEY_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use pkcs8::pkcs5::pbes2::ScryptParams;

    use super::*;

    #[test]
    fn iterations_are_bounded_before_any_work() {
        for count in [1, MAX_ITERATIONS] {
            assert!(Sealed::parse(&file(pbkdf2(count, None))).is_ok());
        }
        for count in [0, MAX_ITERATIONS + 1, u32::MAX] {
            let refused = Sealed::parse(&file(pbkdf2(count, None))).map(|sealed| sealed.to_string());
            assert!(matches!(refused, Err(Error::KdfOutOfBounds { name: "iterations", .. })), "{count}");
        }
    }

    #[test]
    fn scrypt_is_bounded_before_any_work() {
        assert!(Sealed::parse(&file(scrypt(16_384, 8, 1))).is_ok());
        for (n, r, p, name) in
            [(1 << 40, 8, 1, "N"), (1 << 20, 8, 1, "r"), (16_384, 8, 5, "p"), (3, 8, 1, "N")]
        {
            match Sealed::parse(&file(scrypt(n, r, p))).map(|sealed| sealed.to_string()) {
                Err(Error::KdfOutOfBounds { name: found, .. }) => assert_eq!(found, name),
                other => panic!("{n} {r} {p}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_key_length_that_is_not_the_ciphers_is_refused() {
        assert!(Sealed::parse(&file(pbkdf2(1, Some(32)))).is_ok());
        let refused = Sealed::parse(&file(pbkdf2(1, Some(16)))).map(|sealed| sealed.to_string());
        assert!(matches!(refused, Err(Error::Malformed { .. })));
    }

    #[test]
    fn a_changed_byte_never_panics_and_never_opens_another_key() {
        let password = Password::new(b"pw".to_vec());
        let file = file(pbkdf2(1, None));
        let content = Sealed::parse(&file).unwrap().open(&password);
        assert!(matches!(content, Err(Error::WrongPassword)), "48 zero bytes decrypt to no padding");
        for position in 0..file.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[position] ^= change;
                if let Ok(sealed) = Sealed::parse(&changed)
                    && !matches!(sealed.derivation, Derivation::Pbkdf2 { iterations, .. } if iterations.get() > 1000)
                    && let Ok(content) = sealed.open(&password)
                {
                    assert!(crate::PrivateKey::from_pkcs8_der(&content).is_err());
                }
            }
        }
    }

    fn pbkdf2(iteration_count: u32, key_length: Option<u16>) -> Kdf {
        let salt = [7; 16].as_slice().try_into().unwrap();
        Kdf::Pbkdf2(Pbkdf2Params { salt, iteration_count, key_length, prf: Pbkdf2Prf::HmacWithSha256 })
    }

    fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> Kdf {
        let salt = [7; 16].as_slice().try_into().unwrap();
        Kdf::Scrypt(ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None })
    }

    fn file(kdf: Kdf) -> Vec<u8> {
        let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
        let info = EncryptedPrivateKeyInfo {
            encryption_algorithm: EncryptionScheme::Pbes2(Parameters { kdf, encryption }),
            encrypted_data: der::asn1::OctetString::new([0; 48]).unwrap(),
        };
        info.to_der().unwrap()
    }
}
