//! The request for a timestamp (RFC 3161 §2.4.1): as a client writes it, as an authority reads it.

use const_oid::ObjectIdentifier;
use der::Tag;
use signet_crypto::Digest;

use super::{PkiFailure, TimestampError, TstInfo, read_imprint};
use crate::asn1::{self, Encode, Malformed, Tlv};
use crate::x509;

/// The largest request that is read, in bytes. Real ones have 50 to 120.
pub const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// The longest nonce that is repeated, in bytes. Real ones have 8 to 20.
pub const MAX_NONCE_BYTES: usize = 64;

/// A request for a timestamp, to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampRequest {
    /// The digest to stamp.
    pub imprint: Digest,
    /// The policy to stamp under, if not the authority's own.
    pub policy: Option<ObjectIdentifier>,
    /// A random number that ties the answer to the request.
    pub nonce: Option<u64>,
    /// Ask for the authority's certificates in the token.
    pub with_certificates: bool,
}

impl TimestampRequest {
    /// The DER to send, of content type `application/timestamp-query`.
    pub fn to_der(&self) -> Vec<u8> {
        let nonce = self.nonce.map(u64::to_be_bytes);
        asn1::sequence(&[
            &asn1::integer(&[1]),
            &encode_imprint(&self.imprint),
            &self.policy.as_ref().map(asn1::oid),
            &nonce.as_ref().map(|nonce| asn1::integer(nonce)),
            // DEFAULT FALSE is left out in DER.
            &self.with_certificates.then(|| asn1::boolean(true)),
        ])
        .der()
    }

    /// Checks that a token answers this request: digest, nonce and, if one was asked for, policy.
    pub fn verify_answer(&self, info: &TstInfo) -> Result<(), TimestampError> {
        if info.imprint != self.imprint {
            return Err(TimestampError::ImprintMismatch);
        }
        if info.nonce != self.nonce.map(|nonce| asn1::unsigned(&nonce.to_be_bytes())) {
            return Err(TimestampError::NonceMismatch);
        }
        match self.policy.is_none_or(|policy| policy == info.policy) {
            true => Ok(()),
            false => Err(TimestampError::PolicyMismatch(info.policy)),
        }
    }
}

/// A request as an authority received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// The digest to stamp.
    pub imprint: Digest,
    /// The policy to stamp under, if the client asks for one.
    pub policy: Option<ObjectIdentifier>,
    /// The number to repeat: the content of its INTEGER, at most [`MAX_NONCE_BYTES`].
    pub nonce: Option<Vec<u8>>,
    /// Whether the client asks for the authority's certificates.
    pub with_certificates: bool,
    /// The DER of the MessageImprint, which the token has to repeat as it is.
    pub(super) imprint_der: Vec<u8>,
}

impl ReceivedRequest {
    /// A request that came in another form than DER.
    pub fn new(imprint: Digest, policy: Option<ObjectIdentifier>, nonce: Option<&[u8]>) -> Self {
        let nonce = nonce.map(asn1::unsigned);
        Self { imprint, policy, nonce, with_certificates: false, imprint_der: encode_imprint(&imprint) }
    }

    /// Reads a DER `TimeStampReq` of version 1; the error is the failure to answer with.
    ///
    /// A digest other than SHA-256, SHA-384 and SHA-512 is [`PkiFailure::BadAlg`], any extension
    /// [`PkiFailure::UnacceptedExtension`], another version or a longer nonce [`PkiFailure::BadRequest`],
    /// and bytes of another shape [`PkiFailure::BadDataFormat`].
    pub fn parse(der: &[u8]) -> Result<Self, PkiFailure> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(PkiFailure::BadDataFormat);
        }
        let mut reader = Tlv::whole(der, Tag::Sequence)?.reader();
        if reader.expect(Tag::Integer)?.u64()? != 1 {
            return Err(PkiFailure::BadRequest);
        }
        let imprint_der = reader.expect(Tag::Sequence)?;
        let imprint = read_imprint(&mut imprint_der.reader()).map_err(|error| match error {
            TimestampError::UnsupportedImprint(_) => PkiFailure::BadAlg,
            _ => PkiFailure::BadDataFormat,
        })?;
        let policy = reader.optional(Tag::ObjectIdentifier)?.map(|policy| policy.oid()).transpose()?;
        let nonce = reader.optional(Tag::Integer)?.map(|nonce| nonce.integer()).transpose()?;
        let with_certificates = reader.optional(Tag::Boolean)?.map_or(Ok(false), |it| it.bool())?;
        let extensions = reader.optional(asn1::constructed(0))?;
        reader.finish()?;
        if extensions.is_some() {
            return Err(PkiFailure::UnacceptedExtension);
        }
        if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE_BYTES) {
            return Err(PkiFailure::BadRequest);
        }
        let nonce = nonce.map(<[u8]>::to_vec);
        Ok(Self { imprint, policy, nonce, with_certificates, imprint_der: imprint_der.raw.to_vec() })
    }
}

impl From<Malformed> for PkiFailure {
    fn from(_: Malformed) -> Self {
        Self::BadDataFormat
    }
}

fn encode_imprint(imprint: &Digest) -> Vec<u8> {
    let algorithm = x509::encode_digest_algorithm(imprint.algorithm());
    asn1::sequence(&[&algorithm, &asn1::octets(imprint.as_bytes())]).der()
}
