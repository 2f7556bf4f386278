//! What a token says about its bearer, as a certificate will say it.

use std::collections::BTreeMap;

use serde_json::Value;
use signet_formats::jwt::Claims;
use signet_formats::x509::SubjectAltName;

use super::ci::{CiProvider, PLAIN};
use super::claim::ClaimPath;
use super::config::Issuer;
use super::names::{MAX_TEXT, is_email, is_plain, is_spiffe_id, is_user};
use super::{TokenError, url};

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The subject alternative name.
    pub name: SubjectAltName,
    /// The values of 1.3.6.1.4.1.57264.1.N, by N.
    pub extensions: BTreeMap<u8, String>,
    /// What a proof of possession is a signature over.
    pub challenge: String,
    /// The issuer of the token.
    pub issuer: String,
    /// `sub` of the token.
    pub subject: String,
}

/// What kind of issuer it is: how claims become an identity.
#[derive(Clone, Debug)]
pub enum Provider {
    /// People by their e-mail address.
    Email {
        /// Take addresses that the issuer has not verified.
        unverified: bool,
    },
    /// Service accounts of Kubernetes.
    Kubernetes,
    /// Workloads of a SPIFFE trust domain.
    Spiffe {
        /// The domain.
        trust_domain: String,
    },
    /// URIs below a scheme and host.
    Uri {
        /// `https://example.com`.
        domain: String,
    },
    /// Users by name, certified as `name!domain`.
    Username {
        /// The domain.
        domain: String,
    },
    /// Jobs of a CI service, by templates.
    Ci(CiProvider),
}

impl Provider {
    /// The name of the kind in the configuration.
    pub fn kind(&self) -> &str {
        match self {
            Self::Email { .. } => "email",
            Self::Kubernetes => "kubernetes",
            Self::Spiffe { .. } => "spiffe",
            Self::Uri { .. } => "uri",
            Self::Username { .. } => "username",
            Self::Ci(provider) => &provider.kind,
        }
    }

    /// The CI service of this kind, of those that Signet knows.
    pub fn of_table(kind: &str) -> Option<Self> {
        CiProvider::of_table(kind).map(Self::Ci)
    }

    /// URIs of an issuer, below a scheme and host; the host's domain has to be the issuer's own.
    pub(super) fn uri(issuer: &str, domain: &str) -> Result<Self, String> {
        let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
        match scheme(issuer) == scheme(domain) {
            true => own_domain(issuer, host_of(domain)).map(|()| Self::Uri { domain: domain.to_owned() }),
            false => Err(format!("`subject-domain` `{domain}` does not begin with the issuer's scheme")),
        }
    }

    /// User names of an issuer; the domain has to be the issuer's own.
    pub(super) fn username(issuer: &str, domain: &str) -> Result<Self, String> {
        own_domain(issuer, domain).map(|()| Self::Username { domain: domain.to_owned() })
    }

    fn name(&self, issuer: &Issuer, claims: &Claims) -> Result<SubjectAltName, TokenError> {
        match self {
            Self::Email { unverified } => email(claims, *unverified),
            Self::Kubernetes => service_account(claims),
            Self::Spiffe { trust_domain } => {
                let wanted = || format!("a SPIFFE ID of `{trust_domain}`");
                url_name(subject(claims, |id| is_spiffe_id(id, trust_domain), wanted)?.to_owned())
            }
            Self::Uri { domain } => {
                let is_below = |uri: &str| {
                    let below = uri.strip_prefix(domain.trim_end_matches('/'));
                    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                let uri = subject(claims, is_below, || format!("a URI below `{domain}`"))?;
                url_name(url::parsed(uri).ok_or_else(|| TokenError::wrong("sub", claims, "a URI"))?)
            }
            Self::Username { domain } => {
                let user = subject(claims, is_user, || "a user name without blanks, `@` and `!`".to_owned())?;
                Ok(SubjectAltName::OtherName { username: format!("{user}!{domain}") })
            }
            Self::Ci(provider) => provider.name(issuer, claims),
        }
    }

    fn extensions(&self, issuer: &Issuer, claims: &Claims) -> Result<BTreeMap<u8, String>, TokenError> {
        match self {
            Self::Ci(provider) => provider.extensions(issuer, claims),
            _ => Ok(BTreeMap::new()),
        }
    }
}

impl Identity {
    /// What the claims of this issuer's token say.
    pub(super) fn of(issuer: &Issuer, claims: &Claims) -> Result<Self, TokenError> {
        let name = issuer.provider.name(issuer, claims)?;
        let certified = match &issuer.issuer_claim {
            None => issuer.url.clone(),
            Some(claim) => plain(claim, text(claim, claims)?)?,
        };
        let challenge = text(&issuer.challenge_claim, claims)?;
        let subject = plain(&"sub".into(), text_claim(claims, "sub")?.to_owned())?;
        let mut extensions = issuer.provider.extensions(issuer, claims)?;
        extensions.insert(ISSUER, certified.clone());
        extensions.insert(ISSUER_V2, certified);
        extensions.insert(TOKEN_SUBJECT, subject.clone());
        Ok(Self { name, extensions, challenge, issuer: issuer.url.clone(), subject })
    }

    /// The issuer that its certificate names.
    pub(super) fn certified_issuer(&self) -> &str {
        self.extensions.get(&ISSUER_V2).map(String::as_str).unwrap_or_default()
    }
}

/// Refuses a domain that does not share the last two labels of the issuer's host: nobody names what is not theirs.
fn own_domain(issuer: &str, domain: &str) -> Result<(), String> {
    let ends = |name: &str| name.rsplit('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    let host = host_of(issuer);
    match ends(host) == ends(domain) {
        true => Ok(()),
        false => Err(format!("`subject-domain` `{domain}` is not the domain of the issuer's host `{host}`")),
    }
}

fn host_of(url: &str) -> &str {
    url.split("://").nth(1).unwrap_or_default().split(['/', ':']).next().unwrap_or_default()
}

fn email(claims: &Claims, unverified: bool) -> Result<SubjectAltName, TokenError> {
    // Some providers say it in text.
    let verified = |value: &Value| *value == Value::Bool(true) || value == "true";
    if !unverified && !claims.value("email_verified").is_some_and(verified) {
        return Err(TokenError::unusable("email_verified", claims, "`true`"));
    }
    let address = text_claim(claims, "email")?;
    match is_email(address) {
        true => Ok(SubjectAltName::Email(address.to_owned())),
        false => Err(TokenError::wrong("email", claims, "a plain e-mail address")),
    }
}

fn service_account(claims: &Claims) -> Result<SubjectAltName, TokenError> {
    let namespace = text(&["kubernetes.io", "namespace"].into(), claims)?;
    let account = text(&["kubernetes.io", "serviceaccount", "name"].into(), claims)?;
    let wanted = format!("system:serviceaccount:{namespace}:{account}");
    subject(claims, |subject| subject == wanted, || format!("`{wanted}`"))?;
    let name = format!("https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{account}");
    url_name(url::parsed(&name).ok_or_else(|| TokenError::wrong("sub", claims, "names of Kubernetes"))?)
}

/// `sub`, if it is what it has to be.
fn subject(
    claims: &Claims,
    fits: impl Fn(&str) -> bool,
    wanted: impl Fn() -> String,
) -> Result<&str, TokenError> {
    let subject = text_claim(claims, "sub")?;
    fits(subject).then_some(subject).ok_or_else(|| TokenError::wrong("sub", claims, &wanted()))
}

fn text(claim: &ClaimPath, claims: &Claims) -> Result<String, TokenError> {
    claim.text(claims).ok_or_else(|| TokenError::unusable(claim, claims, "text"))
}

/// What a claim says, if it may be certified as it is.
fn plain(claim: &ClaimPath, said: String) -> Result<String, TokenError> {
    match is_plain(&said) {
        true => Ok(said),
        false => Err(TokenError::unfit(&[claim], &said, PLAIN)),
    }
}

pub(super) fn text_claim<'a>(claims: &'a Claims, name: &str) -> Result<&'a str, TokenError> {
    claims.text(name).ok_or_else(|| TokenError::unusable(name, claims, "text"))
}

/// A name is IA5 without blanks.
pub(super) fn url_name(text: String) -> Result<SubjectAltName, TokenError> {
    match text.len() <= MAX_TEXT && text.contains("://") && text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(SubjectAltName::Uri(text)),
        false => Err(TokenError::Name { text: super::shortened(&text) }),
    }
}

const ISSUER: u8 = 1;
const ISSUER_V2: u8 = 8;
const TOKEN_SUBJECT: u8 = 24;
/// N of the repository that was built.
pub(super) const SOURCE_REPOSITORY: u8 = 12;
