//! Storing a manifest that refers to another one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, Repository, Tag, media_type};
use signet_http::jitter;

use super::manifests::Precondition;
use super::{Client, ManifestName, PushOutcome, Resolved};
use crate::{Error, Result};

/// How a referrer was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// The registry lists it itself.
    Api {
        /// The digest of the referrer.
        digest: Digest,
    },
    /// It is listed in the index under the fallback tag.
    FallbackTag {
        /// The digest of the referrer.
        digest: Digest,
        /// How often a concurrent writer's change made another round necessary.
        rounds: u32,
        /// Whether a concurrent writer could still remove it from the index unseen: the registry gave
        /// no sign of honouring `If-Match`.
        race_possible: bool,
    },
}

impl Attached {
    /// The digest of the referrer.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Api { digest } | Self::FallbackTag { digest, .. } => *digest,
        }
    }
}

impl Client {
    /// Stores `manifest`, whose subject is `subject`, by its digest; where the registry does not list
    /// it by itself, adds it to the index under the fallback tag, losing nobody's entry as far as the
    /// registry makes that possible.
    pub async fn attach(
        &self,
        repository: &Repository,
        subject: &Digest,
        media_type: &str,
        manifest: Bytes,
    ) -> Result<Attached> {
        let digest = Digest::sha256(&manifest);
        let resolved = Resolved::new("the referrer", manifest, Some(media_type), digest)?;
        self.attach_resolved(repository, subject, &resolved).await
    }

    /// The same of a manifest that was read, by the digest that it was read by.
    pub(crate) async fn attach_resolved(
        &self,
        repository: &Repository,
        subject: &Digest,
        manifest: &Resolved,
    ) -> Result<Attached> {
        let names_subject = manifest.manifest.subject.as_ref().is_some_and(|s| s.digest == *subject);
        if !names_subject {
            return Err(Error::malformed("the referrer", format!("its subject is not {subject}")));
        }
        let (digest, media_type) = (manifest.digest(), &manifest.descriptor.media_type);
        let name = ManifestName::Digest(digest);
        let pushed = self.push_manifest(repository, &name, media_type, manifest.bytes.clone(), None).await?;
        match pushed.subject_accepted {
            true => Ok(Attached::Api { digest }),
            false => self.list_by_tag(repository, subject, &referrer(manifest)).await,
        }
    }

    async fn list_by_tag(
        &self,
        repository: &Repository,
        subject: &Digest,
        entry: &Descriptor,
    ) -> Result<Attached> {
        let digest = entry.digest;
        let (mut conflicts, mut written) = (0, false);
        for rounds in 0..self.limits().fallback_rounds {
            let started = Instant::now();
            let index = self.fallback_index(repository, subject).await?;
            if lists(index.as_ref(), digest) {
                let race_possible = written && conflicts == 0;
                return Ok(Attached::FallbackTag { digest, rounds: rounds.saturating_sub(1), race_possible });
            }
            match self.write_index(repository, subject, index.as_ref(), entry).await {
                Ok(PushOutcome { condition_held: true, .. }) => {
                    return Ok(Attached::FallbackTag { digest, rounds, race_possible: false });
                }
                Ok(_) => written = true,
                Err(Error::Conflict { .. }) => conflicts += 1,
                Err(error) => return Err(error),
            }
            pause(started, rounds).await;
        }
        let what = format!("writers of {repository}:{} at once", Tag::referrers_fallback(subject));
        Err(Error::Conflict { what, detail: format!(": {digest} is stored but not listed") })
    }

    /// Writes the index with one entry more. A registry that checks what an index lists refuses it with entries that were
    /// deleted, and would refuse every later signature: those are dropped.
    async fn write_index(
        &self,
        repository: &Repository,
        subject: &Digest,
        index: Option<&Resolved>,
        entry: &Descriptor,
    ) -> Result<PushOutcome> {
        let listed = index.map(|index| index.manifest.manifests()).unwrap_or_default();
        match self.put_index(repository, subject, index, listed, entry).await {
            Err(error) if is_missing_entry(&error) => {
                let existing = self.existing(repository, listed).await?;
                match existing.len() < listed.len() {
                    true => self.put_index(repository, subject, index, &existing, entry).await,
                    false => Err(error),
                }
            }
            other => other,
        }
    }

    /// Those of the entries that the registry still has, in their order.
    async fn existing(&self, repository: &Repository, listed: &[Descriptor]) -> Result<Vec<Descriptor>> {
        let asked = listed.iter().cloned().map(|entry| async move {
            let is_there = self.has_manifest(repository, &entry.digest).await?;
            Ok::<_, Error>(is_there.then_some(entry))
        });
        let asked = futures_util::stream::iter(asked).buffered(self.limits().parallel.max(1));
        let found: Vec<Option<Descriptor>> = asked.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn put_index(
        &self,
        repository: &Repository,
        subject: &Digest,
        index: Option<&Resolved>,
        listed: &[Descriptor],
        entry: &Descriptor,
    ) -> Result<PushOutcome> {
        if listed.len() >= self.limits().referrers {
            let what = format!("referrers of {subject}");
            return Err(Error::LimitHit { what, limit: self.limits().referrers as u64 });
        }
        let entries = listed.iter().chain([entry]).cloned().collect();
        let bytes = index_bytes(index.map(|index| &index.manifest), entries)?;
        let precondition = Precondition::unchanged(index);
        let name = ManifestName::Tag(Tag::referrers_fallback(subject));
        self.put_manifest(repository, &name, media_type::OCI_INDEX, bytes, &precondition).await
    }
}

/// Waits after a round of writing what others may be writing, too. A writer that read before we wrote writes within
/// about the time that we took. Who has met one waits for longer, so that the two do not meet again.
pub(super) async fn pause(started: Instant, round: u32) {
    let took = started.elapsed().clamp(Duration::from_millis(2), Duration::from_secs(2));
    let spread = if round == 0 { took / 2 } else { took * 2 };
    tokio::time::sleep(took + jitter(spread)).await;
}

/// The descriptor by which a referrer is listed: artifact type and annotations are copied from the
/// manifest (distribution-spec, "Pushing Manifests with Subject").
pub(crate) fn referrer(resolved: &Resolved) -> Descriptor {
    Descriptor {
        artifact_type: resolved.manifest.effective_artifact_type().map(str::to_owned),
        annotations: resolved.manifest.annotations.clone(),
        ..resolved.descriptor.clone()
    }
}

/// docker-registry 2.8 and others have no index that lists what they do not have (`MANIFEST_BLOB_UNKNOWN`).
fn is_missing_entry(error: &Error) -> bool {
    matches!(error, Error::Refused { detail, .. } if detail.contains("MANIFEST_BLOB_UNKNOWN"))
}

fn lists(index: Option<&Resolved>, digest: Digest) -> bool {
    index.is_some_and(|index| index.manifest.manifests().iter().any(|entry| entry.digest == digest))
}

fn index_bytes(old: Option<&Manifest>, entries: Vec<Descriptor>) -> Result<Bytes> {
    let index = Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_INDEX.to_owned()),
        artifact_type: old.and_then(|old| old.artifact_type.clone()),
        config: None,
        layers: None,
        manifests: Some(entries),
        subject: None,
        annotations: old.map(|old| old.annotations.clone()).unwrap_or_default(),
    };
    let bytes = serde_json::to_vec(&index)
        .map_err(|error| Error::malformed("the index of referrers", error.to_string()))?;
    Ok(bytes.into())
}
