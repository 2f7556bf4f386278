//! What an entry of the log can be found by.

use signet_crypto::Digest;

use super::body::{Body, Verifier};
use crate::x509::Certificate;

/// The digests, keys and identities that an entry names. None of its signatures is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFacts {
    /// The digests of what was signed.
    pub digests: Vec<Digest>,
    /// The SHA-256 of the public keys (SubjectPublicKeyInfo) that it was signed with.
    pub keys: Vec<Digest>,
    /// The subjects of the certificates.
    pub identities: Vec<String>,
    /// The issuer of the identity, as Fulcio states it.
    pub issuer: Option<String>,
    /// Whether a certificate in it could not be read: it may name others.
    pub is_partial: bool,
    /// When the certificate began to be valid, in seconds since 1970; what a bare key signed says no time.
    pub time: Option<i64>,
}

impl EntryFacts {
    /// The facts of a leaf; `None` if it is not an entry that Signet can read.
    pub fn of(leaf: &[u8]) -> Option<Self> {
        let kind = Body::stated_kind(leaf).ok()?;
        let mut facts = Self::default();
        match Body::parse(leaf, &kind).ok()? {
            Body::HashedRekordV001(entry) => facts.add(entry.digest, [entry.signature.verifier]),
            Body::HashedRekordV002(entry) => facts.add(entry.digest, [entry.signature.verifier]),
            Body::DsseV001(entry) => {
                facts.digests.push(entry.envelope_hash);
                facts.add(entry.payload_hash, entry.signatures.into_iter().map(|one| one.verifier));
            }
            Body::DsseV002(entry) => {
                facts.add(entry.payload_hash, entry.signatures.into_iter().map(|one| one.verifier));
            }
            Body::IntotoV001(entry) => {
                facts.digests.extend(entry.payload_hash);
                facts.add(entry.envelope_hash, [entry.verifier]);
            }
            Body::IntotoV002(entry) => {
                facts.digests.push(entry.envelope_hash);
                facts.add(entry.payload_hash, entry.signatures.into_iter().map(|one| one.verifier));
            }
        }
        Some(facts)
    }

    /// Whether a leaf without facts is certain to hide none: it is, beyond doubt, an entry of a kind that nobody takes as the
    /// proof of an image's signature. What Signet cannot read, other readers may.
    pub fn are_none_in(leaf: &[u8]) -> bool {
        Body::stated_kind(leaf).is_ok_and(|kind| OTHER_KINDS.contains(&kind.kind.as_str()))
    }

    fn add(&mut self, digest: Digest, verifiers: impl IntoIterator<Item = Verifier>) {
        self.digests.push(digest);
        for verifier in verifiers {
            match verifier {
                Verifier::PublicKey(spki) => self.keys.push(Digest::sha256(&spki)),
                // What is no certificate names nobody; its entry can still be found by the digest.
                Verifier::Certificate(der) => match Certificate::from_der(&der) {
                    Ok(certificate) => self.certify(&certificate),
                    Err(_) => self.is_partial = true,
                },
            }
        }
    }

    fn certify(&mut self, certificate: &Certificate) {
        self.keys.push(Digest::sha256(certificate.spki()));
        let names = certificate.subject_alt_names().iter().filter_map(|name| name.text());
        self.identities.extend(names.map(str::to_owned));
        match certificate.fulcio() {
            Ok(claims) => self.issuer = self.issuer.take().or(claims.issuer().map(str::to_owned)),
            Err(_) => self.is_partial = true,
        }
        self.time = self.time.or(Some(certificate.not_before()));
    }
}

/// The kinds of Rekor v1 that are in no Sigstore bundle.
const OTHER_KINDS: [&str; 8] = ["alpine", "cose", "helm", "jar", "rekord", "rfc3161", "rpm", "tuf"];
