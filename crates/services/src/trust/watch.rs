//! The publisher while it is served: signs again what is due, and says early what only people can do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use signet_formats::time;
use signet_formats::tuf::Role;
use signet_store::OpenError;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::{Published, Publisher, PublisherError, Target};
use crate::clock::Clock;

/// What was seen of a repository.
#[derive(Default)]
enum Seen {
    /// No root is published, or nobody has looked.
    #[default]
    Nothing,
    Published(Published),
    /// There is a root, and what follows from it cannot be read.
    Damaged,
}

/// Keeps a repository fresh, and its targets as they should be, as long as it runs. Clones are the same watch.
#[derive(Clone)]
pub struct Watch {
    publisher: Publisher,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    targets: Mutex<Vec<Target>>,
    /// Told when the targets are others.
    changed: Notify,
    /// Whether the root is of one key that is kept beside the repository.
    owns_root: AtomicBool,
    seen: Mutex<Seen>,
    failures: AtomicU64,
    /// Held by who looks.
    looking: tokio::sync::Mutex<()>,
}

impl Watch {
    /// A watch over a repository, which is not looked at yet. Its targets are left as they are.
    pub fn new(publisher: Publisher, clock: Arc<dyn Clock>) -> Self {
        Self { publisher, clock, shared: Arc::default() }
    }

    /// The publisher of the repository.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// From now on these are to be published: at the next look, which a running watch takes at once.
    pub fn set_targets(&self, targets: Vec<Target>) {
        *lock(&self.shared.targets) = targets;
        self.shared.changed.notify_one();
    }

    /// Publishes a root of one key, unless there is a root: see [`Publisher::own_root`]. Each look signs it again from now on if
    /// it is time.
    pub async fn own_root(&self) -> Result<(), PublisherError> {
        self.shared.owns_root.store(true, Ordering::Release);
        let targets = lock(&self.shared.targets).clone();
        self.publisher.own_root(&targets).await
    }

    /// What is published, as far as was seen; `None` while there is no root, or it cannot be read.
    pub fn published(&self) -> Option<Published> {
        match &*lock(&self.shared.seen) {
            Seen::Published(published) => Some(published.clone()),
            Seen::Nothing | Seen::Damaged => None,
        }
    }

    /// When each role ends, as far as was seen. What cannot be read may not be used any more: it has ended.
    pub fn ends(&self) -> Vec<(Role, i64)> {
        match &*lock(&self.shared.seen) {
            Seen::Nothing => Vec::new(),
            Seen::Published(published) => {
                published.roles.iter().map(|(role, _, end)| (*role, *end)).collect()
            }
            Seen::Damaged => vec![(Role::Timestamp, 0)],
        }
    }

    /// How often what was due could not be signed or published.
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Whether those who follow it are served what they may use; `None` while there is no root, which nobody can follow.
    pub fn is_serving(&self) -> Option<bool> {
        let begun = !matches!(*lock(&self.shared.seen), Seen::Nothing);
        begun.then(|| self.is_fresh())
    }

    /// Whether all that is published may still be used, as far as was seen.
    pub fn is_fresh(&self) -> bool {
        let now = self.clock.seconds();
        self.published().is_some_and(|it| it.roles.iter().all(|(_, _, expires)| now < *expires))
    }

    /// Looks once: signs again what is due, and publishes targets that have changed.
    pub fn look(&self) -> BoxFuture<'_, Result<Published, PublisherError>> {
        Box::pin(self.look_once())
    }

    async fn look_once(&self) -> Result<Published, PublisherError> {
        let _alone = self.shared.looking.lock().await;
        let targets = lock(&self.shared.targets).clone();
        let owned = match self.shared.owns_root.load(Ordering::Acquire) {
            true => self.publisher.own_root(&targets).await,
            false => Ok(()),
        };
        let kept = match owned {
            Ok(()) => self.publisher.keep(&targets).await,
            Err(error) => Err(error),
        };
        if kept.as_ref().is_err_and(|error| !is_passing(error)) {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
        }
        // Somebody publishes at this moment, or what is due could not be signed; what was published may still serve.
        let published = match &kept {
            Ok(published) => Ok(published.clone()),
            Err(_) => self.publisher.published(),
        };
        if let Ok(published) = &published {
            warn_of_root(published, self.clock.seconds());
        }
        self.shared.see(published);
        kept
    }

    /// Looks for the first time. Where what is due cannot be signed, because the key is out of reach or somebody publishes at this
    /// moment, what was published goes on to be served; whether it may be used is what readiness says.
    pub async fn begin(&self) -> Result<(), PublisherError> {
        match self.look().await {
            Err(error) if self.published().is_some() => tell(&error),
            looked => drop(looked?),
        }
        Ok(())
    }

    /// Looks again and again, for ever. `changed` is called whenever something else is published than before.
    pub async fn run(&self, changed: impl Fn() + Send + Sync) {
        let mut last = self.published();
        loop {
            let looked = self.look().await;
            let again = if looked.as_ref().is_err_and(is_passing) { SOON } else { AGAIN };
            match looked {
                Ok(published) if last.as_ref() != Some(&published) => {
                    info!(targets = published.targets.len(), "trust metadata signed");
                    last = Some(published);
                    changed();
                }
                // Until there is a root there is nothing to do.
                Ok(_) | Err(PublisherError::NoRoot) => {}
                Err(error) => tell(&error),
            }
            tokio::select! {
                () = tokio::time::sleep(again) => {}
                () = self.shared.changed.notified() => {}
            }
        }
    }
}

impl Shared {
    fn see(&self, published: Result<Published, PublisherError>) {
        let mut seen = lock(&self.seen);
        *seen = match (published, &*seen) {
            (Ok(published), _) => Seen::Published(published),
            (Err(PublisherError::NoRoot), Seen::Nothing) => Seen::Nothing,
            (Err(_), _) => Seen::Damaged,
        };
    }
}

fn tell(error: &PublisherError) {
    error!(%error, "trust metadata was not signed again");
}

/// Whether it is worth looking again soon: somebody is about to publish.
fn is_passing(error: &PublisherError) -> bool {
    matches!(error, PublisherError::NoRoot | PublisherError::Dir(OpenError::InUse { .. }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How urgent it is that a root is signed again.
pub fn root_alert(published: &Published, now: i64) -> Option<String> {
    let (_, version, expires) = published.roles.iter().find(|(role, _, _)| *role == Role::Root)?;
    let left = expires - now;
    (left < ALERT).then(|| {
        let until = time::format(*expires).unwrap_or_else(|_| expires.to_string());
        format!(
            "root version {version} expires at {until}: {} days are left to sign the next one",
            left / DAY
        )
    })
}

fn warn_of_root(published: &Published, now: i64) {
    if let Some(alert) = root_alert(published, now) {
        warn!("{alert}");
    }
}

const AGAIN: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(2);
const DAY: i64 = 24 * 3_600;
/// Signers are people, who travel: sixty days.
const ALERT: i64 = 60 * DAY;
