//! `PublicKeyDetails` of sigstore_common.proto: a key's encoding, algorithm and hash in one name.

use std::fmt;

use signet_crypto::{KeyAlgorithm, Scheme};

use crate::proto_json::{EnumValue, FieldError};

/// A named combination of key and signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the protocol, in another case")]
#[non_exhaustive]
pub enum PublicKeyDetails {
    Pkcs1RsaPkcs1v5,
    Pkcs1RsaPss,
    PkixRsaPkcs1v5,
    PkixRsaPss,
    PkixEcdsaP256Sha256,
    PkixEcdsaP256HmacSha256,
    PkixEd25519,
    PkixEd25519Ph,
    PkixRsaPkcs1v15_2048Sha256,
    PkixRsaPkcs1v15_3072Sha256,
    PkixRsaPkcs1v15_4096Sha256,
    PkixEcdsaP384Sha384,
    PkixEcdsaP521Sha512,
    LmsSha256,
    LmotsSha256,
    PkixRsaPss2048Sha256,
    PkixRsaPss3072Sha256,
    PkixRsaPss4096Sha256,
    PkixEcdsaP384Sha256,
    PkixEcdsaP521Sha256,
    MlDsa65,
    MlDsa87,
    MlDsa44,
}

impl PublicKeyDetails {
    /// The details of a signature by such a key under such a scheme, if the protocol has a name for it.
    pub fn of(algorithm: KeyAlgorithm, scheme: Scheme) -> Option<Self> {
        MEANINGS
            .iter()
            .find(|(_, key, by)| *key == algorithm && *by == scheme)
            .map(|(details, _, _)| *details)
    }

    /// The key algorithm and scheme that are meant; `None` where Signet does not have them, or where
    /// the name leaves the key's size open.
    pub fn meaning(self) -> Option<(KeyAlgorithm, Scheme)> {
        MEANINGS.iter().find(|(details, _, _)| *details == self).map(|(_, key, scheme)| (*key, *scheme))
    }

    /// Whether the raw key bytes are a PKCS#1 RSAPublicKey instead of a SubjectPublicKeyInfo.
    pub fn is_pkcs1(self) -> bool {
        matches!(self, Self::Pkcs1RsaPkcs1v5 | Self::Pkcs1RsaPss)
    }

    /// The number in the protocol.
    pub fn number(self) -> i64 {
        self.entry().map_or(0, |(_, number, _)| *number)
    }

    /// The name in the protocol.
    pub fn name(self) -> &'static str {
        self.entry().map_or("", |(_, _, name)| name)
    }

    /// The details with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, _, known)| *known == name).map(|(details, _, _)| *details)
    }

    pub(crate) fn read(value: &EnumValue<'_>, field: &'static str) -> Result<Self, FieldError> {
        value.find(NAMES, field)
    }

    fn entry(self) -> Option<&'static (Self, i64, &'static str)> {
        NAMES.iter().find(|(details, _, _)| *details == self)
    }
}

impl fmt::Display for PublicKeyDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every value of the enumeration but UNSPECIFIED, with its number and name.
const NAMES: &[(PublicKeyDetails, i64, &str)] = &[
    (PublicKeyDetails::Pkcs1RsaPkcs1v5, 1, "PKCS1_RSA_PKCS1V5"),
    (PublicKeyDetails::Pkcs1RsaPss, 2, "PKCS1_RSA_PSS"),
    (PublicKeyDetails::PkixRsaPkcs1v5, 3, "PKIX_RSA_PKCS1V5"),
    (PublicKeyDetails::PkixRsaPss, 4, "PKIX_RSA_PSS"),
    (PublicKeyDetails::PkixEcdsaP256Sha256, 5, "PKIX_ECDSA_P256_SHA_256"),
    (PublicKeyDetails::PkixEcdsaP256HmacSha256, 6, "PKIX_ECDSA_P256_HMAC_SHA_256"),
    (PublicKeyDetails::PkixEd25519, 7, "PKIX_ED25519"),
    (PublicKeyDetails::PkixEd25519Ph, 8, "PKIX_ED25519_PH"),
    (PublicKeyDetails::PkixRsaPkcs1v15_2048Sha256, 9, "PKIX_RSA_PKCS1V15_2048_SHA256"),
    (PublicKeyDetails::PkixRsaPkcs1v15_3072Sha256, 10, "PKIX_RSA_PKCS1V15_3072_SHA256"),
    (PublicKeyDetails::PkixRsaPkcs1v15_4096Sha256, 11, "PKIX_RSA_PKCS1V15_4096_SHA256"),
    (PublicKeyDetails::PkixEcdsaP384Sha384, 12, "PKIX_ECDSA_P384_SHA_384"),
    (PublicKeyDetails::PkixEcdsaP521Sha512, 13, "PKIX_ECDSA_P521_SHA_512"),
    (PublicKeyDetails::LmsSha256, 14, "LMS_SHA256"),
    (PublicKeyDetails::LmotsSha256, 15, "LMOTS_SHA256"),
    (PublicKeyDetails::PkixRsaPss2048Sha256, 16, "PKIX_RSA_PSS_2048_SHA256"),
    (PublicKeyDetails::PkixRsaPss3072Sha256, 17, "PKIX_RSA_PSS_3072_SHA256"),
    (PublicKeyDetails::PkixRsaPss4096Sha256, 18, "PKIX_RSA_PSS_4096_SHA256"),
    (PublicKeyDetails::PkixEcdsaP384Sha256, 19, "PKIX_ECDSA_P384_SHA_256"),
    (PublicKeyDetails::PkixEcdsaP521Sha256, 20, "PKIX_ECDSA_P521_SHA_256"),
    (PublicKeyDetails::MlDsa65, 21, "ML_DSA_65"),
    (PublicKeyDetails::MlDsa87, 22, "ML_DSA_87"),
    (PublicKeyDetails::MlDsa44, 23, "ML_DSA_44"),
];

const MEANINGS: &[(PublicKeyDetails, KeyAlgorithm, Scheme)] = &[
    (PublicKeyDetails::PkixEcdsaP256Sha256, KeyAlgorithm::EcdsaP256, Scheme::EcdsaP256Sha256),
    (PublicKeyDetails::PkixEcdsaP384Sha384, KeyAlgorithm::EcdsaP384, Scheme::EcdsaP384Sha384),
    (PublicKeyDetails::PkixEcdsaP384Sha256, KeyAlgorithm::EcdsaP384, Scheme::EcdsaP384Sha256),
    (PublicKeyDetails::PkixEcdsaP521Sha512, KeyAlgorithm::EcdsaP521, Scheme::EcdsaP521Sha512),
    (PublicKeyDetails::PkixEcdsaP521Sha256, KeyAlgorithm::EcdsaP521, Scheme::EcdsaP521Sha256),
    (PublicKeyDetails::PkixEd25519, KeyAlgorithm::Ed25519, Scheme::Ed25519),
    (PublicKeyDetails::PkixEd25519Ph, KeyAlgorithm::Ed25519, Scheme::Ed25519ph),
    (PublicKeyDetails::MlDsa44, KeyAlgorithm::MlDsa44, Scheme::MlDsa44),
    (PublicKeyDetails::MlDsa65, KeyAlgorithm::MlDsa65, Scheme::MlDsa65),
    (PublicKeyDetails::MlDsa87, KeyAlgorithm::MlDsa87, Scheme::MlDsa87),
    (PublicKeyDetails::PkixRsaPkcs1v15_2048Sha256, KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPkcs1Sha256),
    (PublicKeyDetails::PkixRsaPkcs1v15_3072Sha256, KeyAlgorithm::Rsa { bits: 3072 }, Scheme::RsaPkcs1Sha256),
    (PublicKeyDetails::PkixRsaPkcs1v15_4096Sha256, KeyAlgorithm::Rsa { bits: 4096 }, Scheme::RsaPkcs1Sha256),
    (PublicKeyDetails::PkixRsaPss2048Sha256, KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPssSha256),
    (PublicKeyDetails::PkixRsaPss3072Sha256, KeyAlgorithm::Rsa { bits: 3072 }, Scheme::RsaPssSha256),
    (PublicKeyDetails::PkixRsaPss4096Sha256, KeyAlgorithm::Rsa { bits: 4096 }, Scheme::RsaPssSha256),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_protocol_without_a_gap() {
        for (expected, (details, number, name)) in (1..).zip(NAMES) {
            assert_eq!((details.number(), details.name()), (expected, *name));
            assert_eq!(PublicKeyDetails::from_name(name), Some(*details));
            assert_eq!(PublicKeyDetails::read(&EnumValue::Number(*number), "x"), Ok(*details));
        }
    }

    #[test]
    fn meanings_go_both_ways_and_fit_their_keys() {
        for (details, key, scheme) in MEANINGS {
            assert_eq!(details.meaning(), Some((*key, *scheme)));
            assert_eq!(PublicKeyDetails::of(*key, *scheme), Some(*details));
            assert!(scheme.fits(*key), "{details}");
        }
    }
}
