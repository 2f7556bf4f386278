//! The exchange of credentials for a bearer token (distribution's token and OAuth2 specifications).

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use tokio::time::Instant;

use super::keychain::Credentials;
use crate::{Error, Result};

/// What to ask a token realm.
pub(crate) enum TokenRequest {
    /// `GET` with the scopes in the query; the credentials, if any, as Basic.
    Get { url: Url, basic: Option<(String, String)> },
    /// `POST` of a form that holds the scopes, space-separated, and a refresh token.
    Post { url: Url, form: String },
}

impl TokenRequest {
    /// The request for `scopes`, given what the challenge said and the credentials at hand.
    pub(crate) fn new(
        realm: Url,
        service: Option<&str>,
        scopes: &[String],
        credentials: &Credentials,
    ) -> Self {
        let joined = scopes.join(" ");
        let service = service.map(|service| ("service", service));
        if let Credentials::IdentityToken(token) = credentials {
            let mut form = realm.clone();
            form.query_pairs_mut().clear().append_pair("scope", &joined).extend_pairs(service).extend_pairs(
                [("grant_type", "refresh_token"), ("client_id", "signet"), ("refresh_token", token)],
            );
            return Self::Post { url: realm, form: form.query().unwrap_or_default().to_owned() };
        }
        let mut url = realm;
        let scopes = scopes.iter().map(|scope| ("scope", scope));
        url.query_pairs_mut().extend_pairs(scopes).extend_pairs(service);
        let basic = match credentials {
            Credentials::Basic { username, password } => Some((username.clone(), password.clone())),
            _ => None,
        };
        Self::Get { url, basic }
    }
}

/// A token and until when it is good.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) header: String,
    pub(crate) expires: Option<Instant>,
}

/// Reads a token realm's answer; 60 seconds if it does not say how long the token lives.
pub(crate) fn read_grant(realm: &str, body: &[u8]) -> Result<Grant> {
    let malformed = |reason| Error::malformed(format!("the answer of the token realm {realm}"), reason);
    let answer: Answer = serde_json::from_slice(body).map_err(|_| malformed("it is not JSON"))?;
    let token = answer.token.or(answer.access_token).ok_or_else(|| malformed("it holds no token"))?;
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(malformed("the token is not printable ASCII"));
    }
    let life = Duration::from_secs(answer.expires_in.unwrap_or(60).clamp(10, 24 * 3600)) - MARGIN;
    Ok(Grant { header: format!("Bearer {token}"), expires: Some(Instant::now() + life) })
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(5);
