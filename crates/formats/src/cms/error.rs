//! Why a SignedData was refused.

use std::fmt;

use const_oid::ObjectIdentifier;
use signet_crypto::KeyError;

use crate::asn1::Malformed;
use crate::x509::X509Error;

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
    /// It is larger than [`MAX_CMS_BYTES`](super::MAX_CMS_BYTES).
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
