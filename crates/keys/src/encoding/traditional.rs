//! The key files from before PKCS#8: SEC1 (RFC 5915) for EC, PKCS#1 (RFC 8017) for RSA.

use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Sequence};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use super::{oid, pem};
use crate::error::Error;
use crate::private::PrivateKey;

/// RFC 5915 §3. The curve is optional there, but a file that lacks it names no key.
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    parameters: Option<ObjectIdentifier>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

/// RFC 8017 §A.1.2, two primes.
#[derive(Sequence)]
pub(crate) struct RsaPrivateKey<'a> {
    pub(super) version: u8,
    pub(crate) modulus: UintRef<'a>,
    pub(super) public_exponent: UintRef<'a>,
    pub(super) private_exponent: UintRef<'a>,
    pub(super) prime1: UintRef<'a>,
    pub(super) prime2: UintRef<'a>,
    pub(super) exponent1: UintRef<'a>,
    pub(super) exponent2: UintRef<'a>,
    pub(super) coefficient: UintRef<'a>,
}

pub(super) fn read_sec1(der: &[u8]) -> Result<PrivateKey, Error> {
    let malformed = |what| Error::Malformed { format: "SEC1 key", what };
    let key = EcPrivateKey::from_der(der).map_err(|_| malformed("not an ECPrivateKey on a named curve"))?;
    let curve = key.parameters.ok_or(malformed("the curve is not named"))?;
    PrivateKey::from_sec1_der(oid::curve(curve)?, der)
}

pub(super) fn encode(key: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    if let Some(sec1) = key.sec1_der() {
        return pem::encode(pem::SEC1, &sec1);
    }
    pem::encode(pem::PKCS1, &pkcs1_der(key)?)
}

/// RFC 8017 RSAPrivateKey, for RSA keys.
pub(super) fn pkcs1_der(key: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let algorithm = key.public_key().algorithm();
    if !matches!(algorithm, signet_crypto::KeyAlgorithm::Rsa { .. }) {
        return Err(Error::UnsupportedFormat { format: "the traditional form", algorithm });
    }
    let pkcs8 = key.to_pkcs8_der()?;
    let info = PrivateKeyInfoRef::from_der(&pkcs8).map_err(|_| Error::Library { action: "encode a key" })?;
    Ok(Zeroizing::new(info.private_key.as_bytes().to_vec()))
}
