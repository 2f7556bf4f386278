//! Which issuers of identity tokens are believed, as YAML in the shape that Fulcio reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use signet_formats::pem;

use super::TokenError;
use super::ci::CiProvider;
use super::claim::ClaimPath;
use super::identity::{Identity, Provider, SOURCE_REPOSITORY};
use super::names::is_trust_domain;
use super::patterns::{Identities, MAX_URL, Pattern};
use super::template::Template;

/// The largest configuration that is read, in bytes.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;

/// The issuers, by URL.
#[derive(Clone, Debug, Default)]
pub struct Issuers {
    issuers: BTreeMap<String, Issuer>,
    /// Pattern and issuer; the first that matches counts.
    patterns: Vec<(Pattern, Issuer)>,
}

impl Issuers {
    /// Reads the YAML. Unknown fields are errors.
    pub fn from_yaml(yaml: &str) -> Result<Self, ConfigError> {
        if yaml.len() > MAX_CONFIG_BYTES {
            return Err(ConfigError::new("", "the configuration is larger than 1 MiB"));
        }
        let file: File =
            serde_saphyr::from_str(&with_alias_keys(yaml)).map_err(|error| ConfigError::new("", error))?;
        let mut issuers = Self::default();
        for (url, written) in file.oidc_issuers {
            if written.issuer_url.as_ref().is_some_and(|stated| *stated != url) {
                return Err(ConfigError::new(&url, "`issuer-url` differs from its key"));
            }
            issuers.add(written.issuer(&url, &file.ci_issuer_metadata)?)?;
        }
        for (pattern, written) in file.meta_issuers {
            let issuer = written.issuer(&pattern, &file.ci_issuer_metadata)?;
            let parsed = Pattern::new(&pattern).ok_or_else(|| {
                ConfigError::new(&pattern, "a meta issuer is an https URL whose host ends in a fixed domain")
            })?;
            issuers.patterns.push((parsed, issuer));
        }
        Ok(issuers)
    }

    /// Adds an issuer; its URL has to be https, or http on loopback.
    pub fn add(&mut self, issuer: Issuer) -> Result<(), ConfigError> {
        match is_safe_url(&issuer.url) {
            true => {
                self.issuers.insert(issuer.url.clone(), issuer);
                Ok(())
            }
            false => Err(ConfigError::new(&issuer.url, "an issuer is an https URL, or http on loopback")),
        }
    }

    /// The issuer of this URL, by name or by pattern.
    pub fn find(&self, url: &str) -> Option<Issuer> {
        let by_pattern = || {
            let (_, issuer) = self.patterns.iter().find(|(pattern, _)| pattern.matches(url))?;
            Some(Issuer { url: url.to_owned(), is_matched: true, ..issuer.clone() })
        };
        self.issuers.get(url).cloned().or_else(by_pattern)
    }

    /// All issuers, and whether the URL is a pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&Issuer, bool)> {
        let named = self.issuers.values().map(|issuer| (issuer, false));
        named.chain(self.patterns.iter().map(|(_, issuer)| (issuer, true)))
    }
}

/// An issuer and what its tokens mean.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its URL, `iss` of its tokens.
    pub url: String,
    /// Whether nobody named it, and it only matches the pattern of a meta issuer.
    pub is_matched: bool,
    /// The audience that its tokens have to be for.
    pub client_id: String,
    /// What kind of issuer it is.
    pub provider: Provider,
    /// The claim that holds the issuer to be certified, where that is not the issuer itself.
    pub issuer_claim: Option<ClaimPath>,
    /// The claim whose text proof of possession is made over.
    pub challenge_claim: ClaimPath,
    /// Who of the issuer's identities may have certificates; unset, everyone.
    pub allowed: Option<Vec<Identities>>,
    /// Builds of which repositories may have certificates; unset, all.
    pub allowed_repositories: Option<Vec<Identities>>,
    /// The authorities, in PEM, that its TLS certificate may be of besides those of the system.
    pub tls_authorities: Option<Arc<str>>,
}

impl Issuer {
    /// Whether the identity may have certificates.
    pub(super) fn admit(&self, identity: &Identity) -> Result<(), TokenError> {
        let admits = |sets: &Option<Vec<Identities>>, name: &str| {
            sets.as_ref().is_none_or(|sets| sets.iter().any(|set| set.contains(name)))
        };
        let repository = identity.extensions.get(&SOURCE_REPOSITORY).map(String::as_str).unwrap_or_default();
        if !admits(&self.allowed_repositories, repository) {
            return Err(TokenError::RepositoryNotAllowed { repository: repository.to_owned() });
        }
        let name = identity.name.text().unwrap_or_default();
        match admits(&self.allowed, name) {
            true => Ok(()),
            false => Err(TokenError::NotAllowed { identity: name.to_owned() }),
        }
    }
}

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", if issuer.is_empty() { String::new() } else { format!("issuer `{issuer}`: ") })]
pub struct ConfigError {
    /// The issuer it is about; empty if it is about the whole.
    pub issuer: String,
    /// What is wrong.
    pub why: String,
}

impl ConfigError {
    pub(super) fn new(issuer: &str, why: impl ToString) -> Self {
        Self { issuer: issuer.to_owned(), why: why.to_string() }
    }
}

/// Whether keys may be fetched from there: https, or http on loopback.
pub(super) fn is_safe_url(url: &str) -> bool {
    let host = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    let named = |host: &str| !host.is_empty() && !host.contains('@');
    if url.len() > MAX_URL || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return false;
    }
    match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => named(&host(rest)),
        (_, Some(rest)) => {
            let host = host(rest);
            let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let port = host.rsplit_once(':').filter(|(_, port)| is_port(port));
            let name = port.map_or(host.as_str(), |(name, _)| name);
            named(&host) && LOOPBACK.contains(&name)
        }
        _ => false,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    #[serde(default)]
    oidc_issuers: BTreeMap<String, Written>,
    #[serde(default)]
    meta_issuers: BTreeMap<String, Written>,
    #[serde(default)]
    ci_issuer_metadata: BTreeMap<String, Metadata>,
    /// Where Fulcio's own file keeps its anchors.
    #[serde(default, rename = "define")]
    _define: IgnoredAny,
}

/// An issuer as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    issuer_url: Option<String>,
    client_id: String,
    #[serde(rename = "type")]
    kind: String,
    ci_provider: Option<String>,
    issuer_claim: Option<String>,
    subject_domain: Option<String>,
    spiffe_trust_domain: Option<String>,
    challenge_claim: Option<String>,
    #[serde(default)]
    skip_email_verification: bool,
    #[serde(default, deserialize_with = "stated")]
    allowed_identities: Option<Vec<String>>,
    #[serde(default, deserialize_with = "stated")]
    allowed_repositories: Option<Vec<String>>,
    ca_cert: Option<String>,
    // Said to people only.
    #[serde(default, rename = "contact")]
    _contact: IgnoredAny,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, rename = "environment")]
    _environment: IgnoredAny,
}

/// What the tokens of a kind of CI service say.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) default_template_values: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) extension_templates: BTreeMap<String, String>,
    pub(super) subject_alternative_name_template: String,
}

impl Written {
    fn issuer(&self, url: &str, metadata: &BTreeMap<String, Metadata>) -> Result<Issuer, ConfigError> {
        let failed = |why: String| ConfigError::new(url, why);
        let provider = self.provider(url, metadata).map_err(failed)?;
        let default_challenge = if matches!(provider, Provider::Email { .. }) { "email" } else { "sub" };
        let trusted = self.ca_cert.as_deref().map(|text| pem::certificates(text.as_bytes()));
        if trusted.is_some_and(|read| read.is_err()) {
            return Err(failed("`ca-cert` is not certificates in PEM".to_owned()));
        }
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
            tls_authorities: self.ca_cert.as_deref().map(Arc::from),
        })
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
            "uri" => Ok(Provider::Uri { domain: needed(&self.subject_domain, "subject-domain")? }),
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

/// Go reads `*name:` as a key that is an alias; YAML 1.2 takes the colon for a part of the name.
fn with_alias_keys(yaml: &str) -> String {
    let line = |line: &str| match line.trim_end().strip_suffix(':') {
        Some(alias) if alias.trim_start().starts_with('*') => format!("{alias} :\n"),
        _ => format!("{line}\n"),
    };
    yaml.lines().map(line).collect()
}

/// A template as it is written for a CI service; the error names it.
pub(super) fn template(text: &str) -> Result<Template, String> {
    Template::of_fulcio(text).ok_or_else(|| format!("the template `{text}` does more than insert fields"))
}

const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fulcios_configuration_is_read() {
        let issuers = Issuers::from_yaml(FULCIO).unwrap();
        assert_eq!(issuers.iter().count(), 7);
        let github = issuers.find("https://token.actions.githubusercontent.com").unwrap();
        assert_eq!((github.client_id.as_str(), github.challenge_claim), ("sigstore", "sub".into()));
        let eks = issuers.find("https://oidc.eks.eu-west-1.amazonaws.com/id/ABC").unwrap();
        assert_eq!(eks.url, "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC");
        assert!(issuers.find("https://accounts.example.com/").is_none());
        let dex = issuers.find("https://oauth2.example.com/auth").unwrap();
        assert_eq!(dex.issuer_claim, Some(["federated_claims", "connector_id"].into()));
    }

    #[test]
    fn configurations_that_cannot_be_meant_are_refused() {
        let issuer =
            |rest: &str| format!("oidc-issuers:\n  https://a.example:\n    client-id: sigstore\n{rest}");
        let cases = [
            (issuer("    type: telepathy\n"), "unknown type `telepathy`"),
            (issuer("    type: spiffe\n"), "type `spiffe` needs `spiffe-trust-domain`"),
            (
                issuer("    type: email\n    issuer-url: https://b.example\n"),
                "`issuer-url` differs from its key",
            ),
            (
                issuer("    type: ci-provider\n    ci-provider: x\n"),
                "there is no `ci-issuer-metadata` named `x`",
            ),
            (issuer("    type: email\n    colour: red\n"), "colour"),
            (issuer("    type: email\n    allowed-identities: []\n"), "`allowed-identities` lets nobody"),
            (issuer("    type: email\n    allowed-identities:\n"), "`allowed-identities` lets nobody"),
            (issuer("    type: email\n    allowed-repositories: []\n"), "`allowed-repositories` lets nobody"),
            (issuer("    type: email\n    issuer-claim: $.a[0]\n"), "`issuer-claim` is neither"),
            (issuer("    type: email\n    challenge-claim: ''\n"), "`challenge-claim` is neither"),
            (issuer("    type: email\n").replace("sigstore", "''"), "`client-id` is empty"),
            (issuer("    type: email\n    ca-cert: none\n"), "`ca-cert` is not certificates in PEM"),
            (
                issuer("    type: spiffe\n    spiffe-trust-domain: a/b\n"),
                "`a/b` is not the name of a trust domain",
            ),
            ("oidc-issuers:\n  http://a.example:\n    client-id: s\n    type: email\n".into(), "https"),
            ("meta-issuers:\n  https://*:\n    client-id: s\n    type: kubernetes\n".into(), "fixed domain"),
        ];
        for (yaml, why) in cases {
            let error = Issuers::from_yaml(&yaml).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    const FULCIO: &str = r#"
define:
  - &circleci "circleci"
oidc-issuers:
  https://oidc.circleci.example:
    issuer-url: https://oidc.circleci.example
    client-id: sigstore
    type: ci-provider
    ci-provider: *circleci
    contact: security@circleci.example
    description: "a service"
  https://issuer.chainguard.example:
    client-id: sigstore
    type: chainguard-identity
  https://accounts.example.com:
    issuer-url: https://accounts.example.com
    client-id: sigstore
    type: email
  https://oauth2.example.com/auth:
    issuer-url: https://oauth2.example.com/auth
    client-id: sigstore
    type: email
    issuer-claim: $.federated_claims.connector_id
  https://token.actions.githubusercontent.com:
    issuer-url: https://token.actions.githubusercontent.com
    client-id: sigstore
    type: github-workflow
  https://agent.example.com:
    issuer-url: https://agent.example.com
    client-id: sigstore
    type: ci-provider
    ci-provider: robot
ci-issuer-metadata:
  *circleci:
    default-template-values:
      api_url: "https://circleci.example"
    extension-templates:
      runner-environment: '{{if eq (index . "circleci/rerun") "true"}}rerun{{ else }}""{{end}}'
      source-repository-ref: refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}
    subject-alternative-name-template: '{{.api_url}}/{{(index . "circleci/project-id")}}'
  robot:
    default-template-values:
      url: https://robot.example
    extension-templates:
      build-signer-uri: "{{ .url }}/{{ .pipeline }}"
      runner-environment: runner
    subject-alternative-name-template: "{{ .url }}/{{ .pipeline }}"
meta-issuers:
  https://oidc.eks.*.amazonaws.com/id/*:
    client-id: sigstore
    type: kubernetes
"#;
}
