//! Timestamps (RFC 3161, RFC 5816): the token, the response that brings it, the request for it.

mod request;
mod response;

use std::fmt;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use der::asn1::BitStringRef;
use der::{Decode, Tag};
use signet_crypto::{Digest, DigestAlgorithm};

use crate::asn1::{self, Encode, Malformed, Reader, Tlv};
use crate::cms::{CmsError, SignedData};
use crate::x509::{self, Certificate};

pub use request::{MAX_NONCE_BYTES, MAX_REQUEST_BYTES, ReceivedRequest, TimestampRequest};
pub use response::{PkiFailure, Statement, granted, rejected};

/// The content type of a timestamp token's content.
pub const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// A timestamp token: an authority's statement that it saw a digest at a time. Nothing is checked
/// until [`TimestampToken::verify`] and [`TstInfo::verify_imprint`] are called.
#[derive(Clone, Debug)]
pub struct TimestampToken {
    der: Vec<u8>,
    signed: SignedData,
    info: TstInfo,
}

impl TimestampToken {
    /// Reads a bare token (a CMS ContentInfo), as Notary envelopes carry it.
    pub fn from_token(der: &[u8]) -> Result<Self, TimestampError> {
        let signed = SignedData::parse(der)?;
        if signed.content_type() != TST_INFO {
            return Err(TimestampError::NotTstInfo(signed.content_type()));
        }
        let info = TstInfo::parse(signed.content())?;
        Ok(Self { der: der.to_vec(), signed, info })
    }

    /// Reads a `TimeStampResp`, as authorities answer and Sigstore bundles carry it.
    ///
    /// A status other than granted or grantedWithMods is an error with the authority's reason.
    pub fn from_response(der: &[u8]) -> Result<Self, TimestampError> {
        let mut response = Tlv::whole(der, Tag::Sequence)?.reader();
        let (status, reason) = read_status(&mut response.sequence()?)?;
        let token = response.optional(Tag::Sequence)?;
        response.finish()?;
        match (status, token) {
            (GRANTED | GRANTED_WITH_MODS, Some(token)) => Self::from_token(token.raw),
            (GRANTED | GRANTED_WITH_MODS, None) => Err(TimestampError::NoToken),
            _ => Err(TimestampError::Rejected { status, reason }),
        }
    }

    /// The token's DER, byte for byte.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What the authority states.
    pub fn info(&self) -> &TstInfo {
        &self.info
    }

    /// The signature around the statement.
    pub fn signed_data(&self) -> &SignedData {
        &self.signed
    }

    /// The certificates that came along. They are the sender's claim: trust comes from elsewhere.
    pub fn certificates(&self) -> &[Certificate] {
        self.signed.certificates()
    }

    /// Checks that the holder of this certificate made the statement: see
    /// [`SignedData::verify_signer`]. Whether the certificate is an authority's, and at which time it
    /// had to be valid, is for the caller to decide.
    pub fn verify(&self, signer: &Certificate) -> Result<(), TimestampError> {
        self.signed.verify_signer(signer).map_err(TimestampError::Cms)
    }
}

/// The content of a token (RFC 3161 §2.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TstInfo {
    /// The authority's policy.
    pub policy: ObjectIdentifier,
    /// The digest that was stamped.
    pub imprint: Digest,
    /// The token's number: the content of its INTEGER.
    pub serial: Vec<u8>,
    /// The time, in seconds since 1970.
    pub seconds: i64,
    /// The fraction of the time, in milliseconds below 1000, rounded down.
    pub millis: u16,
    /// How far the time may be off in both directions, if stated.
    pub accuracy: Option<Duration>,
    /// Tokens of the authority are in the order of their times, whatever the accuracy.
    pub ordering: bool,
    /// The request's nonce: the content of its INTEGER.
    pub nonce: Option<Vec<u8>>,
    /// The DER of the GeneralName by which the authority calls itself.
    pub tsa: Option<Vec<u8>>,
}

impl TstInfo {
    /// Reads a DER TSTInfo of version 1. Unknown critical extensions are refused.
    pub fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        let mut reader = Tlv::whole(der, Tag::Sequence)?.reader();
        match reader.expect(Tag::Integer)?.u64()? {
            1 => {}
            version => return Err(TimestampError::Version(version)),
        }
        let policy = reader.oid()?;
        let imprint = read_imprint(&mut reader.sequence()?)?;
        let serial = reader.expect(Tag::Integer)?.integer()?.to_vec();
        let (seconds, millis) = read_time(&reader.expect(Tag::GeneralizedTime)?)?;
        let accuracy = reader.optional(Tag::Sequence)?.map(|it| read_accuracy(&it)).transpose()?;
        let ordering = reader.optional(Tag::Boolean)?.map_or(Ok(false), |it| it.bool())?;
        let nonce = reader.optional(Tag::Integer)?.map(|it| it.integer().map(<[u8]>::to_vec)).transpose()?;
        let tsa = reader.optional(asn1::constructed(0))?.map(|it| it.value.to_vec());
        if let Some(extensions) = reader.optional(asn1::constructed(1))? {
            refuse_critical(&extensions)?;
        }
        reader.finish()?;
        Ok(Self { policy, imprint, serial, seconds, millis, accuracy, ordering, nonce, tsa })
    }

    /// Checks that these are the bytes that were stamped.
    pub fn verify_imprint(&self, stamped: &[u8]) -> Result<(), TimestampError> {
        match Digest::of(self.imprint.algorithm(), stamped) == self.imprint {
            true => Ok(()),
            false => Err(TimestampError::ImprintMismatch),
        }
    }
}

/// Why a timestamp was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampError {
    /// The signature around the statement is unreadable or does not hold.
    Cms(CmsError),
    /// The statement has a critical extension that is not known.
    CriticalExtension(ObjectIdentifier),
    /// Other bytes were stamped.
    ImprintMismatch,
    /// The bytes are not of the shape of a response or statement.
    Malformed,
    /// The response says granted but has no token.
    NoToken,
    /// The token does not repeat the request's nonce.
    NonceMismatch,
    /// The signed content is of this type instead.
    NotTstInfo(ObjectIdentifier),
    /// The token is under another policy than asked for.
    PolicyMismatch(ObjectIdentifier),
    /// The authority refused.
    Rejected {
        /// The PKIStatus.
        status: u64,
        /// The authority's text and failure codes.
        reason: String,
    },
    /// The imprint's digest algorithm is not SHA-256, SHA-384 or SHA-512.
    UnsupportedImprint(ObjectIdentifier),
    /// A version of TSTInfo other than 1.
    Version(u64),
}

impl From<Malformed> for TimestampError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<CmsError> for TimestampError {
    fn from(error: CmsError) -> Self {
        Self::Cms(error)
    }
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cms(error) => write!(f, "the timestamp's signature is unusable: {error}"),
            Self::CriticalExtension(oid) => write!(f, "the timestamp has unknown critical extension {oid}"),
            Self::ImprintMismatch => f.write_str("the timestamp is for other bytes"),
            Self::Malformed => f.write_str("not a well-formed timestamp"),
            Self::NoToken => f.write_str("the timestamp response has no token"),
            Self::NonceMismatch => f.write_str("the timestamp does not repeat the request's nonce"),
            Self::NotTstInfo(oid) => write!(f, "the signed content is not a timestamp but of type {oid}"),
            Self::PolicyMismatch(oid) => write!(f, "the timestamp is under policy {oid}"),
            Self::Rejected { status, reason } => {
                write!(f, "the timestamp authority refused with status {status}: {reason}")
            }
            Self::UnsupportedImprint(oid) => {
                write!(f, "the timestamp is over unsupported digest algorithm {oid}")
            }
            Self::Version(version) => write!(f, "unknown version {version} of a timestamp"),
        }
    }
}

impl std::error::Error for TimestampError {}

/// Reads a PKIStatusInfo: the status, and the reason as text.
fn read_status(info: &mut Reader<'_>) -> Result<(u64, String), Malformed> {
    let status = info.expect(Tag::Integer)?.u64()?;
    let mut reasons = Vec::new();
    if let Some(texts) = info.optional(Tag::Sequence)? {
        for text in asn1::list(&texts, MAX_STATUS_TEXTS)? {
            reasons.push(text.utf8()?.chars().filter(|c| !c.is_control()).collect());
        }
    }
    if let Some(codes) = info.optional(Tag::BitString)? {
        let codes = BitStringRef::from_der(codes.raw)?;
        let set = codes.bits().enumerate().filter(|(_, set)| *set);
        reasons.extend(set.take(MAX_STATUS_TEXTS).map(|(bit, _)| failure(bit)));
    }
    match info.is_finished() {
        true => Ok((status, reasons.join(", "))),
        false => Err(Malformed),
    }
}

/// The name of a PKIFailureInfo bit, if it is one of a timestamp.
fn failure(bit: usize) -> String {
    PkiFailure::of_bit(bit).map_or_else(|| format!("failure code {bit}"), |failure| failure.name().to_owned())
}

fn read_imprint(imprint: &mut Reader<'_>) -> Result<Digest, TimestampError> {
    let algorithm = x509::digest_algorithm(&imprint.expect(Tag::Sequence)?)?;
    let algorithm: DigestAlgorithm = algorithm.map_err(TimestampError::UnsupportedImprint)?;
    let value = imprint.expect(Tag::OctetString)?.value;
    match imprint.is_finished() {
        true => Digest::from_bytes(algorithm, value).map_err(|_| TimestampError::Malformed),
        false => Err(TimestampError::Malformed),
    }
}

/// Reads a GeneralizedTime that may have a fraction of seconds, as DER restricts it: in UTC, and
/// the fraction not ending in zero.
fn read_time(time: &Tlv<'_>) -> Result<(i64, u16), Malformed> {
    let (whole, fraction) = match time.utf8()?.split_once('.') {
        None => return Ok((time.time()?, 0)),
        Some((whole, fraction)) => (whole, fraction.strip_suffix('Z').ok_or(Malformed)?),
    };
    let digits = (1..=MAX_FRACTION_DIGITS).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && !fraction.ends_with('0');
    let millis = fraction.chars().chain("00".chars()).take(3).collect::<String>();
    let whole = format!("{whole}Z");
    let whole = asn1::primitive_of(asn1::tag::GENERALIZED_TIME, whole.as_bytes()).der();
    match digits {
        true => {
            let seconds = Tlv::whole(&whole, Tag::GeneralizedTime)?.time()?;
            Ok((seconds, millis.parse().map_err(|_| Malformed)?))
        }
        false => Err(Malformed),
    }
}

fn read_accuracy(accuracy: &Tlv<'_>) -> Result<Duration, Malformed> {
    let mut reader = accuracy.reader();
    let seconds = reader.optional(Tag::Integer)?.map_or(Ok(0), |seconds| seconds.u64())?;
    let millis = reader.optional(asn1::primitive(0))?.map_or(Ok(0), |millis| below_1000(&millis))?;
    let micros = reader.optional(asn1::primitive(1))?.map_or(Ok(0), |micros| below_1000(&micros))?;
    reader.finish()?;
    let fraction = Duration::from_millis(millis) + Duration::from_micros(micros);
    Duration::from_secs(seconds).checked_add(fraction).ok_or(Malformed)
}

/// An implicitly tagged INTEGER of 1 to 999.
fn below_1000(value: &Tlv<'_>) -> Result<u64, Malformed> {
    let number = match *value.integer()? {
        [low] => u64::from(low),
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        _ => return Err(Malformed),
    };
    match number {
        1..=999 if value.value.first().is_some_and(|first| *first < 0x80) => Ok(number),
        _ => Err(Malformed),
    }
}

fn refuse_critical(extensions: &Tlv<'_>) -> Result<(), TimestampError> {
    for extension in asn1::list(extensions, MAX_EXTENSIONS)? {
        let mut reader = extension.reader();
        let oid = reader.oid()?;
        if reader.optional(Tag::Boolean)?.map_or(Ok(false), |critical| critical.bool())? {
            return Err(TimestampError::CriticalExtension(oid));
        }
    }
    Ok(())
}

const GRANTED: u64 = 0;
const GRANTED_WITH_MODS: u64 = 1;
const REJECTION: u64 = 2;
const MAX_STATUS_TEXTS: usize = 16;
const MAX_EXTENSIONS: usize = 16;
const MAX_FRACTION_DIGITS: usize = 9;
