//! From the options that say whom to trust to the two inputs of a decision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use signet_crypto::{Digest, PublicKey};
use signet_formats::trusted_root::TrustedRoot;
use signet_verify::{
    CertificateIdentity, Code, KeyReference, Matcher, Pattern, Policy, PolicyError, PredicateRule, Principal,
    Rule, TrustSnapshot,
};

use crate::args::{TrustArgs, distinct};
use crate::error::{CliError, about};
use crate::face::Face;
use crate::{files, key_file, pinned, witness};

/// Whom to trust, and what must have been signed by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    /// The anchors.
    pub(crate) snapshot: TrustSnapshot,
    /// The demand.
    pub(crate) policy: Policy,
}

impl Trust {
    /// What the options say; an error if they say nothing, because that is never a yes.
    pub(crate) fn from_args(args: &TrustArgs, face: Face) -> Result<Self, CliError> {
        Self::if_given(args, face)?
            .ok_or_else(|| CliError::new(Code::NoTrustGiven, "no key, identity or policy was given"))
    }

    /// What the options say; `None` if they say nothing.
    pub(crate) fn if_given(args: &TrustArgs, face: Face) -> Result<Option<Self>, CliError> {
        args.cosign.accept()?;
        let trusted_root = args.trusted_root.as_deref();
        let anchors = Anchors { trusted_root, witnesses: &args.witness, refresh: Some(face) };
        if let Some(path) = &args.policy {
            args.cosign.accept_with_policy()?;
            return Self::of_policy(path, &args.key, key_file::verifying, &anchors).map(Some);
        }
        if !args.key.is_empty() {
            return of_keys(args, anchors.for_keys(demand_of_a_root(args))?).map(Some);
        }
        let Some(identity) = identity(args)? else { return Ok(None) };
        let snapshot = anchors.vouchers()?.ok_or_else(no_trusted_root)?;
        let principals = BTreeMap::from([(IDENTITY.to_owned(), Principal::Certificate(identity))]);
        of_principals(args, snapshot, principals).map(Some)
    }

    /// A policy file, with the keys of the principals that it names by id, and how they are read.
    pub(crate) fn of_policy(
        path: &Path,
        keys: &[PathBuf],
        read: impl Fn(&Path) -> Result<PublicKey, CliError>,
        anchors: &Anchors<'_>,
    ) -> Result<Self, CliError> {
        let policy = policy(path)?;
        let mut snapshot = match needs_root(&policy) {
            true => anchors.vouchers()?.map_or_else(|| anchors.without_root(), Ok)?,
            false => anchors.given()?.map_or_else(|| anchors.without_root(), Ok)?,
        };
        let mut missing: BTreeMap<Digest, &str> = ids(&policy).collect();
        for file in keys {
            let key = read(file)?;
            missing.remove(&key.id());
            if !has_key(&policy, key.id()) {
                return Err(unnamed_key(file, key.id(), path));
            }
            snapshot = snapshot.with_keys([&key]);
        }
        match missing.first_key_value() {
            Some((id, principal)) => Err(no_key(principal, *id)),
            None => Ok(Self { snapshot, policy }),
        }
    }
}

/// What is trusted besides keys.
pub(crate) struct Anchors<'a> {
    /// The file of the Sigstore trust root.
    pub(crate) trusted_root: Option<&'a Path>,
    /// The witnesses, as `--witness` takes them.
    pub(crate) witnesses: &'a [String],
    /// Who is told if what is pinned on this machine cannot be brought up to date before it is used; without anybody it is
    /// used as it is.
    pub(crate) refresh: Option<Face>,
}

impl Anchors<'_> {
    /// For keys, which need a trust root only where an option demands what it has to vouch for.
    fn for_keys(&self, demand: Option<&str>) -> Result<TrustSnapshot, CliError> {
        match demand {
            None => self.given()?.map_or_else(|| self.without_root(), Ok),
            Some(option) => self.vouchers()?.ok_or_else(|| no_vouchers(option)),
        }
    }

    /// The trust root that is given, else the one that is pinned on this machine, if one is.
    fn vouchers(&self) -> Result<Option<TrustSnapshot>, CliError> {
        if self.trusted_root.is_some() {
            return self.given();
        }
        let Some(home) = pinned::standard()? else { return Ok(None) };
        self.refresh.map_or(Ok(()), |face| pinned::refresh(&home, face))?;
        self.with_witnesses(pinned::trusted_root(&home)?).map(Some)
    }

    fn given(&self) -> Result<Option<TrustSnapshot>, CliError> {
        let given = self.trusted_root.map(trusted_root).transpose()?;
        given.map(|snapshot| self.with_witnesses(snapshot)).transpose()
    }

    fn without_root(&self) -> Result<TrustSnapshot, CliError> {
        self.with_witnesses(TrustSnapshot::default())
    }

    fn with_witnesses(&self, mut snapshot: TrustSnapshot) -> Result<TrustSnapshot, CliError> {
        snapshot.witnesses = witness::read(self.witnesses)?;
        Ok(snapshot)
    }
}

/// Whether the policy asks for what a trust root has to vouch for: certificates, entries of logs, timestamps.
fn needs_root(policy: &Policy) -> bool {
    let certified = |principal: &Principal| matches!(principal, Principal::Certificate(_));
    let proven = |rule: &Rule| rule.log_entries.unwrap_or_default() > 0 || rule.timestamps > 0;
    policy.spec.principals.values().any(certified) || policy.spec.rules.iter().any(proven)
}

/// The option by which a key's signature needs a trust root.
fn demand_of_a_root(args: &TrustArgs) -> Option<&'static str> {
    match args.insecure_ignore_tlog {
        Some(false) => Some("--insecure-ignore-tlog=false"),
        _ => args.cosign.wants_timestamps().then_some("--use-signed-timestamps"),
    }
}

/// Whether a principal of the policy has this key.
fn has_key(policy: &Policy, id: Digest) -> bool {
    policy.spec.principals.values().any(|principal| match principal {
        Principal::Key(key) => key.as_id().or_else(|| key.as_key().map(|key| key.id())) == Some(id),
        Principal::Certificate(_) => false,
    })
}

/// The principals that are named by the id of their key.
fn ids(policy: &Policy) -> impl Iterator<Item = (Digest, &str)> {
    policy.spec.principals.iter().filter_map(|(name, principal)| match principal {
        Principal::Key(key) => key.as_id().map(|id| (id, name.as_str())),
        Principal::Certificate(_) => None,
    })
}

/// Reads a policy file.
fn policy(path: &Path) -> Result<Policy, CliError> {
    let bytes = files::read(path, MAX_TRUST_FILE)?;
    Policy::parse(&bytes).map_err(|error| CliError::policy(path, &error))
}

/// Reads a Sigstore trust root.
pub(crate) fn trusted_root(path: &Path) -> Result<TrustSnapshot, CliError> {
    let bytes = files::read(path, MAX_TRUST_FILE)?;
    TrustSnapshot::from_trusted_root(&bytes)
        .map_err(|error| CliError::new(Code::TrustRootInvalid, about(path, error)))
}

/// Reads a Sigstore trust root as it is published.
pub(crate) fn read_trusted_root(path: &Path) -> Result<TrustedRoot, CliError> {
    let bytes = files::read(path, MAX_TRUST_FILE)?;
    TrustedRoot::parse(&bytes).map_err(|error| CliError::new(Code::TrustRootInvalid, about(path, error)))
}

/// Any one of the keys is enough. Principals bear the names that the keys were given by.
fn of_keys(args: &TrustArgs, mut snapshot: TrustSnapshot) -> Result<Trust, CliError> {
    let mut principals = BTreeMap::new();
    for path in &args.key {
        let key = key_file::verifying(path)?;
        principals.insert(path.display().to_string(), Principal::Key(KeyReference::id(key.id())));
        snapshot = snapshot.with_keys([&key]);
    }
    of_principals(args, snapshot, principals)
}

fn of_principals(
    args: &TrustArgs,
    snapshot: TrustSnapshot,
    principals: BTreeMap<String, Principal>,
) -> Result<Trust, CliError> {
    let rule = Rule {
        predicate_type: PredicateRule::from(args.predicate_type.clone()),
        annotations: distinct(&args.annotations)?.into_iter().collect(),
        timestamps: u32::from(args.cosign.wants_timestamps()),
        log_entries: args.insecure_ignore_tlog.map(|ignored| u32::from(!ignored)),
        certificate_timestamps: args.insecure_ignore_sct.then_some(0),
        witnesses: witness::distinct(&snapshot),
        ..Rule::any_of(principals.keys().cloned())
    };
    let policy = Policy::of_principals(POLICY_NAME, principals, rule).map_err(|error| {
        let told = CliError::new(Code::UsageInvalid, error.to_string());
        match error {
            PolicyError::Pattern(..) | PolicyError::Unanchored(_) => {
                told.hint(r"anchor the pattern at both ends, such as `^https://github\.com/org/.*$`")
            }
            _ => told,
        }
    })?;
    Ok(Trust { snapshot, policy })
}

/// The certificate identity that the options name. Half of one would trust too many.
fn identity(args: &TrustArgs) -> Result<Option<CertificateIdentity>, CliError> {
    let identity = matcher(args.certificate_identity.as_ref(), args.certificate_identity_regexp.as_ref());
    let issuer = matcher(args.certificate_oidc_issuer.as_ref(), args.certificate_oidc_issuer_regexp.as_ref());
    match (identity, issuer) {
        (Some(identity), Some(issuer)) => {
            Ok(Some(CertificateIdentity { identity, issuer, claims: BTreeMap::new() }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(half(
            "an identity was given without the issuer that vouches for it",
            "--certificate-oidc-issuer URL",
        )),
        (None, Some(_)) => {
            Err(half("an issuer was given without an identity", "--certificate-identity IDENTITY"))
        }
    }
}

fn matcher(exact: Option<&String>, pattern: Option<&String>) -> Option<Matcher> {
    let exact = exact.map(|text| Matcher::Exact(text.clone()));
    exact.or_else(|| pattern.map(|text| Matcher::Pattern(Pattern { pattern: text.clone() })))
}

fn half(what: &str, missing: &str) -> CliError {
    CliError::new(Code::NoTrustGiven, what).hint(format!("add `{missing}`"))
}

fn no_trusted_root() -> CliError {
    CliError::new(Code::NoTrustGiven, "an identity was given without the authorities that certify it")
        .hint("add `--trusted-root FILE`, the `trusted_root.json` of the Sigstore instance that signed, or pin its root with `signet trust init`")
}

fn no_vouchers(option: &str) -> CliError {
    CliError::new(Code::NoTrustGiven, format!("`{option}` was given without the logs and authorities that are trusted"))
        .hint("add `--trusted-root FILE` with the log or timestamp authority in it, or pin a root with `signet trust init`")
}

/// A key that no principal has would decide nothing, which is not what whoever gave it thinks.
fn unnamed_key(file: &Path, id: Digest, policy: &Path) -> CliError {
    let detail =
        format!("`{}` is key {id}, which no principal of `{}` names", file.display(), policy.display());
    CliError::new(Code::UsageInvalid, detail)
        .hint("name the key in the policy, as `key: sha256:…`, or leave `--key` out")
}

fn no_key(principal: &str, id: Digest) -> CliError {
    CliError::new(Code::NoTrustGiven, format!("principal `{principal}` is key {id}, which was not given"))
        .hint("add `--key FILE`, or write the key itself into the policy as PEM")
}

const POLICY_NAME: &str = "command line";
const IDENTITY: &str = "certificate identity";
/// A trust root or policy of this size has thousands of entries.
const MAX_TRUST_FILE: usize = 4 * 1024 * 1024;
