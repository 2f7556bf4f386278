//! Requests for a certificate, PKCS#10 (RFC 2986).

use der::Tag;
use signet_crypto::{KeyError, PublicKey, SignatureInvalid};

use super::{MAX_CERTIFICATE_BYTES, SignatureAlgorithm, X509Error};
use crate::asn1::{self, Tlv};

/// A request for a certificate, signed with the key that it is for.
///
/// Subject and attributes are read over: whoever issues decides by other evidence what the
/// certificate says.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// The CertificationRequestInfo: the signed bytes.
    info: Vec<u8>,
    spki: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

impl CertificateRequest {
    /// Reads a DER request of at most [`MAX_CERTIFICATE_BYTES`], with nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Self, X509Error> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(X509Error::TooLarge);
        }
        let mut outer = Tlv::whole(der, Tag::Sequence)?.reader();
        let info = outer.expect(Tag::Sequence)?;
        let algorithm = SignatureAlgorithm::read(&outer.expect(Tag::Sequence)?)?;
        let signature = outer.expect(Tag::BitString)?.bit_string()?.to_vec();
        outer.finish()?;
        let mut reader = info.reader();
        if reader.expect(Tag::Integer)?.u64()? != V1 {
            return Err(X509Error::Version);
        }
        super::name(&mut reader)?;
        let spki = reader.expect(Tag::Sequence)?.raw.to_vec();
        reader.expect(asn1::constructed(0))?;
        reader.finish()?;
        Ok(Self { info: info.raw.to_vec(), spki, algorithm, signature })
    }

    /// The key that the certificate is to be for.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_spki_der(&self.spki)
    }

    /// Checks that whoever made the request holds its key.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureInvalid> {
        self.algorithm.verify(key, &self.info, &self.signature)
    }
}

/// `Version` counts from zero.
const V1: u64 = 0;
