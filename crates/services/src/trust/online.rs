//! The key that signs what is signed online, and how a publisher's directory has it: as `keys/ID.key` where it was made there, or
//! as `keys/ID.ref`, which names a file or a program that holds it.

use std::fs;
use std::io;
use std::path::PathBuf;

use signet_crypto::{KeyAlgorithm, PublicKey};
use signet_formats::tuf::{Key, Role, Root};
use signet_keys::{
    Existing, KeyReference, PasswordSource, PrivateFormat, PrivateKey, Signer, read_private, write_private,
};
use signet_store::DataDir;

use super::ceremony::{key_id, signature};
use super::{Publisher, PublisherError};

/// A key for what is signed online.
#[derive(Debug)]
pub enum OnlineKey {
    /// It was made to be kept in the directory.
    Made(PrivateKey),
    /// It stays where it is.
    Named(KeyReference, PublicKey),
}

impl OnlineKey {
    /// A new one, which is kept nowhere yet.
    pub fn make() -> Result<Self, PublisherError> {
        PrivateKey::generate(KeyAlgorithm::EcdsaP256).map(Self::Made).map_err(PublisherError::Key)
    }

    /// The one that a reference names. It has to show that it signs as metadata is signed: once a root names it, nobody else can.
    pub async fn named(reference: KeyReference) -> Result<Self, PublisherError> {
        let reference = reference.absolute()?;
        let signer = reference.open(&PasswordSource::Environment).await?;
        signature(&*signer, TRIAL).await?;
        Ok(Self::Named(reference, signer.public_key().clone()))
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            Self::Made(key) => key.public_key(),
            Self::Named(_, public) => public,
        }
    }
}

impl Publisher {
    /// Makes a new online key in the directory, to be named by a root that is still to be signed.
    pub fn new_online_key(&self) -> Result<PublicKey, PublisherError> {
        let key = OnlineKey::make()?;
        self.keep_online_key(&self.open()?, &key)?;
        Ok(key.public_key().clone())
    }

    pub(super) fn keep_online_key(&self, dir: &DataDir, key: &OnlineKey) -> Result<(), PublisherError> {
        dir.disk().make_dirs(&self.path().join(KEYS))?;
        match key {
            OnlineKey::Made(key) => {
                write_private(&self.made(key.public_key()), key, PrivateFormat::Pkcs8, Existing::Refuse)?;
            }
            OnlineKey::Named(reference, public) => {
                dir.disk().put(self.path(), &self.named(public), reference.to_string().as_bytes())?;
            }
        }
        Ok(())
    }

    /// Forgets a key that no root names.
    pub(super) fn forget_online_key(&self, dir: &DataDir, key: &PublicKey) -> io::Result<()> {
        dir.disk().remove(&self.made(key))?;
        dir.disk().remove(&self.named(key)).map(drop)
    }

    /// The key that the root names for all online roles, with its id.
    pub(super) fn online_key(&self, root: &Root) -> Result<(String, Box<dyn Signer>), PublisherError> {
        let online = [Role::Timestamp, Role::Snapshot, Role::Targets];
        for id in &root.role(Role::Timestamp)?.keyids {
            let Some((public, _)) = root.keys.get(id).and_then(Key::usable) else { continue };
            if online.iter().all(|role| key_id(root, *role, &public).is_some())
                && let Some(key) = self.kept_online_key(&public)?
            {
                return Ok((id.clone(), key));
            }
        }
        Err(PublisherError::NoOnlineKey)
    }

    fn kept_online_key(&self, public: &PublicKey) -> Result<Option<Box<dyn Signer>>, PublisherError> {
        let (made, named) = (self.made(public), self.named(public));
        if made.is_file() {
            return Ok(Some(Box::new(read_private(&made, &PasswordSource::Environment)?)));
        }
        if !named.is_file() {
            return Ok(None);
        }
        let reference = KeyReference::parse(&fs::read_to_string(named)?)?;
        Ok(Some(reference.open_known(public, &PasswordSource::Environment)?))
    }

    fn made(&self, key: &PublicKey) -> PathBuf {
        self.path().join(KEYS).join(format!("{}.key", key.id().hex()))
    }

    fn named(&self, key: &PublicKey) -> PathBuf {
        self.path().join(KEYS).join(format!("{}.ref", key.id().hex()))
    }
}

const KEYS: &str = "keys";
/// What a key signs to show that it signs. No metadata reads so.
const TRIAL: &[u8] = b"Does this key sign for a repository of trust?";
