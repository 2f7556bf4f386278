//! What a token says about its bearer, as a certificate will say it.

use std::collections::BTreeMap;

use signet_formats::jwt::Claims;
use signet_formats::x509::SubjectAltName;

use super::TokenError;
use super::config::{Issuer, Metadata, template};
use super::template::{Template, text_of};

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

/// How claims of a CI service become an identity.
#[derive(Clone, Debug)]
pub struct CiProvider {
    /// The type in the configuration.
    kind: String,
    name: Template,
    /// N, its template, and whether a token without its claims is refused.
    extensions: Vec<(u8, Template, bool)>,
    /// Values for what the token does not claim.
    defaults: BTreeMap<String, String>,
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
    pub fn of_table(kind: &str, issuer: &str) -> Option<Self> {
        let (_, home, name, extensions) = SERVICES.iter().find(|(known, ..)| *known == kind)?;
        let extensions = extensions.iter().map(|(n, text)| match text.strip_suffix('?') {
            Some(optional) => (*n, Template::new(optional), false),
            None => (*n, Template::new(text), true),
        });
        // A GitLab of one's own lives where it issues from; the others have one home.
        let home = home.map_or_else(|| issuer.trim_end_matches('/').to_owned(), str::to_owned);
        Some(Self::Ci(CiProvider {
            kind: kind.to_owned(),
            name: Template::new(name),
            extensions: extensions.collect(),
            defaults: BTreeMap::from([(HOME.to_owned(), home)]),
        }))
    }

    pub(super) fn of_metadata(metadata: &Metadata) -> Result<Self, String> {
        let mut extensions = Vec::new();
        for (name, text) in &metadata.extension_templates {
            let known = EXTENSION_NAMES.iter().find(|(_, known)| known == name);
            let (n, _) = known.ok_or_else(|| format!("unknown extension `{name}`"))?;
            extensions.push((*n, template(text)?, true));
        }
        Ok(Self::Ci(CiProvider {
            kind: "ci-provider".to_owned(),
            name: template(&metadata.subject_alternative_name_template)?,
            extensions,
            defaults: metadata.default_template_values.clone(),
        }))
    }

    /// User names of an issuer; the domain has to share the issuer's last two labels, so that nobody
    /// names users of a domain that is not theirs.
    pub(super) fn username(issuer: &str, domain: &str) -> Result<Self, String> {
        let host =
            issuer.split("://").nth(1).unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
        let ends = |name: &str| name.rsplit('.').take(2).map(str::to_owned).collect::<Vec<_>>();
        match ends(host) == ends(domain) {
            true => Ok(Self::Username { domain: domain.to_owned() }),
            false => {
                Err(format!("`subject-domain` `{domain}` is not the domain of the issuer's host `{host}`"))
            }
        }
    }

    fn name(&self, claims: &Claims) -> Result<SubjectAltName, TokenError> {
        let text = |name: &'static str| claims.text(name).ok_or_else(|| TokenError::missing(name));
        match self {
            Self::Email { unverified } => {
                let verified = claims.value("email_verified").and_then(serde_json::Value::as_bool);
                match verified == Some(true) || *unverified {
                    true => email(text("email")?).map(SubjectAltName::Email),
                    false => Err(TokenError::wrong("email_verified", claims, "true")),
                }
            }
            Self::Kubernetes => {
                let at = |path: &'static str| text_of(claims, path).ok_or_else(|| TokenError::missing(path));
                let namespace = at("kubernetes.io.namespace")?;
                let account = at("kubernetes.io.serviceaccount.name")?;
                let subject = format!("system:serviceaccount:{namespace}:{account}");
                match text("sub")? == subject {
                    true => {
                        uri(format!("https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{account}"))
                    }
                    false => Err(TokenError::wrong("sub", claims, &subject)),
                }
            }
            Self::Spiffe { trust_domain } => {
                let path = text("sub")?.strip_prefix(&format!("spiffe://{trust_domain}/"));
                match path.is_some_and(|path| !path.is_empty()) {
                    true => uri(text("sub")?.to_owned()),
                    false => Err(TokenError::wrong("sub", claims, &format!("spiffe://{trust_domain}/…"))),
                }
            }
            Self::Uri { domain } => {
                let below = text("sub")?.strip_prefix(domain.trim_end_matches('/'));
                match below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                    true => uri(text("sub")?.to_owned()),
                    false => Err(TokenError::wrong("sub", claims, &format!("a URI below {domain}"))),
                }
            }
            Self::Username { domain } => {
                let user = text("sub")?;
                match user.contains(['!', '@']) || user.contains(char::is_control) || user.len() > MAX_NAME {
                    true => Err(TokenError::wrong("sub", claims, "a user name without `@` and `!`")),
                    false => Ok(SubjectAltName::OtherName { username: format!("{user}!{domain}") }),
                }
            }
            Self::Ci(provider) => uri(provider.fill(&provider.name, claims)?),
        }
    }

    fn extensions(&self, claims: &Claims) -> Result<BTreeMap<u8, String>, TokenError> {
        let Self::Ci(provider) = self else { return Ok(BTreeMap::new()) };
        let mut extensions = BTreeMap::new();
        for (n, template, required) in &provider.extensions {
            match provider.fill(template, claims) {
                Ok(value) => drop(extensions.insert(*n, value)),
                Err(error) if *required => return Err(error),
                Err(_) => {}
            }
        }
        Ok(extensions)
    }
}

impl CiProvider {
    fn fill(&self, template: &Template, claims: &Claims) -> Result<String, TokenError> {
        let value = |name: &str| match name {
            REF_PATH => git_ref(claims),
            // Whatever a token claims under this name, it does not say where the service is at home.
            HOME => self.defaults.get(HOME).cloned(),
            _ => text_of(claims, name).or_else(|| self.defaults.get(name).cloned()),
        };
        let filled = template.fill(value).map_err(TokenError::missing)?;
        match filled.len() <= MAX_NAME && !filled.contains(char::is_control) {
            true => Ok(filled),
            false => Err(TokenError::Unusable { why: "a claim is too long or has control characters" }),
        }
    }
}

impl Identity {
    /// What the claims of this issuer's token say.
    pub(super) fn of(issuer: &Issuer, claims: &Claims) -> Result<Self, TokenError> {
        let name = issuer.provider.name(claims)?;
        let certified = match &issuer.issuer_claim {
            None => issuer.url.clone(),
            Some(claim) => text_of(claims, claim).ok_or_else(|| TokenError::missing(claim))?,
        };
        let challenge = text_of(claims, &issuer.challenge_claim);
        let challenge = challenge.ok_or_else(|| TokenError::missing(&issuer.challenge_claim))?;
        let subject = claims.text("sub").ok_or_else(|| TokenError::missing("sub"))?.to_owned();
        let mut extensions = issuer.provider.extensions(claims)?;
        extensions.insert(ISSUER, certified.clone());
        extensions.insert(ISSUER_V2, certified);
        extensions.insert(TOKEN_SUBJECT, subject.clone());
        Ok(Self { name, extensions, challenge, issuer: issuer.url.clone(), subject })
    }
}

/// GitLab says `main` and `branch`; certificates say `refs/heads/main`.
fn git_ref(claims: &Claims) -> Option<String> {
    let name = text_of(claims, "ref")?;
    match claims.text("ref_type")? {
        "branch" => Some(format!("refs/heads/{name}")),
        "tag" => Some(format!("refs/tags/{name}")),
        _ => None,
    }
}

fn email(address: &str) -> Result<String, TokenError> {
    let (user, domain) = address.split_once('@').unwrap_or_default();
    let plain =
        address.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '\\'));
    match plain
        && !user.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && address.len() <= MAX_EMAIL
    {
        true => Ok(address.to_owned()),
        false => Err(TokenError::Unusable { why: "claim `email` is not a plain e-mail address" }),
    }
}

/// A name is IA5 without blanks; what else a URI has to be, its issuer answers for.
fn uri(text: String) -> Result<SubjectAltName, TokenError> {
    match text.len() <= MAX_NAME && text.contains("://") && text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(SubjectAltName::Uri(text)),
        false => Err(TokenError::Unusable { why: "the claims do not make a URI" }),
    }
}

const ISSUER: u8 = 1;
const ISSUER_V2: u8 = 8;
const TOKEN_SUBJECT: u8 = 24;
const MAX_EMAIL: usize = 320;
const MAX_NAME: usize = 2_048;
/// Not a claim: the full name of what `ref` and `ref_type` claim.
const REF_PATH: &str = "#ref";
/// Not a claim: where the service is at home.
const HOME: &str = "#base";

/// A kind of service, where it is at home (`None`: at its issuer), its name, and its extensions; `?`
/// marks one that is left out if its claims are missing.
type Service = (&'static str, Option<&'static str>, &'static str, &'static [(u8, &'static str)]);

/// As Fulcio certifies them (sigstore/fulcio, `docs/oidc.md` and `docs/oid-info.md`).
const SERVICES: &[Service] = &[
    (
        "github-workflow",
        Some("https://github.com"),
        "{#base}/{job_workflow_ref}",
        &[
            (2, "{event_name}"),
            (3, "{sha}"),
            (4, "{workflow}"),
            (5, "{repository}"),
            (6, "{ref}"),
            (9, "{#base}/{job_workflow_ref}"),
            (10, "{job_workflow_sha}"),
            (11, "{runner_environment}"),
            (12, "{#base}/{repository}"),
            (13, "{sha}"),
            (14, "{ref}"),
            (15, "{repository_id}"),
            (16, "{#base}/{repository_owner}"),
            (17, "{repository_owner_id}"),
            (18, "{#base}/{workflow_ref}"),
            (19, "{workflow_sha}"),
            (20, "{event_name}"),
            (21, "{#base}/{repository}/actions/runs/{run_id}/attempts/{run_attempt}"),
            (22, "{repository_visibility}?"),
            (23, "{environment}?"),
        ],
    ),
    (
        "gitlab-pipeline",
        None,
        "https://{ci_config_ref_uri}",
        &[
            (9, "https://{ci_config_ref_uri}"),
            (10, "{ci_config_sha}"),
            (11, "{runner_environment}"),
            (12, "{#base}/{project_path}"),
            (13, "{sha}"),
            (14, "{#ref}"),
            (15, "{project_id}"),
            (16, "{#base}/{namespace_path}"),
            (17, "{namespace_id}"),
            (18, "https://{ci_config_ref_uri}"),
            (19, "{ci_config_sha}"),
            (20, "{pipeline_source}"),
            (21, "{#base}/{project_path}/-/jobs/{job_id}"),
            (22, "{project_visibility}?"),
            (23, "{environment}?"),
        ],
    ),
    (
        "buildkite-job",
        Some("https://buildkite.com"),
        "{#base}/{organization_slug}/{pipeline_slug}",
        &[
            (11, "{runner_environment}?"),
            (13, "{build_commit}?"),
            (20, "{build_source}?"),
            (21, "{#base}/{organization_slug}/{pipeline_slug}/builds/{build_number}#{job_id}"),
        ],
    ),
    (
        "circleci-job",
        Some("https://app.circleci.com"),
        "{#base}/pipelines/{oidc.circleci.com/project-id}/{oidc.circleci.com/pipeline-definition-id}",
        &[
            (
                9,
                "{#base}/pipelines/{oidc.circleci.com/project-id}/{oidc.circleci.com/pipeline-definition-id}",
            ),
            (12, "https://{oidc.circleci.com/vcs-origin}?"),
            (14, "{oidc.circleci.com/vcs-ref}?"),
            (21, "{#base}/jobs/{oidc.circleci.com/job-id}?"),
        ],
    ),
    (
        "codefresh-workflow",
        Some("https://g.codefresh.io"),
        "{#base}/{account_name}/{pipeline_name}:{account_id}/{pipeline_id}",
        &[
            (9, "{#base}/build/{workflow_id}"),
            (11, "{runner_environment}?"),
            (12, "{scm_repo_url}?"),
            (14, "{scm_ref}?"),
            (18, "{#base}/api/pipelines/{pipeline_id}"),
            (21, "{#base}/build/{workflow_id}"),
        ],
    ),
];

/// The names of extensions in `ci-issuer-metadata`.
const EXTENSION_NAMES: &[(u8, &str)] = &[
    (2, "github-workflow-trigger"),
    (3, "github-workflow-sha"),
    (4, "github-workflow-name"),
    (5, "github-workflow-repository"),
    (6, "github-workflow-ref"),
    (9, "build-signer-uri"),
    (10, "build-signer-digest"),
    (11, "runner-environment"),
    (12, "source-repository-uri"),
    (13, "source-repository-digest"),
    (14, "source-repository-ref"),
    (15, "source-repository-identifier"),
    (16, "source-repository-owner-uri"),
    (17, "source-repository-owner-identifier"),
    (18, "build-config-uri"),
    (19, "build-config-digest"),
    (20, "build-trigger"),
    (21, "run-invocation-uri"),
    (22, "source-repository-visibility-at-signing"),
    (23, "deployment-environment"),
];
