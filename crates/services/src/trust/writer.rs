//! What the online key signs: targets, snapshot and timestamp, each written whole, the timestamp last.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use signet_formats::time;
use signet_formats::tuf::{
    Body, Draft, MetaFile, Metadata, Role, Snapshot, TargetFile, Targets, Timestamp, TufError, versioned,
};
use signet_keys::Signer;
use signet_verify::tuf::SIGNED_AT;

use super::ceremony::sign;
use super::{Periods, PublisherError, Store};

/// What is signed anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Renew {
    Everything,
    Due,
}

/// A file that is published, as it is.
pub(super) struct Signed<B> {
    pub(super) metadata: Metadata<B>,
    bytes: Vec<u8>,
}

impl<B: Body> Signed<B> {
    pub(super) fn read(
        store: &Store,
        role: Role,
        version: u64,
        limit: usize,
    ) -> Result<Self, PublisherError> {
        let name = versioned(role.name(), Some(version))?;
        let bytes = store.read(&name, limit)?.ok_or(TufError::MissingFile(name))?;
        Ok(Self { metadata: Metadata::parse(&bytes)?, bytes })
    }

    fn meta(&self) -> MetaFile {
        MetaFile::of(self.metadata.version, &self.bytes)
    }
}

/// All that is published but for roots.
#[derive(Default)]
pub(super) struct State {
    pub(super) timestamp: Option<Metadata<Timestamp>>,
    pub(super) snapshot: Option<Signed<Snapshot>>,
    pub(super) targets: Option<Signed<Targets>>,
}

/// Writes the online roles, each if it is due or what it states has changed.
pub(super) struct Writer<'a> {
    pub(super) repository: &'a Store,
    /// The id of the online key.
    pub(super) id: String,
    pub(super) key: &'a dyn Signer,
    pub(super) now: i64,
    pub(super) periods: Periods,
    /// Whether all is written, due or not.
    pub(super) all: bool,
    /// No version is below this: clients may have seen some that are not known here.
    pub(super) least: u64,
    pub(super) state: State,
}

impl Writer<'_> {
    pub(super) async fn targets(
        &mut self,
        files: BTreeMap<String, TargetFile>,
    ) -> Result<(), PublisherError> {
        let old = self.state.targets.as_ref();
        if !self.is_due(old.map(|it| it.metadata.expires)) {
            return Ok(());
        }
        let mut targets = old.map(|it| it.metadata.body.targets.clone()).unwrap_or_default();
        targets.extend(files);
        let version = self.next(old.map(|it| it.metadata.version));
        let body = Targets { targets, delegations: None };
        self.state.targets = Some(self.put(Role::Targets, body, version).await?);
        self.all = true;
        Ok(())
    }

    pub(super) async fn snapshot(&mut self) -> Result<(), PublisherError> {
        let old = self.state.snapshot.as_ref();
        if !self.is_due(old.map(|it| it.metadata.expires)) {
            return Ok(());
        }
        let version = self.next(old.map(|it| it.metadata.version));
        let targets = self.state.targets.as_ref().map(Signed::meta);
        let targets = targets.map(|meta| ("targets.json".to_owned(), meta));
        let body = Snapshot { meta: targets.into_iter().collect() };
        self.state.snapshot = Some(self.put(Role::Snapshot, body, version).await?);
        self.all = true;
        Ok(())
    }

    /// The timestamp that is to take the place of the published one; `None` if that serves on.
    pub(super) async fn timestamp(&mut self) -> Result<Option<Metadata<Timestamp>>, PublisherError> {
        let old = self.state.timestamp.as_ref();
        let Periods { timestamp: life, renew, .. } = self.periods;
        if !self.all && !is_due(old.map(|old| old.expires - self.now), life - renew, life) {
            return Ok(None);
        }
        let snapshot = self.state.snapshot.as_ref().ok_or(PublisherError::NoRoot)?;
        let version = self.next(old.map(|it| it.version));
        let signed_at = time::format(self.now).unwrap_or_default();
        let draft = Draft {
            body: Timestamp::of(snapshot.meta()),
            version,
            expires: self.now + self.periods.timestamp,
            extensions: Map::from_iter([(SIGNED_AT.to_owned(), Value::String(signed_at))]),
        };
        self.sign(draft).await.map(Some)
    }

    /// The moment at which clients see all of it.
    pub(super) fn publish(&mut self, timestamp: Metadata<Timestamp>) -> Result<(), PublisherError> {
        self.repository.put("timestamp.json", timestamp.to_json().as_bytes())?;
        self.state.timestamp = Some(timestamp);
        Ok(())
    }

    fn next(&self, version: Option<u64>) -> u64 {
        version.unwrap_or(0).saturating_add(1).max(self.least)
    }

    /// Whether something that expires then is signed anew: also if something above it was.
    fn is_due(&self, expires: Option<i64>) -> bool {
        let life = self.periods.others;
        self.all || is_due(expires.map(|expires| expires - self.now), life / 2 - 1, life)
    }

    async fn put<B: Body>(&self, role: Role, body: B, version: u64) -> Result<Signed<B>, PublisherError> {
        let expires = self.now + self.periods.others;
        let metadata = self.sign(Draft { body, version, expires, extensions: Map::new() }).await?;
        let bytes = metadata.to_json().into_bytes();
        self.repository.put(&versioned(role.name(), Some(version))?, &bytes)?;
        Ok(Signed { metadata, bytes })
    }

    async fn sign<B: Body>(&self, draft: Draft<B>) -> Result<Metadata<B>, PublisherError> {
        let mut metadata = draft.unsigned()?;
        sign(&mut metadata, &self.id, self.key).await?;
        Ok(metadata)
    }
}

/// Whether something with so much time left is signed anew: if it is not more than `least`, or is more than it is ever given,
/// because the clock was ahead when it was signed.
fn is_due(left: Option<i64>, least: i64, life: i64) -> bool {
    left.is_none_or(|left| left <= least || left > life)
}
