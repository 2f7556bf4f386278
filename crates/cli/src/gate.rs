//! The policy that a registry asks before it serves a pull. It wires the store to [`signet_verify::decide`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Registry, Tag};
use signet_registry::{BlobStream, Error, ManifestName, Referrers, ReferrersVia, Resolved};
use signet_server::registry::{Principal, PullGate, Refusal};
use signet_store::RepositoryName;
use signet_store::registry::{FsRegistry, RegistryStore, StoreError};
use signet_verify::{Code, Outcome, RepositoryRule, Verdict};
use tokio::sync::Semaphore;

use crate::error::{CliError, registry_code};
use crate::gather::{Place, Source};
use crate::trust::Trust;
use crate::{clock, decision};

/// Permits what the policy allows, decided by what is attached at each pull.
///
/// A decision is the same as long as image and evidence are, both of which are named by digests, so that
/// listing what is attached is all that most pulls cost. It is made again after [`REUSED_FOR`], because the
/// time of a decision is an input too, and never reused where something could not be read.
pub(crate) struct Gate {
    trust: Trust,
    /// By what name clients know the registry.
    host: Option<String>,
    store: OnceLock<FsRegistry>,
    decided: Mutex<Decided>,
    /// Bounds the work that pulls of many images at once can cause.
    permits: Semaphore,
}

/// Recent decisions by what they were made of.
type Decided = HashMap<Digest, (i64, Result<(), Code>)>;

impl Gate {
    /// A gate that decides by this trust, for a registry that clients reach at `url`.
    ///
    /// A policy that compares repository names is refused where nobody says what the name is: the check
    /// would be left out.
    pub(crate) fn new(trust: Trust, url: Option<&str>) -> Result<Self, CliError> {
        let host = url.map(host_of).transpose()?;
        if host.is_none() && trust.policy.spec.repository != RepositoryRule::Note {
            let detail =
                "the policy compares repository names (`spec.repository`), and this registry's is not known";
            return Err(CliError::new(Code::UsageInvalid, detail)
                .hint("say where clients reach it: `--public-url https://HOST[:PORT]`"));
        }
        let permits = Semaphore::new(DECISIONS_AT_ONCE);
        Ok(Self { trust, host, store: OnceLock::new(), decided: Mutex::default(), permits })
    }

    /// Names the store that is guarded. Before that nothing is permitted.
    pub(crate) fn guard(&self, store: FsRegistry) {
        // A second store would be a second registry, which has a gate of its own.
        let _ = self.store.set(store);
    }

    async fn decide(&self, repository: &RepositoryName, manifest: &Digest) -> Result<(), Code> {
        let store = self.store.get().ok_or(Code::ServiceFailed)?;
        let repository = Repository { store: store.clone(), name: repository.clone() };
        let attached = Attached::list(repository, manifest).await;
        let attached = attached.map_err(|error| registry_code(&error))?;
        let inputs = attached.inputs(manifest);
        if let Some(decision) = self.known(&inputs) {
            return decision;
        }
        let _permit = self.permits.acquire().await.map_err(|_| Code::ServiceFailed)?;
        // Somebody who asked for the same may have had the permit before.
        if let Some(decision) = self.known(&inputs) {
            return decision;
        }
        let at = clock::now();
        let verdict = self.verdict(attached, manifest, at).await.map_err(|error| registry_code(&error))?;
        let decision = match verdict.outcome {
            Outcome::Allow => Ok(()),
            Outcome::Deny => Err(verdict.code.unwrap_or(Code::Internal)),
            Outcome::Undecidable => return Err(verdict.code.unwrap_or(Code::Internal)),
        };
        self.remember(inputs, at, decision);
        decision
    }

    async fn verdict(&self, attached: Attached, manifest: &Digest, at: i64) -> Result<Verdict, Error> {
        let image = attached.manifest(&ManifestName::Digest(*manifest)).await?;
        let name = self.host.as_ref().map(|host| format!("{host}/{}", attached.repository.name));
        let attached: Arc<dyn Source> = Arc::new(attached);
        Ok(decision::about_image(&attached, &image, name.as_deref(), &self.trust, &Place::ALL, at).await)
    }

    fn known(&self, inputs: &Digest) -> Option<Result<(), Code>> {
        let decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, decision) = decided.get(inputs)?;
        (*at..at.saturating_add(REUSED_FOR)).contains(&clock::now()).then_some(*decision)
    }

    fn remember(&self, inputs: Digest, at: i64, decision: Result<(), Code>) {
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if decided.len() >= MAX_DECIDED {
            decided.retain(|_, (since, _)| (*since..since.saturating_add(REUSED_FOR)).contains(&at));
        }
        if decided.len() < MAX_DECIDED {
            decided.insert(inputs, (at, decision));
        }
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
        let Err(reason) = self.decide(repository, manifest).await else { return Ok(()) };
        let code = Code::PullDenied;
        Err(Refusal {
            code: code.to_string(),
            message: format!("{}: {} ({reason})", code.title(), reason.title()),
            hint: reason.hint().to_owned(),
        })
    }
}

/// What is attached to an image, listed once: deciding reads it and no later list, so that the decision
/// belongs to the digests that were listed.
struct Attached {
    repository: Repository,
    referrers: Vec<Descriptor>,
    tags: Vec<(Tag, Option<Digest>)>,
}

impl Attached {
    async fn list(repository: Repository, manifest: &Digest) -> Result<Self, Error> {
        let listed = repository.referrers(manifest).await?.into_complete()?;
        let mut tags = Vec::new();
        for suffix in ["sig", "att"] {
            let tag = Tag::cosign_attachment(manifest, suffix);
            let digest = repository.tagged(&tag).await?;
            tags.push((tag, digest));
        }
        Ok(Self { repository, referrers: listed, tags })
    }

    /// The name of everything that a decision is made of, but for its time.
    fn inputs(&self, manifest: &Digest) -> Digest {
        let mut text = format!("{}@{manifest}\n", self.repository.name);
        let tags = self.tags.iter().filter_map(|(_, digest)| digest.as_ref());
        for digest in self.referrers.iter().map(|referrer| &referrer.digest).chain(tags) {
            text.push_str(&digest.to_string());
            text.push('\n');
        }
        Digest::sha256(text.as_bytes())
    }
}

#[async_trait]
impl Source for Attached {
    async fn manifest(&self, name: &ManifestName) -> Result<Resolved, Error> {
        let ManifestName::Tag(tag) = name else { return self.repository.manifest(name).await };
        match self.tags.iter().find(|(listed, _)| listed == tag) {
            Some((_, Some(digest))) => self.repository.manifest(&ManifestName::Digest(*digest)).await,
            _ => Err(Error::NotFound { what: tag.to_string() }),
        }
    }

    async fn referrers(&self, _subject: &Digest) -> Result<Referrers, Error> {
        let descriptors = self.referrers.clone();
        Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete: None })
    }

    async fn blob(&self, blob: &Descriptor, max: u64) -> Result<Bytes, Error> {
        self.repository.blob(blob, max).await
    }
}

/// One repository of the store.
struct Repository {
    store: FsRegistry,
    name: RepositoryName,
}

impl Repository {
    async fn tagged(&self, tag: &Tag) -> Result<Option<Digest>, Error> {
        let what = format!("{}:{tag}", self.name);
        self.store.resolve_tag(&self.name, tag).await.map_err(failed(&what))
    }
}

#[async_trait]
impl Source for Repository {
    async fn manifest(&self, name: &ManifestName) -> Result<Resolved, Error> {
        let what = format!("{}: {name}", self.name);
        let digest = match name {
            ManifestName::Digest(digest) => Some(*digest),
            ManifestName::Tag(tag) => self.tagged(tag).await?,
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
        loop {
            let page = self.store.referrers(&self.name, subject, None, after.as_ref()).await;
            let page = page.map_err(failed(&what))?;
            for entry in &page.entries {
                let read = serde_json::from_slice(entry);
                descriptors.push(read.map_err(|error| malformed(&what, &error))?);
            }
            if descriptors.len() > MAX_REFERRERS {
                return Err(Error::LimitHit { what, limit: MAX_REFERRERS as u64 });
            }
            after = match page.next.map(|next| next.parse()) {
                Some(next) => Some(next.map_err(|error| malformed(&what, &error))?),
                None => return Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete: None }),
            };
        }
    }

    async fn blob(&self, blob: &Descriptor, max: u64) -> Result<Bytes, Error> {
        let what = format!("{}@{}", self.name, blob.digest);
        let found = self.store.open_blob(&self.name, &blob.digest).await.map_err(failed(&what))?;
        let found = found.ok_or_else(|| Error::NotFound { what: what.clone() })?;
        let read = found.read(0..blob.size).map_err(move |error| failed(&what)(error.into()));
        BlobStream::new(blob, read).collect_bytes(max).await
    }
}

/// The host and port of a URL, as image names spell them.
fn host_of(url: &str) -> Result<String, CliError> {
    let host = url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
    let is_host = |host: &&str| Registry::new(host).is_ok_and(|registry| registry.as_str() == *host);
    let malformed = || {
        CliError::new(Code::UsageInvalid, format!("`{url}` is no URL of a registry"))
            .hint("write it as `https://HOST[:PORT]`")
    };
    host.filter(is_host).map(str::to_owned).ok_or_else(malformed)
}

fn failed(what: &str) -> impl Fn(StoreError) -> Error {
    move |error| Error::Io { path: what.to_owned(), reason: error.to_string() }
}

fn malformed(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Malformed { what: what.to_owned(), reason: error.to_string() }
}

/// Referrers of one image by which is decided; more are not read, and the pull is refused.
const MAX_REFERRERS: usize = 10_000;
/// Seconds for which a decision about the same digests is not made again.
const REUSED_FOR: i64 = 10;
/// Decisions that are remembered.
const MAX_DECIDED: usize = 4_096;
/// Decisions that are made side by side.
const DECISIONS_AT_ONCE: usize = 2;
