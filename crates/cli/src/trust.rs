//! From the options that say whom to trust to the two inputs of a decision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use signet_keys::read_public;
use signet_verify::{
    CertificateIdentity, Code, KeyReference, Matcher, Pattern, Policy, PredicateRule, Principal, Rule,
    TrustSnapshot,
};

use crate::args::TrustArgs;
use crate::error::{CliError, about};
use crate::files;

/// Whom to trust, and what must have been signed by whom.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// The anchors.
    pub(crate) snapshot: TrustSnapshot,
    /// The demand.
    pub(crate) policy: Policy,
}

impl Trust {
    /// What the options say; an error if they say nothing, because that is never a yes.
    pub(crate) fn from_args(args: &TrustArgs) -> Result<Self, CliError> {
        Self::if_given(args)?
            .ok_or_else(|| CliError::new(Code::NoTrustGiven, "no key, identity or policy was given"))
    }

    /// What the options say; `None` if they say nothing.
    pub(crate) fn if_given(args: &TrustArgs) -> Result<Option<Self>, CliError> {
        let snapshot = args.trusted_root.as_deref().map(trusted_root).transpose()?;
        let predicate = PredicateRule::from(args.predicate_type.clone());
        if let Some(path) = &args.policy {
            let policy = policy(path)?;
            return Ok(Some(Self { snapshot: snapshot.unwrap_or_default(), policy }));
        }
        if !args.key.is_empty() {
            return of_keys(&args.key, snapshot.unwrap_or_default(), predicate).map(Some);
        }
        let Some(identity) = identity(args)? else { return Ok(None) };
        let snapshot = snapshot.ok_or_else(no_trusted_root)?;
        let principals = BTreeMap::from([(IDENTITY.to_owned(), Principal::Certificate(identity))]);
        of_principals(snapshot, principals, predicate).map(Some)
    }
}

/// Reads a policy file.
pub(crate) fn policy(path: &Path) -> Result<Policy, CliError> {
    let bytes = files::read(path, MAX_TRUST_FILE)?;
    Policy::parse(&bytes).map_err(|error| CliError::policy(path, &error))
}

/// Reads a Sigstore trust root.
pub(crate) fn trusted_root(path: &Path) -> Result<TrustSnapshot, CliError> {
    let bytes = files::read(path, MAX_TRUST_FILE)?;
    TrustSnapshot::from_trusted_root(&bytes)
        .map_err(|error| CliError::new(Code::TrustRootInvalid, about(path, error)))
}

/// Any one of the keys is enough. Principals bear the names of the files.
fn of_keys(
    paths: &[PathBuf],
    mut snapshot: TrustSnapshot,
    predicate: PredicateRule,
) -> Result<Trust, CliError> {
    let mut principals = BTreeMap::new();
    for path in paths {
        let key = read_public(path)?;
        principals.insert(path.display().to_string(), Principal::Key(KeyReference::id(key.id())));
        snapshot = snapshot.with_keys([&key]);
    }
    of_principals(snapshot, principals, predicate)
}

fn of_principals(
    snapshot: TrustSnapshot,
    principals: BTreeMap<String, Principal>,
    predicate_type: PredicateRule,
) -> Result<Trust, CliError> {
    let rule = Rule { predicate_type, ..Rule::any_of(principals.keys().cloned()) };
    let policy = Policy::of_principals(POLICY_NAME, principals, rule)
        .map_err(|error| CliError::new(Code::PolicyInvalid, error.to_string()))?;
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
        .hint("add `--trusted-root FILE`, the `trusted_root.json` of the Sigstore instance that signed")
}

const POLICY_NAME: &str = "command line";
const IDENTITY: &str = "certificate identity";
/// A trust root or policy of this size has thousands of entries.
const MAX_TRUST_FILE: usize = 4 * 1024 * 1024;
