//! Which issuers of identity tokens are believed, as YAML in the shape that Fulcio reads.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::TokenError;
use super::claim::ClaimPath;
use super::identity::{Identity, Provider, SOURCE_REPOSITORY};
use super::patterns::{Identities, MAX_URL, Pattern};
use super::written::File;

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
        let file = File::parse(yaml).map_err(|error| ConfigError::new("", error))?;
        let mut issuers = Self::default();
        for (url, written) in file.oidc_issuers {
            if written.issuer_url.as_ref().is_some_and(|stated| *stated != url) {
                return Err(ConfigError::new(&url, "`issuer-url` differs from its key"));
            }
            issuers.add(written.issuer(&url, &file.ci_issuer_metadata)?)?;
        }
        for (pattern, written) in file.meta_issuers {
            written.refuse_pattern(&pattern)?;
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
    let named = |host: &str| !host.is_empty() && !host.starts_with(':') && !host.contains('@');
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
            named(&host) && is_loopback(name)
        }
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_v6 = literal.is_some_and(|host| host.parse().is_ok_and(|it: Ipv6Addr| it.is_loopback()));
    host == "localhost" || is_v6 || host.parse().is_ok_and(|it: Ipv4Addr| it.is_loopback())
}

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
            (issuer("    type: email\n    ca-cert-file: /none\n"), "`ca-cert-file` `/none`: "),
            (issuer("    type: email\n    ca-cert-file: /none\n    ca-cert: x\n"), "is enough"),
        ];
        for (yaml, why) in cases {
            let error = Issuers::from_yaml(&yaml).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    /// Fulcio does not start with these.
    #[test]
    fn nobody_certifies_what_is_somebody_elses() {
        let written = |url: &str, rest: &str| format!("  {url}:\n    client-id: s\n    {rest}\n");
        let named =
            |url: &str, rest: &str| Issuers::from_yaml(&format!("oidc-issuers:\n{}", written(url, rest)));
        let pattern =
            |url: &str, rest: &str| Issuers::from_yaml(&format!("meta-issuers:\n{}", written(url, rest)));
        let uri = |domain: &str| format!("type: uri\n    subject-domain: {domain}");
        let (login, clusters) = ("https://login.example.org", "https://oidc.eks.*.example.org/id/*");
        for own in ["https://login.example.org", "https://example.org", "https://users.example.org/a"] {
            named(login, &uri(own)).unwrap();
            pattern(clusters, &uri(own)).unwrap();
        }
        for other in ["https://accounts.google.com", "http://login.example.org", "login.example.org"] {
            let refused = named(login, &uri(other)).unwrap_err();
            assert!(refused.why.contains("`subject-domain`"), "{refused}");
        }
        pattern(clusters, &uri("https://example.com")).unwrap_err();
        let spiffe = "type: spiffe\n    spiffe-trust-domain: prod.acme";
        named(login, spiffe).unwrap();
        assert!(pattern(clusters, spiffe).unwrap_err().why.contains("`spiffe` does not go with a pattern"));
    }

    /// As Helm charts of Fulcio have it.
    #[test]
    fn fulcios_configuration_is_read_in_json_too() {
        let issuers = Issuers::from_yaml(FULCIO_JSON).unwrap();
        let dex = issuers.find("https://oauth2.example.com/auth").unwrap();
        assert_eq!((dex.client_id.as_str(), dex.provider.kind()), ("sigstore", "email"));
        assert_eq!(dex.issuer_claim, Some(["federated_claims", "connector_id"].into()));
        assert_eq!(dex.challenge_claim, "sub".into());
        let robot = issuers.find("https://agent.example.com").unwrap();
        assert_eq!(robot.provider.kind(), "ci-provider");
        assert!(issuers.find("https://oidc.eks.eu.amazonaws.com/id/ABC").is_some());
        assert_eq!(issuers.iter().count(), 5);
    }

    #[test]
    fn a_configuration_without_issuers_has_none() {
        for empty in ["", "oidc-issuers:\n", "{}", "oidc-issuers: {}\nmeta-issuers:\nci-issuer-metadata:\n"] {
            assert_eq!(Issuers::from_yaml(empty).unwrap().iter().count(), 0, "{empty}");
        }
    }

    #[test]
    fn authorities_are_read_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        let yaml = format!(
            "oidc-issuers:\n  https://a.example:\n    client-id: s\n    type: email\n    ca-cert-file: '{path}'\n"
        );
        std::fs::write(file.path(), "none").unwrap();
        let refused = Issuers::from_yaml(&yaml).unwrap_err().to_string();
        assert!(refused.contains("`ca-cert-file` is not certificates in PEM"), "{refused}");
        let text = signet_formats::pem::encode(signet_formats::pem::CERTIFICATE, b"certificate");
        std::fs::write(file.path(), &text).unwrap();
        let issuer = Issuers::from_yaml(&yaml).unwrap().find("https://a.example").unwrap();
        assert_eq!(issuer.tls_authorities.as_deref(), Some(text.as_str()));
    }

    #[test]
    fn http_is_for_loopback_and_for_all_of_it() {
        for here in ["http://127.0.0.1:1", "http://127.8.0.2:1/a", "http://[::1]:1", "http://localhost"] {
            assert!(is_safe_url(here), "{here}");
        }
        for elsewhere in ["http://128.0.0.1", "http://[::2]:1", "http://127.0.0.1.evil", "http://[127.0.0.1]"]
        {
            assert!(!is_safe_url(elsewhere), "{elsewhere}");
        }
    }

    const FULCIO_JSON: &str = r#"{
  "OIDCIssuers": {
    "https://oauth2.example.com/auth": {
      "IssuerURL": "https://oauth2.example.com/auth", "ClientID": "sigstore", "Type": "email",
      "IssuerClaim": "$.federated_claims.connector_id", "ChallengeClaim": "sub",
      "SkipEmailVerification": true, "Contact": "a@example.com", "Description": "people"
    },
    "https://login.example.com": {
      "IssuerURL": "https://login.example.com", "ClientID": "sigstore", "Type": "username",
      "SubjectDomain": "example.com"
    },
    "https://spire.example.com": {
      "ClientID": "sigstore", "Type": "spiffe", "SPIFFETrustDomain": "example.com"
    },
    "https://agent.example.com": { "ClientID": "sigstore", "Type": "ci-provider", "CIProvider": "robot" }
  },
  "MetaIssuers": {
    "https://oidc.eks.*.amazonaws.com/id/*": { "ClientID": "sigstore", "Type": "kubernetes" }
  },
  "CIIssuerMetadata": {
    "robot": {
      "DefaultTemplateValues": { "url": "https://robot.example" },
      "ExtensionTemplates": {
        "BuildSignerURI": "{{ .url }}/{{ .pipeline }}", "SourceRepositoryVisibilityAtSigning": "private"
      },
      "SubjectAlternativeNameTemplate": "{{ .url }}/{{ .pipeline }}"
    }
  }
}"#;

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
