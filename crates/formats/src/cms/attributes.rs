//! What a signer signs beside the content's digest.

use const_oid::ObjectIdentifier;
use der::Tag;
use signet_crypto::{Digest, DigestAlgorithm};

use super::{CmsError, MAX_CMS_CERTIFICATES, digest, oid};
use crate::asn1::{self, Malformed, Tlv};
use crate::x509::Certificate;

#[derive(Clone, Debug)]
pub(super) struct SignedAttributes {
    pub(super) content_type: ObjectIdentifier,
    pub(super) message_digest: Vec<u8>,
    pub(super) signing_time: Option<i64>,
    /// The first certificate of signingCertificateV2.
    signing_certificate: Option<EssCertId>,
    /// There is a signingCertificate of version 1, which hashes with SHA-1.
    has_version_1: bool,
}

impl SignedAttributes {
    pub(super) fn read(set: &Tlv<'_>) -> Result<Self, CmsError> {
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

    pub(super) fn signing_certificate(&self) -> Result<&EssCertId, CmsError> {
        match (&self.signing_certificate, self.has_version_1) {
            (Some(id), _) => Ok(id),
            (None, true) => Err(CmsError::SigningCertificateSha1),
            (None, false) => Err(CmsError::MissingAttribute(oid::SIGNING_CERTIFICATE_V2)),
        }
    }
}

/// The hash that binds a signature to one certificate (ESSCertIDv2, RFC 5035 §4).
#[derive(Clone, Debug)]
pub(super) struct EssCertId {
    hash: Digest,
    /// The DER of the issuer's name, and the serial number.
    issuer_serial: Option<(Vec<u8>, Vec<u8>)>,
}

impl EssCertId {
    pub(super) fn check(&self, certificate: &Certificate) -> Result<(), CmsError> {
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
const MAX_ATTRIBUTES: usize = 32;
