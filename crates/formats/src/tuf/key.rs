//! Keys as metadata states them, and the signatures that they make.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};

use super::{TufError, canonical};
use crate::pem;

/// A public key of root or of a delegation (TUF 1.0.34 §4.2).
///
/// It is kept as it stands, whatever its type: a key that Signet cannot use signs nothing, and does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What kind of key it is: `ed25519`, `ecdsa`, `rsa`.
    pub keytype: String,
    /// How it signs: `ed25519`, `ecdsa-sha2-nistp256`, `rsassa-pss-sha256` and others.
    pub scheme: String,
    /// The key itself.
    pub keyval: KeyValue,
    /// What else stands there; the key's id covers it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// PEM; Ed25519 keys in hex, as were ECDSA keys in the first years.
    pub public: String,
    /// What else stands there.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Key {
    /// The form in which metadata states this key; `None` if TUF has no name for its scheme.
    pub fn of(key: &PublicKey) -> Option<Self> {
        let (_, keytype, name) = SCHEMES.iter().find(|(scheme, ..)| scheme.fits(key.algorithm()))?;
        let public = match key.algorithm() {
            KeyAlgorithm::Ed25519 => hex::encode(key.bits()),
            _ => pem::encode(pem::PUBLIC_KEY, key.spki_der()),
        };
        let keyval = KeyValue { public, other: Map::new() };
        Some(Self { keytype: (*keytype).to_owned(), scheme: (*name).to_owned(), keyval, other: Map::new() })
    }

    /// The key's id: hex of the SHA-256 of its canonical form.
    ///
    /// Only who writes metadata uses it. Who reads takes ids as they stand (TAP 12) and counts keys, not ids.
    pub fn id(&self) -> Result<String, TufError> {
        let value = serde_json::to_value(self).map_err(|_| TufError::NotAnInteger)?;
        Ok(Digest::sha256(&canonical::to_vec(&value)?).hex())
    }

    /// The key and the scheme that it signs with; `None` if either is not known here.
    pub fn usable(&self) -> Option<(PublicKey, Scheme)> {
        let scheme =
            SCHEMES.iter().find(|(_, _, name)| *name == self.scheme).map(|(scheme, _, _)| *scheme)?;
        let key = match self.keytype.as_str() {
            "ed25519" => PublicKey::from_bits(KeyAlgorithm::Ed25519, &hex::decode(&self.keyval.public).ok()?),
            "ecdsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" => self.ecdsa(scheme),
            "rsa" => pem::public_key(&self.keyval.public),
            _ => return None,
        };
        key.ok().filter(|key| scheme.fits(key.algorithm())).map(|key| (key, scheme))
    }

    fn ecdsa(&self, scheme: Scheme) -> Result<PublicKey, signet_crypto::KeyError> {
        match hex::decode(&self.keyval.public) {
            Ok(point) if scheme == Scheme::EcdsaP384Sha384 => {
                PublicKey::from_bits(KeyAlgorithm::EcdsaP384, &point)
            }
            Ok(point) => PublicKey::from_bits(KeyAlgorithm::EcdsaP256, &point),
            Err(_) => pem::public_key(&self.keyval.public),
        }
    }
}

/// A signature over the canonical form of `signed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The id of the key, as the delegating role states it.
    pub keyid: String,
    /// Hex. Some repositories leave it empty until somebody signs.
    pub sig: String,
}

impl Signature {
    /// A signature of these bytes.
    pub fn new(keyid: String, signature: &[u8]) -> Self {
        Self { keyid, sig: hex::encode(signature) }
    }

    /// The bytes of the signature; `None` if it is not hex, and then it is nobody's.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        hex::decode(&self.sig).ok()
    }
}

/// The schemes of TUF and of securesystemslib, the one that a key should use first: for RSA keys the specification has PSS
/// only, and go-tuf takes no other.
const SCHEMES: &[(Scheme, &str, &str)] = &[
    (Scheme::Ed25519, "ed25519", "ed25519"),
    (Scheme::EcdsaP256Sha256, "ecdsa", "ecdsa-sha2-nistp256"),
    (Scheme::EcdsaP384Sha384, "ecdsa", "ecdsa-sha2-nistp384"),
    (Scheme::RsaPssSha256, "rsa", "rsassa-pss-sha256"),
    (Scheme::RsaPssSha384, "rsa", "rsassa-pss-sha384"),
    (Scheme::RsaPssSha512, "rsa", "rsassa-pss-sha512"),
    (Scheme::RsaPkcs1Sha256, "rsa", "rsa-pkcs1v15-sha256"),
    (Scheme::RsaPkcs1Sha384, "rsa", "rsa-pkcs1v15-sha384"),
    (Scheme::RsaPkcs1Sha512, "rsa", "rsa-pkcs1v15-sha512"),
];
