//! Top-level targets (§5.6).

use signet_formats::tuf::{Metadata, Role, Targets};

use super::{Change, Source, Stage, Updater, fits, is_version, read, store};
use crate::tuf::signed::signed_by_root;
use crate::tuf::{Refusal, Why};

impl Updater {
    pub(super) fn own_targets(&mut self, file: Option<&[u8]>) -> Result<Vec<Change>, Refusal> {
        let own: Option<Metadata<Targets>> = self.own(Role::Targets, file)?;
        let current = match (&own, file) {
            (Some(own), Some(bytes)) => self.current_targets(own, bytes),
            _ => Err(Refusal::new("targets.json", Why::Missing)),
        };
        self.stage = match (current, self.source) {
            (Ok(()), _) => Stage::Done,
            (Err(_), Source::Repository) => Stage::Targets,
            (Err(refusal), Source::Store) => return Err(refusal),
        };
        self.targets = own.filter(|_| self.stage == Stage::Done);
        Ok(Vec::new())
    }

    pub(super) fn new_targets(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let file = "targets.json";
        fits(file, self.stated_targets()?, bytes, "snapshot")?;
        let new: Metadata<Targets> = read(file, bytes)?;
        signed_by_root(file, &new, &self.root.body, Role::Targets)?;
        self.current_targets(&new, bytes)?;
        self.targets = Some(new);
        self.stage = Stage::Done;
        Ok(vec![store(Role::Targets, bytes)])
    }

    fn current_targets(&self, targets: &Metadata<Targets>, bytes: &[u8]) -> Result<(), Refusal> {
        let file = "targets.json";
        let stated = self.stated_targets()?;
        fits(file, stated, bytes, "snapshot")?;
        is_version(file, targets, stated.version)?;
        self.fresh(file, targets)
    }
}
