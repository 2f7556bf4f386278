//! The policy that a registry asks before it serves a pull. It wires the store to [`signet_verify::decide`].

use std::path::Path;
use std::sync::OnceLock;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use signet_crypto::Digest;
use signet_formats::oci::Descriptor;
use signet_registry::{BlobStream, Error, ManifestName, Referrers, ReferrersVia, Resolved};
use signet_server::registry::{Principal, PullGate, Refusal};
use signet_store::RepositoryName;
use signet_store::registry::{FsRegistry, RegistryStore, StoreError};
use signet_verify::{Code, Verdict};

use crate::error::CliError;
use crate::gather::{Place, Source};
use crate::trust::{self, Trust};
use crate::{clock, decision};

/// Permits what the policy allows, decided anew at each pull by what is attached then.
pub(crate) struct Gate {
    trust: Trust,
    store: OnceLock<FsRegistry>,
}

impl Gate {
    /// A gate with a policy and the trust root that it is decided with.
    pub(crate) fn new(policy: &Path, trusted_root: Option<&Path>) -> Result<Self, CliError> {
        let snapshot = trusted_root.map(trust::trusted_root).transpose()?.unwrap_or_default();
        let trust = Trust { snapshot, policy: trust::policy(policy)? };
        Ok(Self { trust, store: OnceLock::new() })
    }

    /// Names the store that is guarded. Before that nothing is permitted.
    pub(crate) fn guard(&self, store: FsRegistry) {
        // A second store would be a second registry, which has a gate of its own.
        let _ = self.store.set(store);
    }

    async fn decide(&self, repository: &RepositoryName, manifest: &Digest) -> Result<Verdict, Error> {
        let store = self.store.get().ok_or_else(|| Error::NotFound { what: "the store".to_owned() })?;
        let source = Repository { store: store.clone(), name: repository.clone() };
        let image = source.manifest(&ManifestName::Digest(*manifest)).await?;
        // The names that clients have for this registry are not known here.
        Ok(decision::about_image(&source, &image, None, &self.trust, &Place::ALL, clock::now()).await)
    }
}

#[async_trait]
impl PullGate for Gate {
    async fn permit(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
        _principal: &Principal,
    ) -> Result<(), Refusal> {
        let reason = match self.decide(repository, manifest).await {
            Ok(verdict) if verdict.is_allowed() => return Ok(()),
            Ok(verdict) => verdict.code.unwrap_or(Code::Internal),
            Err(error) => crate::error::registry_code(&error),
        };
        let code = Code::PullDenied;
        Err(Refusal {
            code: code.to_string(),
            message: format!("{}: {} ({reason})", code.title(), reason.title()),
            hint: reason.hint().to_owned(),
        })
    }
}

/// One repository of the store.
struct Repository {
    store: FsRegistry,
    name: RepositoryName,
}

#[async_trait]
impl Source for Repository {
    async fn manifest(&self, name: &ManifestName) -> Result<Resolved, Error> {
        let what = format!("{}: {name}", self.name);
        let digest = match name {
            ManifestName::Digest(digest) => Some(*digest),
            ManifestName::Tag(tag) => self.store.resolve_tag(&self.name, tag).await.map_err(failed(&what))?,
        };
        let stored = match digest {
            Some(digest) => self.store.manifest(&self.name, &digest).await.map_err(failed(&what))?,
            None => None,
        };
        let stored = stored.ok_or_else(|| Error::NotFound { what: what.clone() })?;
        Resolved::new(&what, stored.bytes.clone(), Some(&stored.media_type), stored.digest)
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error> {
        let what = format!("the referrers of {}@{subject}", self.name);
        let mut descriptors: Vec<Descriptor> = Vec::new();
        let mut after = None;
        for _ in 0..MAX_PAGES {
            let page = self.store.referrers(&self.name, subject, None, after.as_ref()).await;
            let page = page.map_err(failed(&what))?;
            for entry in &page.entries {
                let read = serde_json::from_slice(entry);
                descriptors.push(read.map_err(|error| malformed(&what, &error))?);
            }
            after = match page.next.map(|next| next.parse()) {
                Some(next) => Some(next.map_err(|error| malformed(&what, &error))?),
                None => return Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete: None }),
            };
        }
        let incomplete = Some(Error::LimitHit { what, limit: MAX_PAGES });
        Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete })
    }

    async fn blob(&self, blob: &Descriptor, max: u64) -> Result<Bytes, Error> {
        let what = format!("{}@{}", self.name, blob.digest);
        let stream =
            self.store.read_blob(&self.name, &blob.digest, 0..blob.size).await.map_err(failed(&what))?;
        let stream = stream.ok_or_else(|| Error::NotFound { what: what.clone() })?;
        let read = stream.map_err(move |error| failed(&what)(error.into()));
        BlobStream::new(blob, read).collect_bytes(max).await
    }
}

fn failed(what: &str) -> impl Fn(StoreError) -> Error {
    move |error| Error::Io { path: what.to_owned(), reason: error.to_string() }
}

fn malformed(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Malformed { what: what.to_owned(), reason: error.to_string() }
}

/// Pages of one subject's referrers that are read.
const MAX_PAGES: u64 = 1_000;
