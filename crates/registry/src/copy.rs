//! Carrying an image with everything that belongs to it from one store to another.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Tag, Walk};

use crate::client::{Attached, BlobPush, ManifestName, Resolved};
use crate::location::Endpoint;
use crate::store::ImageStore;
use crate::{Error, Result};

/// What a copy carries, and how.
///
/// There is no choice of platforms here: an index without some of its images is one that registries
/// refuse and whose signatures speak of another digest. For one platform, name its image in the
/// source by digest; it travels with what refers to it, and the target's tag then names it.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// Signatures, attestations and whatever else refers to the image, and to that in turn.
    pub referrers: bool,
    /// Blobs under way at once.
    pub parallel: usize,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { referrers: true, parallel: 4 }
    }
}

/// Progress of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyEvent {
    /// A blob is begun.
    BlobStarted {
        /// The blob.
        blob: Descriptor,
    },
    /// A blob is in the target.
    BlobDone {
        /// The blob.
        blob: Descriptor,
        /// How it came there.
        how: BlobPush,
    },
    /// A manifest is in the target.
    ManifestDone {
        /// The manifest.
        digest: Digest,
        /// Whether it was there before.
        present: bool,
    },
}

/// What a copy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// The digest of the image, the same on both sides.
    pub digest: Digest,
    /// Manifests sent.
    pub manifests_sent: u64,
    /// Manifests that were there.
    pub manifests_present: u64,
    /// Blobs sent.
    pub blobs_sent: u64,
    /// Bytes of those.
    pub bytes_sent: u64,
    /// Blobs that the registry took from another of its repositories.
    pub blobs_mounted: u64,
    /// Blobs that were there.
    pub blobs_present: u64,
    /// Manifests that refer to the image or to one another, sent or present.
    pub referrers: u64,
    /// Tags of cosign's older attachments (`.sig`, `.att`, `.sbom`) carried.
    pub attachments: u64,
    /// Manifests that the source lists as referring to the image, or to what does, and does not have.
    pub missing: Vec<Digest>,
    /// What is attached to the image, or to what is, and the source does not let this client have.
    pub refused: Vec<ManifestName>,
    /// Whether a concurrent writer could have removed a referrer from a fallback tag, or an attachment from its tag, unseen.
    pub race_possible: bool,
}

/// Copies the image at `source` to `target`, every platform of it and all that refers to it.
///
/// What is there is not sent again, so a broken copy continues where it was, and a repeated one does
/// nothing. The target's tag is set last: whoever sees it sees the signatures, too. Content flows
/// through in chunks.
pub async fn copy(
    source: &Endpoint,
    target: &Endpoint,
    options: &CopyOptions,
    progress: &(dyn Fn(CopyEvent) + Send + Sync),
) -> Result<CopyReport> {
    let root = source.store.resolve(source.name.as_ref()).await?;
    check_name(target, &root)?;
    target.store.takes(&root.manifest)?;
    let limits = source.store.limits();
    let met = Met { walk: Walk::new(limits.depth, limits.copy_manifests), unsearched: VecDeque::new() };
    let report = Mutex::new(CopyReport::new(root.digest()));
    let copier = Copier { source, target, options, progress, met: Mutex::new(met), report };
    copier.tree(source.store.as_ref(), root.clone(), 0).await?;
    if options.referrers {
        copier.everything_attached().await?;
    }
    match &target.name {
        Some(ManifestName::Tag(tag)) => target.store.tag(&root, tag).await?,
        _ => target.store.list(&root).await?,
    }
    target.store.finish().await?;
    Ok(copier.report.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl CopyReport {
    fn new(digest: Digest) -> Self {
        Self {
            digest,
            manifests_sent: 0,
            manifests_present: 0,
            blobs_sent: 0,
            bytes_sent: 0,
            blobs_mounted: 0,
            blobs_present: 0,
            referrers: 0,
            attachments: 0,
            missing: Vec::new(),
            refused: Vec::new(),
            race_possible: false,
        }
    }
}

struct Copier<'a> {
    source: &'a Endpoint,
    target: &'a Endpoint,
    options: &'a CopyOptions,
    progress: &'a (dyn Fn(CopyEvent) + Send + Sync),
    met: Mutex<Met>,
    report: Mutex<CopyReport>,
}

/// Manifests that were met.
struct Met {
    walk: Walk,
    /// Those for whose referrers nobody has looked, in the order they were met.
    unsearched: VecDeque<Digest>,
}

impl Copier<'_> {
    /// A manifest after all that it names.
    fn tree<'c>(
        &'c self,
        from: &'c dyn ImageStore,
        manifest: Resolved,
        depth: usize,
    ) -> BoxFuture<'c, Result<()>> {
        Box::pin(async move {
            match self.enter(manifest.digest(), depth)? {
                true => self.store(from, &manifest, depth).await,
                false => Ok(()),
            }
        })
    }

    /// Puts a manifest after all that it names; what refers to another, be it part of an image too, so that it is found
    /// from there.
    async fn store(&self, from: &dyn ImageStore, manifest: &Resolved, depth: usize) -> Result<()> {
        self.parts(from, manifest, depth).await?;
        let (digest, target) = (manifest.digest(), &self.target.store);
        let present = target.has_manifest(&digest).await?;
        match &manifest.manifest.subject {
            Some(subject) => {
                let attached = target.put_referrer(manifest, &subject.digest).await?;
                self.count(|report| {
                    report.referrers += u64::from(digest != report.digest);
                    report.race_possible |=
                        matches!(attached, Attached::FallbackTag { race_possible: true, .. });
                });
            }
            None if present => {}
            None => target.put_manifest(manifest).await?,
        }
        self.count_manifest(digest, present);
        Ok(())
    }

    /// The blobs of an image, the manifests of an index.
    async fn parts(&self, from: &dyn ImageStore, manifest: &Resolved, depth: usize) -> Result<()> {
        for child in manifest.manifest.manifests() {
            let child = from.resolve(Some(&ManifestName::Digest(child.digest))).await?;
            self.tree(from, child, depth + 1).await?;
        }
        let blobs = manifest.manifest.config.iter().chain(manifest.manifest.layers());
        let blobs: Vec<_> = blobs.filter(|blob| !blob.is_foreign_layer()).cloned().collect();
        let sends = blobs.into_iter().map(|blob| Ok(self.blob(from, blob)));
        futures_util::stream::iter(sends)
            .try_buffer_unordered(self.options.parallel.max(1))
            .try_collect::<Vec<()>>()
            .await
            .map(|_| ())
    }

    async fn blob(&self, from: &dyn ImageStore, blob: Descriptor) -> Result<()> {
        (self.progress)(CopyEvent::BlobStarted { blob: blob.clone() });
        let how = self.target.store.put_blob(&blob, from).await?;
        self.count(|report| match how {
            BlobPush::Present => report.blobs_present += 1,
            BlobPush::Mounted => report.blobs_mounted += 1,
            BlobPush::Sent => {
                report.blobs_sent += 1;
                report.bytes_sent += blob.size;
            }
        });
        (self.progress)(CopyEvent::BlobDone { blob, how });
        Ok(())
    }

    /// What refers to anything that was carried, until nothing new is met.
    async fn everything_attached(&self) -> Result<()> {
        while let Some(subject) = self.next_unsearched() {
            self.attached_to(&subject, self.source.store.as_ref()).await?;
            if let Some(apart) = &self.source.apart {
                self.attached_to(&subject, apart.as_ref()).await?;
            }
        }
        Ok(())
    }

    async fn attached_to(&self, subject: &Digest, from: &dyn ImageStore) -> Result<()> {
        for listed in from.referrers(subject).await?.into_complete()? {
            self.referrer(from, subject, listed.digest).await?;
        }
        for suffix in ["sig", "att", "sbom"] {
            if let Some(tag) = Tag::cosign_attachment(subject, suffix) {
                self.attachment(from, tag, suffix).await?;
            }
        }
        Ok(())
    }

    /// A listed manifest that does not name the subject is the lister's lie, and not carried. One that was deleted and
    /// is still listed cannot be.
    async fn referrer(&self, from: &dyn ImageStore, subject: &Digest, listed: Digest) -> Result<()> {
        let found = match self.allowed(from, ManifestName::Digest(listed)).await {
            Err(error) if error.is_not_found() => {
                self.count(|report| report.missing.push(listed));
                return Ok(());
            }
            found => found?,
        };
        let Some(manifest) = found else { return Ok(()) };
        let stated = manifest.manifest.subject.as_ref().map(|stated| stated.digest);
        match stated == Some(*subject) {
            true => self.tree(from, manifest, 0).await,
            false => Ok(()),
        }
    }

    /// Signatures and attestations join those of the target; a bill of materials is one, and takes the place of another.
    async fn attachment(&self, from: &dyn ImageStore, tag: Tag, suffix: &str) -> Result<()> {
        let found = match self.allowed(from, ManifestName::Tag(tag.clone())).await {
            Err(error) if error.is_not_found() => return Ok(()),
            found => found?,
        };
        let Some(manifest) = found else { return Ok(()) };
        self.tree(from, manifest.clone(), 0).await?;
        let race_possible = match suffix {
            "sbom" => self.target.store.tag(&manifest, &tag).await.map(|()| false)?,
            _ => self.target.store.put_attachment(&manifest, &tag).await?,
        };
        self.count(|report| {
            report.attachments += 1;
            report.race_possible |= race_possible;
        });
        Ok(())
    }

    /// Something attached, if the source lets us have it: one that it does not must not keep the image here.
    async fn allowed(&self, from: &dyn ImageStore, name: ManifestName) -> Result<Option<Resolved>> {
        match from.resolve(Some(&name)).await {
            Err(Error::Forbidden { .. }) => {
                self.count(|report| report.refused.push(name));
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    /// Whether the manifest is met for the first time.
    fn enter(&self, digest: Digest, depth: usize) -> Result<bool> {
        let mut met = self.met();
        let is_new = met.walk.enter(digest, depth)?;
        if is_new {
            met.unsearched.push_back(digest);
        }
        Ok(is_new)
    }

    fn next_unsearched(&self) -> Option<Digest> {
        self.met().unsearched.pop_front()
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_manifest(&self, digest: Digest, present: bool) {
        self.count(|report| match present {
            true => report.manifests_present += 1,
            false => report.manifests_sent += 1,
        });
        (self.progress)(CopyEvent::ManifestDone { digest, present });
    }

    fn count(&self, change: impl FnOnce(&mut CopyReport)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A target named by digest can only take that image.
fn check_name(target: &Endpoint, root: &Resolved) -> Result<()> {
    match &target.name {
        Some(ManifestName::Digest(expected)) if *expected != root.digest() => {
            Err(Error::digest_mismatch(*expected, root.digest()))
        }
        _ => Ok(()),
    }
}
