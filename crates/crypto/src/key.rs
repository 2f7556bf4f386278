//! Public keys, read from SubjectPublicKeyInfo, and the checking of signatures with them.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::signature::{self as lc, ParsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use der::asn1::{BitStringRef, UintRef};
use der::{AnyRef, Decode, Encode, SliceReader};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};

use crate::{Digest, DigestAlgorithm, PrehashedSha512, Scheme};

/// A public key of an algorithm Signet knows, in its SubjectPublicKeyInfo form.
///
/// A key has one spelling here, the one that Go's `crypto/x509` takes too: its bytes are its identity, and a
/// second spelling would let one signer count as two.
#[derive(Clone)]
pub struct PublicKey {
    spki: Vec<u8>,
    algorithm: KeyAlgorithm,
    /// The bits of the key as aws-lc takes them: EC point, PKCS#1 RSAPublicKey, or raw bytes.
    bits: Vec<u8>,
    /// The key in aws-lc's hands, for the first scheme of its algorithm.
    parsed: ParsedPublicKey,
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) and checks that the key is usable.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        let info: SubjectPublicKeyInfoRef<'_> =
            SubjectPublicKeyInfo::from_der(spki).map_err(|_| KeyError::Malformed)?;
        let bits = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?;
        let algorithm = key_algorithm(&info.algorithm, bits)?;
        if !is_plain(algorithm, bits) {
            return Err(KeyError::OtherSpelling);
        }
        if algorithm == KeyAlgorithm::Ed25519 {
            check_ed25519(bits)?;
        }
        let parsed = parse(default_scheme(algorithm)?, bits)?;
        Ok(Self { spki: spki.to_vec(), algorithm, bits: bits.to_vec(), parsed })
    }

    /// Builds the SubjectPublicKeyInfo of a key from its algorithm and raw bits.
    pub fn from_bits(algorithm: KeyAlgorithm, bits: &[u8]) -> Result<Self, KeyError> {
        let (oid, parameters) = match algorithm {
            KeyAlgorithm::EcdsaP256 => (oid::EC, Some(AnyRef::from(&oid::P256))),
            KeyAlgorithm::EcdsaP384 => (oid::EC, Some(AnyRef::from(&oid::P384))),
            KeyAlgorithm::EcdsaP521 => (oid::EC, Some(AnyRef::from(&oid::P521))),
            KeyAlgorithm::Ed25519 => (oid::ED25519, None),
            KeyAlgorithm::MlDsa44 => (oid::ML_DSA_44, None),
            KeyAlgorithm::MlDsa65 => (oid::ML_DSA_65, None),
            KeyAlgorithm::MlDsa87 => (oid::ML_DSA_87, None),
            KeyAlgorithm::Rsa { .. } => (oid::RSA, Some(AnyRef::NULL)),
        };
        let info = SubjectPublicKeyInfo {
            algorithm: AlgorithmIdentifierRef { oid, parameters },
            subject_public_key: BitStringRef::from_bytes(bits).map_err(|_| KeyError::Malformed)?,
        };
        Self::from_spki_der(&info.to_der().map_err(|_| KeyError::Malformed)?)
    }

    /// The DER SubjectPublicKeyInfo, byte for byte as it was read.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key's identity: SHA-256 of its SubjectPublicKeyInfo, as bundles hint at it.
    pub fn id(&self) -> Digest {
        Digest::sha256(&self.spki)
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The content of the key's bit string: EC point, PKCS#1 RSAPublicKey, or raw bytes.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Whether it is an RSA key with a public exponent below 65537, with which careless signing or verifying
    /// elsewhere has been forged. Such keys verify, but nobody should be given one.
    pub fn has_small_exponent(&self) -> bool {
        let KeyAlgorithm::Rsa { .. } = self.algorithm else { return false };
        // The same number of bytes compares as numbers do.
        let is_small =
            |exponent: &[u8]| exponent.len() < 3 || (exponent.len() == 3 && exponent < [1, 0, 1].as_slice());
        rsa_parts(&self.bits).is_ok_and(|(_, exponent)| is_small(exponent.as_bytes()))
    }

    /// Checks a signature over `message`.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        match scheme {
            Scheme::Ed25519ph => {
                self.verify_ed25519ph(&Digest::of(DigestAlgorithm::Sha512, message), signature)
            }
            _ => self
                .parsed(scheme)
                .map_err(|_| SignatureInvalid)?
                .verify_sig(message, signature)
                .map_err(|_| SignatureInvalid),
        }
    }

    /// Checks a signature over a message of which only the digest is known.
    ///
    /// Always an error for schemes that sign the whole message ([`Scheme::digest`] is `None`) and
    /// for a digest of another algorithm than the scheme's.
    pub fn verify_digest(
        &self,
        scheme: Scheme,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), SignatureInvalid> {
        if scheme.digest() != Some(digest.algorithm()) {
            return Err(SignatureInvalid);
        }
        if scheme == Scheme::Ed25519ph {
            return self.verify_ed25519ph(digest, signature);
        }
        let digest = digest.to_lc().map_err(|_| SignatureInvalid)?;
        let key = self.parsed(scheme).map_err(|_| SignatureInvalid)?;
        key.verify_digest_sig(&digest, signature).map_err(|_| SignatureInvalid)
    }

    fn parsed(&self, scheme: Scheme) -> Result<Cow<'_, ParsedPublicKey>, KeyError> {
        match scheme.fits(self.algorithm) {
            true if scheme == default_scheme(self.algorithm)? => Ok(Cow::Borrowed(&self.parsed)),
            true => parse(scheme, &self.bits).map(Cow::Owned),
            false => Err(KeyError::Unsupported),
        }
    }

    fn verify_ed25519ph(&self, digest: &Digest, signature: &[u8]) -> Result<(), SignatureInvalid> {
        if self.algorithm != KeyAlgorithm::Ed25519 {
            return Err(SignatureInvalid);
        }
        let bits = self.bits.as_slice().try_into().map_err(|_| SignatureInvalid)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bits).map_err(|_| SignatureInvalid)?;
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| SignatureInvalid)?;
        key.verify_prehashed_strict(PrehashedSha512::new(digest).ok_or(SignatureInvalid)?, None, &signature)
            .map_err(|_| SignatureInvalid)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm, self.id())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// ECDSA on NIST P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
    /// ML-DSA-65 (FIPS 204).
    MlDsa65,
    /// ML-DSA-87 (FIPS 204).
    MlDsa87,
    /// RSA with a modulus of 2048 to 4096 bits.
    Rsa {
        /// The length of the modulus in bits.
        bits: u32,
    },
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcdsaP256 => f.write_str("ecdsa-p256"),
            Self::EcdsaP384 => f.write_str("ecdsa-p384"),
            Self::EcdsaP521 => f.write_str("ecdsa-p521"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::MlDsa44 => f.write_str("ml-dsa-44"),
            Self::MlDsa65 => f.write_str("ml-dsa-65"),
            Self::MlDsa87 => f.write_str("ml-dsa-87"),
            Self::Rsa { bits } => write!(f, "rsa-{bits}"),
        }
    }
}

/// Why a public key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The bytes are not a well-formed key.
    Malformed,
    /// An algorithm, curve or size outside the list of [`KeyAlgorithm`].
    Unsupported,
    /// A known key, but not in the one spelling that is accepted: a compressed point, RSA parameters that are
    /// absent, or anything else around the bits.
    OtherSpelling,
    /// A point of small order: anybody can sign for it.
    Weak,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a well-formed public key",
            Self::Unsupported => {
                "unsupported key (ECDSA P-256/384/521, RSA 2048 to 4096, Ed25519 and ML-DSA are accepted)"
            }
            Self::OtherSpelling => {
                "not in the usual spelling of such a key (an uncompressed point; RSA parameters that are NULL)"
            }
            Self::Weak => "a weak key, for which anybody can sign",
        })
    }
}

impl std::error::Error for KeyError {}

/// The signature does not verify. No more is said: the reasons are not to be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureInvalid;

impl fmt::Display for SignatureInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not verify")
    }
}

impl std::error::Error for SignatureInvalid {}

fn key_algorithm(id: &AlgorithmIdentifierRef<'_>, bits: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    match id.oid {
        oid::EC => match id.parameters_oid().map_err(|_| KeyError::Unsupported)? {
            oid::P256 => Ok(KeyAlgorithm::EcdsaP256),
            oid::P384 => Ok(KeyAlgorithm::EcdsaP384),
            oid::P521 => Ok(KeyAlgorithm::EcdsaP521),
            _ => Err(KeyError::Unsupported),
        },
        // RFC 3279 §2.3.1: the parameters must be NULL.
        oid::RSA if id.parameters == Some(AnyRef::NULL) => {
            rsa_bits(bits).map(|bits| KeyAlgorithm::Rsa { bits })
        }
        oid::RSA if id.parameters.is_none() => Err(KeyError::OtherSpelling),
        oid::ED25519 if id.parameters.is_none() => Ok(KeyAlgorithm::Ed25519),
        oid::ML_DSA_44 if id.parameters.is_none() => Ok(KeyAlgorithm::MlDsa44),
        oid::ML_DSA_65 if id.parameters.is_none() => Ok(KeyAlgorithm::MlDsa65),
        oid::ML_DSA_87 if id.parameters.is_none() => Ok(KeyAlgorithm::MlDsa87),
        _ => Err(KeyError::Unsupported),
    }
}

/// Whether the bits are the plain ones of the algorithm. aws-lc also takes compressed points, and in place of
/// bits a whole SubjectPublicKeyInfo.
fn is_plain(algorithm: KeyAlgorithm, bits: &[u8]) -> bool {
    let uncompressed = |coordinate: usize| bits.len() == 1 + 2 * coordinate && bits.first() == Some(&4);
    match algorithm {
        KeyAlgorithm::EcdsaP256 => uncompressed(32),
        KeyAlgorithm::EcdsaP384 => uncompressed(48),
        KeyAlgorithm::EcdsaP521 => uncompressed(66),
        KeyAlgorithm::Ed25519 => bits.len() == 32,
        KeyAlgorithm::MlDsa44 => bits.len() == 1312,
        KeyAlgorithm::MlDsa65 => bits.len() == 1952,
        KeyAlgorithm::MlDsa87 => bits.len() == 2592,
        // `rsa_parts` has read them to the end.
        KeyAlgorithm::Rsa { .. } => true,
    }
}

/// aws-lc takes points of small order, for which one signature fits every message, and coordinates that are not reduced,
/// in which a key has two spellings.
fn check_ed25519(bits: &[u8]) -> Result<(), KeyError> {
    let key = bits.try_into().ok().and_then(|bits| ed25519_dalek::VerifyingKey::from_bytes(bits).ok());
    let key = key.ok_or(KeyError::Malformed)?;
    if key.is_weak() {
        return Err(KeyError::Weak);
    }
    match key.to_edwards().compress().as_bytes() == bits {
        true => Ok(()),
        false => Err(KeyError::OtherSpelling),
    }
}

/// The modulus length of an RSA key.
fn rsa_bits(public_key: &[u8]) -> Result<u32, KeyError> {
    let (modulus, _) = rsa_parts(public_key)?;
    let first = modulus.as_bytes().first().copied().unwrap_or(0);
    let bytes = modulus.as_bytes().len();
    let bits = u32::try_from(bytes * 8).map_err(|_| KeyError::Unsupported)? - first.leading_zeros();
    match bits {
        2048..=4096 => Ok(bits),
        _ => Err(KeyError::Unsupported),
    }
}

/// A PKCS#1 RSAPublicKey, `SEQUENCE { modulus, publicExponent }`.
fn rsa_parts(public_key: &[u8]) -> Result<(UintRef<'_>, UintRef<'_>), KeyError> {
    let mut reader = SliceReader::new(public_key).map_err(|_| KeyError::Malformed)?;
    let parts = der::Reader::sequence(&mut reader, |body| -> der::Result<_> {
        Ok((UintRef::decode(body)?, UintRef::decode(body)?))
    });
    let parts = parts.map_err(|_| KeyError::Malformed)?;
    der::Reader::finish(reader).map_err(|_| KeyError::Malformed)?;
    Ok(parts)
}

fn default_scheme(algorithm: KeyAlgorithm) -> Result<Scheme, KeyError> {
    Scheme::for_key(algorithm).first().copied().ok_or(KeyError::Unsupported)
}

fn parse(scheme: Scheme, bits: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    let algorithm = verification_algorithm(scheme).ok_or(KeyError::Unsupported)?;
    ParsedPublicKey::new(algorithm, bits).map_err(|_| KeyError::Malformed)
}

fn verification_algorithm(scheme: Scheme) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match scheme {
        Scheme::EcdsaP256Sha256 => &lc::ECDSA_P256_SHA256_ASN1,
        Scheme::EcdsaP256Sha384 => &lc::ECDSA_P256_SHA384_ASN1,
        Scheme::EcdsaP384Sha256 => &lc::ECDSA_P384_SHA256_ASN1,
        Scheme::EcdsaP384Sha384 => &lc::ECDSA_P384_SHA384_ASN1,
        Scheme::EcdsaP521Sha256 => &lc::ECDSA_P521_SHA256_ASN1,
        Scheme::EcdsaP521Sha512 => &lc::ECDSA_P521_SHA512_ASN1,
        Scheme::Ed25519 => &lc::ED25519,
        Scheme::Ed25519ph => return None,
        Scheme::MlDsa44 => &lc::ML_DSA_44,
        Scheme::MlDsa65 => &lc::ML_DSA_65,
        Scheme::MlDsa87 => &lc::ML_DSA_87,
        Scheme::RsaPkcs1Sha256 => &lc::RSA_PKCS1_2048_8192_SHA256,
        Scheme::RsaPkcs1Sha384 => &lc::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1Sha512 => &lc::RSA_PKCS1_2048_8192_SHA512,
        Scheme::RsaPssSha256 => &lc::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPssSha384 => &lc::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPssSha512 => &lc::RSA_PSS_2048_8192_SHA512,
    })
}

mod oid {
    use super::ObjectIdentifier;

    pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    pub(super) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    pub(super) const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
    pub(super) const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
    pub(super) const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Ed25519ph vector of RFC 8032 §7.3.
    #[test]
    fn ed25519ph_verifies_the_rfc_vector_and_nothing_else() {
        let key = hex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
        let signature = hex(concat!(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ));
        let key = PublicKey::from_bits(KeyAlgorithm::Ed25519, &key).unwrap();
        assert_eq!(key.verify(Scheme::Ed25519ph, b"abc", &signature), Ok(()));
        assert_eq!(key.verify(Scheme::Ed25519, b"abc", &signature), Err(SignatureInvalid));
        assert_eq!(key.verify(Scheme::Ed25519ph, b"abd", &signature), Err(SignatureInvalid));
    }

    #[test]
    fn a_scheme_of_another_key_never_verifies() {
        let key = PublicKey::from_bits(KeyAlgorithm::Ed25519, &ED25519_KEY).unwrap();
        assert_eq!(key.verify(Scheme::RsaPkcs1Sha256, b"", &[0; 256]), Err(SignatureInvalid));
        let digest = Digest::sha256(b"");
        assert_eq!(key.verify_digest(Scheme::Ed25519, &digest, &[0; 64]), Err(SignatureInvalid));
    }

    #[test]
    fn keys_outside_the_list_are_refused() {
        assert_eq!(PublicKey::from_spki_der(b"junk"), Err(KeyError::Malformed));
        let small = [0x30, 0x06, 0x02, 0x01, 0x7f, 0x02, 0x01, 0x03];
        let refused = PublicKey::from_bits(KeyAlgorithm::Rsa { bits: 7 }, &small);
        assert_eq!(refused, Err(KeyError::Unsupported));
    }

    /// One key in two spellings was two principals of a threshold.
    #[test]
    fn a_key_has_one_spelling() {
        let pair = |algorithm| lc::EcdsaKeyPair::generate(algorithm).unwrap();
        for (algorithm, pair) in [
            (KeyAlgorithm::EcdsaP256, pair(&lc::ECDSA_P256_SHA256_ASN1_SIGNING)),
            (KeyAlgorithm::EcdsaP384, pair(&lc::ECDSA_P384_SHA384_ASN1_SIGNING)),
            (KeyAlgorithm::EcdsaP521, pair(&lc::ECDSA_P521_SHA512_ASN1_SIGNING)),
        ] {
            let point = lc::KeyPair::public_key(&pair).as_ref();
            let key = PublicKey::from_bits(algorithm, point).unwrap();
            let (x, y) = point[1..].split_at(point.len() / 2);
            let compressed = [&[2 + (y[y.len() - 1] & 1)], x].concat();
            let hybrid = [&[6 + (y[y.len() - 1] & 1)], x, y].concat();
            for other in [compressed, hybrid, key.spki_der().to_vec()] {
                assert_eq!(PublicKey::from_bits(algorithm, &other), Err(KeyError::OtherSpelling));
            }
        }
        let key = PublicKey::from_bits(KeyAlgorithm::Ed25519, &ED25519_KEY).unwrap();
        let nested = PublicKey::from_bits(KeyAlgorithm::Ed25519, key.spki_der());
        assert_eq!(nested, Err(KeyError::OtherSpelling));
    }

    /// The y coordinates of the points of small order, and the ways to write a small y with p added.
    #[test]
    fn an_ed25519_key_for_which_anybody_can_sign_is_refused() {
        let ed25519 = |bits: [u8; 32]| PublicKey::from_bits(KeyAlgorithm::Ed25519, &bits).map(|_| ());
        let y = |first: u8, between: u8, last: u8| {
            let mut bits = [between; 32];
            (bits[0], bits[31]) = (first, last);
            bits
        };
        let mut eighth = [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ];
        assert_eq!(ed25519(eighth), Err(KeyError::Weak));
        eighth[31] |= 0x80;
        assert_eq!(ed25519(eighth), Err(KeyError::Weak));
        // The identity, -1, 0, and the identity as p + 1.
        for weak in [y(1, 0, 0), y(0xec, 0xff, 0x7f), y(0, 0, 0), y(0, 0, 0x80), y(0xee, 0xff, 0x7f)] {
            assert_eq!(ed25519(weak), Err(KeyError::Weak), "{weak:x?}");
        }
        // 3 is the y of a point of large order, and so is p + 3.
        assert_eq!(ed25519(y(3, 0, 0)), Ok(()));
        assert_eq!(ed25519(y(0xf0, 0xff, 0x7f)), Err(KeyError::OtherSpelling));
    }

    #[test]
    fn an_rsa_key_has_null_parameters_and_nothing_behind_it() {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let bits = lc::KeyPair::public_key(&pair).as_ref();
        let key = |parameters, bits: &[u8]| {
            let info = SubjectPublicKeyInfo {
                algorithm: AlgorithmIdentifierRef { oid: oid::RSA, parameters },
                subject_public_key: BitStringRef::from_bytes(bits).unwrap(),
            };
            PublicKey::from_spki_der(&info.to_der().unwrap())
        };
        assert!(key(Some(AnyRef::NULL), bits).is_ok());
        assert_eq!(key(None, bits), Err(KeyError::OtherSpelling));
        assert_eq!(key(Some(AnyRef::NULL), &[bits, &[0]].concat()), Err(KeyError::Malformed));
    }

    const ED25519_KEY: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
        0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];

    fn hex(text: &str) -> Vec<u8> {
        let pairs = (0..text.len()).step_by(2);
        pairs.map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }
}
