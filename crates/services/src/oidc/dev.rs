//! A development issuer: mints identity tokens for whoever asks on this machine.
//!
//! Trusted? By nobody who is not told to: its URL is on loopback, so what it says can be mistaken for
//! no other issuer's word. May it be lost? Yes: a new key is made.

use std::path::Path;

use serde_json::{Map, Value, json};
use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::base64;
use signet_formats::jwt::{JwtAlgorithm, signing_input};
use signet_keys::{
    Existing, PasswordSource, Payload, PrivateFormat, PrivateKey, PublicFormat, encode_public, random,
    read_private, write_private,
};
use signet_store::fs::Disk;

pub use super::bearer::{Bearer, BearerError};
use super::bearer::{EMAIL, GITHUB, GITLAB, KUBERNETES, object};
use super::ci::CiProvider;
use super::config::{ConfigError, is_safe_url};
use super::{Issuer, KeySet, Provider};
use crate::authority::AuthorityError;

/// An issuer for development.
pub struct DevIssuer {
    /// The base of its URLs.
    url: String,
    key: PrivateKey,
}

impl DevIssuer {
    /// The issuer whose key and URL are kept in `dir`, made if there is none; `url`, the base of its
    /// URLs, has to be http on loopback.
    pub fn open(disk: &Disk, dir: &Path, url: &str) -> Result<Self, DevError> {
        if !url.starts_with("http://") || !is_safe_url(url) {
            return Err(ConfigError::new(url, "a development issuer is at http on loopback").into());
        }
        let key_file = dir.join(KEY_FILE);
        if !key_file.is_file() {
            let key = PrivateKey::generate(KeyAlgorithm::Rsa { bits: 2048 }).map_err(AuthorityError::Key)?;
            write_private(&key_file, &key, PrivateFormat::Pkcs8, Existing::Refuse)
                .map_err(AuthorityError::KeyFile)?;
        }
        let url_file = dir.join(URL_FILE);
        let stored = json!({ "url": url.trim_end_matches('/') }).to_string();
        let io = |error| AuthorityError::Io { path: url_file.clone(), error };
        disk.keep(dir, &url_file, stored.as_bytes()).map_err(io)?;
        Self::load(dir)
    }

    /// The issuer that `dir` holds, for minting tokens while it runs elsewhere.
    pub fn load(dir: &Path) -> Result<Self, DevError> {
        let url_file = dir.join(URL_FILE);
        let io = |error| AuthorityError::Io { path: url_file.clone(), error };
        let text = std::fs::read(&url_file).map_err(io)?;
        let stored: Value = serde_json::from_slice(&text).unwrap_or_default();
        let url = stored.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = read_private(&dir.join(KEY_FILE), &PasswordSource::Environment);
        Ok(Self { url, key: key.map_err(AuthorityError::KeyFile)? })
    }

    /// The issuers as a CA has to know them.
    pub fn issuers(&self) -> Vec<Issuer> {
        let issuer = |kind: &str, provider, challenge: &str| Issuer {
            url: self.issuer_url(kind),
            is_matched: false,
            client_id: AUDIENCE.to_owned(),
            provider,
            issuer_claim: None,
            challenge_claim: challenge.into(),
            allowed: None,
            allowed_repositories: None,
            tls_authorities: None,
        };
        // The shape of production, but for the issuer.
        let github =
            CiProvider::of_table("github-workflow").map(|it| Provider::Ci(it.at("https://github.com")));
        let gitlab = Provider::of_table("gitlab-pipeline");
        let services = [(GITHUB, github), (GITLAB, gitlab), (KUBERNETES, Some(Provider::Kubernetes))];
        let services =
            services.into_iter().filter_map(|(kind, provider)| Some(issuer(kind, provider?, "sub")));
        let email = issuer(EMAIL, Provider::Email { unverified: false }, "email");
        std::iter::once(email).chain(services).collect()
    }

    /// Its keys, for a CA in the same process.
    pub fn keys(&self) -> KeySet {
        KeySet::of(&self.key_id(), self.key.public_key().clone())
    }

    /// The discovery document of a kind of tokens; `None` for a kind that there is not.
    pub fn discovery(&self, kind: &str) -> Option<Value> {
        let issuer = self.issuer_url(KINDS.into_iter().find(|known| *known == kind)?);
        Some(json!({
            "issuer": issuer,
            "jwks_uri": format!("{}/keys", self.url),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [JwtAlgorithm::Rs256.name()],
        }))
    }

    /// The key set document.
    pub fn key_set(&self) -> Result<Value, DevError> {
        let jwk = encode_public(self.key.public_key(), PublicFormat::Jwk).map_err(AuthorityError::Key)?;
        let mut jwk: Map<String, Value> = serde_json::from_slice(&jwk).unwrap_or_default();
        let about =
            [("kid", self.key_id()), ("use", "sig".into()), ("alg", JwtAlgorithm::Rs256.name().into())];
        jwk.extend(about.map(|(name, value)| (name.to_owned(), Value::String(value))));
        Ok(json!({ "keys": [jwk] }))
    }

    /// A token that is valid from `now` on for ten minutes, RS256, which every client takes.
    pub fn mint(&self, bearer: &Bearer, now: i64) -> Result<String, DevError> {
        let unique: [u8; 16] = random().map_err(AuthorityError::Key)?;
        let mut claims = bearer.claims();
        claims.extend(object(json!({
            "iss": self.issuer_url(bearer.kind()),
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + LIFE,
            "jti": base64::encode_url(unique),
        })));
        let input = signing_input(JwtAlgorithm::Rs256, &self.key_id(), &claims);
        let signed = self.key.sign(Scheme::RsaPkcs1Sha256, Payload::Message(input.as_bytes()));
        let signature = signed.map_err(AuthorityError::Sign)?;
        Ok(format!("{input}.{}", base64::encode_url(signature)))
    }

    fn issuer_url(&self, kind: &str) -> String {
        format!("{}/{kind}", self.url)
    }

    fn key_id(&self) -> String {
        self.key.public_key().id().hex().chars().take(16).collect()
    }
}

/// Why there is no development issuer, or no token of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevError {
    /// Its key is unusable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Its URL is not on loopback.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

const AUDIENCE: &str = "sigstore";
const KEY_FILE: &str = "oidc-dev.key";
const URL_FILE: &str = "oidc-dev.json";
const KINDS: [&str; 4] = [EMAIL, GITHUB, GITLAB, KUBERNETES];
/// In seconds.
const LIFE: i64 = 10 * 60;
