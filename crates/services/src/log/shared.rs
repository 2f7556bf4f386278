//! What the writer of a log and all its readers share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use signet_store::DataDir;
use tokio::sync::watch;

use super::chunk::Layout;
use super::identity::Identity;
use super::read::Places;
use super::segments::Segments;
use super::tree::Tree;
use super::{AddError, Counters, Form, Head, Limits, LogSigner, Witnesses};

/// What the writer and all readers share.
pub(super) struct Shared {
    /// Held for its lock.
    pub(super) dir: DataDir,
    pub(super) layout: Layout,
    pub(super) limits: Limits,
    pub(super) form: Form,
    pub(super) identity: Identity,
    pub(super) signer: LogSigner,
    pub(super) tree: RwLock<Tree>,
    pub(super) places: RwLock<Places>,
    pub(super) segments: RwLock<Segments>,
    pub(super) head: RwLock<Arc<Head>>,
    pub(super) witnesses: Option<Arc<Witnesses>>,
    /// Whether something is durable that is not published.
    pub(super) behind: AtomicBool,
    /// Whether witnesses have to say first that they have seen nothing newer.
    pub(super) doubted: AtomicBool,
    pub(super) frozen: AtomicBool,
    pub(super) closing: watch::Sender<bool>,
    pub(super) failure: OnceLock<String>,
    pub(super) counters: Counters,
}

impl Shared {
    pub(super) fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the log is being shut down.
    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    pub(super) fn publish(&self, head: Head) -> Arc<Head> {
        let head = Arc::new(head);
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&head);
        head
    }

    /// Refuses what cannot be added, or not now.
    pub(super) fn admit(&self, entry: &Bytes) -> Result<(), AddError> {
        match entry.len() {
            0 => return Err(AddError::Empty),
            bytes if bytes > self.form.max_entry_bytes() => return Err(AddError::TooLong { bytes }),
            _ => {}
        }
        if self.frozen.load(Ordering::Acquire) {
            return Err(AddError::Frozen);
        }
        if self.failure.get().is_some() || self.is_closing() {
            return Err(self.ended());
        }
        match self.counters.queued_bytes.load(Ordering::Acquire) + entry.len() > self.limits.queue_bytes {
            true => Err(self.busy()),
            false => Ok(()),
        }
    }

    pub(super) fn busy(&self) -> AddError {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        AddError::Busy
    }

    pub(super) fn ended(&self) -> AddError {
        self.failure.get().map_or(AddError::Closed, |why| AddError::Failed(why.clone()))
    }

    /// Notes why writing ended; the first reason stays.
    pub(super) fn fail(&self, why: String) {
        tracing::error!(why, "the log has stopped writing");
        let _ = self.failure.set(why);
    }
}
