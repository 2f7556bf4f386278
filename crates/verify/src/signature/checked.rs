//! Signatures on certificates that are checked once, however often a path leads over them.
//!
//! An optimisation only: what is remembered is that a signature holds under a key, which no time,
//! policy or evidence changes.

use std::sync::OnceLock;

use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use signet_formats::x509::Certificate;

use crate::budget::Budget;

/// The signature on one certificate, and under which key it was found to hold.
#[derive(Debug)]
pub(crate) struct CheckedSignature {
    message: Vec<u8>,
    signature: Vec<u8>,
    holds_under: OnceLock<(AlgorithmIdentifier, AlgorithmIdentifier, Vec<u8>)>,
}

impl CheckedSignature {
    /// The signature on this certificate, not checked yet.
    pub(crate) fn of(certificate: &Certificate) -> Self {
        Self {
            message: certificate.tbs().to_vec(),
            signature: certificate.signature().to_vec(),
            holds_under: OnceLock::new(),
        }
    }

    fn check(&self, algorithm: Algorithm, key: &[u8]) -> Result<(), InvalidSignature> {
        let known = self.holds_under.get().is_some_and(|(key_algorithm, scheme, known)| {
            *key_algorithm == algorithm.public_key_alg_id()
                && *scheme == algorithm.signature_alg_id()
                && known == key
        });
        if !known {
            algorithm.verify_signature(key, &self.message, &self.signature)?;
            // Under a second key, should there be one, it is checked again each time.
            self.holds_under
                .get_or_init(|| (algorithm.public_key_alg_id(), algorithm.signature_alg_id(), key.to_vec()));
        }
        Ok(())
    }
}

/// An algorithm of webpki's that passes over what was checked before.
#[derive(Debug)]
pub(super) struct Remembering<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) leaf: &'a CheckedSignature,
    pub(super) issuers: &'a [CheckedSignature],
    /// What each check costs, remembered or not: what was prepared before changes no verdict.
    pub(super) budget: &'a Budget,
}

impl SignatureVerificationAlgorithm for Remembering<'_> {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.budget.spend(1).map_err(|_| InvalidSignature)?;
        let mut known = self.issuers.iter().chain([self.leaf]);
        match known.find(|known| known.signature == signature && known.message == message) {
            Some(known) => known.check(self.algorithm, key),
            None => self.algorithm.verify_signature(key, message, signature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

pub(super) type Algorithm = &'static dyn SignatureVerificationAlgorithm;
