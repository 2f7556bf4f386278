//! What those who are to know were told, so that they are not told the same at each turn.

use std::collections::BTreeMap;
use std::io;

use super::state::StateDir;
use super::{Finding, What};

/// The alarms that last, and when somebody was told of each, in seconds since 1970.
pub(super) struct Told {
    alarms: BTreeMap<String, i64>,
    /// Whether that is on disk.
    is_kept: bool,
}

impl Told {
    pub(super) fn load(state: &StateDir) -> io::Result<Self> {
        Ok(Self { alarms: state.told()?, is_kept: true })
    }

    /// What is to be told now: an alarm once, and again when it is another one or a day has passed; entries always, because they
    /// are found once. With `is_all`, what is not among the findings has ended, and is news when it comes back.
    pub(super) fn news(&mut self, findings: &[Finding], now: i64, is_all: bool) -> Vec<Finding> {
        if is_all {
            let last: Vec<String> = findings.iter().filter_map(alarm).collect();
            let before = self.alarms.len();
            self.alarms.retain(|alarm, _| last.contains(alarm));
            self.is_kept &= self.alarms.len() == before;
        }
        findings.iter().filter(|finding| self.is_news(finding, now)).cloned().collect()
    }

    pub(super) fn keep(&mut self, state: &StateDir) -> io::Result<()> {
        if !self.is_kept {
            state.keep_told(&self.alarms)?;
            self.is_kept = true;
        }
        Ok(())
    }

    fn is_news(&mut self, finding: &Finding, now: i64) -> bool {
        let Some(alarm) = alarm(finding) else { return true };
        // A clock that was set back counts as a day that has passed.
        let is_fresh = |told: &i64| (*told..told.saturating_add(AGAIN_AFTER)).contains(&now);
        if self.alarms.get(&alarm).is_some_and(is_fresh) {
            return false;
        }
        self.alarms.insert(alarm, now);
        self.is_kept = false;
        true
    }
}

/// What makes an alarm the same one in the next turn; nothing, where it is found once.
fn alarm(finding: &Finding) -> Option<String> {
    let what = match &finding.what {
        What::Entry { .. } | What::Unread { .. } | What::Dropped { .. } => return None,
        What::Fork { evidence, .. } => format!("fork {}", evidence.display()),
        What::Stale { size, .. } => format!("stale {size}"),
        What::Unproven { kept, .. } => format!("unproven {}", kept.display()),
        // It says itself how far: another size that is old is the same silence of the witnesses.
        What::Old { .. } => "old".to_owned(),
        What::Unreadable(why) => format!("unreadable {why}"),
    };
    Some(format!("{} {what}", finding.origin))
}

/// A day.
const AGAIN_AFTER: i64 = 86_400;
