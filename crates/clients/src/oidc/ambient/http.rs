//! Places that are asked over HTTP.

use http::header::HeaderName;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Ambient, Surroundings};
use crate::Result;
use crate::oidc::Token;
use crate::web::{Call, Repeat, Web};

/// GitHub Actions: the runner's own service, with the job's own bearer token.
pub(super) async fn github(web: &Web, here: &Surroundings, audience: &str) -> Result<Token> {
    let place = Ambient::GitHubActions;
    let hint = "; give the job `permissions: id-token: write`";
    let url = here.required(place, "ACTIONS_ID_TOKEN_REQUEST_URL", hint)?;
    let secret = here.required(place, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", hint)?;
    let joint = if url.contains('?') { '&' } else { '?' };
    let call = Call::get(&format!("{url}{joint}audience={}", escaped(audience)), WHAT, MAX_ANSWER)?;
    let call = call.authorization("Bearer", &secret);
    let answer: Answer = web.ask(&call).await?.json(&call)?;
    Token::read("GitHub Actions", &answer.value)
}

/// Buildkite: the API behind the agent, as `buildkite-agent oidc request-token` asks it.
pub(super) async fn buildkite(web: &Web, here: &Surroundings, audience: &str) -> Result<Token> {
    let place = Ambient::Buildkite;
    let secret = here.required(place, "BUILDKITE_AGENT_ACCESS_TOKEN", "")?;
    let job = here.required(place, "BUILDKITE_JOB_ID", "")?;
    let base = here.variable("BUILDKITE_AGENT_ENDPOINT");
    let base = base.as_deref().unwrap_or("https://agent.buildkite.com/v3").trim_end_matches('/');
    let url = format!("{base}/jobs/{}/oidc/tokens", escaped(&job));
    let body = serde_json::json!({ "audience": audience }).to_string();
    let call = Call::post(&url, WHAT, MAX_ANSWER, Repeat::Always, ("application/json", body.into()))?;
    let call = call.authorization("Token", &secret);
    let answer: Answer = web.ask(&call).await?.json(&call)?;
    Token::read("Buildkite", &answer.value)
}

/// Google: the metadata server, which answers with the token itself.
pub(super) async fn google(web: &Web, here: &Surroundings, audience: &str) -> Result<Token> {
    let host = here.variable(METADATA_HOST).unwrap_or_else(|| "metadata.google.internal".to_owned());
    let url = format!(
        "http://{host}/computeMetadata/v1/instance/service-accounts/default/identity?audience={}&format=full",
        escaped(audience)
    );
    let call = Call::metadata(&url, WHAT, MAX_ANSWER)?;
    let call = call.header(HeaderName::from_static("metadata-flavor"), "Google");
    let answer = web.ask(&call).await?;
    let text = std::str::from_utf8(&answer.body).map_err(|error| call.malformed(error))?;
    Token::read("the metadata server", text)
}

#[derive(Deserialize)]
struct Answer {
    /// GitHub says `value`, Buildkite `token`.
    #[serde(alias = "token")]
    value: String,
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Where Google's own libraries look first.
pub(super) const METADATA_HOST: &str = "GCE_METADATA_HOST";
const WHAT: &str = "an identity token";
const MAX_ANSWER: usize = 128 * 1024;
