//! Distinguished names.

use std::fmt;

use const_oid::ObjectIdentifier;
use der::Tag;

use crate::asn1::{self, Malformed, Tlv};

/// A distinguished name as its DER; [`fmt::Display`] writes the text of RFC 4514.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<'a> {
    der: &'a [u8],
}

impl<'a> Name<'a> {
    /// Reads the DER of a `Name` (RFC 5280 §4.1.2.4).
    pub fn from_der(der: &'a [u8]) -> Result<Self, super::X509Error> {
        let name = Self { der };
        name.rdns()?;
        Ok(name)
    }

    /// The DER, byte for byte. Two names are the same if these are.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// Whether the name has no attribute at all, as the subject of a Fulcio certificate.
    pub fn is_empty(&self) -> bool {
        self.attributes().is_empty()
    }

    /// The attributes in the order of the encoding, those of one multi-valued RDN one after another.
    pub fn attributes(&self) -> Vec<NameAttribute> {
        self.rdns().unwrap_or_default().into_iter().flatten().collect()
    }

    /// A name whose bytes [`Name::from_der`] has accepted before.
    pub(crate) fn known_good(der: &'a [u8]) -> Self {
        Self { der }
    }

    fn rdns(&self) -> Result<Vec<Vec<NameAttribute>>, Malformed> {
        let name = Tlv::whole(self.der, Tag::Sequence)?;
        asn1::list(&name, MAX_RDNS)?.iter().map(rdn).collect()
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rdns = self.rdns().unwrap_or_default();
        for (index, rdn) in rdns.iter().rev().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            for (index, attribute) in rdn.iter().enumerate() {
                write!(f, "{}{attribute}", if index > 0 { "+" } else { "" })?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// One attribute of a name, such as `CN=example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAttribute {
    oid: ObjectIdentifier,
    /// The text, or the DER of a value that is not text.
    value: Result<String, Vec<u8>>,
}

impl NameAttribute {
    /// The attribute's type.
    pub fn oid(&self) -> ObjectIdentifier {
        self.oid
    }

    /// The type's short name of RFC 4514 §3, or its dotted form.
    pub fn key(&self) -> String {
        let known = SHORT_NAMES.iter().find(|(oid, _)| *oid == self.oid);
        known.map_or_else(|| self.oid.to_string(), |(_, name)| (*name).to_owned())
    }

    /// The value, if it is text.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref().ok()
    }
}

impl fmt::Display for NameAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.key())?;
        match &self.value {
            Ok(text) => escape(f, text),
            Err(der) => write!(f, "#{}", hex::encode(der)),
        }
    }
}

fn rdn(set: &Tlv<'_>) -> Result<Vec<NameAttribute>, Malformed> {
    if set.tag != Tag::Set || set.value.is_empty() {
        return Err(Malformed);
    }
    asn1::list(set, MAX_RDNS)?.iter().map(attribute).collect()
}

fn attribute(sequence: &Tlv<'_>) -> Result<NameAttribute, Malformed> {
    if sequence.tag != Tag::Sequence {
        return Err(Malformed);
    }
    let mut reader = sequence.reader();
    let oid = reader.oid()?;
    let value = reader.next()?;
    reader.finish()?;
    Ok(NameAttribute { oid, value: text(&value).ok_or_else(|| value.raw.to_vec()) })
}

/// The text of a DirectoryString or IA5String.
fn text(value: &Tlv<'_>) -> Option<String> {
    match value.tag {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => value.utf8().ok().map(str::to_owned),
        // Nominally T.61; in practice written and read as Latin-1.
        Tag::TeletexString => Some(value.value.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let units = value.value.chunks(2).map(|pair| match pair {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

/// Escapes as RFC 4514 §2.4 asks.
fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (index, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
            ' ' if index == 0 || index == last => f.write_str("\\ ")?,
            '#' if index == 0 => f.write_str("\\#")?,
            c if c.is_control() => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().try_for_each(|byte| write!(f, "\\{byte:02X}"))?;
            }
            c => write!(f, "{c}")?,
        }
    }
    Ok(())
}

/// The most RDNs in a name, and attributes in an RDN.
const MAX_RDNS: usize = 64;

const SHORT_NAMES: &[(ObjectIdentifier, &str)] = &[
    (ObjectIdentifier::new_unwrap("2.5.4.3"), "CN"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST"),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O"),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.9"), "STREET"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1"), "UID"),
];
