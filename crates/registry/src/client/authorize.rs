//! What goes into `Authorization`, and to whom.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::Url;
use signet_formats::oci::Repository;

use super::http::is_loopback;
use super::transport::{Access, Call, Transport, broken, collect, lock, retry_after, shown};
use crate::auth::{Challenge, Credentials, Grant, TokenRequest, read_grant};
use crate::{Error, Result};

impl Transport {
    /// A new authorisation for the call, as the challenge in `headers` asks for it.
    pub(super) async fn authorize(&self, call: &Call<'_>, headers: &HeaderMap) -> Result<String> {
        let registry = call.repository.registry.to_string();
        let unauthorized = || Error::Unauthorized { registry: registry.clone() };
        let challenge = Challenge::of(headers).ok_or_else(unauthorized)?;
        let credentials = self.credentials(call.repository).await?;
        let grant = match (challenge, credentials) {
            (_, Credentials::RegistryToken(token)) => {
                Grant { header: format!("Bearer {token}"), expires: None }
            }
            (Challenge::Basic, Credentials::Basic { username, password }) => {
                Grant { header: basic(&username, &password), expires: None }
            }
            (Challenge::Basic, _) => return Err(unauthorized()),
            (Challenge::Bearer { realm, service, .. }, credentials) => {
                self.token(call, &realm, service.as_deref(), &credentials).await?
            }
        };
        let key = (call.repository.clone(), call.access);
        let header = grant.header.clone();
        lock(&self.grants).insert(key, grant);
        Ok(header)
    }

    async fn token(
        &self,
        call: &Call<'_>,
        realm: &str,
        service: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Grant> {
        let realm = self.realm(call, realm)?;
        let shown = shown(&realm);
        let scope = format!("repository:{}:{}", call.repository.path, call.access.actions());
        let request = match TokenRequest::new(realm, service, &scope, credentials) {
            TokenRequest::Get { url, basic: None } => self.http.client(&url)?.get(url),
            TokenRequest::Get { url, basic: Some((username, password)) } => {
                self.http.client(&url)?.get(url).header(AUTHORIZATION, basic(&username, &password))
            }
            TokenRequest::Post { url, form } => self
                .http
                .client(&url)?
                .post(url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form),
        };
        let what = format!("a token of {shown}");
        let response = request.send().await.map_err(|error| broken(&call.url, &what, &error))?;
        let registry = call.repository.registry.to_string();
        match response.status().as_u16() {
            200 => read_grant(&shown, &collect(response, self.limits().small_bytes, &what).await?),
            300..=399 => Err(Error::RealmRefused { registry, realm: shown, reason: "it redirects" }),
            429 => Err(Error::RateLimited { registry, retry_after: retry_after(response.headers()) }),
            status @ 500..=599 => Err(Error::Server { what, status }),
            _ => Err(Error::Unauthorized { registry }),
        }
    }

    /// A realm over HTTPS, or over HTTP where it and the registry are both on this machine.
    fn realm(&self, call: &Call<'_>, realm: &str) -> Result<Url> {
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

    async fn credentials(&self, repository: &Repository) -> Result<Credentials> {
        if let Some(known) = lock(&self.credentials).get(repository) {
            return Ok(known.clone());
        }
        let ask = || self.options.keychain.credentials(repository, self.limits());
        let found = self.asking.run(repository.clone(), ask).await?;
        lock(&self.credentials).insert(repository.clone(), found.clone());
        Ok(found)
    }

    /// A grant that still holds, of this access or a wider one.
    pub(super) fn grant(&self, call: &Call<'_>) -> Option<String> {
        let wider: &[Access] = match call.access {
            Access::Pull => &[Access::Pull, Access::Push, Access::Delete],
            Access::Push => &[Access::Push, Access::Delete],
            Access::Delete => &[Access::Delete],
        };
        let grants = lock(&self.grants);
        let held = wider.iter().filter_map(|access| grants.get(&(call.repository.clone(), *access)));
        let now = Instant::now();
        held.filter(|grant| grant.expires.is_none_or(|end| now < end))
            .map(|grant| grant.header.clone())
            .next()
    }
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}
