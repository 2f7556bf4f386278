//! Certificate paths: from a leaf to the anchor of an authority, at a given time.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use signet_crypto::Digest;
use signet_formats::x509::Certificate;
use webpki::{EndEntityCert, KeyUsage};

use super::checked::{CheckedSignature, Remembering};
use crate::Code;
use crate::budget::Budget;
use crate::prepared::PreparedAuthority;

/// A certificate that somebody has to vouch for.
pub(super) struct Leaf<'a> {
    certificate: &'a Certificate,
    /// Certificates that came along and may lead to an authority.
    supplied: &'a [Certificate],
    signature: CheckedSignature,
}

impl<'a> Leaf<'a> {
    pub(super) fn new(certificate: &'a Certificate, supplied: &'a [Certificate]) -> Self {
        Self { certificate, supplied, signature: CheckedSignature::of(certificate) }
    }
}

/// What a leaf certificate must be for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Extended key usage `codeSigning`.
    CodeSigning,
    /// Extended key usage `timeStamping`, critical and alone (RFC 3161 §2.3).
    TimeStamping,
}

/// Codes of the ways in which a path can fail, which differ for signing and timestamp certificates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codes {
    pub(super) untrusted: Code,
    pub(super) outside_validity: Code,
    pub(super) authority_outside_validity: Code,
    pub(super) usage: Code,
}

impl Purpose {
    fn codes(self) -> Codes {
        match self {
            Self::CodeSigning => Codes {
                untrusted: Code::IssuerUntrusted,
                outside_validity: Code::CertificateOutsideValidity,
                authority_outside_validity: Code::AuthorityOutsideValidity,
                usage: Code::CertificateUsage,
            },
            Self::TimeStamping => Codes {
                untrusted: Code::TimestampUntrusted,
                outside_validity: Code::TimestampOutsideValidity,
                authority_outside_validity: Code::TimestampOutsideValidity,
                usage: Code::TimestampUntrusted,
            },
        }
    }

    /// The content bytes of the purpose's object identifier.
    fn oid(self) -> &'static [u8] {
        match self {
            Self::CodeSigning => &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03],
            Self::TimeStamping => &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08],
        }
    }
}

/// Finds the authority that vouches for `leaf` at `time`.
///
/// Where none does, the code of the authority that came closest: one that issued the certificate but
/// not for that time says more than one that did not issue it.
pub(super) fn find_authority<'a>(
    leaf: &Leaf<'_>,
    authorities: &'a [PreparedAuthority],
    purpose: Purpose,
    time: i64,
    budget: &Budget,
) -> Result<&'a PreparedAuthority, Code> {
    let mut closest = purpose.codes().untrusted;
    for authority in authorities {
        match verify(leaf, authority, purpose, time, budget) {
            Ok(()) => return Ok(authority),
            Err(code) if code != purpose.codes().untrusted => closest = code,
            Err(_) => {}
        }
    }
    Err(closest)
}

/// Whether the authority vouches for `leaf` at `time`.
pub(super) fn verify(
    leaf: &Leaf<'_>,
    authority: &PreparedAuthority,
    purpose: Purpose,
    time: i64,
    budget: &Budget,
) -> Result<(), Code> {
    let codes = purpose.codes();
    let anchor = authority.anchor().ok_or(codes.untrusted)?;
    let seconds = u64::try_from(time).map_err(|_| codes.outside_validity)?;
    budget.spend(PATH_OPERATIONS).map_err(|_| Code::BudgetExhausted)?;

    let der = CertificateDer::from(leaf.certificate.der());
    let end_entity = EndEntityCert::try_from(&der).map_err(|e| code_of(&e, codes))?;
    let anchor_der = CertificateDer::from(anchor.der());
    let anchors: [TrustAnchor<'_>; 1] =
        [webpki::anchor_from_trusted_cert(&anchor_der).map_err(|_| codes.untrusted)?];
    let pool: Vec<CertificateDer<'_>> =
        authority.certificates.iter().chain(leaf.supplied).map(|c| CertificateDer::from(c.der())).collect();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let usage = KeyUsage::required_if_present(purpose.oid());
    let remembering = webpki::ALL_VERIFICATION_ALGS.iter().map(|algorithm| Remembering {
        algorithm: *algorithm,
        leaf: &leaf.signature,
        issuers: &authority.signatures,
    });
    let remembering: Vec<Remembering<'_>> = remembering.collect();
    let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
        remembering.iter().map(|algorithm| algorithm as _).collect();
    end_entity
        .verify_for_usage(&algorithms, &anchors, &pool, at, usage, None, None)
        .map_err(|e| code_of(&e, codes))?;

    // webpki takes an anchor as given: its own life and the trust root's window are checked here.
    if !anchor.is_valid_at(time) {
        return Err(codes.outside_validity);
    }
    if !authority.valid_for.contains(time) {
        return Err(codes.authority_outside_validity);
    }
    match is_for(leaf.certificate, purpose) {
        true => Ok(()),
        false => Err(codes.usage),
    }
}

/// The SHA-256 of the keys that may have issued `leaf`, by name, for certificate timestamps.
pub(super) fn issuer_key_hashes(leaf: &Leaf<'_>, authority: &PreparedAuthority) -> Vec<Digest> {
    let pool = authority.certificates.iter().chain(leaf.supplied);
    let issuers = pool.filter(|c| c.subject().der() == leaf.certificate.issuer().der());
    let mut hashes: Vec<Digest> = issuers.map(|c| Digest::sha256(c.spki())).collect();
    hashes.dedup();
    hashes
}

fn is_for(leaf: &Certificate, purpose: Purpose) -> bool {
    use signet_formats::x509::oid::{CODE_SIGNING, TIME_STAMPING};
    let usage = leaf.extended_key_usage();
    let signs = leaf.key_usage().is_none_or(|usage| usage.digital_signature());
    signs
        && match purpose {
            Purpose::CodeSigning => usage.is_some_and(|u| u.purposes.contains(&CODE_SIGNING)),
            Purpose::TimeStamping => usage.is_some_and(|u| u.critical && u.purposes == [TIME_STAMPING]),
        }
}

fn code_of(error: &webpki::Error, codes: Codes) -> Code {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } | E::CertNotValidYet { .. } | E::InvalidCertValidity => codes.outside_validity,
        E::RequiredEkuNotFoundContext(_) | E::CaUsedAsEndEntity => codes.usage,
        _ => codes.untrusted,
    }
}

/// What one path may cost: webpki gives up after a hundred signature checks; a real path has two.
const PATH_OPERATIONS: u32 = 4;
