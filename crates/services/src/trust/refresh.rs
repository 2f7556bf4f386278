//! What is pinned is brought up to date before it is used: seldom, by one process for all, and briefly where what is
//! stored serves anyway.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use signet_store::fs::Disk;
use signet_verify::Code;

use super::{Current, Fetch, FetchError, FollowError, Home, HomeError, SourceFile};

impl Home {
    /// Follows the repository where that was long ago, or what is stored may not be used any more. While nothing can be
    /// had from it, what is stored serves as long as it may; what has to be said about that, if anything.
    pub async fn refresh(
        &self,
        fetch: &dyn Fetch,
        patience: Patience,
        at: i64,
    ) -> Result<Option<Outage>, HomeError> {
        let source = self.source()?;
        if source.url.is_none() {
            return Ok(None);
        }
        match self.current(at) {
            Ok(current) if source.is_due(at) => self.look(&current, fetch, patience, at).await,
            Ok(current) => Ok(source.pressing(&current, at)),
            Err(stale) => self.catch_up(&source, stale, fetch, patience, at).await.map(|()| None),
        }
    }

    /// Whether nothing is had from the repository, while what is stored serves.
    pub fn outage(&self, current: &Current, at: i64) -> Result<Option<Outage>, HomeError> {
        Ok(self.source()?.outage(current, at))
    }

    /// Looks for something newer than what serves anyway.
    async fn look(
        &self,
        current: &Current,
        fetch: &dyn Fetch,
        patience: Patience,
        at: i64,
    ) -> Result<Option<Outage>, HomeError> {
        let opened = self.open();
        let source = self.source()?;
        // Another process is looking, or has; or the directory is another user's, who does.
        let Some(dir) = opened.ok().filter(|_| source.is_due(at)) else {
            return Ok(source.pressing(current, at));
        };
        match within(patience.while_it_serves, &source, self.advance(dir.disk(), &source, fetch, at)).await {
            Err(error) if error.is_silence() => {
                let failed = self.note(dir.disk(), source, &error, at);
                Ok(failed.outage(current, at))
            }
            done => done.map(|()| None),
        }
    }

    /// Waits for who asks the repository already, and takes what that brought; asks if nobody has.
    async fn catch_up(
        &self,
        before: &SourceFile,
        stale: HomeError,
        fetch: &dyn Fetch,
        patience: Patience,
        at: i64,
    ) -> Result<(), HomeError> {
        // What this user cannot change is as it is.
        let Ok(dir) = self.open_in_turn().await else { return Err(stale) };
        if self.current(at).is_ok() {
            return Ok(());
        }
        let source = self.source()?;
        if let Some(failure) = source.failed.clone().filter(|failed| before.failed.as_ref() != Some(failed)) {
            return Err(HomeError::Stale { stale: Box::new(stale), failure });
        }
        match within(patience.for_anything, &source, self.advance(dir.disk(), &source, fetch, at)).await {
            Err(error) if error.is_silence() => match self.note(dir.disk(), source, &error, at).failed {
                Some(failure) => Err(HomeError::Stale { stale: Box::new(stale), failure }),
                None => Err(error),
            },
            done => done,
        }
    }

    /// Notes that nothing was had, so that nobody asks again soon.
    fn note(&self, disk: &Disk, source: SourceFile, error: &HomeError, at: i64) -> SourceFile {
        let since = source.failed.as_ref().map_or(at, |failed| failed.since);
        let failed = Some(Failure { since, last: at, why: error.to_string() });
        let source = SourceFile { failed, ..source };
        // Where that cannot be written the next one asks too, which is all that is lost.
        let _ = self.write_source(disk, &source);
        source
    }
}

/// How long a repository is waited for that says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// While what is stored serves: many verifications may stand in a row.
    pub while_it_serves: Duration,
    /// While there is nothing else to go by.
    pub for_anything: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { while_it_serves: Duration::from_secs(3), for_anything: Duration::from_secs(20) }
    }
}

/// Nothing is had from the repository, and what is stored serves yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when, and why.
    pub failure: Failure,
    /// Until when what is stored serves.
    pub until: i64,
}

/// Tries to follow a repository, of which none brought anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// When the first was, in Unix time.
    pub since: i64,
    /// When the last was.
    pub last: i64,
    /// Why that one brought nothing.
    pub why: String,
}

impl SourceFile {
    /// Whether it is time to look for something newer.
    fn is_due(&self, at: i64) -> bool {
        let lately = |then: Option<i64>, time| then.is_some_and(|then| (0..time).contains(&(at - then)));
        !lately(self.updated, LOOK_AFTER) && !lately(self.failed.as_ref().map(|it| it.last), AGAIN_AFTER)
    }

    fn outage(&self, current: &Current, at: i64) -> Option<Outage> {
        let until = current.roles().into_iter().map(|(_, _, expires)| expires).min()?;
        let failure = self.failed.clone()?;
        (at < until).then_some(Outage { failure, until })
    }

    /// The outage, once less than half of the time is left that there was when something was had last.
    fn pressing(&self, current: &Current, at: i64) -> Option<Outage> {
        let had = self.updated?;
        self.outage(current, at).filter(|outage| outage.until - at < at - had)
    }
}

impl HomeError {
    /// Whether nothing was had that would be worse than nothing: no answer, or one that is out of date. What is not to
    /// be believed is not passed over.
    fn is_silence(&self) -> bool {
        match self {
            Self::Client(FollowError::Refused(refusal)) => {
                matches!(refusal.code(), Code::TrustExpired | Code::TrustMissing)
            }
            Self::Client(error) => matches!(
                error,
                FollowError::Io(_) | FollowError::Unreachable { .. } | FollowError::NoTarget { .. }
            ),
            Self::Io(_) => true,
            _ => false,
        }
    }
}

/// Does it within that time, or takes it that the repository does not answer.
async fn within(
    time: Duration,
    source: &SourceFile,
    following: impl Future<Output = Result<(), HomeError>>,
) -> Result<(), HomeError> {
    let timed = tokio::time::timeout(time, following).await;
    timed.unwrap_or_else(|_| {
        let error = FetchError::Silent(format!("no complete answer within {} s", time.as_secs()));
        Err(FollowError::Unreachable { url: source.url.clone().unwrap_or_default(), error }.into())
    })
}

/// A day, as Sigstore's clients have it.
const LOOK_AFTER: i64 = 24 * 3_600;
/// After a try that brought nothing.
const AGAIN_AFTER: i64 = 10 * 60;
