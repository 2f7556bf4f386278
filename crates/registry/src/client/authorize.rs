//! What goes into `Authorization`, and to whom.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::Url;
use signet_formats::oci::Repository;
use signet_http::{is_loopback, retry_after, shown};
use tokio::time::Instant;

use super::call::{Call, Scope};
use super::response::{Told, broken, collect};
use super::transport::{Transport, lock};
use crate::auth::{Challenge, Credentials, Grant, TokenRequest, read_grant};
use crate::flight::Flights;
use crate::{Error, Result};

/// Credentials and tokens at hand, and those being fetched.
pub(super) struct Grants {
    held: Mutex<HashMap<Scope, Held>>,
    granting: Flights<(Scope, Challenge), String>,
    credentials: Mutex<HashMap<Repository, Credentials>>,
    asking: Flights<Repository, Credentials>,
}

/// A grant, and the challenge that it answered: when it ends, the same is asked for again.
#[derive(Clone)]
struct Held {
    grant: Grant,
    challenge: Challenge,
}

impl Held {
    fn is_good(&self) -> bool {
        self.grant.expires.is_none_or(|end| Instant::now() < end)
    }
}

impl Grants {
    pub(super) fn new() -> Self {
        Self {
            held: Mutex::default(),
            granting: Flights::new(),
            credentials: Mutex::default(),
            asking: Flights::new(),
        }
    }

    /// The grant for `scope`, else one for more.
    fn held(&self, scope: &Scope) -> Option<Held> {
        let held = lock(&self.held);
        let wider = || held.iter().find(|(known, held)| known.covers(scope) && held.is_good());
        held.get(scope).or_else(|| wider().map(|(_, held)| held)).cloned()
    }

    /// The good grant for exactly `scope`, unless it is the refused one.
    fn other(&self, scope: &Scope, refused: Option<&str>) -> Option<String> {
        let held = lock(&self.held).get(scope).cloned()?;
        (held.is_good() && Some(held.grant.header.as_str()) != refused).then_some(held.grant.header)
    }
}

impl Transport {
    /// The authorisation that the call goes with at once: of earlier calls, renewed where it has ended.
    pub(super) async fn known(&self, call: &Call<'_>) -> Result<Option<String>> {
        match self.grants.held(&call.scope()) {
            None => Ok(None),
            Some(held) if held.is_good() => Ok(Some(held.grant.header)),
            Some(ended) => self.renew(call, ended.challenge, Some(&ended.grant.header)).await.map(Some),
        }
    }

    /// A new authorisation in place of `refused`, as the challenge in `headers` asks for it.
    pub(super) async fn authorize(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
        refused: Option<&str>,
    ) -> Result<String> {
        let challenge = Challenge::of(headers).ok_or_else(|| self.unauthorized(call))?;
        self.renew(call, challenge, refused).await
    }

    /// Calls that need the same at once wait for one grant.
    async fn renew(&self, call: &Call<'_>, challenge: Challenge, refused: Option<&str>) -> Result<String> {
        let scope = call.scope();
        let fetch = || async {
            if let Some(header) = self.grants.other(&scope, refused) {
                return Ok(header);
            }
            let grant = self.request_grant(call, &challenge).await?;
            let header = grant.header.clone();
            let held = Held { grant, challenge: challenge.clone() };
            lock(&self.grants.held).insert(scope.clone(), held);
            Ok(header)
        };
        self.grants.granting.run((scope.clone(), challenge.clone()), fetch).await
    }

    async fn request_grant(&self, call: &Call<'_>, challenge: &Challenge) -> Result<Grant> {
        let lasting = |header| Grant { header, expires: None };
        match (challenge, self.credentials(call.repository).await?) {
            (_, Credentials::RegistryToken(token)) => Ok(lasting(format!("Bearer {token}"))),
            (Challenge::Basic, Credentials::Basic { username, password }) => {
                Ok(lasting(basic(&username, &password)))
            }
            (Challenge::Basic, _) => Err(self.unauthorized(call)),
            (Challenge::Bearer { realm, service }, credentials) => {
                self.token(call, realm, service.as_deref(), &credentials).await
            }
        }
    }

    async fn token(
        &self,
        call: &Call<'_>,
        realm: &str,
        service: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Grant> {
        let realm = accepted_realm(call, realm)?;
        let shown = shown(&realm);
        let client = match self.is_registry(call, &realm) {
            true => self.http.identified(&realm)?,
            false => self.http.client(&realm)?,
        };
        let request = match TokenRequest::new(realm.clone(), service, &call.scope().texts(), credentials) {
            TokenRequest::Get { url, basic: None } => client.get(url),
            TokenRequest::Get { url, basic: Some((username, password)) } => {
                client.get(url).header(AUTHORIZATION, basic(&username, &password))
            }
            TokenRequest::Post { url, form } => {
                client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
            }
        };
        let what = format!("a token of {shown}");
        let response = request.send().await.map_err(|error| broken(&realm, &what, &error))?;
        let registry = call.repository.registry.to_string();
        match response.status().as_u16() {
            200 => read_grant(&shown, &collect(response, self.limits().small_bytes, &what).await?),
            300..=399 => Err(Error::RealmRefused { registry, realm: shown, reason: "it redirects" }),
            429 => Err(Error::RateLimited { registry, retry_after: retry_after(response.headers()) }),
            status @ 500..=599 => {
                let retry_after = retry_after(response.headers());
                Err(Error::Server { what, status, detail: Told::read(response).await.words(), retry_after })
            }
            _ => Err(self.unauthorized(call)),
        }
    }

    /// What a 401 means: that nobody said who asks, or that the registry does not take who that is.
    pub(super) fn unauthorized(&self, call: &Call<'_>) -> Error {
        let known = lock(&self.grants.credentials).get(call.repository).cloned();
        let wants = match known {
            Some(Credentials::Anonymous) => format!("credentials, and {}", self.options.keychain.has_none()),
            Some(_) => "other credentials than it was given".to_owned(),
            None => "credentials, and does not say how they are given".to_owned(),
        };
        Error::Unauthorized { registry: call.repository.registry.to_string(), wants }
    }

    async fn credentials(&self, repository: &Repository) -> Result<Credentials> {
        if let Some(known) = lock(&self.grants.credentials).get(repository) {
            return Ok(known.clone());
        }
        let ask = || self.options.keychain.credentials(repository, self.limits());
        let found = self.grants.asking.run(repository.clone(), ask).await?;
        lock(&self.grants.credentials).insert(repository.clone(), found.clone());
        Ok(found)
    }
}

/// A realm over HTTPS, or over HTTP where it and the registry are both on this machine.
fn accepted_realm(call: &Call<'_>, realm: &str) -> Result<Url> {
    let registry = call.repository.registry.to_string();
    let refused = |realm, reason| Error::RealmRefused { registry: registry.clone(), realm, reason };
    let url = Url::parse(realm).map_err(|_| refused("?".to_owned(), "it is not a URL"))?;
    let local = is_loopback(&url) && is_loopback(&call.url);
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(refused(shown(&url), "it is not HTTPS")),
    }
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}
