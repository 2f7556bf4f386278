//! The keys of issuers: fetched, kept, rotated, bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use signet_crypto::PublicKey;
use signet_formats::json;
use signet_formats::jwt::{Jwt, JwtError};
use signet_keys::read_public_bytes;
use tokio::sync::Mutex as AsyncMutex;

use super::TokenError;
use super::config::is_safe_url;
use crate::clock::Reading;

/// Gets documents over HTTPS: the face with an HTTP client implements it.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The body that a GET of the URL answers with status 200, of at most `limit` bytes.
    async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, FetchError>;
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
            let about: About = serde_json::from_str(raw.get()).ok()?;
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
    cached: Mutex<HashMap<String, Arc<Entry>>>,
}

/// One issuer.
#[derive(Default)]
struct Entry {
    cached: Mutex<Cached>,
    /// Held by whoever fetches because there is no key for a token.
    fetching: AsyncMutex<()>,
}

/// What is known of one issuer's keys. Times are of the steady clock.
#[derive(Default)]
struct Cached {
    keys: Option<(Arc<KeySet>, Duration)>,
    /// When the last attempt began.
    tried: Option<Duration>,
    /// What went wrong in the last one.
    failed: Option<String>,
}

impl KeySource {
    /// Keys fetched from the issuers themselves.
    pub fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self::with_own(fetch, HashMap::new())
    }

    /// The same, where the keys of some issuers are known.
    pub fn with_own(fetch: Arc<dyn Fetch>, own: HashMap<String, KeySet>) -> Self {
        Self { inner: Arc::new(Inner { fetch, own, cached: Mutex::default() }) }
    }

    /// Checks that a key of the issuer signed the token. Keys that are old are fetched again beside, so
    /// that nobody waits for an issuer that is down; if there are none, or the token names one that is not
    /// known, they are fetched first, at most every [`REFETCH_AFTER`].
    pub(super) async fn verify(&self, issuer: &str, jwt: &Jwt, now: Reading) -> Result<(), TokenError> {
        if let Some(keys) = self.inner.own.get(issuer) {
            return verdict(keys, jwt).unwrap_or_else(|| Err(unknown_key(jwt)));
        }
        let entry = self.entry(issuer);
        if let Some(verdict) = entry.verdict(jwt, now.steady) {
            if entry.begins_refresh(now.steady) {
                let (source, entry, issuer) = (self.clone(), Arc::clone(&entry), issuer.to_owned());
                tokio::spawn(async move { source.refresh(&entry, &issuer, now.steady).await });
            }
            return verdict;
        }
        // One fetch at a time for one issuer; who waits finds its result.
        let _fetching = entry.fetching.lock().await;
        if let Some(verdict) = entry.verdict(jwt, now.steady) {
            return verdict;
        }
        if entry.begins_fetch(now.steady) {
            self.refresh(&entry, issuer, now.steady).await;
        }
        entry.verdict(jwt, now.steady).unwrap_or_else(|| Err(entry.without_key(issuer, jwt, now.steady)))
    }

    async fn refresh(&self, entry: &Entry, issuer: &str, now: Duration) {
        let fetched = self.fetch(issuer).await;
        let mut cached = entry.lock();
        match fetched {
            Ok(keys) => {
                cached.keys = Some((Arc::new(keys), now));
                cached.failed = None;
            }
            Err(why) => cached.failed = Some(why),
        }
    }

    fn entry(&self, issuer: &str) -> Arc<Entry> {
        let mut cached = self.inner.cached.lock().unwrap_or_else(PoisonError::into_inner);
        // Names come from the configuration, or match a pattern of it and could be many.
        if cached.len() >= MAX_ISSUERS && !cached.contains_key(issuer) {
            cached.clear();
        }
        Arc::clone(cached.entry(issuer.to_owned()).or_default())
    }

    async fn fetch(&self, issuer: &str) -> Result<KeySet, String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = self.get(&url).await?;
        let discovery: Discovery =
            json::parse(&document, MAX_DOCUMENT_BYTES).map_err(|error| error.to_string())?;
        if discovery.issuer != issuer {
            return Err(format!(
                "its discovery document is of issuer `{}`",
                super::shortened(&discovery.issuer)
            ));
        }
        if !is_safe_url(&discovery.jwks_uri) {
            return Err("its keys are not at an https URL".to_owned());
        }
        let document = self.get(&discovery.jwks_uri).await?;
        KeySet::parse(&document).map_err(str::to_owned)
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        self.inner.fetch.get(url, MAX_DOCUMENT_BYTES).await.map_err(|error| error.to_string())
    }
}

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the keys say that are young enough; `None` if none of them can be the token's.
    fn verdict(&self, jwt: &Jwt, now: Duration) -> Option<Result<(), TokenError>> {
        let keys = self.lock().younger_than(USABLE_FOR, now)?;
        verdict(&keys, jwt)
    }

    /// Whether it is time to fetch keys again, and nobody else does.
    fn begins_refresh(&self, now: Duration) -> bool {
        let mut cached = self.lock();
        cached.younger_than(FRESH_FOR, now).is_none() && cached.begins(now)
    }

    /// Whether keys may be fetched now for a token that none is known for.
    fn begins_fetch(&self, now: Duration) -> bool {
        self.lock().begins(now)
    }

    /// Why there is no key for the token.
    fn without_key(&self, issuer: &str, jwt: &Jwt, now: Duration) -> TokenError {
        let cached = self.lock();
        match cached.younger_than(USABLE_FOR, now) {
            Some(_) => unknown_key(jwt),
            None => TokenError::KeysUnavailable {
                issuer: issuer.to_owned(),
                why: cached.failed.clone().unwrap_or_else(|| "they are too old".to_owned()),
            },
        }
    }
}

impl Cached {
    fn younger_than(&self, age: Duration, now: Duration) -> Option<Arc<KeySet>> {
        let (keys, since) = self.keys.as_ref()?;
        (now.saturating_sub(*since) < age).then(|| Arc::clone(keys))
    }

    /// Begins an attempt, unless the last was a moment ago.
    fn begins(&mut self, now: Duration) -> bool {
        let may = self.tried.is_none_or(|last| now.saturating_sub(last) >= REFETCH_AFTER);
        self.tried = if may { Some(now) } else { self.tried };
        may
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

fn verdict(keys: &KeySet, jwt: &Jwt) -> Option<Result<(), TokenError>> {
    keys.verify(jwt).map(|verdict| verdict.map_err(TokenError::Token))
}

fn unknown_key(jwt: &Jwt) -> TokenError {
    TokenError::UnknownKey { key_id: super::shortened(jwt.key_id().unwrap_or_default()) }
}

/// How long keys are used before they are fetched again.
const FRESH_FOR: Duration = Duration::from_secs(60 * 60);
/// How long they are used while they cannot be fetched again.
const USABLE_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after an attempt the next one may be made.
const REFETCH_AFTER: Duration = Duration::from_secs(15);
/// The largest document that is fetched from an issuer, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
const MAX_ISSUERS: usize = 256;
/// The most keys that an issuer may have.
pub const MAX_KEYS: usize = 64;
