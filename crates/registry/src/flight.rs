//! Doing the same fetch once, and many fetches side by side.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::Result;

/// Runs `work` on every item, at most `width` at once, and returns the results in the items' order.
pub async fn parallel<I, T, F>(items: Vec<I>, width: usize, work: impl Fn(I) -> F) -> Vec<T>
where
    F: Future<Output = T>,
{
    futures_util::stream::iter(items).map(work).buffered(width.max(1)).collect().await
}

/// As [`parallel`], by two threads where there are many items and a command has this thread alone: its own side of so
/// many requests takes longer than the registry's. A service has other work for its other threads.
pub async fn spread<I, T, F>(
    mut items: Vec<I>,
    width: usize,
    work: impl Fn(I) -> F + Clone + Send + 'static,
) -> Vec<T>
where
    I: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T>,
{
    let alone = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    if !alone || items.len() < WORTH_A_THREAD {
        return parallel(items, width, work).await;
    }
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return parallel(items, width, work).await;
    };
    let (rest, width) = (items.split_off(items.len() / 2), width.div_ceil(2));
    let there = {
        let work = work.clone();
        spawn_blocking(move || runtime.block_on(parallel(rest, width, work)))
    };
    let mut results = parallel(items, width, work).await;
    match there.await {
        Ok(rest) => results.extend(rest),
        // It was not cancelled, for nobody else knows of it.
        Err(error) => resume_unwind(error.into_panic()),
    }
    results
}

/// With fewer items, starting a thread and connections for it costs more than it saves.
const WORTH_A_THREAD: usize = 32;

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
        let outcome = flight.get_or_init(fetch).await.clone();
        let mut running = self.lock();
        if running.get(&key).is_some_and(|current| Arc::ptr_eq(current, &flight)) {
            running.remove(&key);
        }
        outcome
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
    async fn many_items_are_spread_over_two_threads_in_their_order() {
        let threads_of = async |count: usize| {
            let on_thread = |i: usize| async move { (i, std::thread::current().id()) };
            let out = spread((0..count).collect(), 4, on_thread).await;
            assert!(out.iter().map(|(i, _)| *i).eq(0..count));
            out.into_iter().map(|(_, thread)| thread).collect::<std::collections::HashSet<_>>().len()
        };
        assert_eq!(threads_of(WORTH_A_THREAD - 1).await, 1);
        assert_eq!(threads_of(WORTH_A_THREAD).await, 2);
    }

    #[tokio::test]
    #[should_panic = "item 40"]
    async fn a_panic_on_the_other_thread_is_not_lost() {
        spread((0..50).collect(), 4, |i: usize| async move { assert_ne!(i, 40, "item {i}") }).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_service_spreads_nothing() {
        let here = std::thread::current().id();
        let on_thread = move |_| async move { std::thread::current().id() == here };
        assert!(spread((0..100).collect(), 4, on_thread).await.into_iter().all(|same| same));
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
