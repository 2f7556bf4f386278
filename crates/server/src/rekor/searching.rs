//! A search that follows its log while that is served.

use std::io;
use std::time::Duration;

use axum::Router;
use signet_services::log::{Log, Searches, Shards};

use super::search::{Identities, router};

/// The search of a log, and what it tells of identities. Clones are the same one.
#[derive(Clone)]
pub struct Searching {
    searches: Searches,
    identities: Identities,
}

impl Searching {
    /// Over all shards. Reads the disk.
    pub fn open(shards: &Shards, identities: Identities) -> io::Result<Self> {
        Ok(Self { searches: Searches::open(shards.all())?, identities })
    }

    /// The route of it: `GET /api/v1/search`.
    pub fn router(&self) -> Router {
        router(self.searches.clone(), self.identities)
    }

    /// Takes in what the log has published, as long as it is polled.
    pub async fn follow(self) {
        loop {
            let searches = self.searches.clone();
            match tokio::task::spawn_blocking(move || searches.follow()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => tokio::time::sleep(FOLLOW_EVERY).await,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the search does not follow the log");
                    tokio::time::sleep(FOLLOW_EVERY).await;
                }
                Err(_) => return,
            }
        }
    }

    /// Searches a new shard, too, from now on.
    pub fn add(&self, shard: &Log) {
        if let Err(error) = self.searches.add(shard.clone()) {
            tracing::error!(%error, "the search does not follow the new shard");
        }
    }
}

const FOLLOW_EVERY: Duration = Duration::from_secs(1);
