//! Writes SignedData: what is to be signed, then all of it around the signature.

use const_oid::ObjectIdentifier;
use signet_crypto::{Digest, DigestAlgorithm, Scheme};

use super::oid;
use crate::asn1;
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
        let serial = asn1::encode(asn1::tag::INTEGER, &[certificate.serial()]);
        let issuer = certificate.issuer().der();
        let names = asn1::sequence(&[&asn1::explicit(DIRECTORY_NAME, issuer)]);
        // The hash is SHA-256, the DEFAULT of ESSCertIDv2, and so not named (RFC 5035 §4).
        let hash = asn1::octets(certificate.fingerprint().as_bytes());
        let ess = asn1::sequence(&[&hash, &asn1::sequence(&[&names, &serial])]);
        let ess = asn1::sequence(&[&asn1::sequence(&[&ess])]);
        Some(Self {
            id: asn1::sequence(&[issuer, &serial]),
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
        let encapsulated = asn1::explicit(0, &asn1::octets(self.content));
        let signed_data = asn1::sequence(&[
            // Version 3: the content is not `data` (RFC 5652 §5.1).
            &asn1::integer(&[3]),
            &asn1::encode(asn1::tag::SET, &[&self.signer.digest_algorithm]),
            &asn1::sequence(&[&asn1::oid(&self.content_type), &encapsulated]),
            &implicit_set(certificates),
            &asn1::encode(asn1::tag::SET, &[&self.signer_info(signature)]),
        ]);
        asn1::sequence(&[&asn1::oid(&oid::SIGNED_DATA), &asn1::explicit(0, &signed_data)])
    }

    fn signer_info(&self, signature: &[u8]) -> Vec<u8> {
        // Inside, the attributes stand under the tag [0] in place of SET.
        let attributes: Vec<u8> = std::iter::once(asn1::tag::CONTEXT_CONSTRUCTED)
            .chain(self.attributes.iter().skip(1).copied())
            .collect();
        asn1::sequence(&[
            &asn1::integer(&[1]),
            &self.signer.id,
            &self.signer.digest_algorithm,
            &attributes,
            &self.signer.signature_algorithm,
            &asn1::octets(signature),
        ])
    }
}

/// The certificates under the tag `[0]` of a SET OF; nothing if there are none.
fn implicit_set(certificates: &[&[u8]]) -> Vec<u8> {
    let mut sorted = certificates.to_vec();
    sorted.sort_unstable();
    match sorted.is_empty() {
        true => Vec::new(),
        false => asn1::encode(asn1::tag::CONTEXT_CONSTRUCTED, &sorted),
    }
}

fn attribute(oid: &ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    asn1::sequence(&[&asn1::oid(oid), &asn1::encode(asn1::tag::SET, &[value])])
}

/// `directoryName` of GeneralName.
const DIRECTORY_NAME: u8 = 4;
