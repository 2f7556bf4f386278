//! Private keys in memory.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsBigEndian, AsDer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize};
use aws_lc_rs::signature::{
    self as lc, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaEncoding, RsaKeyPair,
};
use der::Decode;
use ed25519_dalek::SigningKey;
use pkcs8::PrivateKeyInfoRef;
use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm, PrehashedSha512, PublicKey, Scheme};
use zeroize::Zeroizing;

use crate::encoding::oid;
use crate::error::Error;
use crate::signer::{Payload, SignError, Signer};

/// A private key in memory; cleared when dropped, never shown.
pub struct PrivateKey {
    secret: Secret,
    public: PublicKey,
}

/// aws-lc clears the memory of each of these when it is freed.
enum Secret {
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
    MlDsa(Box<PqdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl PrivateKey {
    /// A new key. RSA keys have 2048, 3072 or 4096 bits.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, Error> {
        let failed = |_| Error::Library { action: "generate a key" };
        let secret = match algorithm {
            KeyAlgorithm::Ed25519 => Secret::from(Ed25519KeyPair::generate().map_err(failed)?),
            KeyAlgorithm::Rsa { bits } => {
                Secret::from(RsaKeyPair::generate(rsa_size(bits)?).map_err(failed)?)
            }
            _ => match (ecdsa(algorithm), ml_dsa(algorithm)) {
                (Some(curve), _) => Secret::from(EcdsaKeyPair::generate(curve).map_err(failed)?),
                (_, Some(set)) => Secret::from(PqdsaKeyPair::generate(set).map_err(failed)?),
                (None, None) => return Err(Error::UnsupportedAlgorithm),
            },
        };
        Self::new(algorithm, secret)
    }

    /// Reads a DER PKCS#8 PrivateKeyInfo (RFC 5208) or OneAsymmetricKey (RFC 5958). An ML-DSA key may be
    /// its seed, the expanded key, or both, which must then agree (RFC 9881 §6).
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self, Error> {
        let malformed = |_| Error::Malformed { format: "PKCS#8 key", what: "not a valid PrivateKeyInfo" };
        let rejected = |_| Error::Malformed { format: "PKCS#8 key", what: "the key is not valid" };
        let info = PrivateKeyInfoRef::from_der(pkcs8).map_err(malformed)?;
        let algorithm = oid::key_algorithm(&info.algorithm)?;
        let secret = match algorithm {
            KeyAlgorithm::Ed25519 => Secret::from(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(rejected)?),
            KeyAlgorithm::Rsa { .. } => return Self::from_pkcs1_der(info.private_key.as_bytes()),
            _ => match (ecdsa(algorithm), ml_dsa(algorithm)) {
                (Some(curve), _) => EcdsaKeyPair::from_pkcs8(curve, pkcs8).map_err(rejected)?.into(),
                (_, Some(set)) => PqdsaKeyPair::from_pkcs8(set, pkcs8).map_err(rejected)?.into(),
                (None, None) => return Err(Error::UnsupportedAlgorithm),
            },
        };
        Self::new(algorithm, secret)
    }

    /// The key as DER PKCS#8, version 1; an ML-DSA key as its seed where it has one.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let failed = |_| Error::Library { action: "encode a key" };
        Ok(match &self.secret {
            Secret::Ecdsa(pair) => owned(pair.to_pkcs8v1().map_err(failed)?),
            Secret::Ed25519(pair) => owned(pair.to_pkcs8v1().map_err(failed)?),
            Secret::MlDsa(pair) => owned(pair.to_pkcs8v1().map_err(failed)?),
            Secret::Rsa(pair) => owned(AsDer::as_der(pair.as_ref()).map_err(failed)?.as_ref()),
        })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The schemes the key can sign with, its own default first.
    pub fn schemes(&self) -> &'static [Scheme] {
        match self.public.algorithm() {
            // aws-lc has no P-384 signing with SHA-256, which only verifiers need.
            KeyAlgorithm::EcdsaP384 => &[Scheme::EcdsaP384Sha384],
            other => Scheme::for_key(other),
        }
    }

    /// Signs. Where one miscalculated signature can give the key away, it is verified with the public half before it
    /// is released.
    pub fn sign(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, SignError> {
        if !self.schemes().contains(&scheme) {
            return Err(SignError::UnsupportedScheme { scheme, key: self.public.algorithm() });
        }
        let signature = match (payload.fit(scheme)?, scheme.digest()) {
            (Payload::Digest(digest), _) => self.sign_digest(scheme, digest),
            (Payload::Message(message), Some(hash)) => self.sign_digest(scheme, &Digest::of(hash, message)),
            (Payload::Message(message), None) => self.sign_message(message),
        };
        let failed = SignError::Backend { reason: "the cryptographic library refused to sign".to_owned() };
        let signature = signature.ok_or(failed)?;
        match &self.secret {
            // Each has a nonce of its own, so a right and a wrong one over the same payload do not give the key.
            Secret::Ecdsa(_) => Ok(signature),
            // Right and wrong ones of these do: Ed25519 signs the same again, and RSA by its two primes.
            Secret::Ed25519(_) | Secret::MlDsa(_) | Secret::Rsa(_) => {
                payload.released(&self.public, scheme, signature)
            }
        }
    }

    /// An EC key from RFC 5915 ECPrivateKey.
    pub(crate) fn from_sec1_der(algorithm: KeyAlgorithm, sec1: &[u8]) -> Result<Self, Error> {
        let curve = ecdsa(algorithm).ok_or(Error::UnsupportedAlgorithm)?;
        let pair = EcdsaKeyPair::from_private_key_der(curve, sec1)
            .map_err(|_| Error::Malformed { format: "SEC1 key", what: "the key is not valid" })?;
        Self::new(algorithm, pair.into())
    }

    /// An EC key from its scalar and uncompressed point, which must belong together.
    pub(crate) fn from_ec_parts(algorithm: KeyAlgorithm, scalar: &[u8], point: &[u8]) -> Result<Self, Error> {
        let curve = ecdsa(algorithm).ok_or(Error::UnsupportedAlgorithm)?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, scalar, point)
            .map_err(|_| Error::Malformed { format: "EC key", what: "`d` does not belong to the point" })?;
        Self::new(algorithm, pair.into())
    }

    /// An Ed25519 key from its seed and public key, which must belong together.
    pub(crate) fn from_ed25519_parts(seed: &[u8], public: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map_err(|_| Error::Malformed { format: "Ed25519 key", what: "`d` does not belong to `x`" })?;
        Self::new(KeyAlgorithm::Ed25519, pair.into())
    }

    /// An RSA key from RFC 8017 RSAPrivateKey.
    pub(crate) fn from_pkcs1_der(pkcs1: &[u8]) -> Result<Self, Error> {
        let pair = RsaKeyPair::from_der(pkcs1).map_err(|_| oid::rsa_rejection(pkcs1))?;
        Self::from_rsa(pair)
    }

    /// An RSA key from its numbers, which must belong together.
    pub(crate) fn from_rsa_parts(parts: &KeyPairComponents<&[u8]>) -> Result<Self, Error> {
        let pair = RsaKeyPair::from_components(parts).map_err(|_| Error::Malformed {
            format: "RSA key",
            what: "its numbers do not belong together",
        })?;
        Self::from_rsa(pair)
    }

    /// RFC 5915 ECPrivateKey, for EC keys.
    pub(crate) fn sec1_der(&self) -> Option<Zeroizing<Vec<u8>>> {
        match &self.secret {
            Secret::Ecdsa(pair) => AsDer::as_der(&pair.private_key()).ok().map(|der| owned(der.as_ref())),
            _ => None,
        }
    }

    /// The scalar of an EC key or the seed of an Ed25519 key, in full length.
    pub(crate) fn raw_secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        match &self.secret {
            Secret::Ecdsa(pair) => pair.private_key().as_be_bytes().ok().map(|bytes| owned(bytes.as_ref())),
            Secret::Ed25519(pair) => seed(pair).map(|seed| owned(seed.as_slice())),
            _ => None,
        }
    }

    fn new(algorithm: KeyAlgorithm, secret: Secret) -> Result<Self, Error> {
        let public =
            PublicKey::from_bits(algorithm, secret.public_bits()).map_err(|_| Error::UnsupportedAlgorithm)?;
        Ok(Self { secret, public })
    }

    fn from_rsa(pair: RsaKeyPair) -> Result<Self, Error> {
        let bits = u32::try_from(pair.public_modulus_len() * 8).unwrap_or(u32::MAX);
        Self::new(KeyAlgorithm::Rsa { bits }, pair.into())
    }

    fn sign_digest(&self, scheme: Scheme, digest: &Digest) -> Option<Vec<u8>> {
        let prehashed = lc_digest(digest)?;
        match &self.secret {
            Secret::Ecdsa(pair) if scheme == Scheme::EcdsaP521Sha256 => {
                let pkcs8 = pair.to_pkcs8v1().ok()?;
                let pair =
                    EcdsaKeyPair::from_pkcs8(&lc::ECDSA_P521_SHA256_ASN1_SIGNING, pkcs8.as_ref()).ok()?;
                Some(pair.sign_digest(&prehashed).ok()?.as_ref().to_vec())
            }
            Secret::Ecdsa(pair) => Some(pair.sign_digest(&prehashed).ok()?.as_ref().to_vec()),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(rsa_encoding(scheme)?, &prehashed, &mut signature).ok()?;
                Some(signature)
            }
            Secret::Ed25519(pair) => {
                let key = SigningKey::from_bytes(&*seed(pair)?);
                let signature = key.sign_prehashed(PrehashedSha512::new(digest)?, None).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            Secret::MlDsa(_) => None,
        }
    }

    fn sign_message(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.secret {
            Secret::Ed25519(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
            Secret::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).ok()?;
                Some(signature)
            }
            Secret::Ecdsa(_) | Secret::Rsa(_) => None,
        }
    }
}

#[async_trait]
impl Signer for PrivateKey {
    fn public_key(&self) -> &PublicKey {
        self.public_key()
    }

    fn schemes(&self) -> &[Scheme] {
        self.schemes()
    }

    async fn sign(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, SignError> {
        self.sign(scheme, payload)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, {})", self.public.algorithm(), self.public.id())
    }
}

impl Secret {
    fn public_bits(&self) -> &[u8] {
        match self {
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::MlDsa(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
        }
    }
}

impl From<EcdsaKeyPair> for Secret {
    fn from(pair: EcdsaKeyPair) -> Self {
        Self::Ecdsa(Box::new(pair))
    }
}

impl From<Ed25519KeyPair> for Secret {
    fn from(pair: Ed25519KeyPair) -> Self {
        Self::Ed25519(Box::new(pair))
    }
}

impl From<PqdsaKeyPair> for Secret {
    fn from(pair: PqdsaKeyPair) -> Self {
        Self::MlDsa(Box::new(pair))
    }
}

impl From<RsaKeyPair> for Secret {
    fn from(pair: RsaKeyPair) -> Self {
        Self::Rsa(Box::new(pair))
    }
}

/// Bytes from the system's random source.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::SecureRandom::fill(&SystemRandom::new(), &mut bytes)
        .map_err(|_| Error::Library { action: "give random bytes" })?;
    Ok(bytes)
}

fn ecdsa(algorithm: KeyAlgorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => Some(&lc::ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::EcdsaP384 => Some(&lc::ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyAlgorithm::EcdsaP521 => Some(&lc::ECDSA_P521_SHA512_ASN1_SIGNING),
        _ => None,
    }
}

fn ml_dsa(algorithm: KeyAlgorithm) -> Option<&'static PqdsaSigningAlgorithm> {
    match algorithm {
        KeyAlgorithm::MlDsa44 => Some(&lc::ML_DSA_44_SIGNING),
        KeyAlgorithm::MlDsa65 => Some(&lc::ML_DSA_65_SIGNING),
        KeyAlgorithm::MlDsa87 => Some(&lc::ML_DSA_87_SIGNING),
        _ => None,
    }
}

fn rsa_size(bits: u32) -> Result<KeySize, Error> {
    match bits {
        2048 => Ok(KeySize::Rsa2048),
        3072 => Ok(KeySize::Rsa3072),
        4096 => Ok(KeySize::Rsa4096),
        _ => Err(Error::UnsupportedAlgorithm),
    }
}

fn rsa_encoding(scheme: Scheme) -> Option<&'static dyn RsaEncoding> {
    match scheme {
        Scheme::RsaPkcs1Sha256 => Some(&lc::RSA_PKCS1_SHA256),
        Scheme::RsaPssSha256 => Some(&lc::RSA_PSS_SHA256),
        _ => None,
    }
}

fn lc_digest(digest: &Digest) -> Option<aws_lc_rs::digest::Digest> {
    let algorithm = match digest.algorithm() {
        DigestAlgorithm::Sha256 => &aws_lc_rs::digest::SHA256,
        DigestAlgorithm::Sha384 => &aws_lc_rs::digest::SHA384,
        DigestAlgorithm::Sha512 => &aws_lc_rs::digest::SHA512,
    };
    aws_lc_rs::digest::Digest::import_less_safe(digest.as_bytes(), algorithm).ok()
}

fn seed(pair: &Ed25519KeyPair) -> Option<Zeroizing<[u8; 32]>> {
    let seed = pair.seed().ok()?.as_be_bytes().ok()?;
    <[u8; 32]>::try_from(seed.as_ref()).ok().map(Zeroizing::new)
}

fn owned(secret: impl AsRef<[u8]>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(secret.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.3: Ed25519ph is deterministic, so the signature is known.
    #[test]
    fn ed25519ph_makes_the_rfc_signature() {
        let seed = hex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42");
        let public = hex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
        let signature = hex(concat!(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ));
        let key = PrivateKey::from_ed25519_parts(&seed, &public).unwrap();
        assert_eq!(key.sign(Scheme::Ed25519ph, Payload::Message(b"abc")).unwrap(), signature);
        let digest = Digest::of(DigestAlgorithm::Sha512, b"abc");
        assert_eq!(key.sign(Scheme::Ed25519ph, Payload::Digest(&digest)).unwrap(), signature);
    }

    #[test]
    fn a_key_never_shows_its_secret() {
        let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let secret = key.raw_secret().unwrap();
        let shown = format!("{key:?}");
        assert!(shown.starts_with("PrivateKey(") && shown.contains(&key.public.id().hex()));
        assert!(!shown.contains(&Digest::from_bytes(DigestAlgorithm::Sha256, &secret).unwrap().hex()));
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }
}
