//! The root by which new signatures are judged.

use std::sync::{Mutex, MutexGuard, PoisonError};

use signet_crypto::PublicKey;
use signet_services::trust::Home;
use signet_verify::TrustSnapshot;

use crate::pinned;

/// A root that was given, or the pinned one, which may have become older than the services that it leads to.
pub(super) struct Root(Mutex<State>);

struct State {
    snapshot: TrustSnapshot,
    /// The key that is judged by it, too.
    key: Option<PublicKey>,
    /// Where it is pinned, while there may be a newer one.
    may_be_old: Option<Home>,
}

impl Root {
    /// One that stays as it is.
    pub(super) fn given(snapshot: TrustSnapshot) -> Self {
        Self(Mutex::new(State { snapshot, key: None, may_be_old: None }))
    }

    /// What is pinned, as it is known here.
    pub(super) fn pinned(snapshot: TrustSnapshot, home: Home) -> Self {
        Self(Mutex::new(State { snapshot, key: None, may_be_old: Some(home) }))
    }

    /// The same, trusting a key besides.
    pub(super) fn and_key(self, key: &PublicKey) -> Self {
        self.state().key = Some(key.clone());
        self
    }

    /// What it says.
    pub(super) fn current(&self) -> TrustSnapshot {
        let state = self.state();
        state.snapshot.clone().with_keys(&state.key)
    }

    /// Follows what is pinned once more, for a service that may be newer than what was known of it: a log goes on in
    /// another shard at any time. Says whether there is anything newer; is done once.
    pub(super) async fn renew(&self) -> bool {
        let pinned = self.state().may_be_old.take();
        let Some(home) = pinned else { return false };
        // Where that fails, it is about the signature that was not good, not about this.
        let Ok(newer) = pinned::renewed(&home).await else { return false };
        self.state().snapshot = newer;
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
