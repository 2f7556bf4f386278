//! CMS SignedData (RFC 5652) in the narrow profile of timestamp tokens: content inside, exactly one
//! signer, signed attributes, SHA-2.

mod write;

use std::fmt;

use const_oid::ObjectIdentifier;
use der::Tag;
use signet_crypto::{Digest, DigestAlgorithm, KeyError};

use crate::asn1::{self, Encode, Malformed, Reader, Tlv};
use crate::x509::{self, Certificate, SignatureAlgorithm, X509Error};

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

/// Who signed, and what.
#[derive(Clone, Debug)]
pub struct SignerInfo {
    id: SignerId,
    digest_algorithm: DigestAlgorithm,
    attributes: SignedAttributes,
    /// The signed attributes under the tag of a SET, over which the signature is.
    signed_bytes: Vec<u8>,
    signature_algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
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

    fn read(signer: &Tlv<'_>) -> Result<Self, CmsError> {
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

#[derive(Clone, Debug)]
struct SignedAttributes {
    content_type: ObjectIdentifier,
    message_digest: Vec<u8>,
    signing_time: Option<i64>,
    /// The first certificate of signingCertificateV2.
    signing_certificate: Option<EssCertId>,
    /// There is a signingCertificate of version 1, which hashes with SHA-1.
    has_version_1: bool,
}

impl SignedAttributes {
    fn read(set: &Tlv<'_>) -> Result<Self, CmsError> {
        let mut seen: Vec<(ObjectIdentifier, Tlv<'_>)> = Vec::new();
        for attribute in asn1::list(set, MAX_ATTRIBUTES)? {
            let (oid, values) = attribute_parts(&attribute)?;
            if seen.iter().any(|(earlier, _)| *earlier == oid) {
                return Err(CmsError::DuplicateAttribute(oid));
            }
            seen.push((oid, values));
        }
        let find = |oid| seen.iter().find(|(seen, _)| *seen == oid).map(|(_, values)| values);
        let required = |oid| find(oid).ok_or(CmsError::MissingAttribute(oid));
        let signing_certificate = find(oid::SIGNING_CERTIFICATE_V2);
        Ok(Self {
            content_type: required(oid::CONTENT_TYPE)?.explicit(Tag::ObjectIdentifier)?.oid()?,
            message_digest: required(oid::MESSAGE_DIGEST)?.explicit(Tag::OctetString)?.value.to_vec(),
            signing_time: find(oid::SIGNING_TIME).map(signing_time).transpose()?,
            signing_certificate: signing_certificate.map(EssCertId::read).transpose()?,
            has_version_1: find(oid::SIGNING_CERTIFICATE).is_some(),
        })
    }

    fn signing_certificate(&self) -> Result<&EssCertId, CmsError> {
        match (&self.signing_certificate, self.has_version_1) {
            (Some(id), _) => Ok(id),
            (None, true) => Err(CmsError::SigningCertificateSha1),
            (None, false) => Err(CmsError::MissingAttribute(oid::SIGNING_CERTIFICATE_V2)),
        }
    }
}

/// The hash that binds a signature to one certificate (ESSCertIDv2, RFC 5035 §4).
#[derive(Clone, Debug)]
struct EssCertId {
    hash: Digest,
    /// The DER of the issuer's name, and the serial number.
    issuer_serial: Option<(Vec<u8>, Vec<u8>)>,
}

impl EssCertId {
    fn check(&self, certificate: &Certificate) -> Result<(), CmsError> {
        let same_hash = Digest::of(self.hash.algorithm(), certificate.der()) == self.hash;
        let same_issuer = self.issuer_serial.as_ref().is_none_or(|(issuer, serial)| {
            certificate.issuer().der() == issuer && certificate.serial() == serial
        });
        match same_hash && same_issuer {
            true => Ok(()),
            false => Err(CmsError::SigningCertificateMismatch),
        }
    }

    /// Reads the SigningCertificateV2 in a set of attribute values.
    fn read(values: &Tlv<'_>) -> Result<Self, CmsError> {
        let mut attribute = values.explicit(Tag::Sequence)?.reader();
        let certificates = asn1::list(&attribute.expect(Tag::Sequence)?, MAX_CMS_CERTIFICATES)?;
        attribute.optional(Tag::Sequence)?;
        attribute.finish()?;
        let first = certificates.first().filter(|first| first.tag == Tag::Sequence);
        let mut reader = first.ok_or(CmsError::Malformed)?.reader();
        let algorithm = match reader.optional(Tag::Sequence)? {
            Some(identifier) => digest(&identifier)?,
            None => DigestAlgorithm::Sha256,
        };
        let hash = reader.expect(Tag::OctetString)?.value;
        let issuer_serial = reader.optional(Tag::Sequence)?.map(|both| issuer_serial(&both)).transpose()?;
        reader.finish()?;
        let hash = Digest::from_bytes(algorithm, hash).map_err(|_| CmsError::Malformed)?;
        Ok(Self { hash, issuer_serial })
    }
}

/// Why a SignedData was refused, or does not bind its content to a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CmsError {
    /// A certificate that came along is unreadable.
    Certificate(X509Error),
    /// The signed content type is not the content's.
    ContentTypeMismatch(ObjectIdentifier),
    /// The content is not inside.
    Detached,
    /// A signed attribute occurs twice.
    DuplicateAttribute(ObjectIdentifier),
    /// The signer's key is unusable.
    Key(KeyError),
    /// It is not DER of the shape of a SignedData.
    Malformed,
    /// The signed digest is not the content's.
    MessageDigestMismatch,
    /// A required signed attribute is absent.
    MissingAttribute(ObjectIdentifier),
    /// The signer has no signed attributes.
    NoSignedAttributes,
    /// The content is of this type instead.
    NotSignedData(ObjectIdentifier),
    /// The signature does not verify.
    SignatureInvalid,
    /// There are so many signers instead of one.
    SignerCount(usize),
    /// The signer's identifier names another certificate.
    SignerIdMismatch,
    /// The signed certificate hash is of another certificate.
    SigningCertificateMismatch,
    /// The certificate is bound by SHA-1 only (signingCertificate of version 1).
    SigningCertificateSha1,
    /// It is larger than [`MAX_CMS_BYTES`].
    TooLarge,
    /// A digest algorithm other than SHA-256, SHA-384 and SHA-512.
    UnsupportedDigest(ObjectIdentifier),
    /// A signature algorithm that Signet does not know.
    UnsupportedSignature(ObjectIdentifier),
    /// A version that does not fit.
    Version(u64),
}

impl From<Malformed> for CmsError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for CmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => write!(f, "an embedded certificate is unusable: {error}"),
            Self::ContentTypeMismatch(oid) => write!(f, "the signature is for content of type {oid}"),
            Self::Detached => f.write_str("the signed content is not inside"),
            Self::DuplicateAttribute(oid) => write!(f, "signed attribute {oid} occurs twice"),
            Self::Key(error) => write!(f, "the signer's key is unusable: {error}"),
            Self::Malformed => f.write_str("not a well-formed CMS SignedData"),
            Self::MessageDigestMismatch => f.write_str("the signed digest is not that of the content"),
            Self::MissingAttribute(oid) => write!(f, "signed attribute {oid} is missing"),
            Self::NoSignedAttributes => f.write_str("the signer has no signed attributes"),
            Self::NotSignedData(oid) => write!(f, "expected CMS SignedData, found content of type {oid}"),
            Self::SignatureInvalid => f.write_str("the signature does not verify"),
            Self::SignerCount(count) => write!(f, "expected one signer, found {count}"),
            Self::SignerIdMismatch => f.write_str("the signer names another certificate"),
            Self::SigningCertificateMismatch => {
                f.write_str("the signature is bound to another certificate by its hash")
            }
            Self::SigningCertificateSha1 => {
                f.write_str("the signature is bound to its certificate by SHA-1 only")
            }
            Self::TooLarge => f.write_str("the CMS SignedData is larger than 256 KiB"),
            Self::UnsupportedDigest(oid) => write!(f, "unsupported digest algorithm {oid}"),
            Self::UnsupportedSignature(oid) => write!(f, "unsupported signature algorithm {oid}"),
            Self::Version(version) => write!(f, "version {version} of CMS does not fit"),
        }
    }
}

impl std::error::Error for CmsError {}

fn certificates(set: Option<Tlv<'_>>) -> Result<Vec<Certificate>, CmsError> {
    let Some(set) = set else { return Ok(Vec::new()) };
    let certificates = asn1::list(&set, MAX_CMS_CERTIFICATES)?;
    let parsed = certificates.iter().map(|certificate| Certificate::from_der(certificate.raw));
    parsed.collect::<Result<_, _>>().map_err(CmsError::Certificate)
}

fn digest(identifier: &Tlv<'_>) -> Result<DigestAlgorithm, CmsError> {
    x509::digest_algorithm(identifier)?.map_err(CmsError::UnsupportedDigest)
}

fn attribute_parts<'a>(attribute: &Tlv<'a>) -> Result<(ObjectIdentifier, Tlv<'a>), Malformed> {
    if attribute.tag != Tag::Sequence {
        return Err(Malformed);
    }
    let mut reader = attribute.reader();
    let parts = (reader.oid()?, reader.expect(Tag::Set)?);
    reader.finish()?;
    Ok(parts)
}

fn signing_time(values: &Tlv<'_>) -> Result<i64, Malformed> {
    let mut reader = values.reader();
    let time = reader.next()?.time()?;
    reader.finish()?;
    Ok(time)
}

/// Reads an IssuerSerial, whose issuer has to be the one name that a certificate can have.
fn issuer_serial(both: &Tlv<'_>) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
    let mut reader = both.reader();
    let issuer = reader.expect(Tag::Sequence)?.explicit(DIRECTORY_NAME)?.explicit(Tag::Sequence)?;
    let serial = reader.expect(Tag::Integer)?.integer()?;
    reader.finish()?;
    Ok((issuer.raw.to_vec(), serial.to_vec()))
}

/// `directoryName` of GeneralName.
const DIRECTORY_NAME: Tag = asn1::constructed(4);
/// More than one signer is refused, but counted first.
const MAX_SIGNERS: usize = 16;
const MAX_ATTRIBUTES: usize = 32;

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
