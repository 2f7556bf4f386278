//! Timestamp (§5.4).

use signet_formats::time;
use signet_formats::tuf::{MetaFile, Metadata, Role, Timestamp};

use super::{Change, Freshness, Source, Stage, Updater, no_rollback, read, store};
use crate::tuf::signed::signed_by_root;
use crate::tuf::{Refusal, Why};

/// The member of a timestamp that says when it was signed; TUF has none. Signet's own repositories write it.
pub const SIGNED_AT: &str = "x-signet-signed-at";

impl Updater {
    pub(super) fn own_timestamp(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        self.timestamp = self.own(Role::Timestamp, file)?;
        self.stage = Stage::Timestamp;
        if self.source == Source::Store {
            self.current_timestamp()?;
        }
        Ok(Vec::new())
    }

    pub(super) fn new_timestamp(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let new: Metadata<Timestamp> = read(TIMESTAMP, bytes)?;
        signed_by_root(TIMESTAMP, &new, &self.root.body, Role::Timestamp)?;
        if let Some(old) = &self.timestamp {
            if new.version == old.version {
                // §5.4.3.1: what is known already is kept, whatever else the other one says.
                return self.current_timestamp().map(|()| Vec::new());
            }
            no_rollback(TIMESTAMP, TIMESTAMP, old.version, new.version)?;
            let (seen, found) = (stated(old)?.version, stated(&new)?.version);
            no_rollback(TIMESTAMP, "snapshot.json", seen, found)?;
        }
        self.fresh_timestamp(&new)?;
        self.timestamp = Some(new);
        self.stage = Stage::OwnSnapshot;
        Ok(vec![store(Role::Timestamp, bytes)])
    }

    fn current_timestamp(&mut self) -> Result<(), Refusal> {
        match &self.timestamp {
            Some(timestamp) => self.fresh_timestamp(timestamp)?,
            None => return Err(Refusal::new(TIMESTAMP, Why::Missing)),
        }
        self.stage = Stage::OwnSnapshot;
        Ok(())
    }

    fn fresh_timestamp(&self, timestamp: &Metadata<Timestamp>) -> Result<(), Refusal> {
        match self.freshness {
            Freshness::Expiry => self.fresh(TIMESTAMP, timestamp),
            Freshness::MaxAge(max_age) => self.young(timestamp, max_age),
            Freshness::Within(max_age) => {
                self.fresh(TIMESTAMP, timestamp).and_then(|()| self.young(timestamp, max_age))
            }
        }
    }

    fn young(&self, timestamp: &Metadata<Timestamp>, max_age: i64) -> Result<(), Refusal> {
        let signed = timestamp.extension(SIGNED_AT).and_then(|text| time::parse(text).ok());
        let signed = signed.ok_or_else(|| Refusal::new(TIMESTAMP, Why::Undated))?;
        match self.at.saturating_sub(signed) <= max_age {
            true => Ok(()),
            false => Err(Refusal::new(TIMESTAMP, Why::TooOld { signed, at: self.at, max_age })),
        }
    }

    pub(super) fn stated_snapshot(&self) -> Result<&MetaFile, Refusal> {
        stated(self.timestamp.as_ref().ok_or_else(|| Refusal::new(TIMESTAMP, Why::Missing))?)
    }
}

fn stated(timestamp: &Metadata<Timestamp>) -> Result<&MetaFile, Refusal> {
    timestamp.body.snapshot().map_err(|error| Refusal::new(TIMESTAMP, error))
}

const TIMESTAMP: &str = "timestamp.json";
