//! A development issuer: mints identity tokens for whoever asks on this machine.
//!
//! Trusted? By nobody who is not told to: its URL is on loopback, so what it says can be mistaken for
//! no other issuer's word. May it be lost? Yes: a new key is made.

use std::path::Path;

use serde_json::{Map, Value, json};
use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::base64;
use signet_formats::jwt::{JwtAlgorithm, signing_input};
use signet_keys::{
    Existing, PasswordSource, Payload, PrivateFormat, PrivateKey, PublicFormat, encode_public, random,
    read_private, write_private,
};
use signet_store::fs::Disk;

use super::ci::CiProvider;
use super::config::{ConfigError, is_safe_url};
use super::{Issuer, KeySet, Provider};
use crate::authority::AuthorityError;

/// An issuer for development.
pub struct DevIssuer {
    /// The base of its URLs.
    url: String,
    key: PrivateKey,
}

/// Whom a token is about.
#[derive(Clone, Debug)]
pub enum Bearer {
    /// A person.
    Email(String),
    /// A workflow of GitHub Actions: `owner/repo`, the file below `.github/workflows`, `refs/heads/main`.
    GitHub {
        /// `owner/repo`.
        repository: String,
        /// The workflow's file.
        workflow: String,
        /// The full name of the branch or tag.
        reference: String,
    },
    /// A pipeline of GitLab: `group/project` and `refs/heads/main`.
    GitLab {
        /// `group/project`.
        project: String,
        /// The full name of the branch or tag.
        reference: String,
    },
    /// A service account of Kubernetes.
    Kubernetes {
        /// The namespace.
        namespace: String,
        /// The account's name.
        account: String,
    },
}

impl Bearer {
    /// The last part of the URL of the issuer of such tokens: each kind has its own.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => EMAIL,
            Self::GitHub { .. } => GITHUB,
            Self::GitLab { .. } => GITLAB,
            Self::Kubernetes { .. } => KUBERNETES,
        }
    }
}

impl DevIssuer {
    /// The issuer whose key and URL are kept in `dir`, made if there is none; `url`, the base of its
    /// URLs, has to be http on loopback.
    pub fn open(disk: &Disk, dir: &Path, url: &str) -> Result<Self, DevError> {
        if !url.starts_with("http://") || !is_safe_url(url) {
            return Err(ConfigError::new(url, "a development issuer is at http on loopback").into());
        }
        let key_file = dir.join(KEY_FILE);
        if !key_file.is_file() {
            let key = PrivateKey::generate(KeyAlgorithm::Rsa { bits: 2048 }).map_err(AuthorityError::Key)?;
            write_private(&key_file, &key, PrivateFormat::Pkcs8, Existing::Refuse)
                .map_err(AuthorityError::KeyFile)?;
        }
        let url_file = dir.join(URL_FILE);
        let stored = json!({ "url": url.trim_end_matches('/') }).to_string();
        let io = |error| AuthorityError::Io { path: url_file.clone(), error };
        disk.put(dir, &url_file, stored.as_bytes()).map_err(io)?;
        Self::load(dir)
    }

    /// The issuer that `dir` holds, for minting tokens while it runs elsewhere.
    pub fn load(dir: &Path) -> Result<Self, DevError> {
        let url_file = dir.join(URL_FILE);
        let io = |error| AuthorityError::Io { path: url_file.clone(), error };
        let text = std::fs::read(&url_file).map_err(io)?;
        let stored: Value = serde_json::from_slice(&text).unwrap_or_default();
        let url = stored.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = read_private(&dir.join(KEY_FILE), &PasswordSource::Environment);
        Ok(Self { url, key: key.map_err(AuthorityError::KeyFile)? })
    }

    /// The issuers as a CA has to know them.
    pub fn issuers(&self) -> Vec<Issuer> {
        let issuer = |kind: &str, provider, challenge: &str| Issuer {
            url: self.issuer_url(kind),
            is_matched: false,
            client_id: AUDIENCE.to_owned(),
            provider,
            issuer_claim: None,
            challenge_claim: challenge.into(),
            allowed: None,
            allowed_repositories: None,
            tls_authorities: None,
        };
        // The shape of production, but for the issuer.
        let github =
            CiProvider::of_table("github-workflow").map(|it| Provider::Ci(it.at("https://github.com")));
        let gitlab = Provider::of_table("gitlab-pipeline");
        let services = [(GITHUB, github), (GITLAB, gitlab), (KUBERNETES, Some(Provider::Kubernetes))];
        let services =
            services.into_iter().filter_map(|(kind, provider)| Some(issuer(kind, provider?, "sub")));
        let email = issuer(EMAIL, Provider::Email { unverified: false }, "email");
        std::iter::once(email).chain(services).collect()
    }

    /// Its keys, for a CA in the same process.
    pub fn keys(&self) -> KeySet {
        KeySet::of(&self.key_id(), self.key.public_key().clone())
    }

    /// The discovery document of a kind of tokens; `None` for a kind that there is not.
    pub fn discovery(&self, kind: &str) -> Option<Value> {
        let issuer = self.issuer_url(KINDS.into_iter().find(|known| *known == kind)?);
        Some(json!({
            "issuer": issuer,
            "jwks_uri": format!("{}/keys", self.url),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [JwtAlgorithm::Rs256.name()],
        }))
    }

    /// The key set document.
    pub fn key_set(&self) -> Result<Value, DevError> {
        let jwk = encode_public(self.key.public_key(), PublicFormat::Jwk).map_err(AuthorityError::Key)?;
        let mut jwk: Map<String, Value> = serde_json::from_slice(&jwk).unwrap_or_default();
        let about =
            [("kid", self.key_id()), ("use", "sig".into()), ("alg", JwtAlgorithm::Rs256.name().into())];
        jwk.extend(about.map(|(name, value)| (name.to_owned(), Value::String(value))));
        Ok(json!({ "keys": [jwk] }))
    }

    /// A token that is valid from `now` on for ten minutes, RS256, which every client takes.
    pub fn mint(&self, bearer: &Bearer, now: i64) -> Result<String, DevError> {
        let unique: [u8; 16] = random().map_err(AuthorityError::Key)?;
        let mut claims = claims_of(bearer);
        claims.extend(object(json!({
            "iss": self.issuer_url(bearer.kind()),
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + LIFE,
            "jti": base64::encode_url(unique),
        })));
        let input = signing_input(JwtAlgorithm::Rs256, &self.key_id(), &claims);
        let signed = self.key.sign(Scheme::RsaPkcs1Sha256, Payload::Message(input.as_bytes()));
        let signature = signed.map_err(AuthorityError::Sign)?;
        Ok(format!("{input}.{}", base64::encode_url(signature)))
    }

    fn issuer_url(&self, kind: &str) -> String {
        format!("{}/{kind}", self.url)
    }

    fn key_id(&self) -> String {
        self.key.public_key().id().hex().chars().take(16).collect()
    }
}

/// Why there is no development issuer, or no token of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevError {
    /// Its key is unusable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Its URL is not on loopback.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

fn claims_of(bearer: &Bearer) -> Map<String, Value> {
    object(match bearer {
        Bearer::Email(address) => json!({ "sub": address, "email": address, "email_verified": true }),
        Bearer::GitHub { repository, workflow, reference } => github(repository, workflow, reference),
        Bearer::GitLab { project, reference } => gitlab(project, reference),
        Bearer::Kubernetes { namespace, account } => json!({
            "sub": format!("system:serviceaccount:{namespace}:{account}"),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": { "name": account, "uid": "00000000-0000-0000-0000-000000000001" },
            },
        }),
    })
}

/// The claims that GitHub documents for its tokens.
fn github(repository: &str, workflow: &str, reference: &str) -> Value {
    let owner = repository.split('/').next().unwrap_or_default();
    let workflow_ref = format!("{repository}/.github/workflows/{workflow}@{reference}");
    json!({
        "sub": format!("repo:{repository}:ref:{reference}"),
        "repository": repository,
        "repository_owner": owner,
        "repository_id": "1",
        "repository_owner_id": "1",
        "repository_visibility": "private",
        "workflow": workflow,
        "workflow_ref": workflow_ref,
        "workflow_sha": NO_COMMIT,
        "job_workflow_ref": workflow_ref,
        "job_workflow_sha": NO_COMMIT,
        "ref": reference,
        "ref_type": if reference.starts_with("refs/tags/") { "tag" } else { "branch" },
        "sha": NO_COMMIT,
        "event_name": "push",
        "runner_environment": "self-hosted",
        "run_id": "1",
        "run_number": "1",
        "run_attempt": "1",
        "actor": "signet",
    })
}

/// The claims that GitLab documents for its tokens.
fn gitlab(project: &str, reference: &str) -> Value {
    let namespace = project.rsplit_once('/').map_or(project, |(namespace, _)| namespace);
    let (kind, name) = match reference.strip_prefix("refs/tags/") {
        Some(tag) => ("tag", tag),
        None => ("branch", reference.trim_start_matches("refs/heads/")),
    };
    json!({
        "sub": format!("project_path:{project}:ref_type:{kind}:ref:{name}"),
        "project_path": project,
        "project_id": "1",
        "project_visibility": "private",
        "namespace_path": namespace,
        "namespace_id": "1",
        "ref": name,
        "ref_type": kind,
        "sha": NO_COMMIT,
        "ci_config_ref_uri": format!("gitlab.com/{project}//.gitlab-ci.yml@{reference}"),
        "ci_config_sha": NO_COMMIT,
        "pipeline_id": "1",
        "pipeline_source": "push",
        "job_id": "1",
        "runner_environment": "self-hosted",
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

const AUDIENCE: &str = "sigstore";
const KEY_FILE: &str = "oidc-dev.key";
const URL_FILE: &str = "oidc-dev.json";
const EMAIL: &str = "email";
const GITHUB: &str = "github";
const GITLAB: &str = "gitlab";
const KUBERNETES: &str = "kubernetes";
const KINDS: [&str; 4] = [EMAIL, GITHUB, GITLAB, KUBERNETES];
/// In seconds.
const LIFE: i64 = 10 * 60;
/// A commit that no repository has.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
