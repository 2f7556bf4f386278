//! Identity tokens of OpenID Connect: whom to believe, whether a token is theirs, whom it is about.
//!
//! Trusted? The configured issuers are, each for its own identities. The keys of an issuer are fetched
//! from the issuer's own URL over TLS ([`Fetch`]) and kept for a bounded time.

mod bearer;
mod cache;
mod ci;
mod claim;
mod config;
pub mod dev;
mod identity;
mod keys;
mod names;
mod patterns;
mod services;
mod template;
mod url;
mod written;

use std::sync::Arc;

use serde_json::Value;
use signet_formats::jwt::{Claims, Jwt, JwtError};

pub use cache::MAX_MATCHED;
pub use ci::CiProvider;
pub use claim::ClaimPath;
pub use config::{ConfigError, Issuer, Issuers, MAX_CONFIG_BYTES};
pub use identity::{Identity, Provider};
pub use keys::{Fetch, FetchError, KeySet, KeySource, MAX_DOCUMENT_BYTES, MAX_KEYS};
pub use names::MAX_TEXT;
pub use patterns::Identities;

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
        let url = identity::text_claim(claims, "iss")?;
        let issuer = self.issuers.find(url);
        let issuer = issuer.ok_or_else(|| TokenError::UnknownIssuer { issuer: shortened(url) })?;
        self.keys.verify(&issuer, &jwt, self.clock.read()).await?;
        if !claims.is_for(&issuer.client_id) {
            return Err(TokenError::unusable("aud", claims, &format!("`{}`", issuer.client_id)));
        }
        check_times(claims, self.clock.seconds())?;
        let identity = Identity::of(&issuer, claims)?;
        issuer.admit(&identity)?;
        self.admit_as(&issuer, &identity, claims)?;
        Ok(identity)
    }

    /// Whoever is certified as another issuer's is one that this other would certify: where both are configured, one does not
    /// get past the rules of the other.
    fn admit_as(&self, issuer: &Issuer, identity: &Identity, claims: &Claims) -> Result<(), TokenError> {
        let Some(claim) = &issuer.issuer_claim else { return Ok(()) };
        let named = identity.certified_issuer();
        match self.issuers.find(named).filter(|other| other.url != issuer.url) {
            Some(other) if other.provider.kind() != issuer.provider.kind() => {
                let wanted = format!(
                    "an issuer of type `{}`, as far as it is configured here",
                    issuer.provider.kind()
                );
                Err(TokenError::wrong(claim, claims, &wanted))
            }
            Some(other) => other.admit(identity),
            None => Ok(()),
        }
    }
}

/// Why a token was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is not a token, or not signed by its issuer.
    #[error("{}", shortened(&_0.to_string()))]
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
    #[error("claim `{claim}` is `{found}`, wanted {wanted}")]
    WrongClaim {
        /// The claim.
        claim: String,
        /// What it says, in JSON.
        found: String,
        /// What it has to say, in words.
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
    /// What claims make cannot be put into a certificate.
    #[error("what {claims} makes, `{made}`, is not {wanted}")]
    Unfit {
        /// The claims.
        claims: String,
        /// What they make.
        made: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// The name cannot be put into a certificate.
    #[error("the name `{text}` is too long, or not a URI")]
    Name {
        /// The name.
        text: String,
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
    /// The issuer is believed, but not for builds of this repository.
    #[error("repository `{repository}` is not among those whose builds may have certificates here")]
    RepositoryNotAllowed {
        /// The repository; empty if the token names none.
        repository: String,
    },
    /// The issuer is believed, but not for this identity.
    #[error("identity `{identity}` is not among those that may have certificates here")]
    NotAllowed {
        /// The identity.
        identity: String,
    },
}

impl TokenError {
    /// A claim is missing, or says something else than it has to.
    fn unusable(claim: impl Into<ClaimPath>, claims: &Claims, wanted: &str) -> Self {
        let claim = claim.into();
        match claim.of(claims) {
            None | Some(Value::Null) => Self::MissingClaim { claim: claim.to_string() },
            Some(Value::String(text)) if text.is_empty() => Self::MissingClaim { claim: claim.to_string() },
            Some(_) => Self::wrong(claim, claims, wanted),
        }
    }

    fn wrong(claim: impl Into<ClaimPath>, claims: &Claims, wanted: &str) -> Self {
        let claim = claim.into();
        let found = claim.of(claims).map(Value::to_string).unwrap_or_default();
        Self::WrongClaim { claim: claim.to_string(), found: shortened(&found), wanted: wanted.to_owned() }
    }

    fn unfit(claims: &[&ClaimPath], made: &str, wanted: &'static str) -> Self {
        let claims = claims.iter().map(ToString::to_string).filter(|claim| !claim.starts_with('#'));
        let claims = claims.map(|claim| format!("`{claim}`"));
        let claims = claims.collect::<Vec<_>>().join(", ");
        Self::Unfit { claims: format!("claim {claims}"), made: shortened(made), wanted }
    }
}

/// A token needs an end; a beginning and a time of issue are checked if they are there.
fn check_times(claims: &Claims, now: i64) -> Result<(), TokenError> {
    let wrong = |claim, found, wanted| Err(TokenError::Time { claim, found, wanted });
    let time = |claim| {
        claims.time(claim).ok_or_else(|| TokenError::unusable(claim, claims, "a time in seconds since 1970"))
    };
    let expires = time("exp")?;
    if expires.saturating_add(MAX_SKEW) <= now {
        return wrong("exp", expires, format!("after {now}"));
    }
    for claim in ["nbf", "iat"] {
        if claims.value(claim).is_none_or(Value::is_null) {
            continue;
        }
        let begins = time(claim)?;
        if begins > now.saturating_add(MAX_SKEW) {
            return wrong(claim, begins, format!("before {now}"));
        }
    }
    Ok(())
}

/// What a stranger sent, as it may stand in an error and in the log: short, and on one line.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !names::misleads(*c)).take(MAX_SAID).collect()
}

/// By how many seconds an issuer's clock may differ from ours.
const MAX_SKEW: i64 = 30;
const MAX_SAID: usize = 200;

#[cfg(test)]
mod tests;
