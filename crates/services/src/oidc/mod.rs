//! Identity tokens of OpenID Connect: whom to believe, whether a token is theirs, whom it is about.
//!
//! Trusted? The configured issuers are, each for its own identities. The keys of an issuer are fetched
//! from the issuer's own URL over TLS ([`Fetch`]) and kept for a bounded time.

mod config;
pub mod dev;
mod identity;
mod keys;
mod template;

use std::sync::Arc;

use serde_json::Value;
use signet_formats::jwt::{Claims, Jwt, JwtError};

pub use config::{ConfigError, Identities, Issuer, Issuers, MAX_CONFIG_BYTES};
pub use identity::{CiProvider, Identity, Provider};
pub use keys::{Fetch, FetchError, KeySet, KeySource, MAX_DOCUMENT_BYTES, MAX_KEYS};

use crate::clock::Clock;

/// Checks identity tokens.
pub struct Verifier {
    issuers: Issuers,
    keys: KeySource,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Believes these issuers, with keys from there.
    pub fn new(issuers: Issuers, keys: KeySource, clock: Arc<dyn Clock>) -> Self {
        Self { issuers, keys, clock }
    }

    /// The issuers that are believed.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Checks a token: its issuer, signature, audience and times; and says whom it is about.
    pub async fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let jwt = Jwt::parse(token).map_err(TokenError::Token)?;
        let claims = jwt.claims();
        let url = claims.text("iss").ok_or_else(|| TokenError::missing("iss"))?;
        let issuer = self.issuers.find(url);
        let issuer = issuer.ok_or_else(|| TokenError::UnknownIssuer { issuer: shortened(url) })?;
        self.keys.verify(&issuer.url, &jwt, self.clock.read()).await?;
        if !claims.is_for(&issuer.client_id) {
            return Err(TokenError::wrong("aud", claims, &issuer.client_id));
        }
        check_times(claims, self.clock.seconds())?;
        let identity = Identity::of(&issuer, claims)?;
        let name = identity.name.text().unwrap_or_default();
        match issuer.allowed.is_empty() || issuer.allowed.iter().any(|set| set.contains(name)) {
            true => Ok(identity),
            false => Err(TokenError::NotAllowed { identity: name.to_owned() }),
        }
    }
}

/// Why a token was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is not a token, or not signed by its issuer.
    #[error("{0}")]
    Token(JwtError),
    /// Nobody configured this issuer.
    #[error("claim `iss` is `{issuer}`, which is not an issuer that is configured here")]
    UnknownIssuer {
        /// The issuer.
        issuer: String,
    },
    /// A claim is missing.
    #[error("claim `{claim}` is missing or empty")]
    MissingClaim {
        /// The claim.
        claim: String,
    },
    /// A claim says something else than it has to.
    #[error("claim `{claim}` is `{found}`, wanted `{wanted}`")]
    WrongClaim {
        /// The claim.
        claim: &'static str,
        /// What it says.
        found: String,
        /// What it has to say.
        wanted: String,
    },
    /// It is not valid any more, or not yet.
    #[error("claim `{claim}` is {found}, wanted a time {wanted}")]
    Time {
        /// The claim.
        claim: &'static str,
        /// The time in seconds since 1970.
        found: i64,
        /// What it has to be.
        wanted: String,
    },
    /// A claim cannot be put into a certificate.
    #[error("{why}")]
    Unusable {
        /// What is wrong.
        why: &'static str,
    },
    /// The issuer's keys do not include the one that the token names.
    #[error("the issuer has no key `{key_id}`")]
    UnknownKey {
        /// The key's name in the token.
        key_id: String,
    },
    /// The issuer's keys cannot be had.
    #[error("the keys of issuer `{issuer}` cannot be fetched: {why}")]
    KeysUnavailable {
        /// The issuer.
        issuer: String,
        /// What went wrong.
        why: String,
    },
    /// The issuer is believed, but not for this identity.
    #[error("identity `{identity}` is not among those that may have certificates here")]
    NotAllowed {
        /// The identity.
        identity: String,
    },
}

impl TokenError {
    fn missing(claim: &str) -> Self {
        Self::MissingClaim { claim: claim.to_owned() }
    }

    fn wrong(claim: &'static str, claims: &Claims, wanted: &str) -> Self {
        let found = claims.value(claim).map(Value::to_string).unwrap_or_default();
        let found = shortened(found.trim_matches('"'));
        Self::WrongClaim { claim, found, wanted: wanted.to_owned() }
    }
}

/// A token needs an end; a beginning and a time of issue are checked if they are there.
fn check_times(claims: &Claims, now: i64) -> Result<(), TokenError> {
    let wrong = |claim, found, wanted| Err(TokenError::Time { claim, found, wanted });
    let expires = claims.time("exp").ok_or_else(|| TokenError::missing("exp"))?;
    if expires.saturating_add(MAX_SKEW) <= now {
        return wrong("exp", expires, format!("after {now}"));
    }
    for claim in ["nbf", "iat"] {
        match (claims.value(claim), claims.time(claim)) {
            (None, _) => {}
            (Some(_), Some(time)) if time <= now.saturating_add(MAX_SKEW) => {}
            (Some(_), Some(time)) => return wrong(claim, time, format!("before {now}")),
            (Some(_), None) => return Err(TokenError::missing(claim)),
        }
    }
    Ok(())
}

/// What a stranger sent, short enough to be said in an error.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SAID).collect()
}

/// By how many seconds an issuer's clock may differ from ours.
const MAX_SKEW: i64 = 30;
const MAX_SAID: usize = 200;

#[cfg(test)]
mod tests;
