//! Writes SignedData: what is to be signed, then all of it around the signature.

use const_oid::ObjectIdentifier;
use signet_crypto::{Digest, DigestAlgorithm, Scheme};

use super::oid;
use crate::asn1::{self, Encode};
use crate::time::TimeError;
use crate::x509::{self, Certificate, SignatureAlgorithm};

/// Who signs: what is the same in everything that a certificate's holder signs, encoded once.
#[derive(Clone, Debug)]
pub struct CmsSigner {
    /// IssuerAndSerialNumber.
    id: Vec<u8>,
    digest: DigestAlgorithm,
    /// The AlgorithmIdentifier of the digest.
    digest_algorithm: Vec<u8>,
    /// The AlgorithmIdentifier of the signature.
    signature_algorithm: Vec<u8>,
    /// The attribute signingCertificateV2.
    signing_certificate: Vec<u8>,
}

impl CmsSigner {
    /// The holder of this certificate, signing with this scheme; `None` for a scheme that CMS names
    /// no algorithm for, or that signs no digest.
    pub fn new(certificate: &Certificate, scheme: Scheme) -> Option<Self> {
        let digest = scheme.digest()?;
        let signature_algorithm = SignatureAlgorithm::of_scheme(scheme)?.identifier()?;
        let serial = asn1::primitive_of(asn1::tag::INTEGER, certificate.serial());
        let issuer = certificate.issuer().der();
        let names = asn1::sequence(&[&asn1::explicit(DIRECTORY_NAME, &[&issuer])]).der();
        // The hash is SHA-256, the DEFAULT of ESSCertIDv2, and so not named (RFC 5035 §4).
        let hash = asn1::octets(certificate.fingerprint().as_bytes()).der();
        let ess = asn1::sequence(&[&hash, &asn1::sequence(&[&names, &serial])]).der();
        let ess = asn1::sequence(&[&asn1::sequence(&[&ess])]).der();
        Some(Self {
            id: asn1::sequence(&[&issuer, &serial]).der(),
            digest,
            digest_algorithm: x509::encode_bare_digest_algorithm(digest),
            signature_algorithm,
            signing_certificate: attribute(&oid::SIGNING_CERTIFICATE_V2, &ess),
        })
    }

    /// What is to be signed for a content of this type, at this time in seconds since 1970.
    pub fn prepare<'a>(
        &'a self,
        content_type: ObjectIdentifier,
        content: &'a [u8],
        signing_time: i64,
    ) -> Result<ToBeSigned<'a>, TimeError> {
        let digest = Digest::of(self.digest, content);
        let attributes = asn1::set_of(vec![
            attribute(&oid::CONTENT_TYPE, &asn1::oid(&content_type)),
            attribute(&oid::SIGNING_TIME, &asn1::time(signing_time)?),
            attribute(&oid::MESSAGE_DIGEST, &asn1::octets(digest.as_bytes())),
            self.signing_certificate.clone(),
        ]);
        Ok(ToBeSigned { signer: self, content_type, content, attributes })
    }
}

/// A content and the attributes that a signature goes over.
#[derive(Clone, Debug)]
pub struct ToBeSigned<'a> {
    signer: &'a CmsSigner,
    content_type: ObjectIdentifier,
    content: &'a [u8],
    /// The attributes as the SET OF that is signed (RFC 5652 §5.4).
    attributes: Vec<u8>,
}

impl ToBeSigned<'_> {
    /// The bytes to sign.
    pub fn bytes(&self) -> &[u8] {
        &self.attributes
    }

    /// The DER ContentInfo of the SignedData with this signature and these certificates, each DER.
    pub fn signed(&self, signature: &[u8], certificates: &[&[u8]]) -> Vec<u8> {
        let mut certificates = certificates.to_vec();
        certificates.sort_unstable();
        let certificates: Vec<&dyn Encode> = certificates.iter().map(|der| der as &dyn Encode).collect();
        // A SET OF under the tag [0], which is left out if there are none.
        let certificates = (!certificates.is_empty())
            .then(|| asn1::constructed_of(asn1::tag::CONTEXT_CONSTRUCTED, &certificates));
        let content = asn1::octets(self.content);
        asn1::sequence(&[
            &asn1::oid(&oid::SIGNED_DATA),
            &asn1::explicit(
                0,
                &[&asn1::sequence(&[
                    // Version 3: the content is not `data` (RFC 5652 §5.1).
                    &asn1::integer(&[3]),
                    &asn1::constructed_of(asn1::tag::SET, &[&self.signer.digest_algorithm]),
                    &asn1::sequence(&[&asn1::oid(&self.content_type), &asn1::explicit(0, &[&content])]),
                    &certificates,
                    &asn1::constructed_of(asn1::tag::SET, &[&self.signer_info(signature)]),
                ])],
            ),
        ])
        .der()
    }

    fn signer_info(&self, signature: &[u8]) -> Vec<u8> {
        asn1::sequence(&[
            &asn1::integer(&[1]),
            &self.signer.id,
            &self.signer.digest_algorithm,
            // Inside, the attributes stand under the tag [0] in place of SET.
            &[asn1::tag::CONTEXT_CONSTRUCTED].as_slice(),
            &self.attributes.get(1..).unwrap_or_default(),
            &self.signer.signature_algorithm,
            &asn1::octets(signature),
        ])
        .der()
    }
}

fn attribute(oid: &ObjectIdentifier, value: &dyn Encode) -> Vec<u8> {
    asn1::sequence(&[&asn1::oid(oid), &asn1::constructed_of(asn1::tag::SET, &[value])]).der()
}

/// `directoryName` of GeneralName.
const DIRECTORY_NAME: u8 = 4;
