//! What to watch, as a file says it.

use serde::Deserialize;
use signet_crypto::Digest;
use signet_formats::rekor::EntryFacts;
use signet_verify::{CompiledMatcher, Matcher};

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorConfig {
    /// The logs.
    #[serde(default)]
    pub logs: Vec<FollowedLog>,
    /// What to look for in them.
    #[serde(default)]
    pub watch: Vec<WatchText>,
    /// A URL that findings are posted to.
    pub webhook: Option<String>,
    /// A file that says after each round that the monitor lives.
    pub heartbeat: Option<String>,
}

/// A log, as the file names it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowedLog {
    /// Where its checkpoint and tiles are; of Rekor with `/api/v2`, or `/api/v1`, which has an API instead.
    pub url: String,
    /// Its key, as C2SP signed-note has it, or a PEM file.
    pub key: String,
    /// Its name, if it is not that of its key.
    pub origin: Option<String>,
    /// A file with the witness policy (C2SP tlog-policy) that its checkpoints have to meet.
    pub witness_policy: Option<String>,
    /// How long ago its quorum may have cosigned at most, such as `1h`.
    pub max_age: Option<String>,
    /// Whether its entries are none of Rekor's: then no watch is for them, and only its history is.
    #[serde(default)]
    pub opaque: bool,
}

/// What to look for. All that is given has to be met.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchText {
    /// What it is called when something is found.
    pub name: String,
    /// The subject of the certificate.
    pub identity: Option<Matcher>,
    /// Who issued the identity.
    pub issuer: Option<Matcher>,
    /// The digest of what was signed.
    pub digest: Option<Digest>,
    /// The SHA-256 of the public key.
    pub key: Option<Digest>,
}

impl WatchText {
    /// A watch that looks for nothing yet.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), identity: None, issuer: None, digest: None, key: None }
    }
}

impl MonitorConfig {
    /// Reads the file. Fields that it does not know are refused, and patterns that are not anchored.
    pub fn from_yaml(yaml: &str) -> Result<Self, ConfigError> {
        match yaml.len() <= MAX_BYTES {
            true => serde_saphyr::from_str(yaml).map_err(|error| ConfigError(error.to_string())),
            false => Err(ConfigError(format!("it is larger than {MAX_BYTES} bytes"))),
        }
    }

    /// What to look for, ready to be compared.
    pub fn watches(&self) -> Result<Vec<Watch>, ConfigError> {
        self.watch.iter().map(Watch::new).collect()
    }
}

/// The configuration cannot be used; why, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// What to look for, ready to be compared.
pub struct Watch {
    pub(super) name: String,
    identity: Option<CompiledMatcher>,
    issuer: Option<CompiledMatcher>,
    digest: Option<Digest>,
    key: Option<Digest>,
}

impl Watch {
    fn new(text: &WatchText) -> Result<Self, ConfigError> {
        let wrong = |why: &dyn std::fmt::Display| ConfigError(format!("watch `{}`: {why}", text.name));
        let compiled = |matcher: &Option<Matcher>| {
            matcher.as_ref().map(Matcher::compile).transpose().map_err(|error| wrong(&error))
        };
        if text.identity.is_none() && text.digest.is_none() && text.key.is_none() {
            return Err(wrong(&"it has no `identity`, `digest` or `key`"));
        }
        Ok(Self {
            name: text.name.clone(),
            identity: compiled(&text.identity)?,
            issuer: compiled(&text.issuer)?,
            digest: text.digest,
            key: text.key,
        })
    }

    /// Whether an entry is one that is looked for.
    pub(super) fn sees(&self, facts: &EntryFacts) -> bool {
        let any =
            |matcher: &CompiledMatcher, texts: &[String]| texts.iter().any(|text| matcher.matches(text));
        self.identity.as_ref().is_none_or(|identity| any(identity, &facts.identities))
            && self.issuer.as_ref().is_none_or(|issuer| any(issuer, facts.issuer.as_slice()))
            && self.digest.as_ref().is_none_or(|digest| facts.digests.contains(digest))
            && self.key.as_ref().is_none_or(|key| facts.keys.contains(key))
    }
}

const MAX_BYTES: usize = 1024 * 1024;
