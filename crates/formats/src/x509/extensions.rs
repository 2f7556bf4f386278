//! The extensions that Signet decides by (RFC 5280 §4.2.1).

use std::net::IpAddr;
use std::ops::Range;

use const_oid::ObjectIdentifier;
use der::asn1::BitStringRef;
use der::{Decode, Tag};

use super::{X509Error, oid};
use crate::asn1::{self, Malformed, Tlv};

/// One extension as it stands in the certificate.
#[derive(Clone, Debug)]
pub(super) struct Extension {
    pub(super) oid: ObjectIdentifier,
    pub(super) critical: bool,
    /// The whole extension within the certificate.
    pub(super) whole: Range<usize>,
    /// The content of `extnValue` within the certificate.
    pub(super) value: Range<usize>,
}

/// What the extensions of a certificate say.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    pub(super) list: Vec<Extension>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) extended_key_usage: Option<ExtendedKeyUsage>,
    pub(super) subject_alt_names: Vec<SubjectAltName>,
    pub(super) subject_key_id: Option<Range<usize>>,
    pub(super) authority_key_id: Option<Range<usize>>,
}

impl Extensions {
    /// Reads the SEQUENCE of extensions, which lies somewhere in a certificate.
    pub(super) fn read(sequence: &Tlv<'_>) -> Result<Self, X509Error> {
        let mut extensions = Self::default();
        for extension in asn1::list(sequence, MAX_EXTENSIONS)? {
            extensions.add(&extension)?;
        }
        Ok(extensions)
    }

    fn add(&mut self, extension: &Tlv<'_>) -> Result<(), X509Error> {
        if extension.tag != Tag::Sequence {
            return Err(X509Error::Malformed);
        }
        let mut reader = extension.reader();
        let oid = reader.oid()?;
        // An explicit FALSE is not DER, but real issuers write it, and it can mean nothing else.
        let critical = reader.optional(Tag::Boolean)?.map_or(Ok(false), |critical| critical.bool())?;
        let value = reader.expect(Tag::OctetString)?;
        reader.finish()?;
        if self.list.iter().any(|earlier| earlier.oid == oid) {
            return Err(X509Error::DuplicateExtension(oid));
        }
        self.decode(oid, critical, &value).map_err(|_| X509Error::MalformedExtension(oid))?;
        self.list.push(Extension { oid, critical, whole: extension.range(), value: value.value_range() });
        Ok(())
    }

    fn decode(&mut self, oid: ObjectIdentifier, critical: bool, value: &Tlv<'_>) -> Result<(), Malformed> {
        let mut reader = value.reader();
        match oid {
            oid::KEY_USAGE => self.key_usage = Some(KeyUsage::read(&reader.next()?)?),
            oid::BASIC_CONSTRAINTS => {
                self.basic_constraints = Some(BasicConstraints::read(&reader.expect(Tag::Sequence)?)?);
            }
            oid::EXTENDED_KEY_USAGE => {
                let purposes = asn1::list(&reader.expect(Tag::Sequence)?, MAX_PURPOSES)?;
                let purposes = purposes.iter().map(oid_of).collect::<Result<Vec<_>, _>>()?;
                self.extended_key_usage = Some(ExtendedKeyUsage { critical, purposes });
            }
            oid::SUBJECT_ALT_NAME => {
                let names = asn1::list(&reader.expect(Tag::Sequence)?, MAX_NAMES)?;
                self.subject_alt_names =
                    names.iter().map(SubjectAltName::read).collect::<Result<Vec<_>, _>>()?;
            }
            oid::SUBJECT_KEY_ID => {
                self.subject_key_id = Some(reader.expect(Tag::OctetString)?.value_range());
            }
            oid::AUTHORITY_KEY_ID => {
                let mut fields = reader.sequence()?;
                self.authority_key_id = fields.optional(asn1::primitive(0))?.map(|id| id.value_range());
            }
            _ => return Ok(()),
        }
        reader.finish()
    }
}

/// What the key may be used for (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// `digitalSignature`.
    pub fn digital_signature(self) -> bool {
        self.bit(0)
    }

    /// `nonRepudiation`, also called contentCommitment.
    pub fn content_commitment(self) -> bool {
        self.bit(1)
    }

    /// `keyCertSign`.
    pub fn key_cert_sign(self) -> bool {
        self.bit(5)
    }

    /// `cRLSign`.
    pub fn crl_sign(self) -> bool {
        self.bit(6)
    }

    /// Whether the usage bit of this number, 0 to 8, is set.
    pub fn bit(self, number: u32) -> bool {
        0x8000_u16.checked_shr(number).is_some_and(|mask| self.0 & mask != 0)
    }

    fn read(bits: &Tlv<'_>) -> Result<Self, Malformed> {
        match *BitStringRef::from_der(bits.raw)?.raw_bytes() {
            [] => Ok(Self(0)),
            [first] => Ok(Self(u16::from_be_bytes([first, 0]))),
            [first, second] => Ok(Self(u16::from_be_bytes([first, second]))),
            _ => Err(Malformed),
        }
    }
}

/// Whether the subject is a CA and how deep a path below it may be (RFC 5280 §4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// The subject is a certificate authority.
    pub ca: bool,
    /// The most intermediate certificates that may follow below it.
    pub path_len: Option<u64>,
}

impl BasicConstraints {
    fn read(sequence: &Tlv<'_>) -> Result<Self, Malformed> {
        let mut reader = sequence.reader();
        // As with `critical`, an explicit FALSE is let pass.
        let ca = reader.optional(Tag::Boolean)?.map_or(Ok(false), |ca| ca.bool())?;
        let path_len = reader.optional(Tag::Integer)?.map(|length| length.u64()).transpose()?;
        reader.finish()?;
        Ok(Self { ca, path_len })
    }
}

/// The purposes that the key is limited to (RFC 5280 §4.2.1.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedKeyUsage {
    /// The extension is marked critical.
    pub critical: bool,
    /// The purposes, unknown ones included, such as [`oid::TIME_STAMPING`].
    pub purposes: Vec<ObjectIdentifier>,
}

/// One subject alternative name (RFC 5280 §4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SubjectAltName {
    /// `rfc822Name`.
    Email(String),
    /// `uniformResourceIdentifier`.
    Uri(String),
    /// `dNSName`.
    Dns(String),
    /// `iPAddress`.
    Ip(IpAddr),
    /// `otherName` of the type that Fulcio defines for user names, 1.3.6.1.4.1.57264.1.7.
    OtherName {
        /// The user name, `subject!domain`.
        username: String,
    },
    /// Any other kind: its DER.
    Unsupported(Vec<u8>),
}

impl SubjectAltName {
    /// The name as text, if its kind is one that an identity may be.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Email(text) | Self::Uri(text) | Self::Dns(text) => Some(text),
            Self::OtherName { username } => Some(username),
            Self::Ip(_) | Self::Unsupported(_) => None,
        }
    }

    fn read(name: &Tlv<'_>) -> Result<Self, Malformed> {
        const OTHER: Tag = asn1::constructed(0);
        const EMAIL: Tag = asn1::primitive(1);
        const DNS: Tag = asn1::primitive(2);
        const URI: Tag = asn1::primitive(6);
        const IP: Tag = asn1::primitive(7);
        match name.tag {
            OTHER => Self::read_other(name),
            EMAIL => ia5(name).map(Self::Email),
            DNS => ia5(name).map(Self::Dns),
            URI => ia5(name).map(Self::Uri),
            IP => ip(name.value).map(Self::Ip).ok_or(Malformed),
            Tag::ContextSpecific { .. } => Ok(Self::Unsupported(name.raw.to_vec())),
            _ => Err(Malformed),
        }
    }

    fn read_other(name: &Tlv<'_>) -> Result<Self, Malformed> {
        let mut reader = name.reader();
        let oid = reader.oid()?;
        let value = reader.expect(asn1::constructed(0))?;
        reader.finish()?;
        if oid != oid::FULCIO_USERNAME {
            return Ok(Self::Unsupported(name.raw.to_vec()));
        }
        let username = value.explicit(Tag::Utf8String)?.utf8()?;
        match username.contains(char::is_control) {
            true => Err(Malformed),
            false => Ok(Self::OtherName { username: username.to_owned() }),
        }
    }
}

fn oid_of(value: &Tlv<'_>) -> Result<ObjectIdentifier, Malformed> {
    match value.tag {
        Tag::ObjectIdentifier => value.oid(),
        _ => Err(Malformed),
    }
}

/// An IA5String without control characters: a NUL or a line break in a name is an attack.
fn ia5(name: &Tlv<'_>) -> Result<String, Malformed> {
    match name.value.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        true => Ok(name.utf8()?.to_owned()),
        false => Err(Malformed),
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

const MAX_EXTENSIONS: usize = 64;
const MAX_PURPOSES: usize = 32;
const MAX_NAMES: usize = 256;
