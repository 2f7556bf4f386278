//! What the clients of one address share, and how long one of them may keep it from the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    /// Of the connection that a task serves.
    static OWN: Crowd;
}

/// All who are connected to an address: its slots, and the room for what they send. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    connections: usize,
    slots: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

impl Crowd {
    /// One of at most so many connections.
    pub(super) fn of(connections: usize) -> Self {
        let slots = Arc::new(Semaphore::new(connections));
        Self { connections, slots, room: Arc::new(Semaphore::new(ROOM)) }
    }

    /// Serves one of its connections.
    pub(super) fn around<F: Future>(&self, connection: F) -> TaskLocalFuture<Self, F> {
        OWN.scope(self.clone(), connection)
    }

    /// The one whose connection this task serves; of its own if it serves none.
    pub(crate) fn here() -> Self {
        OWN.try_with(Self::clone).unwrap_or_else(|_| Self::of(1))
    }

    /// Waits for a slot.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Room for so many bytes; `None` if others have it.
    pub(super) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }

    /// For how long one client may be waited for. Where half of the slots are taken there is little patience: those who do
    /// not get on would soon have the rest.
    pub(crate) fn patience(&self, otherwise: Duration) -> Duration {
        if self.is_large() { HURRIED.min(otherwise) } else { otherwise }
    }

    /// Whether more than half of the slots are taken.
    pub(super) fn is_large(&self) -> bool {
        self.slots.available_permits() < self.connections / 2
    }
}

/// Bytes of bodies that are received whole, of all together, beyond the first few of each.
pub(super) const ROOM: usize = 32 << 20;
const HURRIED: Duration = Duration::from_secs(2);
