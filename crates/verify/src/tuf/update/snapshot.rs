//! Snapshot (§5.5).

use signet_formats::tuf::{MetaFile, Metadata, Role, Snapshot};

use super::{Change, Freshness, Source, Stage, Updater, fits, is_version, no_rollback, read, store};
use crate::tuf::signed::signed_by_root;
use crate::tuf::{Refusal, Why};

impl Updater {
    pub(super) fn own_snapshot(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        self.snapshot = self.own(Role::Snapshot, file)?;
        let current = match (&self.snapshot, file) {
            (Some(own), Some(bytes)) => self.current_snapshot(own, bytes),
            _ => Err(Refusal::new("snapshot.json", Why::Missing)),
        };
        self.stage = match (current, self.source) {
            (Ok(()), _) => Stage::OwnTargets,
            (Err(_), Source::Repository) => Stage::Snapshot,
            (Err(refusal), Source::Store) => return Err(refusal),
        };
        Ok(Vec::new())
    }

    pub(super) fn new_snapshot(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let file = "snapshot.json";
        fits(file, self.stated_snapshot()?, bytes, "timestamp")?;
        let new: Metadata<Snapshot> = read(file, bytes)?;
        signed_by_root(file, &new, &self.root.body, Role::Snapshot)?;
        if let Some(old) = &self.snapshot {
            no_rollback(file, file, old.version, new.version)?;
            nothing_goes_back(&old.body, &new.body)?;
        }
        self.current_snapshot(&new, bytes)?;
        self.snapshot = Some(new);
        self.stage = Stage::OwnTargets;
        Ok(vec![store(Role::Snapshot, bytes)])
    }

    fn current_snapshot(&self, snapshot: &Metadata<Snapshot>, bytes: &[u8]) -> Result<(), Refusal> {
        let file = "snapshot.json";
        let stated = self.stated_snapshot()?;
        fits(file, stated, bytes, "timestamp")?;
        is_version(file, snapshot, stated.version)?;
        match self.freshness {
            Freshness::Expiry | Freshness::Within(_) => self.fresh(file, snapshot),
            // The timestamp, which is young enough, vouches for it.
            Freshness::MaxAge(_) => Ok(()),
        }
    }

    pub(super) fn stated_targets(&self) -> Result<&MetaFile, Refusal> {
        let snapshot = self.snapshot.as_ref().ok_or_else(|| Refusal::new("snapshot.json", Why::Missing))?;
        snapshot.body.role(Role::Targets.name()).ok_or_else(|| Refusal::new("targets.json", Why::Unlisted))
    }
}

/// §5.5.5: no targets metadata disappears, or goes back.
fn nothing_goes_back(old: &Snapshot, new: &Snapshot) -> Result<(), Refusal> {
    let file = "snapshot.json";
    old.meta.iter().try_for_each(|(name, seen)| match new.meta.get(name) {
        Some(now) => no_rollback(file, name, seen.version, now.version),
        None => Err(Refusal::new(file, Why::Removed(name.clone()))),
    })
}
