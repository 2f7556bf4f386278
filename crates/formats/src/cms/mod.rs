//! CMS SignedData (RFC 5652) in the narrow profile of timestamp tokens: content inside, exactly one
//! signer, signed attributes, SHA-2.

mod attributes;
mod error;
mod signer;
mod write;

use const_oid::ObjectIdentifier;
use der::Tag;
use signet_crypto::{Digest, DigestAlgorithm};

use crate::asn1::{self, Reader, Tlv};
use crate::x509::{self, Certificate, SignatureAlgorithm};

pub use error::CmsError;
pub use signer::{SignerId, SignerInfo};
pub use write::{CmsSigner, ToBeSigned};

/// The largest SignedData that is read, in bytes. Real tokens have 0.5 to 10 KiB.
pub const MAX_CMS_BYTES: usize = 256 * 1024;

/// The most certificates that a SignedData may carry.
pub const MAX_CMS_CERTIFICATES: usize = 32;

/// A signed content with the certificates that came along, none of them trusted yet.
#[derive(Clone, Debug)]
pub struct SignedData {
    content_type: ObjectIdentifier,
    content: Vec<u8>,
    certificates: Vec<Certificate>,
    signer: SignerInfo,
}

impl SignedData {
    /// Reads a DER `ContentInfo` of type SignedData, with nothing after it.
    pub fn parse(der: &[u8]) -> Result<Self, CmsError> {
        if der.len() > MAX_CMS_BYTES {
            return Err(CmsError::TooLarge);
        }
        let mut info = Tlv::whole(der, Tag::Sequence)?.reader();
        let content_type = info.oid()?;
        if content_type != oid::SIGNED_DATA {
            return Err(CmsError::NotSignedData(content_type));
        }
        let content = info.expect(asn1::constructed(0))?;
        info.finish()?;
        Self::read(&mut content.explicit(Tag::Sequence)?.reader())
    }

    /// The type of the content.
    pub fn content_type(&self) -> ObjectIdentifier {
        self.content_type
    }

    /// The content that is signed.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The certificates that came along, in their order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The signer.
    pub fn signer(&self) -> &SignerInfo {
        &self.signer
    }

    /// The certificates that came along and match the signer's identifier.
    pub fn signer_certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter().filter(|certificate| self.signer.id.matches(certificate))
    }

    /// Checks all that binds the content to this certificate: the signer's identifier, the content
    /// type, the message digest, the certificate's hash and the signature (RFC 5652 §5.6, RFC 5816).
    ///
    /// Whether the certificate is to be believed is for the caller to decide.
    pub fn verify_signer(&self, certificate: &Certificate) -> Result<(), CmsError> {
        if !self.signer.id.matches(certificate) {
            return Err(CmsError::SignerIdMismatch);
        }
        let attributes = &self.signer.attributes;
        if attributes.content_type != self.content_type {
            return Err(CmsError::ContentTypeMismatch(attributes.content_type));
        }
        let digest = Digest::of(self.signer.digest_algorithm, &self.content);
        if attributes.message_digest != digest.as_bytes() {
            return Err(CmsError::MessageDigestMismatch);
        }
        attributes.signing_certificate()?.check(certificate)?;
        let key = certificate.public_key().map_err(CmsError::Key)?;
        if let SignatureAlgorithm::Unsupported(oid) = self.signer.signature_algorithm {
            return Err(CmsError::UnsupportedSignature(oid));
        }
        self.signer
            .signature_algorithm
            .verify(&key, &self.signer.signed_bytes, &self.signer.signature)
            .map_err(|_| CmsError::SignatureInvalid)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CmsError> {
        let version = reader.expect(Tag::Integer)?.u64()?;
        if !matches!(version, 1 | 3 | 4 | 5) {
            return Err(CmsError::Version(version));
        }
        // The signer names its algorithm again; this set is only a hint for one-pass readers.
        reader.expect(Tag::Set)?;
        let mut encapsulated = reader.sequence()?;
        let content_type = encapsulated.oid()?;
        let content = encapsulated.optional(asn1::constructed(0))?.ok_or(CmsError::Detached)?;
        encapsulated.finish()?;
        let content = content.explicit(Tag::OctetString)?.value.to_vec();
        let certificates = certificates(reader.optional(asn1::constructed(0))?)?;
        reader.optional(asn1::constructed(1))?;
        let signers = asn1::list(&reader.expect(Tag::Set)?, MAX_SIGNERS)?;
        match (signers.as_slice(), reader.is_finished()) {
            ([signer], true) => {
                let signer = SignerInfo::read(signer)?;
                Ok(Self { content_type, content, certificates, signer })
            }
            (signers, true) => Err(CmsError::SignerCount(signers.len())),
            _ => Err(CmsError::Malformed),
        }
    }
}

fn certificates(set: Option<Tlv<'_>>) -> Result<Vec<Certificate>, CmsError> {
    let Some(set) = set else { return Ok(Vec::new()) };
    let certificates = asn1::list(&set, MAX_CMS_CERTIFICATES)?;
    let parsed = certificates.iter().map(|certificate| Certificate::from_der(certificate.raw));
    parsed.collect::<Result<_, _>>().map_err(CmsError::Certificate)
}

fn digest(identifier: &Tlv<'_>) -> Result<DigestAlgorithm, CmsError> {
    x509::digest_algorithm(identifier)?.map_err(CmsError::UnsupportedDigest)
}

/// More than one signer is refused, but counted first.
const MAX_SIGNERS: usize = 16;

mod oid {
    use super::ObjectIdentifier;

    pub(super) const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
    pub(super) const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
    pub(super) const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
    pub(super) const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
    pub(super) const SIGNING_CERTIFICATE: ObjectIdentifier =
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
    pub(super) const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
}
