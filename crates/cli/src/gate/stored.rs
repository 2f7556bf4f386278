//! What a decision about a pull reads: images and what is attached to them, in the registry's own store.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Tag};
use signet_registry::{BlobStream, Error, ManifestName, Referrers, ReferrersVia, Resolved};
use signet_store::RepositoryName;
use signet_store::registry::{FsRegistry, RegistryStore, StoreError};

use crate::gather::Source;

/// What is attached to an image, listed once: deciding reads it and no later list, so that the decision
/// belongs to the digests that were listed.
pub(super) struct Attached {
    pub(super) repository: Repository,
    referrers: Vec<Descriptor>,
    tags: Vec<(Tag, Option<Digest>)>,
}

impl Attached {
    pub(super) async fn list(repository: Repository, manifest: &Digest) -> Result<Self, Error> {
        let listed = repository.referrers(manifest).await?.into_complete()?;
        let mut tags = Vec::new();
        for tag in ["sig", "att"].iter().filter_map(|suffix| Tag::cosign_attachment(manifest, suffix)) {
            let digest = repository.tagged(&tag).await?;
            tags.push((tag, digest));
        }
        Ok(Self { repository, referrers: listed, tags })
    }

    /// The name of everything that a decision is made of, but for its time.
    pub(super) fn inputs(&self, manifest: &Digest) -> Digest {
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
pub(super) struct Repository {
    pub(super) store: FsRegistry,
    pub(super) name: RepositoryName,
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

fn failed(what: &str) -> impl Fn(StoreError) -> Error {
    move |error| Error::Io { path: what.to_owned(), reason: error.to_string() }
}

fn malformed(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Malformed { what: what.to_owned(), reason: error.to_string() }
}

/// Referrers of one image by which is decided; more are not read, and the pull is refused.
const MAX_REFERRERS: usize = 10_000;
