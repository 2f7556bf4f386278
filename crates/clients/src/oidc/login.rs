//! What both ways to log in share: discovery (OpenID Connect Discovery 1.0), PKCE (RFC 7636), the exchange.

use bytes::Bytes;
use http::header::ACCEPT;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use signet_crypto::Digest;
use signet_formats::base64;

use super::Token;
use crate::web::{Answer, Call, Repeat, Web, service_url};
use crate::{Error, Result};

/// Where to log in, and as which client.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The issuer's URL.
    pub issuer: &'a str,
    /// The id by which it knows Signet; it needs no secret.
    pub client_id: &'a str,
}

/// Random numbers that tie an answer to its request. Good for one login.
pub struct Randomness {
    /// Comes back with the redirect.
    pub state: [u8; 32],
    /// Comes back in the token.
    pub nonce: [u8; 32],
    /// Shows that who redeems the code asked for it.
    pub verifier: [u8; 32],
}

impl Randomness {
    pub(super) fn state(&self) -> String {
        base64::encode_url(self.state)
    }

    pub(super) fn nonce(&self) -> String {
        base64::encode_url(self.nonce)
    }

    pub(super) fn verifier(&self) -> String {
        base64::encode_url(self.verifier)
    }

    /// `S256` of RFC 7636 §4.2.
    pub(super) fn challenge(&self) -> String {
        base64::encode_url(Digest::sha256(self.verifier().as_bytes()).as_bytes())
    }
}

/// What an issuer says of itself.
#[derive(Deserialize)]
pub(super) struct Provider {
    issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    pub(super) device_authorization_endpoint: Option<String>,
}

impl Provider {
    /// Asks the issuer where its endpoints are, each of which has to be HTTPS or on this machine.
    pub(super) async fn discover(web: &Web, login: &Login<'_>) -> Result<Self> {
        let issuer = login.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let call = Call::get(&url, WHAT, MAX_ANSWER)?;
        let provider: Self = web.ask(&call).await?.json(&call)?;
        if provider.issuer.trim_end_matches('/') != issuer {
            return Err(call.malformed("it is of another issuer"));
        }
        let optional = provider.device_authorization_endpoint.as_deref();
        for endpoint in
            [provider.authorization_endpoint.as_str(), &provider.token_endpoint].into_iter().chain(optional)
        {
            service_url(endpoint)?;
        }
        Ok(provider)
    }

    /// Asks the token endpoint; what it says goes to whoever asked, whatever its status.
    pub(super) async fn redeem(&self, web: &Web, fields: &[(&str, &str)]) -> Result<Redeemed> {
        let call = form(&self.token_endpoint, fields)?;
        let answer: Answer = web.exchange(&call).await?;
        match answer.status {
            200..=299 => Ok(Redeemed::Token(answer.json::<Tokens>(&call)?.id_token)),
            // RFC 6749 §5.2 has 400 and 401; to who asks before somebody has logged in Dex says 401, Google 428.
            400..=499 => answer.json(&call).map(Redeemed::Error).map_err(|_| answer.refusal(&call)),
            _ => Err(answer.refusal(&call)),
        }
    }

    /// The token, if it is this issuer's and answers this login.
    pub(super) fn accept(&self, text: &str, nonce: Option<&str>) -> Result<Token> {
        let token = Token::read(&format!("the login at `{}`", self.issuer), text)?;
        if token.claims().text("iss") != Some(&self.issuer) {
            return Err(token.unusable("it is of another issuer".to_owned()));
        }
        match nonce.is_none_or(|nonce| token.claims().text("nonce") == Some(nonce)) {
            true => Ok(token),
            false => Err(token.unusable("it answers another login".to_owned())),
        }
    }
}

/// What a token endpoint said.
pub(super) enum Redeemed {
    Token(String),
    Error(Problem),
}

/// An error of OAuth (RFC 6749 §5.2).
#[derive(Deserialize)]
pub(super) struct Problem {
    pub(super) error: String,
    #[serde(default)]
    error_description: String,
}

impl Problem {
    pub(super) fn into_error(self) -> Error {
        refused(&self.error, &self.error_description)
    }
}

pub(super) fn refused(error: &str, description: &str) -> Error {
    let said = if description.is_empty() { error } else { description };
    Error::Login(signet_http::printable(said))
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// A form that is posted once: codes are good for one use.
pub(super) fn form(url: &str, fields: &[(&str, &str)]) -> Result<Call<'static>> {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, FORM))).collect();
    let body = ("application/x-www-form-urlencoded", Bytes::from(pairs.join("&")));
    let call = Call::post(url, WHAT, MAX_ANSWER, Repeat::Never, body)?;
    Ok(call.header(ACCEPT, "application/json"))
}

pub(super) const SCOPE: &str = "openid email";
const WHAT: &str = "the login";
const MAX_ANSWER: usize = 256 * 1024;
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
