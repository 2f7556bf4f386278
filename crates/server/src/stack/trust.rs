//! The repository of trust in a stack: what clients are given, for those who follow it.

use std::sync::Arc;

use signet_services::clock::Clock;
use signet_services::trust::{Periods, Publisher, PublisherError, Watch};
use signet_store::DataDir;

use super::StackError;

/// The repository in the stack's directory, in which nothing is published before there is a root.
pub(super) fn open(root: &DataDir, clock: &Arc<dyn Clock>) -> Result<Watch, StackError> {
    let publisher = Publisher::new(&root.path().join(DIR), Periods::default(), Arc::clone(clock))?;
    Ok(Watch::new(publisher, Arc::clone(clock)))
}

/// Publishes what the repository was told to. In development there is a root of our own; else people make it when they like
/// (`signet trust create`), and until then nothing is published.
pub(super) async fn begin(watch: &Watch, dev: bool) -> Result<(), StackError> {
    if dev {
        watch.own_root().await?;
    }
    match watch.begin().await {
        Ok(()) | Err(PublisherError::NoRoot) => Ok(()),
        // A stack does not stand still because its repository is damaged.
        Err(error) => {
            tracing::error!(%error, "trust metadata was not signed again");
            Ok(())
        }
    }
}

/// Below the stack's directory; `signet trust` works on it.
pub(super) const DIR: &str = "trust";
