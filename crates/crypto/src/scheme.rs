//! Signature schemes: a key algorithm, a hash and a padding, under the field's names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{DigestAlgorithm, KeyAlgorithm};

/// One way of making a signature.
///
/// ECDSA signatures are ASN.1 DER, RSA-PSS salts are as long as the hash, Ed25519 is RFC 8032 and
/// ML-DSA is FIPS 204 with an empty context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA on P-256 with SHA-384, seen in certificates only.
    EcdsaP256Sha384,
    /// ECDSA on P-384 with SHA-256, as cosign before 3.1.3 and every KMS signer of it wrote.
    EcdsaP384Sha256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384Sha384,
    /// ECDSA on P-521 with SHA-256, as cosign before 3.1.3 wrote.
    EcdsaP521Sha256,
    /// ECDSA on P-521 with SHA-512.
    EcdsaP521Sha512,
    /// Ed25519 over the message itself.
    Ed25519,
    /// Ed25519ph: over the SHA-512 of the message, empty context.
    Ed25519ph,
    /// ML-DSA-44 over the message itself.
    MlDsa44,
    /// ML-DSA-65 over the message itself.
    MlDsa65,
    /// ML-DSA-87 over the message itself.
    MlDsa87,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaPkcs1Sha512,
    /// RSASSA-PSS with SHA-256.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512.
    RsaPssSha512,
}

impl Scheme {
    /// The schemes a bundle or simple-signing signature by a key of this algorithm may use, the
    /// key's own default first. SHA-256 follows it because real signers used it with every curve.
    pub fn for_key(algorithm: KeyAlgorithm) -> &'static [Self] {
        match algorithm {
            KeyAlgorithm::EcdsaP256 => &[Self::EcdsaP256Sha256],
            KeyAlgorithm::EcdsaP384 => &[Self::EcdsaP384Sha384, Self::EcdsaP384Sha256],
            KeyAlgorithm::EcdsaP521 => &[Self::EcdsaP521Sha512, Self::EcdsaP521Sha256],
            KeyAlgorithm::Ed25519 => &[Self::Ed25519, Self::Ed25519ph],
            KeyAlgorithm::MlDsa44 => &[Self::MlDsa44],
            KeyAlgorithm::MlDsa65 => &[Self::MlDsa65],
            KeyAlgorithm::MlDsa87 => &[Self::MlDsa87],
            KeyAlgorithm::Rsa { .. } => &[Self::RsaPkcs1Sha256, Self::RsaPssSha256],
        }
    }

    /// Whether a key of this algorithm can make signatures of this scheme.
    pub fn fits(self, algorithm: KeyAlgorithm) -> bool {
        match self {
            Self::EcdsaP256Sha256 | Self::EcdsaP256Sha384 => algorithm == KeyAlgorithm::EcdsaP256,
            Self::EcdsaP384Sha256 | Self::EcdsaP384Sha384 => algorithm == KeyAlgorithm::EcdsaP384,
            Self::EcdsaP521Sha256 | Self::EcdsaP521Sha512 => algorithm == KeyAlgorithm::EcdsaP521,
            Self::Ed25519 | Self::Ed25519ph => algorithm == KeyAlgorithm::Ed25519,
            Self::MlDsa44 => algorithm == KeyAlgorithm::MlDsa44,
            Self::MlDsa65 => algorithm == KeyAlgorithm::MlDsa65,
            Self::MlDsa87 => algorithm == KeyAlgorithm::MlDsa87,
            _ => matches!(algorithm, KeyAlgorithm::Rsa { .. }),
        }
    }

    /// The hash whose output is signed, or `None` where the whole message is.
    pub fn digest(self) -> Option<DigestAlgorithm> {
        match self {
            Self::EcdsaP256Sha256
            | Self::EcdsaP384Sha256
            | Self::EcdsaP521Sha256
            | Self::RsaPkcs1Sha256
            | Self::RsaPssSha256 => Some(DigestAlgorithm::Sha256),
            Self::EcdsaP256Sha384 | Self::EcdsaP384Sha384 | Self::RsaPkcs1Sha384 | Self::RsaPssSha384 => {
                Some(DigestAlgorithm::Sha384)
            }
            Self::EcdsaP521Sha512 | Self::Ed25519ph | Self::RsaPkcs1Sha512 | Self::RsaPssSha512 => {
                Some(DigestAlgorithm::Sha512)
            }
            Self::Ed25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => None,
        }
    }

    /// The lower-case name used in output and flags.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(scheme, _)| *scheme == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scheme {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        TABLE.iter().find(|(_, known)| *known == name).map(|(scheme, _)| *scheme).ok_or(())
    }
}

impl Serialize for Scheme {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Scheme {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|()| de::Error::custom("no scheme of signatures has this name"))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Scheme {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scheme".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A scheme of signatures: key algorithm, padding and hash.",
            "type": "string",
            "enum": TABLE.iter().map(|(_, name)| *name).collect::<Vec<_>>(),
        })
    }
}

const TABLE: &[(Scheme, &str)] = &[
    (Scheme::EcdsaP256Sha256, "ecdsa-p256-sha256"),
    (Scheme::EcdsaP256Sha384, "ecdsa-p256-sha384"),
    (Scheme::EcdsaP384Sha256, "ecdsa-p384-sha256"),
    (Scheme::EcdsaP384Sha384, "ecdsa-p384-sha384"),
    (Scheme::EcdsaP521Sha256, "ecdsa-p521-sha256"),
    (Scheme::EcdsaP521Sha512, "ecdsa-p521-sha512"),
    (Scheme::Ed25519, "ed25519"),
    (Scheme::Ed25519ph, "ed25519ph"),
    (Scheme::MlDsa44, "ml-dsa-44"),
    (Scheme::MlDsa65, "ml-dsa-65"),
    (Scheme::MlDsa87, "ml-dsa-87"),
    (Scheme::RsaPkcs1Sha256, "rsa-pkcs1-sha256"),
    (Scheme::RsaPkcs1Sha384, "rsa-pkcs1-sha384"),
    (Scheme::RsaPkcs1Sha512, "rsa-pkcs1-sha512"),
    (Scheme::RsaPssSha256, "rsa-pss-sha256"),
    (Scheme::RsaPssSha384, "rsa-pss-sha384"),
    (Scheme::RsaPssSha512, "rsa-pss-sha512"),
];
