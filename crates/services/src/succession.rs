//! Certificates that follow each other: before one ends there is a next one, and it is used once verifiers can know it.

use std::fmt::Display;
use std::time::Duration;

use signet_formats::x509::Certificate;

/// Who has a certificate that ends.
pub(crate) trait Certified {
    /// Its own certificate.
    fn certificate(&self) -> Option<&Certificate>;
}

/// Of these, the oldest first, the one to use now: the newest that verifiers have had [`PUBLISHED_FIRST`] to learn of; if there is
/// none, the oldest that is valid.
pub(crate) fn active<T: Certified>(all: &[T], now: i64) -> Option<&T> {
    let valid = |it: &&T| it.certificate().is_some_and(|own| own.is_valid_at(now));
    let known = |it: &&T| it.certificate().is_some_and(|own| own.not_before() + PUBLISHED_FIRST <= now);
    all.iter().rev().filter(valid).find(known).or_else(|| all.iter().find(valid))
}

/// Whether it is time for one more, under a root that ends then: one that ended as soon would be of no use.
pub(crate) fn needs_next<T: Certified>(all: &[T], root_ends: i64, now: i64) -> bool {
    let ends = all.last().and_then(T::certificate).map_or(0, Certificate::not_after);
    now < root_ends && ends < root_ends && ends - now < RENEW_BEFORE
}

/// Calls `renew` again and again, for ever, and `then` whenever it has made something new.
pub(crate) async fn keep_renewed<F, E>(renew: impl Fn() -> F, then: impl Fn())
where
    F: Future<Output = Result<bool, E>>,
    E: Display,
{
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match renew().await {
            Ok(true) => then(),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the next certificate could not be made"),
        }
    }
}

/// There are weeks to do it in.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
const DAY: i64 = 24 * 60 * 60;
const PUBLISHED_FIRST: i64 = 7 * DAY;
const RENEW_BEFORE: i64 = 60 * DAY;
