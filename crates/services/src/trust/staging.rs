//! A root that is being signed, and the online key that it names.

use std::path::PathBuf;

use signet_crypto::{KeyAlgorithm, PublicKey};
use signet_formats::tuf::{Key, MAX_ROOT_BYTES, Metadata, Role, Root};
use signet_keys::{Existing, PrivateFormat, PrivateKey, write_private};
use signet_store::DataDir;

use super::{Publisher, PublisherError, RootPlan, Store};

impl Publisher {
    /// Makes a new online key in the directory, to be named by a root that is still to be signed.
    pub fn new_online_key(&self) -> Result<PublicKey, PublisherError> {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(PublisherError::Key)?;
        self.keep_online_key(&self.open()?, &key)?;
        Ok(key.public_key().clone())
    }

    /// Where a root that is being signed is kept.
    pub fn staged_root(&self) -> PathBuf {
        self.path().join(STAGED).join(ROOT)
    }

    /// Drafts the next root and keeps it to be signed, and with it the online key that it names, if that is new. A draft that is
    /// there already may have been carried to who signs it: it is given up for this one only where that is asked for.
    pub fn stage(
        &self,
        plan: &RootPlan,
        new_online_key: Option<&PrivateKey>,
        replace: bool,
    ) -> Result<Metadata<Root>, PublisherError> {
        // Nothing is made for a plan that cannot be.
        let current = self.root()?;
        let root = plan.draft(current.as_ref())?;
        let dir = self.open()?;
        let staged = Store::new(dir.disk().clone(), self.path().join(STAGED)).read(ROOT, MAX_ROOT_BYTES)?;
        let staged = staged.map(|bytes| Metadata::<Root>::parse(&bytes).ok());
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
            dir.disk().remove(&self.key_file(&key))?;
        }
        Ok(root)
    }

    fn keep_online_key(&self, dir: &DataDir, key: &PrivateKey) -> Result<(), PublisherError> {
        let path = self.key_file(key.public_key());
        path.parent().map_or(Ok(()), |keys| dir.disk().make_dirs(keys))?;
        Ok(write_private(&path, key, PrivateFormat::Pkcs8, Existing::Refuse)?)
    }
}

/// The keys that this root names for what is signed online.
fn online_keys(root: &Metadata<Root>) -> impl Iterator<Item = PublicKey> {
    let ids = root.body.role(Role::Timestamp).map(|role| role.keyids.as_slice()).unwrap_or_default();
    ids.iter().filter_map(|id| root.body.keys.get(id).and_then(Key::usable)).map(|(key, _)| key)
}

const STAGED: &str = "staged";
const ROOT: &str = "root.json";
