//! Object identifiers of private keys.

use der::Decode;
use der::asn1::ObjectIdentifier;
use pkcs8::AlgorithmIdentifierRef;
use signet_crypto::KeyAlgorithm;

use super::traditional::RsaPrivateKey;
use crate::error::Error;

/// The algorithm of a PKCS#8 key; the size of an RSA key is not in it.
pub(crate) fn key_algorithm(id: &AlgorithmIdentifierRef<'_>) -> Result<KeyAlgorithm, Error> {
    match id.oid {
        EC => curve(id.parameters_oid().map_err(|_| Error::UnsupportedAlgorithm)?),
        RSA => Ok(KeyAlgorithm::Rsa { bits: 0 }),
        ED25519 => Ok(KeyAlgorithm::Ed25519),
        ML_DSA_44 => Ok(KeyAlgorithm::MlDsa44),
        ML_DSA_65 => Ok(KeyAlgorithm::MlDsa65),
        ML_DSA_87 => Ok(KeyAlgorithm::MlDsa87),
        _ => Err(Error::UnsupportedAlgorithm),
    }
}

/// The algorithm of an EC key on a named curve.
pub(crate) fn curve(named: ObjectIdentifier) -> Result<KeyAlgorithm, Error> {
    match named {
        P256 => Ok(KeyAlgorithm::EcdsaP256),
        P384 => Ok(KeyAlgorithm::EcdsaP384),
        P521 => Ok(KeyAlgorithm::EcdsaP521),
        _ => Err(Error::UnsupportedAlgorithm),
    }
}

/// Why aws-lc, which does not say, refused an RSA key: its size, or its numbers.
pub(crate) fn rsa_rejection(pkcs1: &[u8]) -> Error {
    match RsaPrivateKey::from_der(pkcs1) {
        Ok(key) if !RSA_BYTES.contains(&key.modulus.as_bytes().len()) => Error::UnsupportedAlgorithm,
        _ => Error::Malformed { format: "RSA key", what: "not a valid RSAPrivateKey" },
    }
}

/// Moduli of 2048 to 4096 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
