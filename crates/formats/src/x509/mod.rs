//! X.509 certificates (RFC 5280): read strictly, bytes kept, nothing decided.
//!
//! Whether a certificate is to be believed, `signet-verify` says; here is what it states.

mod algorithm;
mod extensions;
mod fulcio;
mod name;
pub mod oid;
mod request;
mod write;

use std::fmt;
use std::ops::Range;

use const_oid::ObjectIdentifier;
use der::Tag;
use signet_crypto::{Digest, KeyError, PublicKey, SignatureInvalid};

pub use algorithm::SignatureAlgorithm;
pub(crate) use algorithm::{digest_algorithm, encode_bare_digest_algorithm, encode_digest_algorithm};
pub use extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
pub use fulcio::FulcioClaims;
pub use name::{Name, NameAttribute};
pub use request::CertificateRequest;
pub use write::{NewExtension, TbsCertificate, distinguished_name, key_id, signed_certificate};

use crate::asn1::{self, Encode, Malformed, Reader, Tlv};
use crate::pem;
use crate::sct::{self, Sct, SctError};
use extensions::{Extension, Extensions};

/// The largest certificate that is read, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// The most certificates that [`certificates_from_pem`] reads.
pub const MAX_PEM_CERTIFICATES: usize = 32;

/// A certificate and its bytes.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    layout: Layout,
    algorithm: SignatureAlgorithm,
    not_before: i64,
    not_after: i64,
    extensions: Extensions,
}

/// Where the parts lie in the bytes.
#[derive(Clone)]
struct Layout {
    tbs: Range<usize>,
    /// The content of the TBSCertificate before its extensions.
    before_extensions: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    signature: Range<usize>,
}

impl Certificate {
    /// Reads a DER certificate of at most [`MAX_CERTIFICATE_BYTES`], with nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Self, X509Error> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(X509Error::TooLarge);
        }
        let mut outer = Tlv::whole(der, Tag::Sequence)?.reader();
        let tbs = outer.expect(Tag::Sequence)?;
        let signature_algorithm = outer.expect(Tag::Sequence)?;
        let signature = outer.expect(Tag::BitString)?;
        outer.finish()?;
        signature.bit_string()?;
        let mut certificate = Self::read_tbs(der, &tbs, &signature_algorithm)?;
        // The first content byte of a BIT STRING counts the unused bits: none, as checked above.
        certificate.layout.signature = signature.value_range().start + 1..signature.value_range().end;
        Ok(certificate)
    }

    /// The certificate's DER, byte for byte.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The DER of the TBSCertificate: the signed bytes.
    pub fn tbs(&self) -> &[u8] {
        self.slice(&self.layout.tbs)
    }

    /// The SHA-256 of the DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::sha256(&self.der)
    }

    /// The serial number: the content of its INTEGER, big-endian.
    pub fn serial(&self) -> &[u8] {
        self.slice(&self.layout.serial)
    }

    /// Who issued it.
    pub fn issuer(&self) -> Name<'_> {
        Name::known_good(self.slice(&self.layout.issuer))
    }

    /// Whom it is about.
    pub fn subject(&self) -> Name<'_> {
        Name::known_good(self.slice(&self.layout.subject))
    }

    /// Whether issuer and subject are the same name, as in a root.
    pub fn is_self_issued(&self) -> bool {
        self.issuer() == self.subject()
    }

    /// Valid from this second on, counted from 1970.
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// Valid up to and including this second, counted from 1970.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// Whether `at`, in seconds since 1970, lies in the validity, both ends included.
    pub fn is_valid_at(&self, at: i64) -> bool {
        (self.not_before..=self.not_after).contains(&at)
    }

    /// The DER of the SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        self.slice(&self.layout.spki)
    }

    /// The subject's key; an error if it is of a kind that Signet does not use.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_spki_der(self.spki())
    }

    /// The algorithm that the certificate is signed with.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The issuer's signature over [`Certificate::tbs`].
    pub fn signature(&self) -> &[u8] {
        self.slice(&self.layout.signature)
    }

    /// Checks the signature with the issuer's key, and nothing else.
    pub fn verify_issued_by(&self, issuer: &PublicKey) -> Result<(), SignatureInvalid> {
        self.algorithm.verify(issuer, self.tbs(), self.signature())
    }

    /// What the key may be used for, if limited.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.extensions.key_usage
    }

    /// Whether the subject is a CA, if stated.
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.extensions.basic_constraints
    }

    /// Whether the certificate states that its subject is a CA.
    pub fn is_ca(&self) -> bool {
        self.extensions.basic_constraints.is_some_and(|constraints| constraints.ca)
    }

    /// Whether its subject may sign certificates (RFC 5280 §6.1.4 (k) and (n)).
    pub fn may_issue(&self) -> bool {
        self.is_ca() && self.key_usage().is_none_or(KeyUsage::key_cert_sign)
    }

    /// The purposes that the key is limited to, if it is.
    pub fn extended_key_usage(&self) -> Option<&ExtendedKeyUsage> {
        self.extensions.extended_key_usage.as_ref()
    }

    /// The subject alternative names, in their order.
    pub fn subject_alt_names(&self) -> &[SubjectAltName] {
        &self.extensions.subject_alt_names
    }

    /// The subject key identifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.extensions.subject_key_id.as_ref().map(|range| self.slice(range))
    }

    /// The key identifier of the authority key identifier.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.extensions.authority_key_id.as_ref().map(|range| self.slice(range))
    }

    /// The content of the extension of this type, if there is one.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        self.find(oid).map(|extension| self.slice(&extension.value))
    }

    /// Whether the extension of this type is there and marked critical.
    pub fn is_critical(&self, oid: ObjectIdentifier) -> bool {
        self.find(oid).is_some_and(|extension| extension.critical)
    }

    /// The critical extensions that have no accessor here. Whoever does not handle them in another
    /// way has to refuse the certificate (RFC 5280 §4.2).
    pub fn unknown_critical_extensions(&self) -> impl Iterator<Item = ObjectIdentifier> {
        let critical = self.extensions.list.iter().filter(|extension| extension.critical);
        critical.map(|extension| extension.oid).filter(|oid| !DECODED.contains(oid))
    }

    /// What Fulcio certified about the identity; empty for a certificate that is not of its kind.
    pub fn fulcio(&self) -> Result<FulcioClaims, X509Error> {
        let extensions = self.extensions.list.iter();
        FulcioClaims::read(extensions.map(|extension| (extension.oid, self.slice(&extension.value))))
    }

    /// The signed certificate timestamps embedded in the certificate; empty if there is no list.
    pub fn scts(&self) -> Result<Vec<Sct>, X509Error> {
        let Some(value) = self.extension(oid::SCT_LIST) else { return Ok(Vec::new()) };
        let list =
            Tlv::whole(value, Tag::OctetString).map_err(|_| X509Error::MalformedExtension(oid::SCT_LIST))?;
        sct::read_list(list.value).map_err(X509Error::Sct)
    }

    /// The TBSCertificate without the SCT list: what the logs have signed (RFC 6962 §3.2).
    ///
    /// All but the three lengths around the removed bytes is as it was.
    pub fn precert_tbs(&self) -> Vec<u8> {
        self.tbs_without(oid::SCT_LIST)
    }

    /// The TBSCertificate of a precertificate without its poison: what a log signs for it. `None` for any other
    /// certificate.
    pub fn unpoisoned_tbs(&self) -> Option<Vec<u8>> {
        self.is_critical(oid::PRECERT_POISON).then(|| self.tbs_without(oid::PRECERT_POISON))
    }

    fn tbs_without(&self, unwanted: ObjectIdentifier) -> Vec<u8> {
        let extensions = self.extensions.list.iter();
        let kept: Vec<&[u8]> = extensions
            .filter(|extension| extension.oid != unwanted)
            .map(|extension| self.slice(&extension.whole))
            .collect();
        let before = self.slice(&self.layout.before_extensions);
        let kept: Vec<&dyn Encode> = kept.iter().map(|extension| extension as &dyn Encode).collect();
        match kept.is_empty() {
            true => asn1::sequence(&[&before]).der(),
            false => asn1::sequence(&[&before, &asn1::explicit(3, &[&asn1::sequence(&kept)])]).der(),
        }
    }

    fn read_tbs(der: &[u8], tbs: &Tlv<'_>, outer_algorithm: &Tlv<'_>) -> Result<Self, X509Error> {
        let mut reader = tbs.reader();
        let version = version(&mut reader)?;
        let serial = reader.expect(Tag::Integer)?;
        serial.integer()?;
        let algorithm = reader.expect(Tag::Sequence)?;
        if algorithm.raw != outer_algorithm.raw {
            return Err(X509Error::AlgorithmsDiffer);
        }
        let issuer = name(&mut reader)?;
        let mut validity = reader.sequence()?;
        let (not_before, not_after) = (validity.next()?.time()?, validity.next()?.time()?);
        validity.finish()?;
        let subject = name(&mut reader)?;
        let spki = reader.expect(Tag::Sequence)?;
        let mut end = spki.range().end;
        for unique_id in [1, 2] {
            end = reader.optional(asn1::primitive(unique_id))?.map_or(end, |id| id.range().end);
        }
        let extensions = reader.optional(asn1::constructed(3))?;
        reader.finish()?;
        let extensions = match extensions {
            Some(extensions) if version == V3 => Extensions::read(&extensions.explicit(Tag::Sequence)?)?,
            Some(_) => return Err(X509Error::Version),
            None => Extensions::default(),
        };
        let layout = Layout {
            tbs: tbs.range(),
            before_extensions: tbs.value_range().start..end,
            serial: serial.value_range(),
            issuer: issuer.range(),
            subject: subject.range(),
            spki: spki.range(),
            signature: 0..0,
        };
        let algorithm = SignatureAlgorithm::read(&algorithm)?;
        Ok(Self { der: der.to_vec(), layout, algorithm, not_before, not_after, extensions })
    }

    fn find(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions.list.iter().find(|extension| extension.oid == oid)
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.subject(), self.fingerprint())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

/// Reads PEM `CERTIFICATE` blocks, one after another, in their order.
///
/// Text between the blocks is ignored, as in the files that tools write; another kind of block, no
/// block at all, and more than [`MAX_PEM_CERTIFICATES`] are errors.
pub fn certificates_from_pem(text: &str) -> Result<Vec<Certificate>, X509Error> {
    let certificates = pem::certificates(text.as_bytes()).map_err(|_| X509Error::Malformed)?;
    match certificates.len() <= MAX_PEM_CERTIFICATES {
        true => certificates.iter().map(|der| Certificate::from_der(der)).collect(),
        false => Err(X509Error::Malformed),
    }
}

/// Why a certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum X509Error {
    /// The algorithm inside the signed part is not the one outside.
    AlgorithmsDiffer,
    /// An extension occurs twice.
    DuplicateExtension(ObjectIdentifier),
    /// Fulcio's two issuer extensions, .1 and .8, name different issuers.
    IssuersDiffer {
        /// The issuer of extension .1.
        v1: String,
        /// The issuer of extension .8.
        v2: String,
    },
    /// The bytes are not DER of the shape of a certificate.
    Malformed,
    /// The content of this extension is not of its shape.
    MalformedExtension(ObjectIdentifier),
    /// The list of signed certificate timestamps is not well-formed.
    Sct(SctError),
    /// It is larger than [`MAX_CERTIFICATE_BYTES`].
    TooLarge,
    /// The version is unknown, or not 3 though there are extensions.
    Version,
}

impl From<Malformed> for X509Error {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for X509Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlgorithmsDiffer => f.write_str("the certificate names two signature algorithms"),
            Self::DuplicateExtension(oid) => write!(f, "the certificate has extension {oid} twice"),
            Self::IssuersDiffer { v1, v2 } => {
                write!(f, "the certificate names two OIDC issuers, `{v1}` and `{v2}`")
            }
            Self::Malformed => f.write_str("not a well-formed certificate"),
            Self::MalformedExtension(oid) => write!(f, "the certificate's extension {oid} is malformed"),
            Self::Sct(error) => write!(f, "the certificate's embedded timestamps are unusable: {error}"),
            Self::TooLarge => f.write_str("the certificate is larger than 64 KiB"),
            Self::Version => f.write_str("the certificate's version does not fit its content"),
        }
    }
}

impl std::error::Error for X509Error {}

fn version(reader: &mut Reader<'_>) -> Result<u64, X509Error> {
    let Some(version) = reader.optional(asn1::constructed(0))? else { return Ok(V1) };
    match version.explicit(Tag::Integer)?.u64()? {
        version @ (V2 | V3) => Ok(version),
        _ => Err(X509Error::Version),
    }
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<Tlv<'a>, X509Error> {
    let name = reader.expect(Tag::Sequence)?;
    Name::from_der(name.raw)?;
    Ok(name)
}

/// `Version` counts from zero.
const V1: u64 = 0;
const V2: u64 = 1;
const V3: u64 = 2;

/// The extensions that [`Certificate`] has accessors for.
const DECODED: &[ObjectIdentifier] = &[
    oid::KEY_USAGE,
    oid::BASIC_CONSTRAINTS,
    oid::EXTENDED_KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::SUBJECT_KEY_ID,
    oid::AUTHORITY_KEY_ID,
    oid::SCT_LIST,
];
