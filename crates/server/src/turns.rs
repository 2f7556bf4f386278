//! Turns at scarce work: nobody waits behind all that one other has asked for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// So many turns at once, and fewer for each of those who ask: the others wait among themselves, before they wait for
/// everybody's.
#[derive(Debug)]
pub struct Turns<K> {
    all: Semaphore,
    each: usize,
    /// One for everybody who has a turn or waits for one.
    own: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// At most `all` turns at once, and `each` for one who asks.
    pub fn new(all: usize, each: usize) -> Self {
        Self { all: Semaphore::new(all), each, own: Mutex::default() }
    }

    /// Waits for a turn of `whose`. It lasts as long as what is returned.
    pub async fn take(&self, whose: &K) -> Turn<'_> {
        // Acquiring fails only once a semaphore is closed, which none of these is.
        let own = self.of(whose).acquire_owned().await.ok();
        Turn { _any: self.all.acquire().await.ok(), _own: own }
    }

    fn of(&self, whose: &K) -> Arc<Semaphore> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|_, turns| turns.strong_count() > 0);
        own.get(whose).and_then(Weak::upgrade).unwrap_or_else(|| {
            let turns = Arc::new(Semaphore::new(self.each));
            own.insert(whose.clone(), Arc::downgrade(&turns));
            turns
        })
    }
}

/// One turn.
#[derive(Debug)]
pub struct Turn<'a> {
    _any: Option<SemaphorePermit<'a>>,
    _own: Option<OwnedSemaphorePermit>,
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// The one that is there, if it need not be waited for.
    fn now<'a>(turns: &'a Turns<&str>, whose: &'static str) -> Option<Turn<'a>> {
        async move { turns.take(&whose).await }.now_or_never()
    }

    #[test]
    fn who_asks_for_many_turns_keeps_nobody_else_waiting() {
        let turns = Turns::new(3, 2);
        let busy = [now(&turns, "busy"), now(&turns, "busy")];
        assert!(busy.iter().all(Option::is_some) && now(&turns, "busy").is_none());
        let other = now(&turns, "other");
        assert!(other.is_some());
        assert!(now(&turns, "third").is_none(), "there are three in all");
        drop(busy);
        assert!(now(&turns, "third").is_some() && now(&turns, "busy").is_some());
    }

    #[test]
    fn who_waits_for_nothing_is_forgotten() {
        let turns = Turns::new(1, 1);
        drop(now(&turns, "first"));
        drop(now(&turns, "second"));
        assert_eq!(turns.own.lock().unwrap().len(), 1);
    }
}
