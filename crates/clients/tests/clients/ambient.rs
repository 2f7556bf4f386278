//! Tokens that stand ready: each place by a fake of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use signet_clients::Error;
use signet_clients::oidc::{Ambient, Surroundings, Token, ambient};

use crate::fake::{Fake, says};
use crate::{token, web};

fn around(variables: &[(&str, &str)], root: &Path) -> Surroundings {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Surroundings::new(move |name| variables.get(name).cloned(), root.to_owned())
}

async fn found(variables: &[(&str, &str)], root: &Path) -> Result<Option<String>, Error> {
    let found = ambient(&web(), &around(variables, root), "sigstore", None).await?;
    Ok(found.map(|token: Token| token.challenge().unwrap().to_owned()))
}

const NOWHERE: &str = "/nonexistent";

#[tokio::test]
async fn nothing_here_is_no_token_and_no_error() {
    assert_eq!(found(&[("PATH", "/bin"), ("SIGSTORE_ID_TOKEN", "")], Path::new(NOWHERE)).await, Ok(None));
    let here = around(&[], Path::new(NOWHERE));
    let only = ambient(&web(), &here, "sigstore", Some(Ambient::Environment)).await;
    assert!(matches!(only, Err(Error::NoToken { .. })), "what was asked for has to be there");
}

#[tokio::test]
async fn the_variable_comes_first_and_is_what_gitlab_sets() {
    let ours = token(&json!({"sub": "project_path:g/p"}));
    let variables = [("SIGSTORE_ID_TOKEN", ours.as_str()), ("GITHUB_ACTIONS", "true"), ("GITLAB_CI", "true")];
    assert_eq!(found(&variables, Path::new(NOWHERE)).await, Ok(Some("project_path:g/p".to_owned())));
    let broken = found(&[("SIGSTORE_ID_TOKEN", "secret.secret")], Path::new(NOWHERE)).await.unwrap_err();
    assert!(matches!(broken, Error::Token { .. }) && !format!("{broken} {broken:?}").contains("secret"));
}

#[tokio::test]
async fn github_actions_is_asked_with_the_jobs_own_token() {
    let ours = token(&json!({"sub": "repo:o/r"}));
    let fake = Fake::start(move |_, _| says(200, json!({"count": 1, "value": ours}))).await;
    let url = format!("{}/token?api-version=2.0", fake.url());
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-secret"),
    ];
    assert_eq!(found(&variables, Path::new(NOWHERE)).await, Ok(Some("repo:o/r".to_owned())));
    let asked = fake.asked();
    assert_eq!(asked[0].line, "GET /token?api-version=2.0&audience=sigstore");
    assert_eq!(asked[0].header("authorization"), Some("Bearer job-secret"));
    // A job without the right is told what it lacks, and no other place is tried.
    let error = found(&variables[..1], Path::new(NOWHERE)).await.unwrap_err();
    assert!(error.to_string().contains("`permissions: id-token: write`"), "{error}");
}

#[tokio::test]
async fn buildkite_is_asked_through_the_agents_api() {
    let ours = token(&json!({"sub": "organization:o"}));
    let fake = Fake::start(move |_, _| says(200, json!({"token": ours}))).await;
    let endpoint = format!("{}/v3/", fake.url());
    let variables = [
        ("BUILDKITE", "true"),
        ("BUILDKITE_AGENT_ENDPOINT", endpoint.as_str()),
        ("BUILDKITE_AGENT_ACCESS_TOKEN", "agent-secret"),
        ("BUILDKITE_JOB_ID", "12-ab"),
    ];
    assert_eq!(found(&variables, Path::new(NOWHERE)).await, Ok(Some("organization:o".to_owned())));
    let asked = fake.asked();
    assert_eq!(asked[0].line, "POST /v3/jobs/12%2Dab/oidc/tokens");
    assert_eq!(asked[0].header("authorization"), Some("Token agent-secret"));
    assert_eq!(asked[0].body, r#"{"audience":"sigstore"}"#);
    assert!(matches!(found(&variables[..3], Path::new(NOWHERE)).await, Err(Error::NoToken { .. })));
}

#[tokio::test]
async fn googles_metadata_server_answers_with_the_token_itself() {
    let ours = token(&json!({"sub": "1", "email": "a@p.iam.gserviceaccount.com"}));
    let fake = Fake::start(move |_, asked| match asked.header("metadata-flavor") {
        Some("Google") => says(200, &ours),
        _ => says(403, "no"),
    })
    .await;
    let variables = [("GCE_METADATA_HOST", fake.address())];
    let variables = [(variables[0].0, variables[0].1.as_str())];
    let expected = Ok(Some("a@p.iam.gserviceaccount.com".to_owned()));
    assert_eq!(found(&variables, Path::new(NOWHERE)).await, expected);
    let line =
        "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=sigstore&format=full";
    assert_eq!(fake.lines(), [line]);
}

#[tokio::test]
async fn a_projected_token_is_read_from_its_file() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("var/run/sigstore/cosign");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("oidc-token"), token(&json!({"sub": "system:serviceaccount:ns:sa"}))).unwrap();
    assert_eq!(found(&[], root.path()).await, Ok(Some("system:serviceaccount:ns:sa".to_owned())));
    std::fs::write(folder.join("oidc-token"), "a".repeat(100_000)).unwrap();
    assert!(matches!(found(&[], root.path()).await, Err(Error::Token { .. })));
}

/// The helper is a file of the repository: one just written cannot always be run.
#[cfg(unix)]
#[tokio::test]
async fn circlecis_command_is_run() {
    let helpers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/helpers");
    let path = format!("{}:/usr/bin:/bin", helpers.display());
    let variables = [("CIRCLECI", "true"), ("PATH", path.as_str())];
    assert_eq!(found(&variables, Path::new(NOWHERE)).await, Ok(Some("org/o/project/p".to_owned())));
    let missing = found(&[("CIRCLECI", "true"), ("PATH", NOWHERE)], Path::new(NOWHERE)).await.unwrap_err();
    assert!(missing.to_string().contains("not on the PATH"), "{missing}");
}

#[tokio::test]
async fn a_place_that_fails_is_an_error_and_not_another_identity() {
    let fake = Fake::start(|_, _| says(403, json!({"message": "no\u{1b}[31m way"}))).await;
    let url = fake.url();
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-secret"),
    ];
    let error = found(&variables, Path::new(NOWHERE)).await.unwrap_err();
    assert!(error.to_string().ends_with("status 403: no[31m way"), "{error}");
    assert!(!format!("{error:?}").contains("job-secret"));
    assert_eq!(fake.lines().len(), 1);
}
