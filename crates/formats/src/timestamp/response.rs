//! What an authority answers (RFC 3161 §2.4.2): the statement, the response around its token, refusals.

use std::fmt;
use std::time::Duration;

use const_oid::ObjectIdentifier;

use super::{GRANTED, REJECTION, ReceivedRequest};
use crate::asn1::{self, Encode};
use crate::time::TimeError;

/// What an authority is about to state in answer to a request: the content of a token.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The request, whose digest and nonce are repeated.
    pub request: &'a ReceivedRequest,
    /// The authority's policy.
    pub policy: ObjectIdentifier,
    /// The token's number, not zero.
    pub serial: u128,
    /// The time, in seconds since 1970.
    pub seconds: i64,
    /// The fraction of the time, in milliseconds below 1000.
    pub millis: u16,
    /// How far the time may be off in both directions; `None` states nothing.
    pub accuracy: Option<Duration>,
    /// The authority's name, as DER of the distinguished name in its certificate.
    pub authority: Option<&'a [u8]>,
}

impl Statement<'_> {
    /// The DER of the TSTInfo; an error if the time has no text.
    pub fn to_der(&self) -> Result<Vec<u8>, TimeError> {
        let nonce = self.request.nonce.as_ref();
        // The name is a CHOICE, so its own tag stays inside.
        let authority =
            self.authority.map(|name| asn1::explicit(0, &[&asn1::explicit(DIRECTORY_NAME, &[&name])]).der());
        let statement = asn1::sequence(&[
            &asn1::integer(&[1]),
            &asn1::oid(&self.policy),
            &self.request.imprint_der,
            &asn1::integer(&self.serial.to_be_bytes()),
            &asn1::generalized_time(self.seconds, self.millis)?,
            &self.accuracy.map(accuracy),
            // `ordering` DEFAULT FALSE is left out in DER.
            &nonce.map(|nonce| asn1::primitive_of(asn1::tag::INTEGER, nonce)),
            &authority,
        ])
        .der();
        Ok(statement)
    }
}

/// The `TimeStampResp` that grants a token.
pub fn granted(token: &[u8]) -> Vec<u8> {
    asn1::sequence(&[&asn1::sequence(&[&asn1::integer(&[GRANTED as u8])]), &token]).der()
}

/// The `TimeStampResp` that refuses a request, with a sentence about why.
pub fn rejected(failure: PkiFailure, text: &str) -> Vec<u8> {
    let status = asn1::sequence(&[
        &asn1::integer(&[REJECTION as u8]),
        &asn1::sequence(&[&asn1::utf8(text)]),
        &asn1::named_bits(&[failure.bit()]),
    ])
    .der();
    asn1::sequence(&[&status]).der()
}

/// Why a request is refused (RFC 3161 §2.4.2, PKIFailureInfo).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PkiFailure {
    /// The digest algorithm is not supported.
    BadAlg,
    /// The request is not permitted or supported.
    BadRequest,
    /// The bytes have another shape.
    BadDataFormat,
    /// The authority does not know the time well enough.
    TimeNotAvailable,
    /// The policy that was asked for is not the authority's.
    UnacceptedPolicy,
    /// The request has an extension.
    UnacceptedExtension,
    /// Further information that was asked for is not to be had.
    AddInfoNotAvailable,
    /// The authority failed.
    SystemFailure,
}

impl PkiFailure {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::BadAlg,
        Self::BadRequest,
        Self::BadDataFormat,
        Self::TimeNotAvailable,
        Self::UnacceptedPolicy,
        Self::UnacceptedExtension,
        Self::AddInfoNotAvailable,
        Self::SystemFailure,
    ];

    /// The name in RFC 3161.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadAlg => "badAlg",
            Self::BadRequest => "badRequest",
            Self::BadDataFormat => "badDataFormat",
            Self::TimeNotAvailable => "timeNotAvailable",
            Self::UnacceptedPolicy => "unacceptedPolicy",
            Self::UnacceptedExtension => "unacceptedExtension",
            Self::AddInfoNotAvailable => "addInfoNotAvailable",
            Self::SystemFailure => "systemFailure",
        }
    }

    /// The failure of this bit number.
    pub(super) fn of_bit(bit: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.bit() as usize == bit)
    }

    fn bit(self) -> u32 {
        match self {
            Self::BadAlg => 0,
            Self::BadRequest => 2,
            Self::BadDataFormat => 5,
            Self::TimeNotAvailable => 14,
            Self::UnacceptedPolicy => 15,
            Self::UnacceptedExtension => 16,
            Self::AddInfoNotAvailable => 17,
            Self::SystemFailure => 25,
        }
    }
}

impl fmt::Display for PkiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `Accuracy`: seconds, milliseconds and microseconds, each left out if zero; finer parts are rounded up.
fn accuracy(accuracy: Duration) -> Vec<u8> {
    let micros = accuracy.as_nanos().div_ceil(1_000);
    let part =
        |tag: u8, value: u128| (value > 0).then(|| asn1::integer(&value.to_be_bytes()).tagged(tag).der());
    asn1::sequence(&[
        &part(asn1::tag::INTEGER, micros / 1_000_000),
        &part(asn1::tag::CONTEXT_PRIMITIVE, micros / 1_000 % 1_000),
        &part(asn1::tag::CONTEXT_PRIMITIVE | 1, micros % 1_000),
    ])
    .der()
}

/// `directoryName` of GeneralName.
const DIRECTORY_NAME: u8 = 4;
