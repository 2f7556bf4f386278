//! How much one name may have in a time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many at once, and again as many over a time.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In what time.
    pub per: Duration,
}

/// Counts who took how much. Bounded: of too many names those who have not taken anything lately are
/// forgotten, and if there are none, everybody new waits.
pub(crate) struct Limiter {
    rate: Rate,
    taken: Mutex<HashMap<String, Taken>>,
}

#[derive(Clone, Copy)]
struct Taken {
    /// When all that was taken will have come back, on the steady clock.
    back_at: Duration,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, taken: Mutex::default() }
    }

    /// Takes one; the error is how long to wait.
    pub(crate) fn take(&self, name: &str, now: Duration) -> Result<(), Duration> {
        let each = self.rate.per / self.rate.count.max(1);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= MAX_NAMES && !taken.contains_key(name) {
            taken.retain(|_, taken| taken.back_at > now);
            if taken.len() >= MAX_NAMES {
                return Err(self.rate.per);
            }
        }
        let entry = taken.entry(name.to_owned()).or_insert(Taken { back_at: now });
        let back_at = entry.back_at.max(now) + each;
        match back_at.checked_sub(now + self.rate.per) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                entry.back_at = back_at;
                Ok(())
            }
        }
    }
}

const MAX_NAMES: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_given_and_comes_back_with_time() {
        let limiter = Limiter::new(Rate { count: 3, per: Duration::from_secs(30) });
        let at = Duration::from_secs;
        for _ in 0..3 {
            assert_eq!(limiter.take("a", at(0)), Ok(()));
        }
        assert_eq!(limiter.take("a", at(0)), Err(at(10)));
        assert_eq!(limiter.take("b", at(0)), Ok(()), "others are not concerned");
        assert_eq!(limiter.take("a", at(9)), Err(at(1)));
        assert_eq!(limiter.take("a", at(10)), Ok(()));
        assert_eq!(limiter.take("a", at(10)), Err(at(10)));
    }

    #[test]
    fn names_are_bounded() {
        let limiter = Limiter::new(Rate { count: 1, per: Duration::from_secs(60) });
        for n in 0..MAX_NAMES {
            limiter.take(&n.to_string(), Duration::ZERO).unwrap();
        }
        assert_eq!(limiter.take("new", Duration::from_secs(59)), Err(Duration::from_secs(60)));
        assert_eq!(limiter.take("new", Duration::from_secs(61)), Ok(()));
        assert_eq!(limiter.taken.lock().unwrap().len(), 1);
    }
}
