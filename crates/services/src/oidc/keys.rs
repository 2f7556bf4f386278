//! The keys of issuers: fetched, kept, rotated, bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use signet_crypto::PublicKey;
use signet_formats::json;
use signet_formats::jwt::{Jwt, JwtError};
use signet_keys::read_public_bytes;

use super::TokenError;
use super::cache::{Cache, Entry, FRESH_FOR, USABLE_FOR};
use super::config::{Issuer, is_safe_url};
use crate::clock::Reading;

/// Gets documents over HTTPS: the face with an HTTP client implements it.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The body that a GET of the URL answers with status 200, of at most `limit` bytes. The server's certificate may be
    /// of these authorities too, which are PEM.
    async fn get(&self, url: &str, authorities: Option<&str>, limit: usize) -> Result<Vec<u8>, FetchError>;
}

/// Why a document was not got, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// The keys of an issuer, as a JSON Web Key Set (RFC 7517 §5) lists them.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<(Option<String>, PublicKey)>);

impl KeySet {
    /// Reads a set. Keys that are not for signatures or of a kind that is not known are left out, as
    /// RFC 7517 asks; more than [`MAX_KEYS`] are an error.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        let set: Jwks<'_> = json::parse(json, MAX_DOCUMENT_BYTES).map_err(|_| "the key set is malformed")?;
        if set.keys.len() > MAX_KEYS {
            return Err("the key set has more than 64 keys");
        }
        let usable = |raw: &&RawValue| {
            let about: About = json::parse_part(raw.get()).ok()?;
            let signs = about.usage.as_deref().is_none_or(|usage| usage == "sig");
            let key = read_public_bytes(raw.get().as_bytes()).ok().filter(|_| signs)?;
            Some((about.kid, key))
        };
        Ok(Self(set.keys.iter().filter_map(usable).collect()))
    }

    /// A set of one key under a name.
    pub fn of(key_id: &str, key: PublicKey) -> Self {
        Self(vec![(Some(key_id.to_owned()), key)])
    }

    /// Checks a token; `None` if no key of the set can be the token's.
    fn verify(&self, jwt: &Jwt) -> Option<Result<(), JwtError>> {
        let named =
            |(id, _): &&(Option<String>, PublicKey)| jwt.key_id().is_none() || id.as_deref() == jwt.key_id();
        let verdicts = self.0.iter().filter(named).map(|(_, key)| jwt.verify(key));
        // The best of them: a set may have keys of several algorithms under one name or none.
        verdicts.reduce(|best, next| if best.is_ok() { best } else { next.or(best) })
    }
}

/// Where keys come from.
#[derive(Clone)]
pub struct KeySource {
    inner: Arc<Inner>,
}

struct Inner {
    fetch: Arc<dyn Fetch>,
    /// Keys of issuers that are in this process, never fetched.
    own: HashMap<String, KeySet>,
    cache: Cache,
}

impl KeySource {
    /// Keys fetched from the issuers themselves.
    pub fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self::with_own(fetch, HashMap::new())
    }

    /// The same, where the keys of some issuers are known.
    pub fn with_own(fetch: Arc<dyn Fetch>, own: HashMap<String, KeySet>) -> Self {
        Self { inner: Arc::new(Inner { fetch, own, cache: Cache::new() }) }
    }

    /// Checks that a key of the issuer signed the token. Young keys are believed, and fetched again beside before
    /// they are old. If they are old, or the token names one that is not known, they are fetched first, at most every
    /// [`REFETCH_AFTER`]; old ones count only while no others can be had.
    pub(super) async fn verify(&self, issuer: &Issuer, jwt: &Jwt, now: Reading) -> Result<(), TokenError> {
        let now = now.steady;
        if let Some(keys) = self.inner.own.get(&issuer.url) {
            return verdict(keys, jwt).unwrap_or_else(|| Err(unknown_key(jwt)));
        }
        let entry = self.inner.cache.entry(issuer, now);
        if let Some(verdict) = entry.verdict(jwt, FRESH_FOR, now) {
            self.refresh_beside(&entry, issuer, now);
            return verdict;
        }
        // One fetch at a time for one issuer; who waits finds its result.
        let _fetching = entry.fetching().lock().await;
        if let Some(verdict) = entry.verdict(jwt, FRESH_FOR, now) {
            return verdict;
        }
        if entry.begins_fetch(now) {
            let _permit = self.inner.cache.permit(&entry, &issuer.url, now)?;
            self.refresh(&entry, issuer, now).await;
        }
        entry.verdict(jwt, USABLE_FOR, now).unwrap_or_else(|| Err(entry.without_key(&issuer.url, jwt, now)))
    }

    /// Nobody waits for it, but who finds the keys old meanwhile.
    fn refresh_beside(&self, entry: &Arc<Entry>, issuer: &Issuer, now: Duration) {
        let Ok(fetching) = Arc::clone(entry.fetching()).try_lock_owned() else { return };
        if entry.begins_refresh(now) {
            let (source, entry, issuer) = (self.clone(), Arc::clone(entry), issuer.clone());
            tokio::spawn(async move {
                source.refresh(&entry, &issuer, now).await;
                drop(fetching);
            });
        }
    }

    async fn refresh(&self, entry: &Entry, issuer: &Issuer, now: Duration) {
        let fetched = self.fetch(issuer).await;
        if let Err(why) = &fetched {
            tracing::warn!(issuer = issuer.url, why, "the keys of an issuer of tokens cannot be fetched");
        }
        entry.fetched(fetched, now);
    }

    async fn fetch(&self, issuer: &Issuer) -> Result<KeySet, String> {
        let authorities = issuer.tls_authorities.as_deref();
        let get = async |url: &str| {
            let got = self.inner.fetch.get(url, authorities, MAX_DOCUMENT_BYTES).await;
            got.map_err(|error| error.to_string())
        };
        let url = &issuer.url;
        let document =
            get(&format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'))).await?;
        let discovery: Discovery =
            json::parse(&document, MAX_DOCUMENT_BYTES).map_err(|error| error.to_string())?;
        if discovery.issuer != *url {
            let other = super::shortened(&discovery.issuer);
            return Err(format!("its discovery document is of issuer `{other}`"));
        }
        // An issuer elsewhere must not have us ask the services of this machine.
        let is_plain = !discovery.jwks_uri.starts_with("https:");
        if !is_safe_url(&discovery.jwks_uri) || is_plain && url.starts_with("https:") {
            return Err("its keys are not at an https URL".to_owned());
        }
        KeySet::parse(&get(&discovery.jwks_uri).await?).map_err(str::to_owned)
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Jwks<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct About {
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
}

pub(super) fn verdict(keys: &KeySet, jwt: &Jwt) -> Option<Result<(), TokenError>> {
    keys.verify(jwt).map(|verdict| verdict.map_err(TokenError::Token))
}

pub(super) fn unknown_key(jwt: &Jwt) -> TokenError {
    TokenError::UnknownKey { key_id: super::shortened(jwt.key_id().unwrap_or_default()) }
}

/// The largest document that is fetched from an issuer, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// The most keys that an issuer may have.
pub const MAX_KEYS: usize = 64;
