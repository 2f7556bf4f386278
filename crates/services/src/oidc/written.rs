//! The configuration of issuers as it is written: in YAML as Fulcio names its fields there, or as it does in JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use signet_formats::pem;

use super::ci::CiProvider;
use super::claim::ClaimPath;
use super::config::{ConfigError, Issuer};
use super::identity::Provider;
use super::names::is_trust_domain;
use super::patterns::Identities;

/// All of it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    #[serde(default, alias = "OIDCIssuers", deserialize_with = "or_empty")]
    pub(super) oidc_issuers: BTreeMap<String, Written>,
    #[serde(default, alias = "MetaIssuers", deserialize_with = "or_empty")]
    pub(super) meta_issuers: BTreeMap<String, Written>,
    #[serde(default, alias = "CIIssuerMetadata", deserialize_with = "or_empty")]
    pub(super) ci_issuer_metadata: BTreeMap<String, Metadata>,
    /// Where Fulcio's own file keeps its anchors.
    #[serde(default, rename = "define")]
    _define: IgnoredAny,
}

impl File {
    /// Reads the YAML, or the JSON that is YAML too.
    pub(super) fn parse(yaml: &str) -> Result<Self, serde_saphyr::Error> {
        serde_saphyr::from_str(&with_alias_keys(yaml))
    }
}

/// An issuer as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Written {
    #[serde(alias = "IssuerURL")]
    pub(super) issuer_url: Option<String>,
    #[serde(alias = "ClientID")]
    client_id: String,
    #[serde(rename = "type", alias = "Type")]
    kind: String,
    #[serde(alias = "CIProvider")]
    ci_provider: Option<String>,
    #[serde(alias = "IssuerClaim")]
    issuer_claim: Option<String>,
    #[serde(alias = "SubjectDomain")]
    subject_domain: Option<String>,
    #[serde(alias = "SPIFFETrustDomain")]
    spiffe_trust_domain: Option<String>,
    #[serde(alias = "ChallengeClaim")]
    challenge_claim: Option<String>,
    #[serde(default, alias = "SkipEmailVerification")]
    skip_email_verification: bool,
    #[serde(default, deserialize_with = "stated")]
    allowed_identities: Option<Vec<String>>,
    #[serde(default, deserialize_with = "stated")]
    allowed_repositories: Option<Vec<String>>,
    #[serde(alias = "CACert")]
    ca_cert: Option<String>,
    ca_cert_file: Option<PathBuf>,
    // Said to people only.
    #[serde(default, rename = "contact", alias = "Contact")]
    _contact: IgnoredAny,
    #[serde(default, rename = "description", alias = "Description")]
    _description: IgnoredAny,
    #[serde(default, rename = "environment")]
    _environment: IgnoredAny,
}

/// What the tokens of a kind of CI service say.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Metadata {
    #[serde(default, alias = "DefaultTemplateValues")]
    pub(super) default_template_values: BTreeMap<String, String>,
    #[serde(default, alias = "ExtensionTemplates")]
    pub(super) extension_templates: BTreeMap<String, String>,
    #[serde(alias = "SubjectAlternativeNameTemplate")]
    pub(super) subject_alternative_name_template: String,
}

impl Written {
    /// Refuses a kind of identities of which each issuer below a pattern could name all.
    pub(super) fn refuse_pattern(&self, pattern: &str) -> Result<(), ConfigError> {
        let why = "a trust domain has one issuer: type `spiffe` does not go with a pattern";
        (self.kind != "spiffe").then_some(()).ok_or_else(|| ConfigError::new(pattern, why))
    }

    pub(super) fn issuer(
        &self,
        url: &str,
        metadata: &BTreeMap<String, Metadata>,
    ) -> Result<Issuer, ConfigError> {
        let failed = |why: String| ConfigError::new(url, why);
        let provider = self.provider(url, metadata).map_err(failed)?;
        let default_challenge = if matches!(provider, Provider::Email { .. }) { "email" } else { "sub" };
        if self.client_id.is_empty() {
            return Err(failed("`client-id` is empty".to_owned()));
        }
        let sets = |name: &str, patterns: &Option<Vec<String>>| match patterns.as_deref() {
            Some([]) => {
                Err(failed(format!("`{name}` lets nobody have certificates; left out, it lets everyone")))
            }
            patterns => Ok(patterns.map(|all| all.iter().map(|pattern| Identities::new(pattern)).collect())),
        };
        let claim = |name: &str, text: &str| {
            let neither = || failed(format!("`{name}` is neither a claim nor a path of names, `$.a.b`"));
            ClaimPath::parse(text).ok_or_else(neither)
        };
        let challenge = self.challenge_claim.as_deref().unwrap_or(default_challenge);
        Ok(Issuer {
            url: url.to_owned(),
            is_matched: false,
            client_id: self.client_id.clone(),
            provider,
            issuer_claim: self.issuer_claim.as_deref().map(|text| claim("issuer-claim", text)).transpose()?,
            challenge_claim: claim("challenge-claim", challenge)?,
            allowed: sets("allowed-identities", &self.allowed_identities)?,
            allowed_repositories: sets("allowed-repositories", &self.allowed_repositories)?,
            tls_authorities: self.tls_authorities().map_err(failed)?,
        })
    }

    /// The authorities in PEM, as they are written or as the file has them now.
    fn tls_authorities(&self) -> Result<Option<Arc<str>>, String> {
        let (field, text) = match (&self.ca_cert, &self.ca_cert_file) {
            (None, None) => return Ok(None),
            (Some(text), None) => ("ca-cert", text.clone()),
            (None, Some(path)) => {
                let unreadable = |error| format!("`ca-cert-file` `{}`: {error}", path.display());
                ("ca-cert-file", fs::read_to_string(path).map_err(unreadable)?)
            }
            (Some(_), Some(_)) => return Err("one of `ca-cert` and `ca-cert-file` is enough".to_owned()),
        };
        match pem::certificates(text.as_bytes()) {
            Ok(_) => Ok(Some(text.into())),
            Err(_) => Err(format!("`{field}` is not certificates in PEM")),
        }
    }

    fn provider(&self, url: &str, metadata: &BTreeMap<String, Metadata>) -> Result<Provider, String> {
        let needed = |value: &Option<String>, name: &str| {
            value.clone().ok_or_else(|| format!("type `{}` needs `{name}`", self.kind))
        };
        match self.kind.as_str() {
            "email" => Ok(Provider::Email { unverified: self.skip_email_verification }),
            "kubernetes" => Ok(Provider::Kubernetes),
            "spiffe" => {
                let trust_domain = needed(&self.spiffe_trust_domain, "spiffe-trust-domain")?;
                let is_name = is_trust_domain(&trust_domain);
                let no_name = || format!("`{trust_domain}` is not the name of a trust domain");
                is_name.then_some(()).ok_or_else(no_name)?;
                Ok(Provider::Spiffe { trust_domain })
            }
            "uri" => Provider::uri(url, &needed(&self.subject_domain, "subject-domain")?),
            "username" => Provider::username(url, &needed(&self.subject_domain, "subject-domain")?),
            "ci-provider" => {
                let name = needed(&self.ci_provider, "ci-provider")?;
                let known =
                    metadata.get(&name).ok_or(format!("there is no `ci-issuer-metadata` named `{name}`"))?;
                CiProvider::of_metadata(known).map(Provider::Ci)
            }
            kind => Provider::of_table(kind).ok_or_else(|| format!("unknown type `{kind}`")),
        }
    }
}

/// A list that is there, be it without a value.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Option::deserialize(deserializer).map(|list| Some(list.unwrap_or_default()))
}

/// A map that is there, be it without a value.
fn or_empty<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Go reads `*name:` as a key that is an alias; YAML 1.2 takes the colon for a part of the name.
fn with_alias_keys(yaml: &str) -> String {
    let line = |line: &str| match line.trim_end().strip_suffix(':') {
        Some(alias) if alias.trim_start().starts_with('*') => format!("{alias} :\n"),
        _ => format!("{line}\n"),
    };
    yaml.lines().map(line).collect()
}
