//! Who signed: SignerInfo (RFC 5652 §5.3).

use der::Tag;
use signet_crypto::DigestAlgorithm;

use super::attributes::SignedAttributes;
use super::{CmsError, digest};
use crate::asn1::{self, Encode, Malformed, Tlv};
use crate::x509::{Certificate, SignatureAlgorithm};

/// Who signed, and what.
#[derive(Clone, Debug)]
pub struct SignerInfo {
    pub(super) id: SignerId,
    pub(super) digest_algorithm: DigestAlgorithm,
    pub(super) attributes: SignedAttributes,
    /// The signed attributes under the tag of a SET, over which the signature is.
    pub(super) signed_bytes: Vec<u8>,
    pub(super) signature_algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
}

impl SignerInfo {
    /// How the signer names its certificate.
    pub fn id(&self) -> &SignerId {
        &self.id
    }

    /// The algorithm of the message digest.
    pub fn digest_algorithm(&self) -> DigestAlgorithm {
        self.digest_algorithm
    }

    /// The algorithm of the signature.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.signature_algorithm
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The signer's clock in seconds since 1970, if it is stated besides the content.
    pub fn signing_time(&self) -> Option<i64> {
        self.attributes.signing_time
    }

    pub(super) fn read(signer: &Tlv<'_>) -> Result<Self, CmsError> {
        if signer.tag != Tag::Sequence {
            return Err(CmsError::Malformed);
        }
        let mut reader = signer.reader();
        let version = reader.expect(Tag::Integer)?.u64()?;
        let id = SignerId::read(&reader.next()?)?;
        if version != id.signer_version() {
            return Err(CmsError::Version(version));
        }
        let digest_algorithm = digest(&reader.expect(Tag::Sequence)?)?;
        let attributes = reader.optional(asn1::constructed(0))?.ok_or(CmsError::NoSignedAttributes)?;
        let signature_algorithm =
            SignatureAlgorithm::read_cms(&reader.expect(Tag::Sequence)?, digest_algorithm)?;
        let signature = reader.expect(Tag::OctetString)?.value.to_vec();
        reader.optional(asn1::constructed(1))?;
        reader.finish()?;
        Ok(Self {
            id,
            digest_algorithm,
            // "A separate encoding of the signedAttrs field is performed": SET OF instead of [0].
            signed_bytes: asn1::primitive_of(asn1::tag::SET, attributes.value).der(),
            attributes: SignedAttributes::read(&attributes)?,
            signature_algorithm,
            signature,
        })
    }
}

/// How a signer names its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerId {
    /// By issuer and serial number.
    IssuerAndSerial {
        /// The DER of the issuer's name.
        issuer: Vec<u8>,
        /// The content of the serial number's INTEGER.
        serial: Vec<u8>,
    },
    /// By subject key identifier.
    SubjectKeyId(Vec<u8>),
}

impl SignerId {
    /// Whether it names this certificate.
    pub fn matches(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                certificate.issuer().der() == issuer && certificate.serial() == serial
            }
            Self::SubjectKeyId(id) => certificate.subject_key_id() == Some(id),
        }
    }

    /// The version of a SignerInfo with this kind of identifier (RFC 5652 §5.3).
    fn signer_version(&self) -> u64 {
        match self {
            Self::IssuerAndSerial { .. } => 1,
            Self::SubjectKeyId(_) => 3,
        }
    }

    fn read(id: &Tlv<'_>) -> Result<Self, Malformed> {
        if id.tag == asn1::primitive(0) {
            return Ok(Self::SubjectKeyId(id.value.to_vec()));
        }
        if id.tag != Tag::Sequence {
            return Err(Malformed);
        }
        let mut reader = id.reader();
        let issuer = reader.expect(Tag::Sequence)?.raw.to_vec();
        let serial = reader.expect(Tag::Integer)?.integer()?.to_vec();
        reader.finish()?;
        Ok(Self::IssuerAndSerial { issuer, serial })
    }
}
