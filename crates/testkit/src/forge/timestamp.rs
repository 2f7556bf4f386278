use signet_crypto::Digest;
use signet_formats::x509::Certificate;

use super::certificate::{Authority, ECDSA_SHA256, Template};
use super::der::{self, OCTET_STRING, SET};
use super::key::Key;

/// A timestamp authority: a key and the certificate for it.
pub struct Stamper {
    /// The key, ECDSA P-256.
    pub key: Key,
    /// The certificate, in DER.
    pub certificate: Vec<u8>,
    /// The anchor, which issued the certificate.
    pub anchor: Authority,
}

impl Stamper {
    /// A stamping certificate under a new authority.
    pub fn new(name: &str, life: (i64, i64)) -> Self {
        Self::certified(name, &Template::stamper(name, life))
    }

    /// Any certificate under a new authority of the same life.
    pub fn certified(name: &str, template: &Template) -> Self {
        Self::issued(Authority::new(&format!("{name} root"), template.life), template)
    }

    /// A new key, and a certificate for it from this anchor.
    pub fn issued(anchor: Authority, template: &Template) -> Self {
        let key = Key::p256();
        Self { certificate: anchor.issue(template, key.public()), key, anchor }
    }

    /// A granted `TimeStampResp` over the bytes, in DER, with the certificate inside.
    pub fn stamp(&self, stamped: &[u8], seconds: i64) -> Vec<u8> {
        self.stamp_with(stamped, seconds, &[&self.certificate])
    }

    /// The same with any certificates inside; the signature stays that of this stamper.
    pub fn stamp_with(&self, stamped: &[u8], seconds: i64, inside: &[&[u8]]) -> Vec<u8> {
        let imprint = der::encode(OCTET_STRING, &[Digest::sha256(stamped).as_bytes()]);
        let imprint = der::sequence(&[&sha256(), &imprint]);
        let info = der::sequence(&[
            &der::small(1),
            &der::oid("1.3.6.1.4.1.57264.2"),
            &imprint,
            &der::serial(Digest::sha256(stamped).as_bytes().get(..8).expect("a digest has 32 bytes")),
            &der::generalized_time(seconds),
        ]);
        let content = der::encode(0xa0, &[&der::encode(OCTET_STRING, &[&info])]);
        let signed_data = der::sequence(&[
            &der::small(3),
            &der::encode(SET, &[&sha256()]),
            &der::sequence(&[&der::oid(TST_INFO), &content]),
            &der::encode(0xa0, inside),
            &der::encode(SET, &[&self.signer_info(&info)]),
        ]);
        let token = der::sequence(&[&der::oid(SIGNED_DATA), &der::encode(0xa0, &[&signed_data])]);
        der::sequence(&[&der::sequence(&[&der::small(0)]), &token])
    }

    fn signer_info(&self, info: &[u8]) -> Vec<u8> {
        let certificate = Certificate::from_der(&self.certificate).expect("the certificate is sound");
        let id = der::sequence(&[certificate.issuer().der(), &der::encode(0x02, &[certificate.serial()])]);
        let hash = der::encode(OCTET_STRING, &[certificate.fingerprint().as_bytes()]);
        let ess = der::sequence(&[&der::sequence(&[&der::sequence(&[&hash])])]);
        let digest = der::encode(OCTET_STRING, &[Digest::sha256(info).as_bytes()]);
        let mut attributes = [
            attribute("1.2.840.113549.1.9.3", &der::oid(TST_INFO)),
            attribute("1.2.840.113549.1.9.4", &digest),
            attribute("1.2.840.113549.1.9.16.2.47", &ess),
        ];
        // DER sorts the members of a SET OF.
        attributes.sort();
        let attributes = attributes.concat();
        let signature = self.key.sign(&der::encode(SET, &[&attributes]));
        der::sequence(&[
            &der::small(1),
            &id,
            &sha256(),
            &der::encode(0xa0, &[&attributes]),
            &der::sequence(&[&der::oid(ECDSA_SHA256)]),
            &der::encode(OCTET_STRING, &[&signature]),
        ])
    }
}

fn attribute(oid: &str, value: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::oid(oid), &der::encode(SET, &[value])])
}

fn sha256() -> Vec<u8> {
    der::sequence(&[&der::oid("2.16.840.1.101.3.4.2.1")])
}

const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
