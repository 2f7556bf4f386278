//! A bounded cache in memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps what was used last, up to a total weight.
///
/// Two generations: when the young one is half of the capacity it becomes the old one, and what the
/// old one had is forgotten unless it was used meanwhile. Each access is one or two hash lookups.
pub(super) struct Cache<K, V> {
    half: usize,
    generations: Mutex<Generations<K, V>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache of at most `capacity`, in the unit of the weights given to [`Cache::insert`].
    pub(super) fn new(capacity: usize) -> Self {
        let generations = Generations { young: HashMap::new(), weight: 0, old: HashMap::new() };
        Self { half: capacity / 2, generations: Mutex::new(generations) }
    }

    pub(super) fn lookup(&self, key: &K) -> Option<V> {
        let mut generations = self.locked();
        if let Some((value, _)) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (value, weight) = generations.old.remove(key)?;
        generations.insert(key.clone(), value.clone(), weight, self.half);
        Some(value)
    }

    pub(super) fn insert(&self, key: K, value: V, weight: usize) {
        let mut generations = self.locked();
        generations.remove(&key);
        if weight <= self.half {
            generations.insert(key, value, weight, self.half);
        }
    }

    pub(super) fn remove(&self, key: &K) {
        self.locked().remove(key);
    }

    fn locked(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    weight: usize,
    old: HashMap<K, (V, usize)>,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn insert(&mut self, key: K, value: V, weight: usize, half: usize) {
        if self.weight + weight > half {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, (value, weight));
    }

    fn remove(&mut self, key: &K) {
        self.old.remove(key);
        if let Some((_, weight)) = self.young.remove(key) {
            self.weight -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_weighs_more_than_its_capacity_and_keeps_what_is_used() {
        let cache = Cache::new(100);
        cache.insert("hot", 0, 10);
        for i in 0..1000 {
            cache.insert(Box::leak(format!("{i}").into_boxed_str()), i, 10);
            assert_eq!(cache.lookup(&"hot"), Some(0));
            let held = cache.locked();
            assert!((held.young.len() + held.old.len()) * 10 <= 100);
        }
        assert_eq!(cache.lookup(&"0"), None);
    }

    #[test]
    fn what_is_removed_or_too_heavy_is_gone() {
        let cache = Cache::new(100);
        cache.insert("a", 1, 10);
        cache.remove(&"a");
        cache.insert("b", 1, 10);
        cache.insert("b", 2, 51);
        assert_eq!((cache.lookup(&"a"), cache.lookup(&"b")), (None, None));
    }
}
