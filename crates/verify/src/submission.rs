//! What a log of Sigstore's takes: a signature that verifies, of an algorithm that Rekor v2 has.

use std::fmt;

use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};
use signet_formats::rekor::{HashedRekordRequest, HashedRekordV002, PublicKeyDetails, Verifier};
use signet_formats::x509::Certificate;

/// Checks the signature of a request to log it. Certificates are not judged: who reads the log does that.
pub fn check_submission(request: HashedRekordRequest) -> Result<HashedRekordV002, SubmissionRefused> {
    let details = request.signature.key_details;
    let (algorithm, scheme) = details
        .meaning()
        .filter(|_| LOGGED.contains(&details))
        .ok_or(SubmissionRefused::Algorithm(details))?;
    let key = match &request.signature.verifier {
        Verifier::PublicKey(spki) => {
            PublicKey::from_spki_der(spki).map_err(|_| SubmissionRefused::Verifier)?
        }
        Verifier::Certificate(der) => certified_key(der)?,
    };
    if key.algorithm() != algorithm {
        return Err(SubmissionRefused::KeyMismatch { stated: details, found: key.algorithm() });
    }
    let digest = digest(scheme, &request.digest)?;
    key.verify_digest(scheme, &digest, &request.signature.signature)
        .map_err(|_| SubmissionRefused::Signature)?;
    Ok(HashedRekordV002 { digest, signature: request.signature })
}

/// Whether logs take signatures of this scheme by a key of this algorithm.
pub fn is_logged(algorithm: KeyAlgorithm, scheme: Scheme) -> bool {
    PublicKeyDetails::of(algorithm, scheme).is_some_and(|details| LOGGED.contains(&details))
}

/// Why a log does not take an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmissionRefused {
    /// Signatures of this algorithm are not logged.
    Algorithm(PublicKeyDetails),
    /// The digest has not the length of the algorithm's hash.
    Digest {
        /// Its length.
        bytes: usize,
    },
    /// The key is of another algorithm than what is stated.
    KeyMismatch {
        /// What is stated.
        stated: PublicKeyDetails,
        /// What the key is.
        found: KeyAlgorithm,
    },
    /// The signature does not verify.
    Signature,
    /// The key or certificate cannot be used.
    Verifier,
}

impl fmt::Display for SubmissionRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm(details) => write!(f, "signatures of `{details}` are not logged"),
            Self::Digest { bytes } => write!(f, "a digest of {bytes} bytes is not of the algorithm's hash"),
            Self::KeyMismatch { stated, found } => write!(f, "the key is {found}, which is not `{stated}`"),
            Self::Signature => f.write_str("the signature does not verify"),
            Self::Verifier => f.write_str("the key or certificate cannot be used"),
        }
    }
}

impl std::error::Error for SubmissionRefused {}

fn certified_key(der: &[u8]) -> Result<PublicKey, SubmissionRefused> {
    let certificate = Certificate::from_der(der).map_err(|_| SubmissionRefused::Verifier)?;
    certificate.public_key().map_err(|_| SubmissionRefused::Verifier)
}

fn digest(scheme: Scheme, value: &[u8]) -> Result<Digest, SubmissionRefused> {
    let refused = SubmissionRefused::Digest { bytes: value.len() };
    Digest::from_bytes(scheme.digest().ok_or(refused)?, value).map_err(|_| refused)
}

/// What Rekor v2 takes since August 2026 (rekor-tiles#927: no pure Ed25519, which signs no digest).
const LOGGED: &[PublicKeyDetails] = &[
    PublicKeyDetails::PkixRsaPkcs1v15_2048Sha256,
    PublicKeyDetails::PkixRsaPkcs1v15_3072Sha256,
    PublicKeyDetails::PkixRsaPkcs1v15_4096Sha256,
    PublicKeyDetails::PkixEcdsaP256Sha256,
    PublicKeyDetails::PkixEcdsaP384Sha384,
    PublicKeyDetails::PkixEcdsaP521Sha512,
    PublicKeyDetails::PkixEd25519Ph,
];
