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

/// The ways from one leaf to authorities: each is sought once and then only held against further times.
pub(super) struct Paths<'a> {
    leaf: &'a Leaf<'a>,
    purpose: Purpose,
    budget: &'a Budget,
    /// Each authority, and the path to it that was found last.
    authorities: Vec<(&'a PreparedAuthority, Option<Path<'a>>)>,
}

/// Certificates that lead from a leaf to an anchor, these two left out.
type Path<'a> = Vec<&'a Certificate>;

impl<'a> Paths<'a> {
    pub(super) fn new(
        leaf: &'a Leaf<'a>,
        authorities: &'a [PreparedAuthority],
        purpose: Purpose,
        budget: &'a Budget,
    ) -> Self {
        Self { leaf, purpose, budget, authorities: authorities.iter().map(|a| (a, None)).collect() }
    }

    /// The authority that vouches for the leaf at `time`.
    ///
    /// Where none does, the code of the authority that came closest: one that issued the certificate but
    /// not for that time says more than one that did not issue it.
    pub(super) fn authority_at(&mut self, time: i64) -> Result<&'a PreparedAuthority, Code> {
        let untrusted = self.purpose.codes().untrusted;
        let mut closest = untrusted;
        for (authority, path) in &mut self.authorities {
            match verify_along(path, self.leaf, authority, self.purpose, time, self.budget) {
                Ok(()) => return Ok(authority),
                Err(code) if code != untrusted => closest = code,
                Err(_) => {}
            }
        }
        Err(closest)
    }
}

/// Whether the authority vouches for `leaf` at `time`.
pub(super) fn verify(
    leaf: &Leaf<'_>,
    authority: &PreparedAuthority,
    purpose: Purpose,
    time: i64,
    budget: &Budget,
) -> Result<(), Code> {
    verify_along(&mut None, leaf, authority, purpose, time, budget)
}

/// The same, along the path that is known if it serves at this time too.
fn verify_along<'a>(
    known: &mut Option<Path<'a>>,
    leaf: &Leaf<'a>,
    authority: &'a PreparedAuthority,
    purpose: Purpose,
    time: i64,
    budget: &Budget,
) -> Result<(), Code> {
    let codes = purpose.codes();
    let anchor = authority.anchor().ok_or(codes.untrusted)?;
    let seconds = u64::try_from(time).map_err(|_| codes.outside_validity)?;
    let serves = |path: &Path<'_>| path.iter().chain([&leaf.certificate]).all(|c| c.is_valid_at(time));
    if !known.as_ref().is_some_and(serves) {
        *known = Some(find_path(leaf, authority, anchor, purpose, seconds, budget)?);
    }
    // webpki takes an anchor as given: what it may do, its own life and the trust root's window are checked here.
    if !known.as_ref().is_some_and(|path| leads_to(anchor, path, leaf)) {
        return Err(codes.untrusted);
    }
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

/// Whether the anchor may issue what stands below it. A leaf that is trusted by itself needs nobody.
fn leads_to(anchor: &Certificate, path: &Path<'_>, leaf: &Leaf<'_>) -> bool {
    let between = u64::try_from(path.len()).unwrap_or(u64::MAX);
    let longest = anchor.basic_constraints().and_then(|constraints| constraints.path_len);
    let issues = anchor.may_issue() && longest.is_none_or(|longest| between <= longest);
    issues || anchor.der() == leaf.certificate.der()
}

fn find_path<'a>(
    leaf: &Leaf<'a>,
    authority: &'a PreparedAuthority,
    anchor: &Certificate,
    purpose: Purpose,
    seconds: u64,
    budget: &Budget,
) -> Result<Path<'a>, Code> {
    let codes = purpose.codes();
    let supplied = on_the_way(leaf, authority);
    budget.spend(seeking_among(supplied.len())).map_err(|_| Code::BudgetExhausted)?;

    let der = CertificateDer::from(leaf.certificate.der());
    let end_entity = EndEntityCert::try_from(&der).map_err(|e| code_of(&e, codes))?;
    let anchor_der = CertificateDer::from(anchor.der());
    let anchors: [TrustAnchor<'_>; 1] =
        [webpki::anchor_from_trusted_cert(&anchor_der).map_err(|_| codes.untrusted)?];
    // webpki reads of an issuer whether it is a CA, but not what its key may sign.
    let pool = authority.certificates.iter().chain(supplied).filter(|issuer| issuer.may_issue());
    let pool: Vec<&Certificate> = pool.collect();
    let pool_der: Vec<CertificateDer<'_>> = pool.iter().map(|c| CertificateDer::from(c.der())).collect();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let usage = KeyUsage::required_if_present(purpose.oid());
    let remembering = webpki::ALL_VERIFICATION_ALGS.iter().map(|algorithm| Remembering {
        algorithm: *algorithm,
        leaf: &leaf.signature,
        issuers: &authority.signatures,
        budget,
    });
    let remembering: Vec<Remembering<'_>> = remembering.collect();
    let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
        remembering.iter().map(|algorithm| algorithm as _).collect();
    match end_entity.verify_for_usage(&algorithms, &anchors, &pool_der, at, usage, None, None) {
        Ok(path) => {
            let ours =
                |cert: &webpki::Cert<'_>| pool.iter().find(|c| c.der() == cert.der().as_ref()).copied();
            Ok(path.intermediate_certificates().filter_map(ours).collect())
        }
        Err(_) if budget.is_empty() => Err(Code::BudgetExhausted),
        Err(e) => Err(code_of(&e, codes)),
    }
}

/// Of the certificates that came along, those by whose names the leaf was issued, or one of these, and which
/// are not the authority's own: nearest first, no more than [`MAX_SUPPLIED`]. Others lead nowhere and would
/// only be tried in every order.
fn on_the_way<'a>(leaf: &Leaf<'a>, authority: &PreparedAuthority) -> Vec<&'a Certificate> {
    let mut way = vec![leaf.certificate];
    let mut reached = 0;
    while let Some(name) = way.get(reached).map(|below| below.issuer().der().to_vec()) {
        for issuer in leaf.supplied.iter().filter(|issuer| issuer.subject().der() == name) {
            let mut known = way.iter().copied().chain(&authority.certificates);
            if way.len() <= MAX_SUPPLIED && known.all(|known| known.der() != issuer.der()) {
                way.push(issuer);
            }
        }
        reached += 1;
    }
    way.split_off(1)
}

/// The SHA-256 of the keys that may have issued `leaf`, by name, for certificate timestamps.
pub(super) fn issuer_key_hashes(leaf: &Leaf<'_>, authority: &PreparedAuthority) -> Vec<Digest> {
    let pool = authority.certificates.iter().chain(on_the_way(leaf, authority));
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

/// What it costs to seek a path, besides the signatures that are checked: with each certificate that came
/// along there are several times as many orders to try. Of four there are 64.
fn seeking_among(supplied: usize) -> u32 {
    u32::try_from(supplied).map_or(u32::MAX, |supplied| 1 + 4 * supplied)
}

/// The most certificates that came along among which a path is sought. A real one has one or two.
const MAX_SUPPLIED: usize = 4;
