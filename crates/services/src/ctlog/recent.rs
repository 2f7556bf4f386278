//! The newest entries by what they are about: who submits one again is given the promise that was given before.
//!
//! Older ones are logged again, which is allowed and costs their submitter a round trip. Two that come at the same moment are
//! both logged.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::{identity, newest};
use crate::log::{Log, ReadError};

/// Index and time of an entry.
type Known = (u64, u64);

/// Bounded: the oldest is forgotten first.
#[derive(Default)]
pub(super) struct Recent {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    known: HashMap<[u8; 32], Known>,
    /// The oldest first.
    order: VecDeque<[u8; 32]>,
}

impl Recent {
    /// The newest entries of a log.
    pub(super) fn of_log(log: &Log) -> Result<Self, ReadError> {
        let recent = Self::default();
        for leaf in newest(log, READ_AT_START)? {
            recent.insert(identity(&leaf.entry), (leaf.index, leaf.timestamp));
        }
        Ok(recent)
    }

    pub(super) fn find(&self, identity: &[u8; 32]) -> Option<Known> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).known.get(identity).copied()
    }

    pub(super) fn insert(&self, identity: [u8; 32], known: Known) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Entries { known: map, order } = &mut *entries;
        if map.insert(identity, known).is_none() {
            order.push_back(identity);
        }
        while order.len() > KEPT {
            if let Some(oldest) = order.pop_front() {
                map.remove(&oldest);
            }
        }
    }
}

const KEPT: usize = 16 * 1024;
const READ_AT_START: u64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let recent = Recent::default();
        let identity = |number: usize| {
            let mut identity = [0; 32];
            identity[..8].copy_from_slice(&number.to_be_bytes());
            identity
        };
        for number in 0..=KEPT {
            recent.insert(identity(number), (number as u64, 0));
        }
        assert_eq!(recent.find(&identity(0)), None);
        assert_eq!(recent.find(&identity(1)), Some((1, 0)));
        assert_eq!(recent.find(&identity(KEPT)), Some((KEPT as u64, 0)));
    }
}
