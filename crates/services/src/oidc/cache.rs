//! What is known of the keys of issuers, and when it may be asked for.
//!
//! Issuers that the configuration names are kept for good. Those that only match a pattern of it are named by whoever
//! sends a token, true or not: of them a bounded number is kept, and they are met at a bounded pace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signet_formats::jwt::Jwt;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};

use super::TokenError;
use super::config::Issuer;
use super::keys::{KeySet, unknown_key, verdict};
use crate::limit::{Limiter, Rate};

/// All issuers.
pub(super) struct Cache {
    named: Mutex<HashMap<String, Arc<Entry>>>,
    matched: Mutex<HashMap<String, Arc<Entry>>>,
    /// How many issuers may be met at a time.
    meeting: Arc<Semaphore>,
    /// How many may be met in a time.
    pace: Limiter,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            named: Mutex::default(),
            matched: Mutex::default(),
            meeting: Arc::new(Semaphore::new(MAX_MEETING)),
            pace: Limiter::new(MEETING_PACE),
        }
    }

    pub(super) fn entry(&self, issuer: &Issuer, now: Duration) -> Arc<Entry> {
        let entries = if issuer.is_matched { &self.matched } else { &self.named };
        let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
        if issuer.is_matched && entries.len() >= MAX_MATCHED && !entries.contains_key(&issuer.url) {
            // One without keys first, who may be nobody; else the one that was not asked about for longest.
            let least = entries.iter().min_by_key(|(_, entry)| entry.worth()).map(|(url, _)| url.clone());
            least.and_then(|url| entries.remove(&url));
        }
        let new = || Arc::new(Entry { is_matched: issuer.is_matched, ..Entry::default() });
        let entry = Arc::clone(entries.entry(issuer.url.clone()).or_insert_with(new));
        entry.lock().used = now;
        entry
    }

    /// Leave to fetch the keys of the issuer, which one needs that is not named and whose keys are not known.
    pub(super) fn permit(
        &self,
        entry: &Entry,
        issuer: &str,
        now: Duration,
    ) -> Result<Option<OwnedSemaphorePermit>, TokenError> {
        if !entry.is_matched || entry.lock().keys.is_some() {
            return Ok(None);
        }
        let permit = Arc::clone(&self.meeting).try_acquire_owned().ok();
        let permit = permit.filter(|_| self.pace.take("", now).is_ok());
        permit.map(Some).ok_or_else(|| {
            entry.lock().tried = None;
            let why = "too many issuers are asked for their keys; try again in a minute".to_owned();
            TokenError::KeysUnavailable { issuer: issuer.to_owned(), why }
        })
    }
}

/// One issuer.
#[derive(Default)]
pub(super) struct Entry {
    is_matched: bool,
    known: Mutex<Known>,
    fetching: Arc<AsyncMutex<()>>,
}

/// What is known of one issuer's keys. Times are of the steady clock.
#[derive(Default)]
struct Known {
    keys: Option<(Arc<KeySet>, Duration)>,
    /// When the last attempt began.
    tried: Option<Duration>,
    /// What went wrong in the last one.
    failed: Option<String>,
    /// When a token of it came last.
    used: Duration,
}

impl Entry {
    /// Held by whoever fetches.
    pub(super) fn fetching(&self) -> &Arc<AsyncMutex<()>> {
        &self.fetching
    }

    /// What the keys say if they are younger than `age`; `None` if none of them can be the token's.
    pub(super) fn verdict(&self, jwt: &Jwt, age: Duration, now: Duration) -> Option<Result<(), TokenError>> {
        let keys = self.lock().younger_than(age, now)?;
        verdict(&keys, jwt)
    }

    /// Whether it is time to fetch keys again that are still good.
    pub(super) fn begins_refresh(&self, now: Duration) -> bool {
        let mut known = self.lock();
        known.younger_than(REFRESH_AFTER, now).is_none() && known.begins(now)
    }

    /// Whether keys may be fetched now for a token that none is known for.
    pub(super) fn begins_fetch(&self, now: Duration) -> bool {
        self.lock().begins(now)
    }

    /// What a fetch that began at `now` has brought.
    pub(super) fn fetched(&self, keys: Result<KeySet, String>, now: Duration) {
        let mut known = self.lock();
        match keys {
            Ok(keys) => {
                known.keys = Some((Arc::new(keys), now));
                known.failed = None;
            }
            Err(why) => known.failed = Some(why),
        }
    }

    /// Why there is no key for the token.
    pub(super) fn without_key(&self, issuer: &str, jwt: &Jwt, now: Duration) -> TokenError {
        let known = self.lock();
        let why = match (&known.failed, known.younger_than(USABLE_FOR, now)) {
            (None, Some(_)) => return unknown_key(jwt),
            (None, None) => "they are too old".to_owned(),
            // Also where old ones are known: the token's may be a new one.
            (Some(why), _) => why.clone(),
        };
        TokenError::KeysUnavailable { issuer: issuer.to_owned(), why }
    }

    fn worth(&self) -> (bool, Duration) {
        let known = self.lock();
        (known.keys.is_some(), known.used)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
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

/// How long keys are used before they are fetched again beside.
const REFRESH_AFTER: Duration = Duration::from_secs(30 * 60);
/// How long they are used before they have to be fetched again.
pub(super) const FRESH_FOR: Duration = Duration::from_secs(60 * 60);
/// How long they are used while they cannot be fetched again.
pub(super) const USABLE_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after an attempt the next one may be made.
const REFETCH_AFTER: Duration = Duration::from_secs(15);
/// The most issuers that are kept because they match a pattern.
pub const MAX_MATCHED: usize = 256;
/// The most of them that are asked at a time for their first keys.
const MAX_MEETING: usize = 16;
/// And how often that may happen.
const MEETING_PACE: Rate = Rate { count: 120, per: Duration::from_secs(60) };
