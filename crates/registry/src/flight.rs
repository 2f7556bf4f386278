//! Doing the same fetch once, and many fetches side by side.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use tokio::sync::OnceCell;

use crate::Result;

/// Runs `work` on every item, at most `width` at once, and returns the results in the items' order.
pub async fn parallel<I, T, F>(items: Vec<I>, width: usize, work: impl Fn(I) -> F) -> Vec<T>
where
    F: Future<Output = T>,
{
    futures_util::stream::iter(items).map(work).buffered(width.max(1)).collect().await
}

/// Fetches under way, so that a second caller for the same thing waits for the first.
pub(crate) struct Flights<K, V> {
    running: Mutex<HashMap<K, Flight<V>>>,
}

type Flight<V> = Arc<OnceCell<Result<V>>>;

impl<K: Eq + Hash + Clone, V: Clone> Flights<K, V> {
    pub(crate) fn new() -> Self {
        Self { running: Mutex::new(HashMap::new()) }
    }

    /// Runs `fetch` for `key`, or waits for the one that runs; a failure is shared like a success.
    pub(crate) async fn run<F>(&self, key: K, fetch: impl FnOnce() -> F) -> Result<V>
    where
        F: Future<Output = Result<V>>,
    {
        let flight = Arc::clone(self.lock().entry(key.clone()).or_default());
        flight.get_or_init(fetch).await;
        self.land(&key, &flight);
        match Arc::try_unwrap(flight) {
            // Nobody else waits: what was fetched is handed over and not copied.
            Ok(alone) => alone.into_inner(),
            Err(shared) => shared.get().cloned(),
        }
        .expect("it was fetched above")
    }

    /// Takes a flight that has ended off the list; a later one for the same thing stays.
    fn land(&self, key: &K, flight: &Flight<V>) {
        let mut running = self.lock();
        if running.get(key).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            running.remove(key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Flight<V>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_same_key_at_once_is_fetched_once() {
        let (flights, fetched) = (Flights::new(), AtomicUsize::new(0));
        let fetch = || async {
            tokio::task::yield_now().await;
            Ok(fetched.fetch_add(1, Ordering::SeqCst))
        };
        let (a, b) = tokio::join!(flights.run("k", fetch), flights.run("k", fetch));
        assert_eq!((a, b), (Ok(0), Ok(0)));
        assert_eq!(flights.run("k", fetch).await, Ok(1), "a finished fetch is not kept");
    }

    #[tokio::test]
    async fn parallel_keeps_order_and_width() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let out = parallel((0..20).collect(), 3, |i| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                i
            }
        })
        .await;
        assert_eq!(out, (0..20).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }
}
