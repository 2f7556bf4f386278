//! The publisher while it is served: signs again what is due, and says early what only people can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signet_formats::time;
use signet_formats::tuf::Role;
use tracing::{error, info, warn};

use super::{Published, Publisher, PublisherError};
use crate::clock::Clock;

/// Keeps a repository fresh as long as it runs.
#[derive(Clone)]
pub struct Watch {
    publisher: Publisher,
    clock: Arc<dyn Clock>,
    fresh: Arc<AtomicBool>,
}

impl Watch {
    /// A watch over a repository, which is not looked at yet.
    pub fn new(publisher: Publisher, clock: Arc<dyn Clock>) -> Self {
        Self { publisher, clock, fresh: Arc::new(AtomicBool::new(false)) }
    }

    /// Whether all that is published may still be used, as far as was seen.
    pub fn is_fresh(&self) -> bool {
        self.fresh.load(Ordering::Acquire)
    }

    /// Looks once: signs again what is due.
    pub async fn look(&self) -> Result<Published, PublisherError> {
        let renewed = self.publisher.renew().await;
        // Somebody publishes at this moment, or what is due could not be signed; what was published may still serve.
        let published = match &renewed {
            Ok(published) => Ok(published.clone()),
            Err(_) => self.publisher.published(),
        };
        let now = self.clock.seconds();
        let fresh = published.as_ref().is_ok_and(|it| it.roles.iter().all(|(_, _, expires)| now < *expires));
        self.fresh.store(fresh, Ordering::Release);
        if let Ok(published) = &published {
            warn_of_root(published, now);
        }
        renewed
    }

    /// Looks again and again, for ever.
    pub async fn run(&self) {
        let mut last = None;
        loop {
            match self.look().await {
                Ok(published) if last.as_ref() != Some(&published) => {
                    info!(targets = published.targets.len(), "trust metadata signed");
                    last = Some(published);
                }
                Ok(_) => {}
                Err(error) => error!(%error, "trust metadata was not signed again"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
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
const DAY: i64 = 24 * 3_600;
/// Signers are people, who travel: sixty days.
const ALERT: i64 = 60 * DAY;
