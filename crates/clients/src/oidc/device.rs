//! Logging in with a browser elsewhere (RFC 8628): a code is shown here and typed there.

use std::time::Duration;

use serde::Deserialize;
use signet_http::printable;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Token;
use super::login::{Login, Provider, Randomness, Redeemed, SCOPE, form};
use crate::web::Web;
use crate::{Error, Result};

/// What a person needs to log in elsewhere; nothing in it is secret, and all of it is printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// Where to go.
    pub url: String,
    /// What to type there.
    pub user_code: String,
}

/// Waits for a person to log in elsewhere with the code that `show` is given.
pub async fn device(
    web: &Web,
    login: &Login<'_>,
    random: &Randomness,
    show: impl FnOnce(&DeviceCode),
) -> Result<Token> {
    let provider = Provider::discover(web, login).await?;
    let endpoint = provider.device_authorization_endpoint.as_deref();
    let endpoint = endpoint.ok_or_else(|| {
        Error::Login(format!("`{}` has no device flow: log in with a browser", printable(login.issuer)))
    })?;
    let challenge = random.challenge();
    let fields = [
        ("client_id", login.client_id),
        ("scope", SCOPE),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let call = form(endpoint, &fields)?;
    let grant: Grant = web.ask(&call).await?.json(&call)?;
    show(&DeviceCode { url: printable(grant.url()), user_code: printable(&grant.user_code) });
    let text = poll(web, &provider, login, random, &grant).await?;
    provider.accept(&text, None)
}

/// Asks again and again, at the pace that the provider sets, until somebody has said yes or no.
async fn poll(
    web: &Web,
    provider: &Provider,
    login: &Login<'_>,
    random: &Randomness,
    grant: &Grant,
) -> Result<String> {
    let limits = web.limits();
    let end = Instant::now() + limits.login.min(Duration::from_secs(grant.expires_in));
    let mut interval = Duration::from_secs(grant.interval.min(MAX_INTERVAL)).max(limits.poll);
    let verifier = Zeroizing::new(random.verifier());
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", grant.device_code.as_str()),
        ("client_id", login.client_id),
        ("code_verifier", verifier.as_str()),
    ];
    while Instant::now() + interval < end {
        tokio::time::sleep(interval).await;
        match provider.redeem(web, &fields).await? {
            Redeemed::Token(text) => return Ok(text),
            Redeemed::Error(problem) => match problem.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += SLOWER,
                _ => return Err(problem.into_error()),
            },
        }
    }
    Err(Error::Login("nobody logged in in time".to_owned()))
}

#[derive(Deserialize)]
struct Grant {
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    verification_uri_complete: Option<String>,
    #[serde(default = "ten_minutes")]
    expires_in: u64,
    #[serde(default = "five_seconds")]
    interval: u64,
}

impl Grant {
    fn url(&self) -> &str {
        self.verification_uri_complete.as_deref().unwrap_or(&self.verification_uri)
    }
}

fn ten_minutes() -> u64 {
    600
}

/// RFC 8628 §3.2.
fn five_seconds() -> u64 {
    5
}

/// RFC 8628 §3.5.
const SLOWER: Duration = Duration::from_secs(5);
/// In seconds.
const MAX_INTERVAL: u64 = 60;
