//! Whom a token of the development issuer is about: in the shapes that platforms have, and in no others. A policy that was tried
//! with a shape that there is not would refuse the real one.

use serde_json::{Map, Value, json};

use super::names::is_email;

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
    /// A person with this address.
    pub fn email(address: &str) -> Result<Self, BearerError> {
        shaped(address, "a plain e-mail address", is_email(address))?;
        Ok(Self::Email(address.to_owned()))
    }

    /// A workflow of GitHub Actions.
    pub fn github(repository: &str, workflow: &str, reference: &str) -> Result<Self, BearerError> {
        let is_file = !workflow.contains(['/', '\\']) && !workflow.chars().any(char::is_control);
        let is_file = is_file
            && [".yml", ".yaml"].iter().any(|end| workflow.len() > end.len() && workflow.ends_with(end));
        shaped(repository, "`OWNER/REPO`", repository.split('/').count() == 2 && is_path(repository))?;
        shaped(workflow, "a workflow's file, `release.yml`", is_file)?;
        let [repository, workflow, reference] = [repository, workflow, full(reference)?].map(str::to_owned);
        Ok(Self::GitHub { repository, workflow, reference })
    }

    /// A pipeline of GitLab.
    pub fn gitlab(project: &str, reference: &str) -> Result<Self, BearerError> {
        shaped(project, "`GROUP/PROJECT`", project.contains('/') && is_path(project))?;
        let [project, reference] = [project, full(reference)?].map(str::to_owned);
        Ok(Self::GitLab { project, reference })
    }

    /// A service account of Kubernetes, `NAMESPACE/ACCOUNT`.
    pub fn kubernetes(account: &str) -> Result<Self, BearerError> {
        let (namespace, name) = account.split_once('/').unwrap_or_default();
        let fits = is_label(namespace) && name.split('.').all(is_label);
        shaped(account, "`NAMESPACE/ACCOUNT`", fits)?;
        Ok(Self::Kubernetes { namespace: namespace.to_owned(), account: name.to_owned() })
    }

    /// The last part of the URL of the issuer of such tokens: each kind has its own.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => EMAIL,
            Self::GitHub { .. } => GITHUB,
            Self::GitLab { .. } => GITLAB,
            Self::Kubernetes { .. } => KUBERNETES,
        }
    }

    /// What a platform's token says of such a bearer.
    pub(super) fn claims(&self) -> Map<String, Value> {
        object(match self {
            Self::Email(address) => json!({ "sub": address, "email": address, "email_verified": true }),
            Self::GitHub { repository, workflow, reference } => github(repository, workflow, reference),
            Self::GitLab { project, reference } => gitlab(project, reference),
            Self::Kubernetes { namespace, account } => json!({
                "sub": format!("system:serviceaccount:{namespace}:{account}"),
                "kubernetes.io": {
                    "namespace": namespace,
                    "serviceaccount": { "name": account, "uid": "00000000-0000-0000-0000-000000000001" },
                },
            }),
        })
    }
}

/// Why nobody is of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {shape}")]
pub struct BearerError {
    /// What was given.
    pub text: String,
    /// What it should be.
    pub shape: &'static str,
}

fn shaped(text: &str, shape: &'static str, fits: bool) -> Result<(), BearerError> {
    fits.then_some(()).ok_or_else(|| BearerError { text: text.to_owned(), shape })
}

/// The full name of a branch or a tag, as Git takes it.
fn full(reference: &str) -> Result<&str, BearerError> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let name = reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/"));
    let fits = name.is_some_and(|name| {
        !name.contains(odd) && !name.contains("..") && name.split('/').all(|part| !part.is_empty())
    });
    shaped(reference, "a full reference, `refs/heads/main` or `refs/tags/v1`", fits).map(|()| reference)
}

/// Plain names with slashes between.
fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.split('/').all(|name| !matches!(name, "" | "." | "..") && name.chars().all(plain))
}

/// RFC 1123.
fn is_label(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 63
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || c == '-')
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

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

pub(super) const EMAIL: &str = "email";
pub(super) const GITHUB: &str = "github";
pub(super) const GITLAB: &str = "gitlab";
pub(super) const KUBERNETES: &str = "kubernetes";
/// A commit that no repository has.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_platform_would_say_is_minted() {
        for good in ["refs/heads/main", "refs/tags/v1.2", "refs/heads/feat/a@b"] {
            Bearer::github("o/r.x", "release.yml", good).unwrap();
            Bearer::gitlab("g/s/p", good).unwrap();
        }
        for bad in [
            "main",
            "HEAD",
            "x y",
            "",
            "refs/heads/",
            "refs/heads/a b",
            "refs/heads/a..b",
            "refs/pull/7/merge",
        ] {
            assert_eq!(Bearer::github("o/r", "w.yml", bad).unwrap_err().text, bad);
            assert_eq!(Bearer::gitlab("g/p", bad).unwrap_err().text, bad);
        }
        for bad in ["o", "o/", "o/r/x", "../r", "o/r r", "o/r@x"] {
            assert_eq!(Bearer::github(bad, "w.yml", "refs/heads/m").unwrap_err().shape, "`OWNER/REPO`");
        }
        for bad in ["../evil.yml", "evil", ".yml", "", "a/b.yml"] {
            assert_eq!(Bearer::github("o/r", bad, "refs/heads/m").unwrap_err().text, bad);
        }
        for bad in ["p", "/p", "g//p", "g/../p"] {
            assert_eq!(Bearer::gitlab(bad, "refs/heads/m").unwrap_err().shape, "`GROUP/PROJECT`");
        }
        Bearer::kubernetes("build/signer.v1").unwrap();
        for bad in ["ns", "a/b/c", "/b", "a/", "A/b", "a.b/c", "a/-b", "../b"] {
            assert_eq!(Bearer::kubernetes(bad).unwrap_err().shape, "`NAMESPACE/ACCOUNT`");
        }
        Bearer::email("a@b.c").unwrap();
        Bearer::email("a").unwrap_err();
    }
}
