use signet_crypto::{Digest, KeyAlgorithm};
use signet_formats::base64::Base64;
use signet_verify::{Subject, TrustSnapshot, TrustedAuthority, TrustedLog, TrustedWitness, Window};

use super::certificate::{Authority, CertificateLog};
use super::key::Key;
use super::log::{Log, Witness};
use super::timestamp::Stamper;

/// What is signed.
pub const ARTIFACT: &[u8] = b"an artifact that Signet's tests sign\n";
/// Who signs with a certificate.
pub const SIGNER: &str = "signer@example.com";
/// Who vouches for the signer.
pub const ISSUER: &str = "https://issuer.example.com";
/// When is signed: 2026-01-01T00:00:00Z.
pub const SIGNED_AT: i64 = 1_767_225_600;
/// The seconds of a common year.
pub const YEAR: i64 = 365 * 24 * 60 * 60;

/// Everything outside the signer, all of it trusted by [`World::trust`].
pub struct World {
    /// Issues signing certificates.
    pub authority: Authority,
    /// Logs certificates.
    pub certificate_log: CertificateLog,
    /// A log of Rekor v1's kind.
    pub rekor_v1: Log,
    /// A log of Rekor v2's kind.
    pub rekor_v2: Log,
    /// Makes timestamps.
    pub stamper: Stamper,
    /// An Ed25519 and an ML-DSA-44 witness.
    pub witnesses: [Witness; 2],
}

impl World {
    /// A world with new keys, trusted a year before and after [`SIGNED_AT`].
    pub fn new() -> Self {
        let life = (SIGNED_AT - YEAR, SIGNED_AT + YEAR);
        let time = SIGNED_AT.unsigned_abs();
        Self {
            authority: Authority::new("signet test authority", life),
            certificate_log: CertificateLog { key: Key::p256() },
            rekor_v1: Log::rekor_v1("rekor.example.com"),
            rekor_v2: Log::rekor_v2("log2026.example.com"),
            stamper: Stamper::new("signet test stamper", life),
            witnesses: [
                Witness::new("witness.example.com/ed25519", KeyAlgorithm::Ed25519, time),
                Witness::new("witness.example.com/mldsa", KeyAlgorithm::MlDsa44, time),
            ],
        }
    }

    /// The snapshot that trusts this world, and no keys.
    pub fn trust(&self) -> TrustSnapshot {
        let window = Window { start: Some(SIGNED_AT - YEAR), end: Some(SIGNED_AT + YEAR) };
        let log = |base_url: String, key: &Key, id: &[u8]| TrustedLog {
            base_url,
            key: Base64(key.public().spki_der().to_vec()),
            log_id: Base64(id.to_vec()),
            valid_for: window,
            operator: None,
        };
        let rekor = |rekor: &Log| log(format!("https://{}", rekor.host), &rekor.key, &rekor.id());
        let ct = &self.certificate_log.key;
        let authority = |name: &str, certificates: &[&Vec<u8>]| TrustedAuthority {
            name: name.to_owned(),
            uri: format!("https://{name}.example.com"),
            certificates: certificates.iter().map(|der| Base64((*der).clone())).collect(),
            valid_for: window,
            operator: None,
        };
        TrustSnapshot {
            logs: vec![rekor(&self.rekor_v1), rekor(&self.rekor_v2)],
            certificate_logs: vec![log("https://ct.example.com".to_owned(), ct, ct.public().id().as_bytes())],
            certificate_authorities: vec![authority("ca", &[&self.authority.certificate])],
            timestamp_authorities: vec![authority(
                "tsa",
                &[&self.stamper.certificate, &self.stamper.anchor.certificate],
            )],
            witnesses: self
                .witnesses
                .iter()
                .map(|witness| TrustedWitness { verifier_key: witness.verifier().to_string() })
                .collect(),
            ..TrustSnapshot::default()
        }
    }

    /// [`ARTIFACT`] by all of its digests.
    pub fn subject() -> Subject {
        use signet_crypto::DigestAlgorithm::{Sha256, Sha384, Sha512};
        let digests = [Sha256, Sha384, Sha512].map(|algorithm| Digest::of(algorithm, ARTIFACT));
        Subject { digests: digests.into(), ..Subject::of(Digest::sha256(ARTIFACT)) }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
