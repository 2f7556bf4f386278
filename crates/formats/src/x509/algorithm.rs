//! Signature and digest algorithm identifiers, as certificates and CMS write them.

use const_oid::ObjectIdentifier;
use der::Tag;
use signet_crypto::{DigestAlgorithm, KeyAlgorithm, PublicKey, Scheme, SignatureInvalid};

use crate::asn1::{self, Encode, Malformed, Tlv};

/// A signature algorithm as an AlgorithmIdentifier names it. The curve of ECDSA is the key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// ECDSA (RFC 5758).
    Ecdsa(DigestAlgorithm),
    /// RSASSA-PKCS1-v1_5 (RFC 4055).
    RsaPkcs1(DigestAlgorithm),
    /// RSASSA-PSS with a salt as long as the hash and MGF1 of the same hash (RFC 4055).
    RsaPss(DigestAlgorithm),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ML-DSA-44 (RFC 9881).
    MlDsa44,
    /// ML-DSA-65 (RFC 9881).
    MlDsa65,
    /// ML-DSA-87 (RFC 9881).
    MlDsa87,
    /// Anything else: nothing verifies under it.
    Unsupported(ObjectIdentifier),
}

impl SignatureAlgorithm {
    /// The scheme of a signature of this algorithm by `key`; `None` if the two do not go together.
    pub fn scheme(self, key: &PublicKey) -> Option<Scheme> {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        use KeyAlgorithm::{EcdsaP256, EcdsaP384, EcdsaP521};
        let scheme = match (self, key.algorithm()) {
            (Self::Ecdsa(Sha256), EcdsaP256) => Scheme::EcdsaP256Sha256,
            (Self::Ecdsa(Sha384), EcdsaP256) => Scheme::EcdsaP256Sha384,
            (Self::Ecdsa(Sha256), EcdsaP384) => Scheme::EcdsaP384Sha256,
            (Self::Ecdsa(Sha384), EcdsaP384) => Scheme::EcdsaP384Sha384,
            (Self::Ecdsa(Sha256), EcdsaP521) => Scheme::EcdsaP521Sha256,
            (Self::Ecdsa(Sha512), EcdsaP521) => Scheme::EcdsaP521Sha512,
            (Self::RsaPkcs1(Sha256), _) => Scheme::RsaPkcs1Sha256,
            (Self::RsaPkcs1(Sha384), _) => Scheme::RsaPkcs1Sha384,
            (Self::RsaPkcs1(Sha512), _) => Scheme::RsaPkcs1Sha512,
            (Self::RsaPss(Sha256), _) => Scheme::RsaPssSha256,
            (Self::RsaPss(Sha384), _) => Scheme::RsaPssSha384,
            (Self::RsaPss(Sha512), _) => Scheme::RsaPssSha512,
            (Self::Ed25519, _) => Scheme::Ed25519,
            (Self::MlDsa44, _) => Scheme::MlDsa44,
            (Self::MlDsa65, _) => Scheme::MlDsa65,
            (Self::MlDsa87, _) => Scheme::MlDsa87,
            _ => return None,
        };
        scheme.fits(key.algorithm()).then_some(scheme)
    }

    /// Checks a signature of this algorithm over `message`.
    pub fn verify(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        key.verify(self.scheme(key).ok_or(SignatureInvalid)?, message, signature)
    }

    /// The algorithm whose signatures this scheme makes; `None` for Ed25519ph, which has no name here.
    pub fn of_scheme(scheme: Scheme) -> Option<Self> {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        Some(match scheme {
            Scheme::EcdsaP256Sha256 | Scheme::EcdsaP384Sha256 | Scheme::EcdsaP521Sha256 => {
                Self::Ecdsa(Sha256)
            }
            Scheme::EcdsaP256Sha384 | Scheme::EcdsaP384Sha384 => Self::Ecdsa(Sha384),
            Scheme::EcdsaP521Sha512 => Self::Ecdsa(Sha512),
            Scheme::RsaPkcs1Sha256 => Self::RsaPkcs1(Sha256),
            Scheme::RsaPkcs1Sha384 => Self::RsaPkcs1(Sha384),
            Scheme::RsaPkcs1Sha512 => Self::RsaPkcs1(Sha512),
            Scheme::RsaPssSha256 => Self::RsaPss(Sha256),
            Scheme::RsaPssSha384 => Self::RsaPss(Sha384),
            Scheme::RsaPssSha512 => Self::RsaPss(Sha512),
            Scheme::Ed25519 => Self::Ed25519,
            Scheme::MlDsa44 => Self::MlDsa44,
            Scheme::MlDsa65 => Self::MlDsa65,
            Scheme::MlDsa87 => Self::MlDsa87,
            Scheme::Ed25519ph => return None,
        })
    }

    /// The DER AlgorithmIdentifier; `None` for RSASSA-PSS and [`Self::Unsupported`], which Signet does
    /// not issue under.
    pub fn identifier(self) -> Option<Vec<u8>> {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        let oid = match self {
            Self::Ecdsa(Sha256) => oid::ECDSA_SHA256,
            Self::Ecdsa(Sha384) => oid::ECDSA_SHA384,
            Self::Ecdsa(Sha512) => oid::ECDSA_SHA512,
            Self::RsaPkcs1(Sha256) => oid::RSA_SHA256,
            Self::RsaPkcs1(Sha384) => oid::RSA_SHA384,
            Self::RsaPkcs1(Sha512) => oid::RSA_SHA512,
            Self::Ed25519 => oid::ED25519,
            Self::MlDsa44 => oid::ML_DSA_44,
            Self::MlDsa65 => oid::ML_DSA_65,
            Self::MlDsa87 => oid::ML_DSA_87,
            Self::RsaPss(_) | Self::Unsupported(_) => return None,
        };
        // Only RSA has parameters, and they are NULL (RFC 4055 §5).
        let parameters = matches!(self, Self::RsaPkcs1(_)).then(asn1::null);
        Some(asn1::sequence(&[&asn1::oid(&oid), &parameters]).der())
    }

    /// Reads an AlgorithmIdentifier of a signature.
    pub(crate) fn read(identifier: &Tlv<'_>) -> Result<Self, Malformed> {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        let (oid, parameters) = parts(identifier)?;
        let absent = parameters.is_none();
        let null_or_absent = parameters.is_none_or(|p| p.tag == Tag::Null);
        Ok(match oid {
            oid::ECDSA_SHA256 if absent => Self::Ecdsa(Sha256),
            oid::ECDSA_SHA384 if absent => Self::Ecdsa(Sha384),
            oid::ECDSA_SHA512 if absent => Self::Ecdsa(Sha512),
            oid::RSA_SHA256 if null_or_absent => Self::RsaPkcs1(Sha256),
            oid::RSA_SHA384 if null_or_absent => Self::RsaPkcs1(Sha384),
            oid::RSA_SHA512 if null_or_absent => Self::RsaPkcs1(Sha512),
            oid::RSA_PSS => match parameters {
                Some(parameters) => pss(&parameters)?.map_or(Self::Unsupported(oid), Self::RsaPss),
                None => Self::Unsupported(oid),
            },
            oid::ED25519 if absent => Self::Ed25519,
            oid::ML_DSA_44 if absent => Self::MlDsa44,
            oid::ML_DSA_65 if absent => Self::MlDsa65,
            oid::ML_DSA_87 if absent => Self::MlDsa87,
            _ => Self::Unsupported(oid),
        })
    }

    /// Reads the `signatureAlgorithm` of a CMS SignerInfo, where the bare name of the key's
    /// algorithm stands for it together with the digest algorithm (RFC 3370 §3.2).
    pub(crate) fn read_cms(identifier: &Tlv<'_>, digest: DigestAlgorithm) -> Result<Self, Malformed> {
        let (oid, parameters) = parts(identifier)?;
        match oid {
            oid::RSA if parameters.is_none_or(|p| p.tag == Tag::Null) => Ok(Self::RsaPkcs1(digest)),
            _ => Self::read(identifier),
        }
    }
}

/// Reads an AlgorithmIdentifier of a digest; `Err` holds the one that is not supported.
pub(crate) fn digest_algorithm(
    identifier: &Tlv<'_>,
) -> Result<Result<DigestAlgorithm, ObjectIdentifier>, Malformed> {
    let (oid, parameters) = parts(identifier)?;
    if parameters.is_some_and(|p| p.tag != Tag::Null) {
        return Err(Malformed);
    }
    Ok(match oid {
        oid::SHA256 => Ok(DigestAlgorithm::Sha256),
        oid::SHA384 => Ok(DigestAlgorithm::Sha384),
        oid::SHA512 => Ok(DigestAlgorithm::Sha512),
        other => Err(other),
    })
}

/// The AlgorithmIdentifier of a digest, with the NULL parameters that `openssl ts` writes too.
pub(crate) fn encode_digest_algorithm(algorithm: DigestAlgorithm) -> Vec<u8> {
    asn1::sequence(&[&asn1::oid(&digest_oid(algorithm)), &asn1::null()]).der()
}

/// The same without parameters, as CMS writers have to encode it (RFC 5754 §2).
pub(crate) fn encode_bare_digest_algorithm(algorithm: DigestAlgorithm) -> Vec<u8> {
    asn1::sequence(&[&asn1::oid(&digest_oid(algorithm))]).der()
}

fn digest_oid(algorithm: DigestAlgorithm) -> ObjectIdentifier {
    match algorithm {
        DigestAlgorithm::Sha256 => oid::SHA256,
        DigestAlgorithm::Sha384 => oid::SHA384,
        DigestAlgorithm::Sha512 => oid::SHA512,
    }
}

fn parts<'a>(identifier: &Tlv<'a>) -> Result<(ObjectIdentifier, Option<Tlv<'a>>), Malformed> {
    let mut reader = identifier.reader();
    let oid = reader.oid()?;
    let parameters = match reader.is_finished() {
        true => None,
        false => Some(reader.next()?),
    };
    reader.finish()?;
    Ok((oid, parameters))
}

/// The hash of RSASSA-PSS-params if all of them are the usual ones of that hash.
fn pss(parameters: &Tlv<'_>) -> Result<Option<DigestAlgorithm>, Malformed> {
    let mut reader = match parameters.tag {
        Tag::Sequence => parameters.reader(),
        _ => return Err(Malformed),
    };
    // Absent fields mean SHA-1, which is not supported.
    let Some(hash) = reader.optional(asn1::constructed(0))? else { return Ok(None) };
    let Some(mask) = reader.optional(asn1::constructed(1))? else { return Ok(None) };
    let Some(salt) = reader.optional(asn1::constructed(2))? else { return Ok(None) };
    let Ok(hash) = digest_algorithm(&hash.explicit(Tag::Sequence)?)? else { return Ok(None) };
    let (mask, mask_hash) = parts(&mask.explicit(Tag::Sequence)?)?;
    let mask_hash = digest_algorithm(&mask_hash.ok_or(Malformed)?)?;
    let salt = salt.explicit(Tag::Integer)?.u64()?;
    let usual = mask == oid::MGF1 && mask_hash == Ok(hash) && salt == hash.len() as u64;
    Ok((usual && reader.is_finished()).then_some(hash))
}

mod oid {
    use super::ObjectIdentifier;

    const fn oid(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }

    pub(super) const ECDSA_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
    pub(super) const ECDSA_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
    pub(super) const ECDSA_SHA512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");
    pub(super) const RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
    pub(super) const MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");
    pub(super) const RSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
    pub(super) const RSA_SHA256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
    pub(super) const RSA_SHA384: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
    pub(super) const RSA_SHA512: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
    pub(super) const ED25519: ObjectIdentifier = oid("1.3.101.112");
    pub(super) const ML_DSA_44: ObjectIdentifier = oid("2.16.840.1.101.3.4.3.17");
    pub(super) const ML_DSA_65: ObjectIdentifier = oid("2.16.840.1.101.3.4.3.18");
    pub(super) const ML_DSA_87: ObjectIdentifier = oid("2.16.840.1.101.3.4.3.19");
    pub(super) const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
    pub(super) const SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
    pub(super) const SHA512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");
}
