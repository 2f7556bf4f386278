//! The making of roots: who may sign for the repository, agreed by a threshold of keys that need never be on one
//! machine, or on this one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Map;
use signet_crypto::PublicKey;
use signet_formats::tuf::{Body, Draft, Key, Metadata, Role, RoleKeys, Root, Signature, TufError};
use signet_keys::{Payload, SignError, Signer};
use signet_verify::tuf::{Refusal, countersigners, signed_by_root};

/// What a root is to say.
#[derive(Clone, Debug)]
pub struct RootPlan {
    /// Whose keys root is signed with.
    pub root_keys: Vec<PublicKey>,
    /// How many of them must sign.
    pub threshold: u64,
    /// The key that signs timestamp, snapshot and targets, by itself and again and again.
    pub online_key: PublicKey,
    /// From which second on, in Unix time, the root may not be used any more.
    pub expires: i64,
}

impl RootPlan {
    /// What this root says, so that it can be said again with changes.
    pub fn of(root: &Metadata<Root>) -> Result<Self, CeremonyError> {
        let keys = |role: Role| -> Result<Vec<PublicKey>, CeremonyError> {
            let named = root.body.role(role)?.keyids.iter().map(|id| {
                let key = root.body.keys.get(id).and_then(Key::usable);
                key.map(|(key, _)| key).ok_or_else(|| CeremonyError::UnknownKey(id.clone()))
            });
            named.collect()
        };
        let mut online = keys(Role::Timestamp)?.into_iter();
        match (online.next(), online.next()) {
            (Some(online_key), None) => Ok(Self {
                root_keys: keys(Role::Root)?,
                threshold: root.body.role(Role::Root)?.threshold,
                online_key,
                expires: root.expires,
            }),
            _ => Err(CeremonyError::NotOurs),
        }
    }

    /// The root to be signed: the one after `previous`, or the first.
    pub fn draft(&self, previous: Option<&Metadata<Root>>) -> Result<Metadata<Root>, CeremonyError> {
        let distinct: BTreeSet<&[u8]> = self.root_keys.iter().map(PublicKey::spki_der).collect();
        if distinct.len() != self.root_keys.len() {
            return Err(CeremonyError::Twice);
        }
        let count = u64::try_from(distinct.len()).unwrap_or(u64::MAX);
        if self.threshold == 0 || self.threshold > count {
            return Err(CeremonyError::Threshold { threshold: self.threshold, keys: distinct.len() });
        }
        let mut keys = BTreeMap::new();
        let root = self.root_keys.iter().map(|key| name(&mut keys, key)).collect::<Result<Vec<_>, _>>()?;
        let online = RoleKeys { keyids: vec![name(&mut keys, &self.online_key)?], threshold: 1 };
        if root.iter().any(|id| online.keyids.contains(id)) {
            return Err(CeremonyError::OnlineRootKey);
        }
        let roles = Role::ALL.into_iter().map(|role| {
            let keys = match role {
                Role::Root => RoleKeys { keyids: root.clone(), threshold: self.threshold },
                _ => online.clone(),
            };
            (role.name().to_owned(), keys)
        });
        let body = Root { consistent_snapshot: true, roles: roles.collect(), keys };
        let version = previous.map_or(1, |previous| previous.version.saturating_add(1));
        Ok(Draft { body, version, expires: self.expires, extensions: Map::new() }.unsigned()?)
    }
}

/// Puts a key's signature under a root, or replaces the one that it has there; the key's id. An error if neither
/// the root nor the one before it names the key.
pub async fn countersign(
    root: &mut Metadata<Root>,
    previous: Option<&Metadata<Root>>,
    signer: &dyn Signer,
) -> Result<String, CeremonyError> {
    let signs = |root: &Metadata<Root>| key_id(&root.body, Role::Root, signer.public_key());
    let id = signs(root).or_else(|| previous.and_then(signs));
    let id = id.ok_or_else(|| CeremonyError::NotASigner(signer.public_key().id().to_string()))?;
    sign(root, &id, signer).await?;
    Ok(id)
}

/// Signs metadata as the key of this id.
pub(super) async fn sign<B: Body>(
    metadata: &mut Metadata<B>,
    id: &str,
    signer: &dyn Signer,
) -> Result<(), CeremonyError> {
    let signature = signature(signer, metadata.canonical()).await?;
    metadata.signatures.retain(|other| other.keyid != id);
    metadata.signatures.push(Signature::new(id.to_owned(), &signature));
    Ok(())
}

/// Signs as this key signs metadata.
pub(super) async fn signature(signer: &dyn Signer, message: &[u8]) -> Result<Vec<u8>, CeremonyError> {
    let key = signer.public_key();
    let usable = Key::of(key).and_then(|key| key.usable());
    let (_, scheme) = usable.ok_or_else(|| CeremonyError::Algorithm(key.algorithm().to_string()))?;
    Ok(signer.sign(scheme, Payload::Message(message)).await?)
}

/// The id under which root names this key for a role.
pub(super) fn key_id(root: &Root, role: Role, key: &PublicKey) -> Option<String> {
    let named =
        |id: &&String| root.keys.get(*id).and_then(Key::usable).is_some_and(|(known, _)| known == *key);
    root.role(role).ok()?.keyids.iter().find(named).cloned()
}

/// How far the signing of a root has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The keys that have signed soundly, of those the new root names.
    pub signed: Vec<String>,
    /// How many of them must.
    pub threshold: u64,
    /// The same of the keys that the root before it names, if there is one.
    pub previous: Option<(Vec<String>, u64)>,
}

impl Standing {
    /// The standing of a root.
    pub fn of(root: &Metadata<Root>, previous: Option<&Metadata<Root>>) -> Result<Self, CeremonyError> {
        let threshold = |root: &Metadata<Root>| Ok::<_, TufError>(root.body.role(Role::Root)?.threshold);
        let before = previous.map(|previous| -> Result<_, TufError> {
            Ok((countersigners(root, &previous.body), threshold(previous)?))
        });
        Ok(Self {
            signed: countersigners(root, &root.body),
            threshold: threshold(root)?,
            previous: before.transpose()?,
        })
    }
}

/// Checks that a root may follow `previous`, as every client will.
pub fn acceptable(root: &Metadata<Root>, previous: Option<&Metadata<Root>>) -> Result<(), CeremonyError> {
    let file = format!("{}.root.json", root.version);
    let wanted = previous.map_or(1, |previous| previous.version.saturating_add(1));
    if root.version != wanted {
        return Err(CeremonyError::Version { wanted, found: root.version });
    }
    if let Some(previous) = previous {
        signed_by_root(&file, root, &previous.body, Role::Root)?;
    }
    Ok(signed_by_root(&file, root, &root.body, Role::Root)?)
}

/// Why a root was not made, signed or taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// A key that stands twice counts once.
    #[error("a root key is named twice")]
    Twice,
    /// A threshold that can never be met, or always is.
    #[error("a root of {keys} keys cannot need signatures of {threshold} of them")]
    Threshold {
        /// How many must sign.
        threshold: u64,
        /// How many keys there are.
        keys: usize,
    },
    /// The online key must not be able to make roots.
    #[error("the online key must not be a root key too")]
    OnlineRootKey,
    /// TUF has no name for the key's algorithm.
    #[error("TUF has no name for keys of algorithm {0}: take ECDSA P-256 or P-384, Ed25519 or RSA")]
    Algorithm(String),
    /// The root names a key that is not understood.
    #[error("the root names the key `{0}`, which is of no known algorithm")]
    UnknownKey(String),
    /// The key is none of the root's.
    #[error("neither this root nor the one before it names the key {0}")]
    NotASigner(String),
    /// The root's roles are not the ones that Signet makes.
    #[error("the root does not have one online key, as roots that Signet makes have")]
    NotOurs,
    /// The root does not follow the published one.
    #[error("it is version {found} of the root, and version {wanted} comes next")]
    Version {
        /// What comes next.
        wanted: u64,
        /// What it is.
        found: u64,
    },
    /// It cannot be written or read.
    #[error("the root cannot be used: {0}")]
    Form(#[from] TufError),
    /// It lacks signatures.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Adds the key to those that root names; its id.
fn name(keys: &mut BTreeMap<String, Key>, key: &PublicKey) -> Result<String, CeremonyError> {
    let named = Key::of(key).ok_or_else(|| CeremonyError::Algorithm(key.algorithm().to_string()))?;
    let id = named.id()?;
    keys.insert(id.clone(), named);
    Ok(id)
}
