//! A bounded queue for several threads, each of which takes several items at a time.
//!
//! Those of the standard library are for one taker; behind a lock, one taker that waits keeps the others waiting for the lock.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Items that wait to be taken, in order.
pub(super) struct Queue<T> {
    limit: usize,
    state: Mutex<State<T>>,
    arrived: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// How many takers wait and were not woken. To wake nobody would cost as much as to wake one.
    idle: usize,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// In which at most so many wait.
    pub(super) fn new(limit: usize) -> Self {
        let state = State { items: VecDeque::new(), idle: 0, is_closed: false };
        Self { limit, state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Adds an item; `None` if there is no room for it.
    pub(super) fn push(&self, item: T) -> Option<()> {
        let mut state = self.lock();
        if state.items.len() == self.limit {
            return None;
        }
        state.items.push_back(item);
        if state.idle > 0 {
            state.idle -= 1;
            self.arrived.notify_one();
        }
        Some(())
    }

    /// Waits for items and moves up to so many into `taken`. Whether there were any: there are none once it is closed.
    pub(super) fn take(&self, most: usize, taken: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        while state.items.is_empty() && !state.is_closed {
            state.idle += 1;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = most.min(state.items.len());
        taken.extend(state.items.drain(..count));
        count > 0
    }

    /// Lets the takers end when nothing waits any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn each_item_is_taken_once_and_takers_end_with_the_queue() {
        let queue = Queue::new(usize::MAX);
        let taker = || {
            let mut all = Vec::new();
            while queue.take(3, &mut all) {}
            all
        };
        let mut taken = thread::scope(|threads| {
            let takers = [threads.spawn(taker), threads.spawn(taker)];
            (0..1_000).for_each(|item| queue.push(item).unwrap());
            queue.close();
            takers.map(|taker| taker.join().unwrap()).concat()
        });
        taken.sort_unstable();
        assert_eq!(taken, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_has_no_room_is_refused_until_there_is() {
        let (queue, mut taken) = (Queue::new(2), Vec::new());
        assert_eq!([1, 2, 3].map(|item| queue.push(item)), [Some(()), Some(()), None]);
        assert!(queue.take(1, &mut taken));
        assert_eq!((queue.push(4), taken), (Some(()), vec![1]));
    }
}
