//! Which chains a log of certificates takes.

use signet_crypto::Digest;
use signet_formats::static_ct::{MAX_CERTIFICATE_BYTES, MAX_CHAIN, SignedEntry};
use signet_formats::x509::Certificate;

use super::identity;

/// What the first certificate of a chain has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A certificate as it is issued.
    Certificate,
    /// A precertificate, signed by the issuer itself.
    Precertificate,
}

/// A chain that the log takes.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) entry: SignedEntry,
    /// What it is about, however often it is submitted.
    pub(super) identity: [u8; 32],
    /// The certificate's own issuer first, the root last.
    pub(super) issuers: Vec<Certificate>,
}

impl Submitted {
    /// The chain, whose last certificate is one of the roots or issued by one.
    pub(super) fn of(chain: &[Certificate], roots: &[Certificate], kind: Kind) -> Result<Self, ChainError> {
        let (own, given) = chain.split_first().ok_or(ChainError::Empty)?;
        if given.len() >= MAX_CHAIN {
            return Err(ChainError::TooLarge);
        }
        let last = chain.last().ok_or(ChainError::Empty)?;
        let issued =
            |root: &&Certificate| root.subject().der() == last.issuer().der() && is_issued_by(last, root);
        let mut issuers = given.to_vec();
        if !roots.contains(last) {
            issuers.push(roots.iter().find(issued).ok_or(ChainError::Root)?.clone());
        }
        for (below, above) in std::iter::once(own).chain(&issuers).zip(&issuers) {
            if !above.may_issue() || !is_issued_by(below, above) {
                return Err(ChainError::Broken);
            }
        }
        match (kind, own.unpoisoned_tbs()) {
            (Kind::Certificate, None) => Self::new(SignedEntry::Certificate(own.der().to_vec()), issuers),
            (Kind::Precertificate, Some(tbs)) => Self::of_precertificate(own, tbs, &issuers),
            _ => Err(ChainError::Kind),
        }
    }

    /// A precertificate and its TBSCertificate without poison, which are known to belong together.
    pub(super) fn of_precertificate(
        own: &Certificate,
        tbs: Vec<u8>,
        issuers: &[Certificate],
    ) -> Result<Self, ChainError> {
        let issuer = issuers.first().ok_or(ChainError::Root)?;
        let hash = Digest::sha256(issuer.spki());
        let issuer_key_hash = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        let precertificate = own.der().to_vec();
        Self::new(SignedEntry::Precertificate { issuer_key_hash, tbs, precertificate }, issuers.to_vec())
    }

    fn new(entry: SignedEntry, issuers: Vec<Certificate>) -> Result<Self, ChainError> {
        let largest = match &entry {
            SignedEntry::Certificate(der) => der.len(),
            SignedEntry::Precertificate { precertificate, .. } => precertificate.len(),
        };
        match largest <= MAX_CERTIFICATE_BYTES && issuers.len() <= MAX_CHAIN {
            true => Ok(Self { identity: identity(&entry), entry, issuers }),
            false => Err(ChainError::TooLarge),
        }
    }
}

/// Why a log takes no such chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// One of the certificates is not issued by the next.
    #[error("a certificate of the chain is not issued by the next")]
    Broken,
    /// There is no certificate.
    #[error("the chain is empty")]
    Empty,
    /// A precertificate where a certificate belongs, or the other way round.
    #[error("`add-pre-chain` takes precertificates, `add-chain` all others")]
    Kind,
    /// It does not end at a root that the log accepts.
    #[error("the chain does not end at a root that this log accepts")]
    Root,
    /// Too many certificates, or one that is too long.
    #[error("the chain is larger than the log takes")]
    TooLarge,
}

fn is_issued_by(below: &Certificate, above: &Certificate) -> bool {
    above.public_key().is_ok_and(|key| below.verify_issued_by(&key).is_ok())
}
