//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2): EC, RSA and Ed25519.

use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use base64ct::{Base64UrlUnpadded, Encoding};
use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use signet_crypto::{KeyAlgorithm, PublicKey};
use zeroize::Zeroizing;

use super::Form;
use super::traditional::{self, RsaPrivateKey};
use crate::error::Error;
use crate::private::PrivateKey;

/// Whether the JWK is private: whether it has a `d`.
pub(super) fn form(json: &[u8]) -> Result<Form, Error> {
    match Jwk::parse(json)?.d {
        Some(_) => Ok(Form::PrivateJwk),
        None => Ok(Form::PublicJwk),
    }
}

pub(super) fn read_private(json: &[u8]) -> Result<PrivateKey, Error> {
    let jwk = Jwk::parse(json)?;
    match jwk.algorithm()? {
        KeyAlgorithm::Ed25519 => PrivateKey::from_ed25519_parts(member(&jwk.d)?, member(&jwk.x)?),
        KeyAlgorithm::Rsa { .. } => PrivateKey::from_rsa_parts(&jwk.rsa_parts()?),
        curve => PrivateKey::from_ec_parts(curve, field_element(curve, &jwk.d)?, &jwk.point(curve)?),
    }
}

pub(super) fn read_public(json: &[u8]) -> Result<PublicKey, Error> {
    let jwk = Jwk::parse(json)?;
    let algorithm = jwk.algorithm()?;
    let bits = match algorithm {
        KeyAlgorithm::Ed25519 => member(&jwk.x)?.to_vec(),
        KeyAlgorithm::Rsa { .. } => {
            let key = RsaPublicKey { modulus: uint(&jwk.n)?, public_exponent: uint(&jwk.e)? };
            key.to_der().map_err(|_| malformed("not a valid RSA key"))?
        }
        curve => jwk.point(curve)?,
    };
    PublicKey::from_bits(algorithm, &bits).map_err(|_| malformed("not a valid public key"))
}

pub(super) fn encode_private(key: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut jwk = Jwk::of_public(key.public_key())?;
    match key.raw_secret() {
        Some(secret) => jwk.d = Some(Member(secret)),
        None => jwk.set_rsa_secret(&traditional::pkcs1_der(key)?)?,
    }
    jwk.to_json().map(Zeroizing::new)
}

pub(super) fn encode_public(key: &PublicKey) -> Result<Vec<u8>, Error> {
    Jwk::of_public(key)?.to_json()
}

/// The members that matter. Others (`kid`, `use`, …) must be ignored (RFC 7517 §4); doubled ones are refused.
#[derive(Default, Serialize, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dp: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dq: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qi: Option<Member>,
    /// Present in keys of more than two primes only.
    #[serde(skip_serializing)]
    oth: Option<de::IgnoredAny>,
}

impl Jwk {
    fn parse(json: &[u8]) -> Result<Self, Error> {
        let jwk: Self = serde_json::from_slice(json).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => malformed("missing, doubled or wrongly typed members"),
            _ => Error::NotAKey,
        })?;
        match jwk.oth {
            Some(_) => Err(Error::UnsupportedAlgorithm),
            None => Ok(jwk),
        }
    }

    fn of_public(key: &PublicKey) -> Result<Self, Error> {
        let bits = key.bits();
        let part = |bytes: &[u8]| Some(Member::new(bytes));
        match key.algorithm() {
            KeyAlgorithm::Ed25519 => {
                Ok(Self { kty: OKP.into(), crv: Some(ED25519.into()), x: part(bits), ..Self::default() })
            }
            KeyAlgorithm::Rsa { .. } => {
                let parts = RsaPublicKey::from_der(bits).map_err(|_| malformed("not a valid RSA key"))?;
                let (n, e) = (part(parts.modulus.as_bytes()), part(parts.public_exponent.as_bytes()));
                Ok(Self { kty: RSA.into(), n, e, ..Self::default() })
            }
            algorithm => {
                let row = CURVES.iter().find(|(_, curve, _)| *curve == algorithm);
                let (crv, _, length) = row.ok_or(Error::UnsupportedFormat { format: "JWK", algorithm })?;
                let coordinates = bits.get(1..).and_then(|rest| rest.split_at_checked(*length));
                let (x, y) = coordinates.ok_or(malformed("not an uncompressed point"))?;
                let crv = Some((*crv).to_owned());
                Ok(Self { kty: EC.into(), crv, x: part(x), y: part(y), ..Self::default() })
            }
        }
    }

    fn algorithm(&self) -> Result<KeyAlgorithm, Error> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            (OKP, Some(ED25519)) => Ok(KeyAlgorithm::Ed25519),
            // The size is read from the key.
            (RSA, None) => Ok(KeyAlgorithm::Rsa { bits: 0 }),
            (EC, Some(name)) => {
                let row = CURVES.iter().find(|(crv, ..)| *crv == name);
                row.map(|(_, algorithm, _)| *algorithm).ok_or(Error::UnsupportedAlgorithm)
            }
            _ => Err(Error::UnsupportedAlgorithm),
        }
    }

    /// The uncompressed point (SEC1 §2.3.3).
    fn point(&self, curve: KeyAlgorithm) -> Result<Vec<u8>, Error> {
        Ok([&[4], field_element(curve, &self.x)?, field_element(curve, &self.y)?].concat())
    }

    fn rsa_parts(&self) -> Result<KeyPairComponents<&[u8]>, Error> {
        Ok(KeyPairComponents {
            public_key: PublicKeyComponents { n: member(&self.n)?, e: member(&self.e)? },
            d: member(&self.d)?,
            p: member(&self.p)?,
            q: member(&self.q)?,
            dP: member(&self.dp)?,
            dQ: member(&self.dq)?,
            qInv: member(&self.qi)?,
        })
    }

    fn set_rsa_secret(&mut self, pkcs1: &[u8]) -> Result<(), Error> {
        let key = RsaPrivateKey::from_der(pkcs1).map_err(|_| Error::Library { action: "encode a key" })?;
        let part = |number: UintRef<'_>| Some(Member::new(number.as_bytes()));
        self.d = part(key.private_exponent);
        (self.p, self.q) = (part(key.prime1), part(key.prime2));
        (self.dp, self.dq) = (part(key.exponent1), part(key.exponent2));
        self.qi = part(key.coefficient);
        Ok(())
    }

    fn to_json(&self) -> Result<Vec<u8>, Error> {
        // Allocated once, so that no copy of a secret is left behind by growing.
        let mut json = Vec::with_capacity(LONGEST);
        serde_json::to_writer(&mut json, self).map_err(|_| Error::Library { action: "write JSON" })?;
        json.push(b'\n');
        Ok(json)
    }
}

/// RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// Base64url without padding; cleared when dropped, since it may be secret.
struct Member(Zeroizing<Vec<u8>>);

impl Member {
    fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(Base64UrlUnpadded::encode_string(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = Base64UrlUnpadded::decode_vec(&text).map_err(de::Error::custom)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

fn member(member: &Option<Member>) -> Result<&[u8], Error> {
    member.as_ref().map(|member| member.0.as_slice()).ok_or(malformed("a member of the key is missing"))
}

fn uint(member_of_key: &Option<Member>) -> Result<UintRef<'_>, Error> {
    UintRef::new(member(member_of_key)?).map_err(|_| malformed("not a number"))
}

/// A coordinate or scalar, which "MUST be the full size" of the curve (RFC 7518 §6.2.1.2, §6.2.2.1).
fn field_element(curve: KeyAlgorithm, value: &Option<Member>) -> Result<&[u8], Error> {
    let value = member(value)?;
    match CURVES.iter().find(|(_, algorithm, _)| *algorithm == curve) {
        Some((_, _, length)) if value.len() == *length => Ok(value),
        _ => Err(malformed("a coordinate or scalar is not as long as the curve's")),
    }
}

fn malformed(what: &'static str) -> Error {
    Error::Malformed { format: "JWK", what }
}

/// `crv`, its algorithm, and the length of a field element in bytes.
const CURVES: [(&str, KeyAlgorithm, usize); 3] = [
    ("P-256", KeyAlgorithm::EcdsaP256, 32),
    ("P-384", KeyAlgorithm::EcdsaP384, 48),
    ("P-521", KeyAlgorithm::EcdsaP521, 66),
];

/// A private RSA key of 4096 bits takes about 3,200 bytes.
const LONGEST: usize = 4096;

const EC: &str = "EC";
const RSA: &str = "RSA";
const OKP: &str = "OKP";
const ED25519: &str = "Ed25519";
