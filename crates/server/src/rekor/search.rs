//! What entries can be found by, over HTTP; Rekor v2 has nothing of the kind.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use signet_crypto::Digest;
use signet_formats::{json, time};
use signet_services::log::{Hit, MAX_HITS, Next, Page, Query, SearchError, Searches};
use signet_services::oidc::FetchError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::ApiError;
use crate::answer::full;
use crate::outgoing::{Outgoing, document};

/// Whether the identities of what was found are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identities {
    /// As they stand in the certificates.
    Public,
    /// By a hash with a key that stays in the log's directory: who does not know an identity does not learn it here, and cannot
    /// find out whose hash it is by trying. The log itself tells it.
    Hashed,
}

/// The route of a search: `GET /api/v1/search`.
pub fn router(search: Searches, identities: Identities) -> Router {
    // Whoever searches makes work; tiles are read beside it.
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let find = async move |State(search): State<Searches>, RawQuery(query): RawQuery| {
        let found = match turn(&turns).await {
            Ok(turn) => find(search, identities, query.as_deref().unwrap_or_default(), turn).await,
            Err(crowded) => Err(crowded),
        };
        found.unwrap_or_else(ApiError::into_answer)
    };
    Router::new().route("/api/v1/search", get(find)).with_state(search)
}

/// The answer to a search.
#[derive(Debug, Deserialize, Serialize)]
pub struct Found {
    /// The entries, by rising index, those of the oldest shard first.
    pub entries: Vec<Entry>,
    /// The `from` that goes on, if there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The `shard` that goes with it.
    #[serde(default, rename = "nextShard", skip_serializing_if = "Option::is_none")]
    pub next_shard: Option<String>,
    /// How many entries of the log can be found.
    pub size: u64,
}

/// An entry that was found.
#[derive(Debug, Deserialize, Serialize)]
pub struct Entry {
    /// The name of the shard that has it.
    pub shard: String,
    /// Its index there.
    pub index: u64,
    /// The digests of what was signed.
    pub digests: Vec<Digest>,
    /// The SHA-256 of the keys.
    pub keys: Vec<Digest>,
    /// The subjects of the certificates, or `hmac-sha256:` and their hashes: the same for the same one.
    pub identities: Vec<String>,
    /// Who issued the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// When the certificate began, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

impl Found {
    /// What the index says, with each identity as it is shown.
    pub fn of(page: Page, shown: impl Fn(String) -> String) -> Self {
        let entries = page.hits.into_iter().map(|hit| Entry::of(hit, &shown)).collect();
        let (next_shard, next) = page.next.map(|Next { shard, from }| (shard, from)).unzip();
        Self { entries, next, next_shard, size: page.size }
    }
}

impl Entry {
    fn of(Hit { shard, index, facts }: Hit, shown: &dyn Fn(String) -> String) -> Self {
        Self {
            shard,
            index,
            digests: facts.digests,
            keys: facts.keys,
            identities: facts.identities.into_iter().map(shown).collect(),
            issuer: facts.issuer,
            time: facts.time.and_then(|seconds| time::format(seconds).ok()),
        }
    }
}

/// Asks the log at this URL.
pub async fn ask(url: &str, query: &Query) -> Result<Found, FetchError> {
    let url = format!("{}/api/v1/search?{}", url.trim_end_matches('/'), written(query));
    let answer = document(Outgoing::default().get(&url).await?, MAX_ANSWER).await?;
    json::parse(&answer, MAX_ANSWER).map_err(|error| FetchError(error.to_string()))
}

fn written(query: &Query) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let time = |seconds: &i64| time::format(*seconds).ok();
    let parts = [
        ("digest", query.digest.as_ref().map(ToString::to_string)),
        ("key", query.key.as_ref().map(ToString::to_string)),
        ("identity", query.identity.clone()),
        ("since", query.since.as_ref().and_then(time)),
        ("until", query.until.as_ref().and_then(time)),
        ("shard", query.shard.clone()),
        ("from", Some(query.from.to_string())),
        ("limit", Some(query.limit.clamp(1, MAX_HITS).to_string())),
    ];
    let given = parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))));
    given.collect::<Vec<_>>().join("&")
}

/// A turn at searching, unless others keep all of them for too long.
async fn turn(turns: &Arc<Semaphore>) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
    let turn = timeout(TURN_WITHIN, Arc::clone(turns).acquire_owned()).await;
    // It is never closed.
    turn.map(Result::ok).map_err(|_| ApiError::Crowded)
}

async fn find(
    search: Searches,
    identities: Identities,
    query: &str,
    turn: Option<OwnedSemaphorePermit>,
) -> Result<Response<Body>, ApiError> {
    let query = read(query).map_err(ApiError::Invalid)?;
    let searched = search.clone();
    let work = move || {
        // Ends with the work, which goes on when whoever asked has gone away.
        let _turn = turn;
        searched.find(&query)
    };
    let found = tokio::task::spawn_blocking(work).await;
    let page = found.map_err(|error| ApiError::Internal(error.to_string()))?;
    let page = page.map_err(|error| match error {
        SearchError::NoShard(_) => ApiError::Invalid(error.to_string()),
        error => ApiError::Internal(error.to_string()),
    })?;
    let document = serde_json::to_vec(&Found::of(page, |identity| match identities {
        Identities::Public => identity,
        Identities::Hashed => search.tag(&identity),
    }));
    let document = document.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(full(StatusCode::OK, "application/json", document))
}

/// Reads a query; what it does not know, or knows already, is refused.
fn read(query: &str) -> Result<Query, String> {
    let mut read = Query { limit: DEFAULT_HITS, ..Query::default() };
    let mut known: Vec<&str> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` has no value"))?;
        if known.contains(&name) {
            return Err(format!("`{name}` is given twice"));
        }
        known.push(name);
        // A `+` is one: people write addresses so, and no name that is looked for has a blank.
        let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("`{name}` is not UTF-8"))?;
        set(&mut read, name, &value)?;
    }
    Ok(read)
}

fn set(query: &mut Query, name: &str, value: &str) -> Result<(), String> {
    let wrong = |wanted: &str| format!("`{name}` is not {wanted}");
    let digest = || value.parse::<Digest>().map_err(|_| wrong("a digest such as `sha256:…`"));
    let number = || value.parse::<u64>().map_err(|_| wrong("a number"));
    match name {
        "digest" => query.digest = Some(digest()?),
        "key" => query.key = Some(digest()?),
        "identity" => query.identity = Some(value.to_owned()),
        "since" => query.since = Some(time::parse(value).map_err(|_| wrong("an RFC 3339 time"))?),
        "until" => query.until = Some(time::parse(value).map_err(|_| wrong("an RFC 3339 time"))?),
        "shard" => query.shard = Some(value.to_owned()),
        "from" => query.from = number()?,
        "limit" => {
            let limit = usize::try_from(number()?).unwrap_or(usize::MAX);
            query.limit = Some(limit)
                .filter(|limit| (1..=MAX_HITS).contains(limit))
                .ok_or_else(|| wrong(&format!("from 1 to {MAX_HITS}")))?;
        }
        _ => return Err(format!("there is no parameter `{name}`")),
    }
    Ok(())
}

/// How many searches are made at once; others wait, and not for long: each of them has one of the connections.
const AT_ONCE: usize = 2;
const TURN_WITHIN: Duration = Duration::from_secs(5);
const DEFAULT_HITS: usize = 100;
/// A page of entries with some names each.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_other_searches_for_long_is_told_to_come_again() {
        let turns = Arc::new(Semaphore::new(1));
        let first = turn(&turns).await.unwrap();
        let refused = turn(&turns).await.unwrap_err().into_answer();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key(http::header::RETRY_AFTER));
        drop(first);
        assert!(turn(&turns).await.is_ok());
    }

    #[test]
    fn an_address_with_a_plus_is_taken_as_it_is_written() {
        for written in ["ci+bot@example.org", "ci%2Bbot@example.org", "ci%2bbot%40example.org"] {
            let query = read(&format!("identity={written}")).unwrap();
            assert_eq!(query.identity.as_deref(), Some("ci+bot@example.org"));
        }
    }
}
