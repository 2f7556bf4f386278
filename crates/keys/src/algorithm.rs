//! The names under which users ask for a key.

use std::fmt;
use std::str::FromStr;

use signet_crypto::{KeyAlgorithm, Scheme};

/// A kind of key and the scheme it is meant to sign with, as `--signing-algorithm` of cosign names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningAlgorithm {
    /// The key to generate.
    pub key: KeyAlgorithm,
    /// The scheme to sign with.
    pub scheme: Scheme,
}

impl SigningAlgorithm {
    /// The names accepted, cosign's spelling, in the order of their table.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|(name, ..)| *name)
    }
}

impl Default for SigningAlgorithm {
    /// P-256 with SHA-256, which every peer accepts.
    fn default() -> Self {
        Self { key: KeyAlgorithm::EcdsaP256, scheme: Scheme::EcdsaP256Sha256 }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = TABLE.iter().find(|(_, key, scheme)| (*key, *scheme) == (self.key, self.scheme));
        match row {
            Some((name, ..)) => f.write_str(name),
            None => write!(f, "{}", self.scheme),
        }
    }
}

impl FromStr for SigningAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let known = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| *long);
        let row = TABLE.iter().find(|(long, ..)| *long == known);
        let (_, key, scheme) = row.ok_or_else(|| UnknownAlgorithm(name.to_owned()))?;
        Ok(Self { key: *key, scheme: *scheme })
    }
}

/// The name is not in the table of [`SigningAlgorithm`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key algorithm `{0}`")]
pub struct UnknownAlgorithm(pub String);

const TABLE: &[(&str, KeyAlgorithm, Scheme)] = &[
    ("ecdsa-sha2-256-nistp256", KeyAlgorithm::EcdsaP256, Scheme::EcdsaP256Sha256),
    ("ecdsa-sha2-384-nistp384", KeyAlgorithm::EcdsaP384, Scheme::EcdsaP384Sha384),
    ("ecdsa-sha2-512-nistp521", KeyAlgorithm::EcdsaP521, Scheme::EcdsaP521Sha512),
    ("rsa-sign-pkcs1-2048-sha256", KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPkcs1Sha256),
    ("rsa-sign-pkcs1-3072-sha256", KeyAlgorithm::Rsa { bits: 3072 }, Scheme::RsaPkcs1Sha256),
    ("rsa-sign-pkcs1-4096-sha256", KeyAlgorithm::Rsa { bits: 4096 }, Scheme::RsaPkcs1Sha256),
    ("rsa-sign-pss-2048-sha256", KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPssSha256),
    ("rsa-sign-pss-3072-sha256", KeyAlgorithm::Rsa { bits: 3072 }, Scheme::RsaPssSha256),
    ("rsa-sign-pss-4096-sha256", KeyAlgorithm::Rsa { bits: 4096 }, Scheme::RsaPssSha256),
    ("ed25519", KeyAlgorithm::Ed25519, Scheme::Ed25519),
    ("ed25519-ph", KeyAlgorithm::Ed25519, Scheme::Ed25519ph),
    ("ml-dsa-44", KeyAlgorithm::MlDsa44, Scheme::MlDsa44),
    ("ml-dsa-65", KeyAlgorithm::MlDsa65, Scheme::MlDsa65),
    ("ml-dsa-87", KeyAlgorithm::MlDsa87, Scheme::MlDsa87),
];

/// Shorter names for the same.
const SHORT: &[(&str, &str)] = &[
    ("p256", "ecdsa-sha2-256-nistp256"),
    ("p384", "ecdsa-sha2-384-nistp384"),
    ("p521", "ecdsa-sha2-512-nistp521"),
    ("rsa2048", "rsa-sign-pkcs1-2048-sha256"),
    ("rsa3072", "rsa-sign-pkcs1-3072-sha256"),
    ("rsa4096", "rsa-sign-pkcs1-4096-sha256"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_round_trips_and_fits_its_key() {
        for name in SigningAlgorithm::names() {
            let algorithm: SigningAlgorithm = name.parse().unwrap();
            assert_eq!(algorithm.to_string(), name);
            assert!(algorithm.scheme.fits(algorithm.key), "{name}");
        }
        for (short, long) in SHORT {
            assert_eq!(short.parse::<SigningAlgorithm>().unwrap().to_string(), *long);
        }
        assert_eq!("dsa".parse::<SigningAlgorithm>(), Err(UnknownAlgorithm("dsa".to_owned())));
    }
}
