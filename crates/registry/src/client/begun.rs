//! An upload that a registry keeps open for us.

use std::time::Duration;

use http::Method;
use reqwest::Url;
use signet_formats::oci::Repository;

use super::Client;
use super::call::{Access, Call};

/// An upload that was begun. One that is given up, be it by Ctrl-C, is cancelled: registries keep those that nobody
/// finishes for a day and more, and count them.
pub(super) struct Begun {
    client: Client,
    repository: Repository,
    /// Where it goes on.
    pub(super) at: Url,
    ended: bool,
}

impl Begun {
    pub(super) fn new(client: &Client, repository: &Repository, at: Url) -> Self {
        Self { client: client.clone(), repository: repository.clone(), at, ended: false }
    }

    /// It became a blob.
    pub(super) fn finished(mut self) {
        self.ended = true;
    }

    /// Gives it up.
    pub(super) async fn cancel(mut self) {
        self.ended = true;
        cancel(self.client.clone(), self.repository.clone(), self.at.clone()).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(cancel(self.client.clone(), self.repository.clone(), self.at.clone()));
        }
    }
}

/// Tells the registry itself; storage elsewhere that it named knows nothing of uploads. If it fails, the registry forgets
/// the upload when it does.
async fn cancel(client: Client, repository: Repository, at: Url) {
    let call = Call::new(Method::DELETE, at, &repository, Access::Push, format!("an upload to {repository}"));
    if client.transport().is_registry(&call, &call.url) {
        let _ = tokio::time::timeout(CANCEL_WITHIN, client.transport().send(&call, 0)).await;
    }
}

const CANCEL_WITHIN: Duration = Duration::from_secs(5);
