//! Pinned trust, and repositories of trust: until when they serve.

use std::path::Path;

use signet_formats::tuf::Role;
use signet_services::trust::root_alert;

use super::moment;
use crate::commands::trust::publisher;
use crate::document::{Finding, Health};
use crate::error::CliError;
use crate::pinned;

/// Whether what is pinned on this machine, if anything is, may be used, and for how long.
pub(super) fn findings(now: i64) -> Option<Finding> {
    let home = match pinned::standard() {
        Ok(home) => home?,
        Err(error) => return Some(Finding::fail(PINNED, &error)),
    };
    let checked = home.current(now).and_then(|current| Ok((home.outage(&current, now)?, current)));
    Some(match checked.map_err(CliError::from) {
        Ok((Some(outage), _)) => Finding::new(PINNED, Health::Warn, pinned::told(&outage))
            .fix("see why with `signet trust update`"),
        Ok((None, current)) => soonest(PINNED, &current.roles(), now, "run `signet trust update`"),
        Err(error) => Finding::fail(PINNED, &error),
    })
}

/// Whether what a repository publishes may be used, and for how long.
pub(super) fn repository(data: &Path, now: i64) -> Finding {
    let name = "trust root metadata";
    let published = publisher(data).and_then(|publisher| publisher.published().map_err(CliError::from));
    match published {
        Err(error) => Finding::fail(name, &error),
        Ok(published) => match root_alert(&published, now) {
            Some(alert) => {
                Finding::new(name, Health::Warn, alert).fix("draft the next root with `signet trust rotate`")
            }
            None => soonest(name, &published.roles, now, "`signet serve trust` signs it again: start it"),
        },
    }
}

/// What of these roles expires first.
fn soonest(name: &'static str, roles: &[(Role, u64, i64)], now: i64, fix: &str) -> Finding {
    let first = roles.iter().min_by_key(|(_, _, expires)| *expires);
    let Some((role, version, expires)) = first else {
        return Finding::new(name, Health::Warn, "there is none".to_owned()).fix(fix);
    };
    let until = moment(*expires);
    match expires - now {
        ..=0 => {
            Finding::new(name, Health::Fail, format!("{role} version {version} expired at {until}")).fix(fix)
        }
        1..SOON => {
            Finding::new(name, Health::Warn, format!("{role} version {version} expires at {until}")).fix(fix)
        }
        _ => Finding::new(name, Health::Pass, format!("it serves until {until}, when {role} expires")),
    }
}

/// Half a day.
const SOON: i64 = 12 * 3_600;
const PINNED: &str = "pinned trust";
