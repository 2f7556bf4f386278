//! A root without people: for development, where the machine that publishes is the one that is trusted anyway.

use std::path::PathBuf;

use signet_crypto::KeyAlgorithm;
use signet_formats::tuf::{Metadata, Root};
use signet_keys::{Existing, PasswordSource, PrivateFormat, PrivateKey, read_private, write_private};

use super::ceremony::{RootPlan, countersign};
use super::{Publisher, PublisherError, Target};

impl Publisher {
    /// Publishes a root of one key, which is kept beside the repository, with these targets, unless there is a root; signs
    /// the next one when half of its time is over. Whoever can read the directory can then say whom clients trust, for good.
    /// A root that people have signed stays theirs.
    pub async fn own_root(&self, targets: &[Target]) -> Result<(), PublisherError> {
        let (current, path) = (self.root()?, self.own_root_key());
        let left = current.as_ref().map(|root| root.expires - self.now());
        if left.is_some_and(|left| left > LIFE / 2 || !path.is_file()) {
            return Ok(());
        }
        let key = match path.is_file() {
            true => read_private(&path, &PasswordSource::Environment)?,
            false => self.new_own_root_key()?,
        };
        let mut root = self.plan(current.as_ref(), &key)?.draft(current.as_ref())?;
        countersign(&mut root, current.as_ref(), &key).await?;
        self.publish_all(Some(root.to_json().as_bytes()), targets).await.map(drop)
    }

    /// What the next root says: what this one does, but for longer.
    fn plan(&self, current: Option<&Metadata<Root>>, key: &PrivateKey) -> Result<RootPlan, PublisherError> {
        let expires = self.now() + LIFE;
        Ok(match current {
            Some(current) => RootPlan { expires, ..RootPlan::of(current)? },
            None => RootPlan {
                root_keys: vec![key.public_key().clone()],
                threshold: 1,
                online_key: self.new_online_key()?,
                expires,
            },
        })
    }

    fn new_own_root_key(&self) -> Result<PrivateKey, PublisherError> {
        let dir = self.open()?;
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(PublisherError::Key)?;
        let path = self.own_root_key();
        write_private(&path, &key, PrivateFormat::Pkcs8, Existing::Refuse)?;
        dir.disk().sync_parent(&path)?;
        Ok(key)
    }

    fn own_root_key(&self) -> PathBuf {
        self.path().join("root.key")
    }
}

const LIFE: i64 = 365 * 24 * 3_600;
