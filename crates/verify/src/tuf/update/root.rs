//! Root (§5.3).

use signet_formats::tuf::{Metadata, Role, Root};

use super::{Change, Stage, Updater, is_version, read, store};
use crate::tuf::signed::signed_by_root;
use crate::tuf::{Refusal, Why};

/// How many new roots are followed in one update.
pub const MAX_ROTATIONS: usize = 256;

impl Updater {
    pub(super) fn next_root(&mut self, bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
        let wanted = self.root.version.saturating_add(1);
        let file = format!("{wanted}.root.json");
        if self.rotations == MAX_ROTATIONS {
            return Err(Refusal::new(&file, Why::Limit { what: "new roots", limit: MAX_ROTATIONS }));
        }
        let root: Metadata<Root> = read(&file, bytes)?;
        signed_by_root(&file, &root, &self.root.body, Role::Root)?;
        signed_by_root(&file, &root, &root.body, Role::Root)?;
        is_version(&file, &root, wanted)?;
        let recovers = lost_keys(&self.root.body, &root.body);
        self.root = root;
        self.rotations += 1;
        let forget = [Role::Timestamp, Role::Snapshot].map(|role| Change::Remove(format!("{role}.json")));
        // First forgotten, then replaced: a crash in between must not keep what the new root disowns.
        let forgotten = forget.into_iter().filter(|_| recovers);
        Ok(forgotten.chain([store(Role::Root, bytes)]).collect())
    }

    /// §5.3.10: only the last root must not have expired.
    pub(super) fn root_is_last(&mut self) -> Result<(), Refusal> {
        self.fresh("root.json", &self.root)?;
        self.stage = Stage::OwnTimestamp;
        Ok(())
    }

    pub(super) fn rooted(mut self) -> Result<Self, Refusal> {
        self.root_is_last().map(|()| self)
    }
}

/// §5.3.11: whether a key of timestamp or snapshot was taken away, as after a compromise; versions that it may have
/// signed then say nothing. A key that is only added leaves them standing.
fn lost_keys(old: &Root, new: &Root) -> bool {
    [Role::Timestamp, Role::Snapshot].into_iter().any(|role| {
        let ids = |root: &Root| root.role(role).map(|keys| keys.keyids.clone()).unwrap_or_default();
        let kept = ids(new);
        ids(old).iter().any(|id| !kept.contains(id))
    })
}
