//! The CI services that are known, and what certificates say of their jobs. As Fulcio certifies them: GitHub, GitLab and
//! Codefresh as its types of these names do, Buildkite and CircleCI as its public instance is configured to.

use super::ci::Home;

/// How text that was made of claims is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Text,
    /// As a URL with a path joined to it.
    Joined,
    /// As a URL that was read.
    Parsed,
}

/// One kind of service.
pub(super) struct Service {
    /// The type in the configuration.
    pub(super) kind: &'static str,
    pub(super) home: Home,
    /// Values for what a token does not claim.
    pub(super) defaults: &'static [(&'static str, &'static str)],
    /// The subject alternative name.
    pub(super) name: (Form, &'static str),
    /// N of 1.3.6.1.4.1.57264.1.N and its text; `?` marks one that is left out if its claims are missing.
    pub(super) extensions: &'static [(u8, Form, &'static str)],
}

/// Not a claim: the full name of what `ref` and `ref_type` claim.
pub(super) const REF_PATH: &str = "#ref";
/// Not a claim: where the service is at home.
pub(super) const HOME: &str = "#base";

pub(super) const SERVICES: &[Service] = &[
    Service {
        kind: "github-workflow",
        home: Home::GitHub,
        defaults: &[],
        name: (Form::Joined, "{#base}/{job_workflow_ref}"),
        extensions: &[
            (2, Form::Text, "{event_name}"),
            (3, Form::Text, "{sha}"),
            (4, Form::Text, "{workflow}"),
            (5, Form::Text, "{repository}"),
            (6, Form::Text, "{ref}"),
            (9, Form::Joined, "{#base}/{job_workflow_ref}"),
            (10, Form::Text, "{job_workflow_sha}"),
            (11, Form::Text, "{runner_environment}"),
            (12, Form::Joined, "{#base}/{repository}"),
            (13, Form::Text, "{sha}"),
            (14, Form::Text, "{ref}"),
            (15, Form::Text, "{repository_id}"),
            (16, Form::Joined, "{#base}/{repository_owner}"),
            (17, Form::Text, "{repository_owner_id}"),
            (18, Form::Joined, "{#base}/{workflow_ref}"),
            (19, Form::Text, "{workflow_sha}"),
            (20, Form::Text, "{event_name}"),
            (21, Form::Joined, "{#base}/{repository}/actions/runs/{run_id}/attempts/{run_attempt}"),
            (22, Form::Text, "{repository_visibility}?"),
            // Of Fulcio's public instance only.
            (23, Form::Text, "{environment}?"),
        ],
    },
    Service {
        kind: "gitlab-pipeline",
        home: Home::Issuer,
        defaults: &[],
        name: (Form::Parsed, "https://{ci_config_ref_uri}"),
        extensions: &[
            (9, Form::Parsed, "https://{ci_config_ref_uri}"),
            // `null` if the configuration is not of the project.
            (10, Form::Text, "{ci_config_sha}?"),
            (11, Form::Text, "{runner_environment}"),
            (12, Form::Joined, "{#base}/{project_path}"),
            (13, Form::Text, "{sha}"),
            (14, Form::Text, "{#ref}"),
            (15, Form::Text, "{project_id}"),
            (16, Form::Joined, "{#base}/{namespace_path}"),
            (17, Form::Text, "{namespace_id}"),
            (18, Form::Parsed, "https://{ci_config_ref_uri}"),
            (19, Form::Text, "{ci_config_sha}?"),
            (20, Form::Text, "{pipeline_source}"),
            (21, Form::Joined, "{#base}/{project_path}/-/jobs/{job_id}"),
            (22, Form::Text, "{project_visibility}?"),
            // Of Fulcio's public instance only.
            (23, Form::Text, "{environment}?"),
        ],
    },
    Service {
        kind: "buildkite-job",
        home: Home::At("https://buildkite.com"),
        defaults: &[],
        name: (Form::Parsed, "{#base}/{organization_slug}/{pipeline_slug}"),
        extensions: &[
            (11, Form::Text, "{runner_environment}?"),
            (13, Form::Text, "{build_commit}?"),
            (20, Form::Text, "{build_source}?"),
            (21, Form::Text, "{#base}/{organization_slug}/{pipeline_slug}/builds/{build_number}#{job_id}"),
        ],
    },
    Service {
        kind: "circleci-job",
        home: Home::At("https://circleci.com/api/v2"),
        defaults: &[],
        name: (Form::Parsed, CIRCLECI_PIPELINE),
        extensions: &[
            (9, Form::Text, CIRCLECI_PIPELINE),
            // The quotes are Fulcio's.
            (
                11,
                Form::Text,
                r#"{{if eq (index . "oidc.circleci.com/ssh-rerun") "true"}}ssh-rerun{{else}}""{{end}}"#,
            ),
            (12, Form::Text, "{oidc.circleci.com/vcs-origin}?"),
            (14, Form::Text, "{oidc.circleci.com/vcs-ref}?"),
            (18, Form::Text, "{#base}/pipeline/{oidc.circleci.com/pipeline-id}/config"),
            // So are the two slashes.
            (
                21,
                Form::Text,
                "https://app.circleci.com//workflow/{oidc.circleci.com/workflow-id}/job/{oidc.circleci.com/job-id}",
            ),
        ],
    },
    Service {
        kind: "codefresh-workflow",
        home: Home::Issuer,
        defaults: &[("platform_url", "https://g.codefresh.io")],
        name: (Form::Joined, "{platform_url}/{account_name}/{pipeline_name}:{account_id}/{pipeline_id}"),
        extensions: &[
            (9, Form::Joined, "{platform_url}/build/{workflow_id}"),
            (11, Form::Text, "{runner_environment}?"),
            (12, Form::Text, "{scm_repo_url}?"),
            (14, Form::Text, "{scm_ref}?"),
            (18, Form::Joined, "{platform_url}/api/pipelines/{pipeline_id}"),
            (21, Form::Joined, "{platform_url}/build/{workflow_id}"),
        ],
    },
    Service {
        kind: "chainguard-identity",
        home: Home::Issuer,
        defaults: &[],
        name: (Form::Joined, "{#base}/{sub}"),
        extensions: &[],
    },
];

/// The names of extensions in `ci-issuer-metadata`.
pub(super) const EXTENSION_NAMES: &[(u8, &str)] = &[
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

const CIRCLECI_PIPELINE: &str = "{#base}/projects/{oidc.circleci.com/project-id}/pipeline-definitions/{oidc.circleci.com/pipeline-definition-id}";
