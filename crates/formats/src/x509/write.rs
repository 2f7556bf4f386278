//! Writes certificates: the part that is signed, its extensions, all of it around the signature.

use std::net::IpAddr;

use const_oid::ObjectIdentifier;
use signet_crypto::{Digest, PublicKey};

use super::{SignatureAlgorithm, SubjectAltName, oid};
use crate::asn1::{self, Encode, tag};
use crate::sct::{self, Sct};
use crate::time::TimeError;

/// What a certificate is going to say.
#[derive(Clone, Debug)]
pub struct TbsCertificate {
    /// The serial number, big-endian and not negative; RFC 5280 §4.1.2.2 allows 20 bytes.
    pub serial: Vec<u8>,
    /// The DER of the issuer's name.
    pub issuer: Vec<u8>,
    /// The DER of the subject's name, see [`distinguished_name`].
    pub subject: Vec<u8>,
    /// Valid from this second on, counted from 1970.
    pub not_before: i64,
    /// Valid up to and including this second.
    pub not_after: i64,
    /// The subject's key.
    pub key: PublicKey,
    /// The extensions in their order.
    pub extensions: Vec<NewExtension>,
}

impl TbsCertificate {
    /// The bytes to sign with this algorithm; `None` if the algorithm has no name in certificates or a
    /// time has no text.
    pub fn to_der(&self, algorithm: SignatureAlgorithm) -> Option<Vec<u8>> {
        let algorithm = algorithm.identifier()?;
        let validity = self.validity().ok()?;
        let extensions: Vec<&dyn Encode> =
            self.extensions.iter().map(|extension| &extension.der as &dyn Encode).collect();
        let certificate = asn1::sequence(&[
            // Version 3 is number 2.
            &asn1::explicit(0, &[&asn1::integer(&[2])]),
            &asn1::integer(&self.serial),
            &algorithm,
            &self.issuer,
            &validity,
            &self.subject,
            &self.key.spki_der(),
            &asn1::explicit(3, &[&asn1::sequence(&extensions)]),
        ])
        .der();
        Some(certificate)
    }

    fn validity(&self) -> Result<Vec<u8>, TimeError> {
        Ok(asn1::sequence(&[&asn1::time(self.not_before)?, &asn1::time(self.not_after)?]).der())
    }
}

/// The DER certificate of what [`TbsCertificate::to_der`] gave and its signature. `None` as there.
pub fn signed_certificate(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Option<Vec<u8>> {
    Some(asn1::sequence(&[&tbs, &algorithm.identifier()?, &asn1::bit_string(signature)]).der())
}

/// The DER of a name of these attributes, each its own RDN, as UTF8String.
pub fn distinguished_name(attributes: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
    let rdns = attributes.iter().map(|(oid, value)| {
        asn1::constructed_of(tag::SET, &[&asn1::sequence(&[&asn1::oid(oid), &asn1::utf8(value)])]).der()
    });
    asn1::sequence(&[&rdns.collect::<Vec<_>>().concat()]).der()
}

/// The key identifier of RFC 7093 §2 (1): 160 bits of the SHA-256 of the key's bits.
pub fn key_id(key: &PublicKey) -> Vec<u8> {
    Digest::sha256(key.bits()).as_bytes().iter().copied().take(20).collect()
}

/// An extension to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExtension {
    der: Vec<u8>,
}

impl NewExtension {
    /// An extension with this content of `extnValue`.
    pub fn new(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Self {
        // DEFAULT FALSE is left out in DER.
        let critical = critical.then(|| asn1::boolean(true));
        Self { der: asn1::sequence(&[&asn1::oid(&oid), &critical, &asn1::octets(value)]).der() }
    }

    /// keyUsage of these bits (RFC 5280 §4.2.1.3), critical.
    pub fn key_usage(bits: &[u32]) -> Self {
        Self::new(oid::KEY_USAGE, true, &asn1::named_bits(bits).der())
    }

    /// basicConstraints of a CA with at most so many CAs below it, critical.
    pub fn certificate_authority(path_len: Option<u8>) -> Self {
        let path_len = path_len.as_ref().map(|length| asn1::integer(std::slice::from_ref(length)));
        let value = asn1::sequence(&[&asn1::boolean(true), &path_len]).der();
        Self::new(oid::BASIC_CONSTRAINTS, true, &value)
    }

    /// extKeyUsage of one purpose.
    pub fn purpose(purpose: ObjectIdentifier, critical: bool) -> Self {
        Self::new(oid::EXTENDED_KEY_USAGE, critical, &asn1::sequence(&[&asn1::oid(&purpose)]).der())
    }

    /// subjectKeyIdentifier, see [`key_id`].
    pub fn subject_key_id(id: &[u8]) -> Self {
        Self::new(oid::SUBJECT_KEY_ID, false, &asn1::octets(id).der())
    }

    /// authorityKeyIdentifier with the issuer's key identifier.
    pub fn authority_key_id(id: &[u8]) -> Self {
        let value = asn1::sequence(&[&asn1::primitive_of(tag::CONTEXT_PRIMITIVE, id)]).der();
        Self::new(oid::AUTHORITY_KEY_ID, false, &value)
    }

    /// subjectAltName with one name, critical as RFC 5280 §4.2.1.6 asks where the subject is empty.
    pub fn subject_alt_name(name: &SubjectAltName) -> Self {
        Self::subject_alt_names(std::slice::from_ref(name))
    }

    /// The same with several.
    pub fn subject_alt_names(names: &[SubjectAltName]) -> Self {
        let names: Vec<Vec<u8>> = names.iter().map(general_name).collect();
        Self::new(oid::SUBJECT_ALT_NAME, true, &asn1::sequence(&[&names.concat()]).der())
    }

    /// 1.3.6.1.4.1.57264.1.`n`, as Fulcio encodes it: up to 6 the bare bytes of the text, from 7 on a
    /// UTF8String (sigstore/fulcio, `docs/oid-info.md`).
    pub fn fulcio(n: u8, value: &str) -> Self {
        let oid = FULCIO.push_arc(u32::from(n)).unwrap_or(FULCIO);
        match n {
            ..=LAST_RAW => Self::new(oid, false, value.as_bytes()),
            _ => Self::new(oid, false, &asn1::utf8(value).der()),
        }
    }

    /// The poison of a precertificate (RFC 6962 §3.1), critical.
    pub fn poison() -> Self {
        Self::new(oid::PRECERT_POISON, true, &asn1::null().der())
    }

    /// The list of signed certificate timestamps (RFC 6962 §3.3); `None` if it is too long for its
    /// length field.
    pub fn sct_list(scts: &[Sct]) -> Option<Self> {
        Some(Self::new(oid::SCT_LIST, false, &asn1::octets(&sct::write_list(scts)?).der()))
    }
}

fn general_name(name: &SubjectAltName) -> Vec<u8> {
    let tagged = |number: u8, bytes: &[u8]| asn1::primitive_of(tag::CONTEXT_PRIMITIVE | number, bytes).der();
    match name {
        SubjectAltName::Email(email) => tagged(1, email.as_bytes()),
        SubjectAltName::Dns(name) => tagged(2, name.as_bytes()),
        SubjectAltName::Uri(uri) => tagged(6, uri.as_bytes()),
        SubjectAltName::Ip(IpAddr::V4(address)) => tagged(7, &address.octets()),
        SubjectAltName::Ip(IpAddr::V6(address)) => tagged(7, &address.octets()),
        SubjectAltName::OtherName { username } => asn1::constructed_of(
            tag::CONTEXT_CONSTRUCTED,
            &[&asn1::oid(&oid::FULCIO_USERNAME), &asn1::explicit(0, &[&asn1::utf8(username)])],
        )
        .der(),
        SubjectAltName::Unsupported(der) => der.clone(),
    }
}

const FULCIO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1");
const LAST_RAW: u8 = 6;
