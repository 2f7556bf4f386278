//! What a running registry does by itself.

use std::sync::Arc;
use std::time::Duration;

use signet_crypto::Digest;
use signet_store::registry::GcOptions;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::service::Service;

/// When a running registry collects its garbage.
#[derive(Clone, Copy, Debug)]
pub struct GarbageCollection {
    /// How long it waits before each time.
    pub every: Duration,
    /// What is younger is kept. Longer than any push takes.
    pub grace: Duration,
}

impl GarbageCollection {
    /// Every so often, with the usual grace.
    pub fn every(every: Duration) -> Self {
        Self { every, grace: GcOptions::default().grace }
    }
}

/// All that is done beside answering requests; it never ends.
pub(super) struct Housekeeping {
    pub(super) service: Arc<Service>,
    pub(super) upload_age: Duration,
    pub(super) garbage: Option<GarbageCollection>,
}

impl Housekeeping {
    pub(super) async fn run(self) {
        tokio::join!(self.forget_uploads(), self.scrub(), self.collect_garbage(), self.follow_users());
    }

    async fn forget_uploads(&self) {
        loop {
            if let Err(error) = self.service.store.expire_uploads(self.upload_age).await {
                error!(%error, "old uploads could not be removed");
            }
            sleep(FORGET_EVERY).await;
        }
    }

    /// Reads all content again and again for damage.
    async fn scrub(&self) {
        let damaged =
            |digest: Digest| error!(%digest, "stored content is damaged and set aside: push it again");
        loop {
            sleep(SCRUB_EVERY).await;
            if let Err(error) = self.service.store.scrub(SCRUB_REST, &damaged).await {
                error!(%error, "stored content could not be checked");
            }
        }
    }

    async fn collect_garbage(&self) {
        let Some(GarbageCollection { every, grace }) = self.garbage else { return };
        let options = GcOptions { grace, uploads: self.upload_age, ..GcOptions::default() };
        loop {
            sleep(every).await;
            match self.service.store.collect_garbage(options).await {
                Ok(report) => {
                    let (manifests, blobs) = (report.manifests.len(), report.blobs.len());
                    info!(manifests, blobs, bytes = report.bytes, "garbage collected");
                    for repository in &report.damaged {
                        warn!(%repository, "left alone: a manifest or tag in it is damaged; run `signet fsck`");
                    }
                }
                Err(error) => error!(%error, "garbage could not be collected"),
            }
        }
    }

    /// Takes over users and rights that were changed.
    async fn follow_users(&self) {
        loop {
            sleep(USERS_EVERY).await;
            let service = Arc::clone(&self.service);
            let followed = tokio::task::spawn_blocking(move || service.authenticator.follow()).await;
            if let Ok(Some(problems)) = followed {
                info!("users and rights were read again");
                problems.iter().for_each(|problem| error!(problem, "users and rights have a mistake"));
                self.warn_of_a_gate_for_nobody();
            }
        }
    }

    fn warn_of_a_gate_for_nobody(&self) {
        let service = &self.service;
        if service.gate.is_some() && !service.authenticator.lets_somebody_only_pull() {
            warn!("whoever may pull may push too now: no pull is decided by the policy");
        }
    }
}

const FORGET_EVERY: Duration = Duration::from_secs(5 * 60);
const SCRUB_EVERY: Duration = Duration::from_secs(60 * 60);
/// A tenth of the time is spent reading.
const SCRUB_REST: u32 = 9;
const USERS_EVERY: Duration = Duration::from_secs(1);
