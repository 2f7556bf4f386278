use signet_crypto::{Digest, PublicKey};
use signet_formats::x509::Certificate;

use super::der::{self, BIT_STRING, OCTET_STRING, SET, UTF8_STRING};
use super::key::Key;

/// What a certificate says, for an [`Authority`] to sign.
#[derive(Clone, Debug)]
pub struct Template {
    /// The common name; none in certificates of Fulcio's kind.
    pub common_name: Option<String>,
    /// The first and the last second of its life.
    pub life: (i64, i64),
    /// The subject alternative names.
    pub names: Vec<San>,
    /// The OIDC issuer and further claims, by the last arc of their identifiers.
    pub claims: Vec<(u8, String)>,
    /// The extended key usages, dotted; none leaves the extension out.
    pub purposes: Vec<&'static str>,
    /// Whether it says that it is an authority.
    pub is_authority: bool,
    /// Whether its key may sign certificates; others sign anything else.
    pub key_cert_sign: bool,
    /// How many authorities may stand between it and a signer.
    pub path_len: Option<u8>,
}

/// A subject alternative name.
#[derive(Clone, Debug)]
pub enum San {
    /// `rfc822Name`.
    Email(String),
    /// `uniformResourceIdentifier`.
    Uri(String),
}

impl Template {
    /// An authority's own certificate.
    pub fn authority(common_name: &str, life: (i64, i64)) -> Self {
        Self {
            common_name: Some(common_name.to_owned()),
            life,
            names: Vec::new(),
            claims: Vec::new(),
            purposes: Vec::new(),
            is_authority: true,
            key_cert_sign: true,
            path_len: None,
        }
    }

    /// A signer's certificate of Fulcio's kind.
    pub fn signer(email: &str, issuer: &str, life: (i64, i64)) -> Self {
        Self {
            common_name: None,
            names: vec![San::Email(email.to_owned())],
            claims: vec![(1, issuer.to_owned()), (8, issuer.to_owned())],
            purposes: vec![CODE_SIGNING],
            is_authority: false,
            key_cert_sign: false,
            path_len: None,
            life,
        }
    }

    /// A certificate that signs timestamps.
    pub fn stamper(common_name: &str, life: (i64, i64)) -> Self {
        let purposes = vec![TIME_STAMPING];
        Self { purposes, is_authority: false, key_cert_sign: false, ..Self::authority(common_name, life) }
    }

    fn subject(&self) -> Vec<u8> {
        self.common_name.as_deref().map_or_else(|| der::sequence(&[]), name)
    }

    /// The `TBSCertificate`, with the SCT list if there is one.
    fn tbs(&self, issuer: &str, key: &PublicKey, sct_list: Option<&[u8]>) -> Vec<u8> {
        let version = der::encode(0xa0, &[&der::small(2)]);
        let serial = der::serial(key.id().as_bytes().get(..16).expect("an id has 32 bytes"));
        let life = der::sequence(&[&der::time(self.life.0), &der::time(self.life.1)]);
        let extensions = self.extensions(sct_list).concat();
        let extensions = der::encode(0xa3, &[&der::sequence(&[&extensions])]);
        let algorithm = der::sequence(&[&der::oid(ECDSA_SHA256)]);
        let (issuer, subject) = (name(issuer), self.subject());
        der::sequence(&[&version, &serial, &algorithm, &issuer, &life, &subject, key.spki_der(), &extensions])
    }

    fn extensions(&self, sct_list: Option<&[u8]>) -> Vec<Vec<u8>> {
        let mut list = Vec::new();
        // keyCertSign or digitalSignature.
        let usage: &[u8] = if self.key_cert_sign { &[2, 0x04] } else { &[7, 0x80] };
        list.push(extension("2.5.29.15", true, &der::encode(BIT_STRING, &[usage])));
        if self.is_authority {
            let path_len = self.path_len.map(der::small).unwrap_or_default();
            list.push(extension("2.5.29.19", true, &der::sequence(&[&[0x01, 0x01, 0xff], &path_len])));
        }
        if !self.purposes.is_empty() {
            let purposes: Vec<u8> = self.purposes.iter().flat_map(|purpose| der::oid(purpose)).collect();
            let critical = self.purposes.contains(&TIME_STAMPING);
            list.push(extension("2.5.29.37", critical, &der::sequence(&[&purposes])));
        }
        if !self.names.is_empty() {
            let names: Vec<u8> = self.names.iter().flat_map(San::der).collect();
            list.push(extension("2.5.29.17", true, &der::sequence(&[&names])));
        }
        for (arc, value) in &self.claims {
            let value = match arc {
                1..=6 => value.as_bytes().to_vec(),
                _ => der::encode(UTF8_STRING, &[value.as_bytes()]),
            };
            list.push(extension(&format!("1.3.6.1.4.1.57264.1.{arc}"), false, &value));
        }
        list.extend(
            sct_list
                .map(|scts| extension("1.3.6.1.4.1.11129.2.4.2", false, &der::encode(OCTET_STRING, &[scts]))),
        );
        list
    }
}

impl San {
    fn der(&self) -> Vec<u8> {
        match self {
            Self::Email(text) => der::encode(0x81, &[text.as_bytes()]),
            Self::Uri(text) => der::encode(0x86, &[text.as_bytes()]),
        }
    }
}

/// A self-signed authority.
pub struct Authority {
    /// Its key, ECDSA P-256.
    pub key: Key,
    /// Its common name.
    pub name: String,
    /// Its certificate, in DER.
    pub certificate: Vec<u8>,
}

impl Authority {
    /// A new authority.
    pub fn new(name: &str, life: (i64, i64)) -> Self {
        Self::of(&Template::authority(name, life), None)
    }

    /// The authority that the template describes, issued by `above` or else by itself.
    pub fn of(template: &Template, above: Option<&Self>) -> Self {
        let (key, name) = (Key::p256(), template.common_name.clone().unwrap_or_default());
        let (issuer, signer) = above.map_or((&name, &key), |above| (&above.name, &above.key));
        let certificate = signed(&template.tbs(issuer, key.public(), None), signer);
        Self { key, name, certificate }
    }

    /// A certificate for the key.
    pub fn issue(&self, template: &Template, key: &PublicKey) -> Vec<u8> {
        signed(&template.tbs(&self.name, key, None), &self.key)
    }

    /// A certificate with an SCT of each log, made at the start of its life.
    pub fn issue_logged(&self, template: &Template, key: &PublicKey, logs: &[&CertificateLog]) -> Vec<u8> {
        let plain = Certificate::from_der(&self.issue(template, key)).expect("the certificate is sound");
        let issuer = Digest::sha256(self.key.public().spki_der());
        let scts: Vec<u8> =
            logs.iter().flat_map(|log| prefixed(&log.sct(&issuer, plain.tbs(), template.life.0))).collect();
        signed(&template.tbs(&self.name, key, Some(&prefixed(&scts))), &self.key)
    }
}

/// A certificate-transparency log.
pub struct CertificateLog {
    /// Its key.
    pub key: Key,
}

impl CertificateLog {
    /// An SCT (RFC 6962 §3.2) over the precertificate.
    fn sct(&self, issuer_key_hash: &Digest, tbs: &[u8], seconds: i64) -> Vec<u8> {
        let millis = u64::try_from(seconds).expect("certificates live after 1970") * 1000;
        let head = [&[0], self.key.public().id().as_bytes(), &millis.to_be_bytes(), &[0, 0]].concat();
        let [.., a, b, c] = tbs.len().to_be_bytes();
        // Version 1, certificate_timestamp, then precert_entry.
        let signed = [
            &[0, 0],
            &millis.to_be_bytes()[..],
            &[0, 1],
            issuer_key_hash.as_bytes(),
            &[a, b, c],
            tbs,
            &[0, 0],
        ];
        let signature = self.key.sign(&signed.concat());
        [head, vec![4, 3], prefixed(&signature)].concat()
    }
}

/// A TLS vector with a length of two bytes.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("the vector is short");
    [&length.to_be_bytes(), bytes].concat()
}

/// A distinguished name of one common name.
pub(super) fn name(common_name: &str) -> Vec<u8> {
    let value = der::encode(UTF8_STRING, &[common_name.as_bytes()]);
    let attribute = der::sequence(&[&der::oid("2.5.4.3"), &value]);
    der::sequence(&[&der::encode(SET, &[&attribute])])
}

fn extension(oid: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    der::sequence(&[&der::oid(oid), critical, &der::encode(OCTET_STRING, &[value])])
}

/// The structure of a certificate around its TBS: body, algorithm, signature.
fn signed(tbs: &[u8], key: &Key) -> Vec<u8> {
    let algorithm = der::sequence(&[&der::oid(ECDSA_SHA256)]);
    der::sequence(&[tbs, &algorithm, &der::encode(BIT_STRING, &[&[0], &key.sign(tbs)])])
}

pub(super) const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
