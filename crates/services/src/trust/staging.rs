//! A root that is being signed, and the online key that it names.

use std::io;
use std::path::PathBuf;

use signet_crypto::PublicKey;
use signet_formats::tuf::{Key, MAX_ROOT_BYTES, Metadata, Role, Root};
use signet_store::DataDir;
use signet_store::fs::Disk;

use super::{OnlineKey, Publisher, PublisherError, RootPlan, Store, Target};

impl Publisher {
    /// Where a root that is being signed is kept.
    pub fn staged_root(&self) -> PathBuf {
        self.path().join(STAGED).join(ROOT)
    }

    /// The root that is being signed, if it is to be published now. Targets do not wait for one that cannot be yet.
    pub fn ripe_root(&self, targets: &[Target]) -> Result<Option<Vec<u8>>, PublisherError> {
        let (draft, current) = (self.draft(&Disk::default())?, self.root()?);
        let waits = targets.is_empty() || current.is_none();
        Ok(draft.filter(|draft| waits || self.next_root(draft, current.as_ref()).is_ok()))
    }

    /// Drafts the next root and keeps it to be signed, and with it the online key that it names, if that is new. A draft that is
    /// there already may have been carried to who signs it: it is given up for this one only where that is asked for.
    pub fn stage(
        &self,
        plan: &RootPlan,
        new_online_key: Option<&OnlineKey>,
        replace: bool,
    ) -> Result<Metadata<Root>, PublisherError> {
        // Nothing is made for a plan that cannot be.
        let current = self.root()?;
        let root = plan.draft(current.as_ref())?;
        let dir = self.open()?;
        let staged = self.draft(dir.disk())?.map(|bytes| Metadata::<Root>::parse(&bytes).ok());
        if let Some(draft) = staged.as_ref().filter(|_| !replace) {
            let signatures = draft.as_ref().map_or(0, |draft| draft.signatures.len());
            return Err(PublisherError::Staged { path: self.staged_root(), signatures });
        }
        new_online_key.map(|key| self.keep_online_key(&dir, key)).transpose()?;
        dir.disk().make_dirs(&self.path().join(STAGED))?;
        dir.disk().put(self.path(), &self.staged_root(), root.to_json().as_bytes())?;
        let named = [Some(&root), current.as_ref()].into_iter().flatten();
        let named: Vec<PublicKey> = named.flat_map(online_keys).collect();
        let unused = staged.flatten().into_iter().flat_map(|draft| online_keys(&draft).collect::<Vec<_>>());
        for key in unused.filter(|key| !named.contains(key)) {
            self.forget_online_key(&dir, &key)?;
        }
        Ok(root)
    }

    /// Removes the draft that has come to its end with this root.
    pub(super) fn drop_draft(&self, dir: &DataDir, root: &Metadata<Root>) -> Result<(), PublisherError> {
        let draft = self.draft(dir.disk())?.and_then(|bytes| Metadata::<Root>::parse(&bytes).ok());
        if draft.is_some_and(|draft| draft.version <= root.version) {
            dir.disk().remove(&self.staged_root())?;
        }
        Ok(())
    }

    fn draft(&self, disk: &Disk) -> io::Result<Option<Vec<u8>>> {
        Store::new(disk.clone(), self.path().join(STAGED)).read(ROOT, MAX_ROOT_BYTES)
    }
}

/// The keys that this root names for what is signed online.
fn online_keys(root: &Metadata<Root>) -> impl Iterator<Item = PublicKey> {
    let ids = root.body.role(Role::Timestamp).map(|role| role.keyids.as_slice()).unwrap_or_default();
    ids.iter().filter_map(|id| root.body.keys.get(id).and_then(Key::usable)).map(|(key, _)| key)
}

const STAGED: &str = "staged";
const ROOT: &str = "root.json";
