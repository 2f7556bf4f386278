//! Trust and policy with everything parsed that does not depend on the evidence.
//!
//! An optimisation only: deciding with prepared trust gives the same bytes as deciding with the snapshot.

use std::collections::BTreeMap;
use std::iter;

use signet_crypto::{Digest, PublicKey};
use signet_formats::note::VerifierKey;
use signet_formats::trusted_root;
use signet_formats::x509::Certificate;

use crate::policy::{CompiledMatcher, Policy, Principal};
use crate::signature::checked::CheckedSignature;
use crate::trust::{TrustSnapshot, TrustedAuthority, TrustedKey, TrustedLog, Window, id_of};

/// A [`TrustSnapshot`] that is ready to decide by.
#[derive(Debug)]
pub struct PreparedTrust {
    pub(crate) id: Digest,
    /// Each key once, with all of its windows.
    pub(crate) keys: Vec<PreparedKey>,
    pub(crate) logs: Vec<PreparedLog>,
    pub(crate) certificate_logs: Vec<PreparedLog>,
    pub(crate) certificate_authorities: Vec<PreparedAuthority>,
    pub(crate) timestamp_authorities: Vec<PreparedAuthority>,
    pub(crate) witnesses: Vec<VerifierKey>,
}

impl PreparedTrust {
    /// Parses every key and certificate of the snapshot.
    pub fn new(snapshot: &TrustSnapshot) -> Result<Self, TrustUnusable> {
        let witness = |witness: &crate::TrustedWitness| {
            let name = &witness.verifier_key;
            name.parse().map_err(|e| TrustUnusable(format!("witness `{name}`: {e}")))
        };
        Ok(Self {
            id: id_of(snapshot),
            keys: prepare_keys(&snapshot.keys)?,
            logs: PreparedLog::all(&snapshot.logs)?,
            certificate_logs: PreparedLog::all(&snapshot.certificate_logs)?,
            certificate_authorities: PreparedAuthority::all(&snapshot.certificate_authorities)?,
            timestamp_authorities: PreparedAuthority::all(&snapshot.timestamp_authorities)?,
            witnesses: collect(&snapshot.witnesses, witness)?,
        })
    }
}

/// A key, and when it is trusted.
#[derive(Clone, Debug)]
pub(crate) struct PreparedKey {
    pub(crate) key: PublicKey,
    /// At a time that lies in any of these.
    pub(crate) windows: Vec<Window>,
}

impl PreparedKey {
    /// Whether the key is trusted at the time.
    pub(crate) fn is_trusted_at(&self, time: i64) -> bool {
        self.windows.iter().any(|window| window.contains(time))
    }
}

fn prepare_keys(trusted: &[TrustedKey]) -> Result<Vec<PreparedKey>, TrustUnusable> {
    let mut keys: Vec<PreparedKey> = Vec::new();
    for TrustedKey { spki, valid_for } in trusted {
        let key = PublicKey::from_spki_der(&spki.0).map_err(|e| TrustUnusable(format!("key: {e}")))?;
        match keys.iter_mut().find(|known| known.key == key) {
            Some(known) => known.windows.push(*valid_for),
            None => keys.push(PreparedKey { key, windows: vec![*valid_for] }),
        }
    }
    Ok(keys)
}

/// Who vouches: several logs or authorities of one operator are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Voucher {
    Operator(String),
    /// Where no operator is stated: the id of the log, the name of the authority.
    Instance(Vec<u8>),
}

impl Voucher {
    /// Of an instance, which a trust root lists once for each span of time: where the listing does not state the operator,
    /// another one of the instance may.
    fn of<'a>(
        own: &'a Option<String>,
        of_others: impl Iterator<Item = &'a Option<String>>,
        instance: &[u8],
    ) -> Self {
        let mut stated = iter::once(own).chain(of_others).flatten();
        match stated.find(|operator| !operator.is_empty()) {
            Some(operator) => Self::Operator(operator.clone()),
            None => Self::Instance(instance.to_vec()),
        }
    }
}

/// A log's key, id and origin.
#[derive(Debug)]
pub(crate) struct PreparedLog {
    pub(crate) voucher: Voucher,
    pub(crate) base_url: String,
    pub(crate) key: PublicKey,
    pub(crate) log_id: Vec<u8>,
    pub(crate) valid_for: Window,
}

impl PreparedLog {
    fn all(trusted: &[TrustedLog]) -> Result<Vec<Self>, TrustUnusable> {
        collect(trusted, |log| {
            let same = trusted.iter().filter(|other| other.log_id == log.log_id);
            Self::new(log, Voucher::of(&log.operator, same.map(|other| &other.operator), &log.log_id.0))
        })
    }

    fn new(log: &TrustedLog, voucher: Voucher) -> Result<Self, TrustUnusable> {
        let unusable = || TrustUnusable(format!("log `{}`: unusable key", log.base_url));
        let key = trusted_root::log_key(&log.key.0).ok_or_else(unusable)?;
        Ok(Self {
            voucher,
            base_url: log.base_url.clone(),
            key,
            log_id: log.log_id.0.clone(),
            valid_for: log.valid_for,
        })
    }

    /// The host of the base URL without a port: the origin of a Rekor v2 log's checkpoints.
    pub(crate) fn origin(&self) -> &str {
        let rest = self.base_url.split_once("://").map_or(&*self.base_url, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }
}

/// An authority's certificates, from the one that signs up to the anchor.
#[derive(Debug)]
pub(crate) struct PreparedAuthority {
    pub(crate) voucher: Voucher,
    pub(crate) name: String,
    pub(crate) certificates: Vec<Certificate>,
    /// The signatures on them.
    pub(crate) signatures: Vec<CheckedSignature>,
    pub(crate) valid_for: Window,
}

impl PreparedAuthority {
    fn all(trusted: &[TrustedAuthority]) -> Result<Vec<Self>, TrustUnusable> {
        collect(trusted, |authority| {
            let label = label(authority);
            let same =
                trusted.iter().filter(|other| self::label(other) == label).map(|other| &other.operator);
            Self::new(authority, Voucher::of(&authority.operator, same, label.as_bytes()))
        })
    }

    fn new(authority: &TrustedAuthority, voucher: Voucher) -> Result<Self, TrustUnusable> {
        let label = label(authority);
        let unusable = |why: String| TrustUnusable(format!("authority `{label}`: {why}"));
        if authority.certificates.is_empty() {
            return Err(unusable("no certificates".to_owned()));
        }
        let parse = |der: &signet_formats::base64::Base64| {
            Certificate::from_der(&der.0).map_err(|e| unusable(e.to_string()))
        };
        let certificates = collect(&authority.certificates, parse)?;
        let signatures = certificates.iter().map(CheckedSignature::of).collect();
        Ok(Self { voucher, name: label.to_owned(), certificates, signatures, valid_for: authority.valid_for })
    }

    /// The certificate at the top, which is trusted by being here.
    pub(crate) fn anchor(&self) -> Option<&Certificate> {
        self.certificates.last()
    }

    /// The certificate that signs timestamps, if the trust root names it and not only its issuers.
    pub(crate) fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first().filter(|certificate| !certificate.is_ca())
    }
}

/// What an authority is told by.
fn label(authority: &TrustedAuthority) -> &str {
    match authority.uri.is_empty() {
        true => &authority.name,
        false => &authority.uri,
    }
}

/// Why a snapshot cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustUnusable(pub String);

impl std::fmt::Display for TrustUnusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TrustUnusable {}

/// Why nothing can be decided: which of the inputs cannot be used, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// The policy.
    Policy(String),
    /// The trust snapshot.
    Trust(String),
}

impl From<TrustUnusable> for Unusable {
    fn from(TrustUnusable(why): TrustUnusable) -> Self {
        Self::Trust(why)
    }
}

/// A [`Policy`] with its patterns compiled and its keys resolved.
pub(crate) struct PreparedPolicy<'a> {
    pub(crate) policy: &'a Policy,
    principals: BTreeMap<&'a str, PreparedPrincipal>,
    /// The distinct keys of all principals.
    pub(crate) keys: Vec<PreparedKey>,
}

/// A principal that is ready to be compared with.
#[derive(Debug)]
pub(crate) enum PreparedPrincipal {
    /// The holder of the key with this id.
    Key(Digest),
    /// Whoever has a matching certificate.
    Certificate { identity: CompiledMatcher, issuer: CompiledMatcher, claims: BTreeMap<u32, CompiledMatcher> },
}

impl<'a> PreparedPolicy<'a> {
    /// Resolves the policy's keys against the trust snapshot. A policy that means nothing, such as one without
    /// rules, is not prepared: everything would satisfy it.
    pub(crate) fn new(policy: &'a Policy, trust: &PreparedTrust) -> Result<Self, Unusable> {
        policy.validate_structure().map_err(|e| Unusable::Policy(e.to_string()))?;
        let mut keys: Vec<PreparedKey> = Vec::new();
        let mut principals = BTreeMap::new();
        for (name, principal) in &policy.spec.principals {
            let prepared = match principal {
                Principal::Key(reference) => {
                    let key = resolve(reference, trust).ok_or_else(|| {
                        Unusable::Trust(format!("principal `{name}`: no such key is trusted"))
                    })?;
                    let id = key.key.id();
                    if keys.iter().all(|known| known.key != key.key) {
                        keys.push(key);
                    }
                    PreparedPrincipal::Key(id)
                }
                Principal::Certificate(certificate) => {
                    compile(certificate).map_err(|e| Unusable::Policy(e.within(name).to_string()))?
                }
            };
            principals.insert(name.as_str(), prepared);
        }
        Ok(Self { policy, principals, keys })
    }

    /// The principal of this name.
    pub(crate) fn principal(&self, name: &str) -> Option<&PreparedPrincipal> {
        self.principals.get(name)
    }

    /// Who the principal of this name is, in words.
    pub(crate) fn describe(&self, name: &str) -> Option<String> {
        Some(match (self.policy.spec.principals.get(name)?, self.principals.get(name)?) {
            (Principal::Certificate(c), _) => format!("{} (issuer {})", c.identity, c.issuer),
            (_, PreparedPrincipal::Key(id)) => format!("key {id}"),
            _ => return None,
        })
    }
}

/// The key that is meant, trusted when the snapshot says, whichever way the policy names it; one that the
/// snapshot does not know, and the policy has whole, at any time.
fn resolve(reference: &crate::KeyReference, trust: &PreparedTrust) -> Option<PreparedKey> {
    let key = reference.as_key();
    let id = key.as_ref().map(PublicKey::id).or_else(|| reference.as_id())?;
    let known = trust.keys.iter().find(|known| known.key.id() == id).cloned();
    known.or_else(|| Some(PreparedKey { key: key?, windows: vec![Window::default()] }))
}

fn compile(certificate: &crate::CertificateIdentity) -> Result<PreparedPrincipal, crate::PolicyError> {
    let mut claims = BTreeMap::new();
    for (claim, matcher) in &certificate.claims {
        claims.insert(claim.arc(), matcher.compile()?);
    }
    Ok(PreparedPrincipal::Certificate {
        identity: certificate.identity.compile()?,
        issuer: certificate.issuer.compile()?,
        claims,
    })
}

fn collect<T, U, E>(from: &[T], each: impl Fn(&T) -> Result<U, E>) -> Result<Vec<U>, E> {
    from.iter().map(each).collect()
}
