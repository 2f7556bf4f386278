//! Garbage collection: what nothing keeps any more goes.
//!
//! Kept is what is tagged, what a kept index lists, and what refers to something kept: so a signature
//! lives as long as its image. What refers to something of another repository lives as long as any has it, and what
//! refers to something that none has is kept as well: its image may be in another registry. What is younger than
//! the grace is kept too, for whoever is about to push what will refer to it. A push is never raced: a repository's
//! links are judged under its lock, and content is removed only if no link to it was made since the collection began.

mod keep;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use signet_crypto::Digest;

use self::keep::{Held, Kept};
use super::StoreError;
use super::files::Inner;
use super::layout::{Links, digest_of_file_name, entry_names, present};
use crate::name::{RepositoryName, UploadId};

/// How garbage is collected.
#[derive(Clone, Copy, Debug)]
pub struct GcOptions {
    /// What is younger is kept. Longer than any push takes.
    pub grace: Duration,
    /// Uploads that nobody added to for this long go too.
    pub uploads: Duration,
    /// Remove also what refers to something that no repository here has.
    pub without_subject: bool,
    /// Remove nothing.
    pub dry_run: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { grace: HOUR, uploads: 24 * HOUR, without_subject: false, dry_run: false }
    }
}

/// What a collection removed, or would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Manifests, by repository.
    pub manifests: Vec<(RepositoryName, Digest)>,
    /// Blobs taken out of repositories.
    pub blobs: Vec<(RepositoryName, Digest)>,
    /// Content that no repository had any more.
    pub contents: Vec<Digest>,
    /// How many bytes that content had.
    pub bytes: u64,
    /// Uploads that were begun and never finished.
    pub uploads: Vec<(RepositoryName, UploadId)>,
    /// Repositories left alone because a manifest or tag there is damaged and does not say what it keeps.
    pub damaged: Vec<RepositoryName>,
    /// Manifests that nothing keeps but that what they refer to may be in another registry: no repository here has it.
    pub without_subject: Vec<(RepositoryName, Digest)>,
}

impl Inner {
    pub(super) fn collect_garbage(&self, options: GcOptions) -> Result<GcReport, StoreError> {
        let _journal = Journal::begin(self)?;
        let (mut report, mut linked) = (GcReport::default(), HashSet::new());
        let held = self.held()?;
        for repository in self.layout.repository_names()? {
            self.collect_repository(&repository, options, &held, &mut report, &mut linked)?;
        }
        self.collect_contents(options, &linked, &mut report)?;
        report.uploads = self.collect_uploads(options);
        Ok(report)
    }

    /// One that cannot be removed is being added to.
    fn collect_uploads(&self, options: GcOptions) -> Vec<(RepositoryName, UploadId)> {
        let mut stale = self.stale_uploads(options.uploads);
        stale.retain(|(repository, id)| options.dry_run || self.cancel_upload(repository, *id).is_ok());
        stale
    }

    fn collect_repository(
        &self,
        repository: &RepositoryName,
        options: GcOptions,
        held: &Held,
        report: &mut GcReport,
        linked: &mut HashSet<Digest>,
    ) -> Result<(), StoreError> {
        let known = self.known(repository)?;
        let _exclusive = self.exclusive(repository);
        let manifests = self.layout.linked(repository, Links::Manifests)?;
        let blobs = self.layout.linked(repository, Links::Blobs)?;
        let kept = match self.kept(repository, &manifests, known, held, options) {
            Ok(kept) => kept,
            Err(StoreError::Corrupt(_) | StoreError::CorruptTag(_) | StoreError::Manifest(_)) => {
                report.damaged.push(repository.clone());
                linked.extend(manifests.into_iter().chain(blobs));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (keep, go): (Vec<_>, Vec<_>) =
            manifests.into_iter().partition(|digest| kept.digests.contains(digest));
        linked.extend(keep);
        if !options.dry_run {
            go.iter().try_for_each(|digest| self.remove_manifest(repository, digest))?;
            self.forget_removed(repository, &kept)?;
        }
        report.manifests.extend(go.into_iter().map(|digest| (repository.clone(), digest)));
        let without_subject = kept.without_subject.iter();
        report.without_subject.extend(without_subject.map(|digest| (repository.clone(), *digest)));
        for digest in blobs {
            let link = self.layout.blob_link(repository, &digest);
            if kept.digests.contains(&digest) || is_young(&link, options.grace)? {
                linked.insert(digest);
                continue;
            }
            if !options.dry_run {
                self.disk().remove(&link)?;
            }
            report.blobs.push((repository.clone(), digest));
        }
        Ok(())
    }

    /// Of what nothing refers to any more nobody asks whether it was here.
    fn forget_removed(&self, repository: &RepositoryName, kept: &Kept) -> Result<(), StoreError> {
        for name in entry_names(&self.layout.all_removed(repository))? {
            let Some(digest) = digest_of_file_name(&name) else { continue };
            if !kept.subjects.contains(&digest) {
                self.disk().remove(&self.layout.removed(repository, &digest))?;
            }
        }
        Ok(())
    }

    fn collect_contents(
        &self,
        options: GcOptions,
        linked: &HashSet<Digest>,
        report: &mut GcReport,
    ) -> Result<(), StoreError> {
        for (digest, path) in self.contents_list()? {
            if linked.contains(&digest) {
                continue;
            }
            // Waits for pushes that are between their content and its link.
            let _alone = self.contents.write().unwrap_or_else(PoisonError::into_inner);
            if self.is_newly_linked(&digest) {
                continue;
            }
            let Some(content) = present(fs::metadata(&path))? else { continue };
            if !options.dry_run {
                self.disk().remove(&path)?;
            }
            report.bytes += content.len();
            report.contents.push(digest);
        }
        Ok(())
    }

    /// All content and where it is.
    pub(super) fn contents_list(&self) -> Result<Vec<(Digest, std::path::PathBuf)>, StoreError> {
        let mut contents = Vec::new();
        let root = self.layout.contents();
        for algorithm in entry_names(&root)? {
            for shard in entry_names(&root.join(&algorithm))? {
                let dir = root.join(&algorithm).join(shard);
                for hex in entry_names(&dir)? {
                    let digest = format!("{algorithm}:{hex}").parse::<Digest>();
                    contents.extend(digest.map(|digest| (digest, dir.join(&hex))));
                }
            }
        }
        Ok(contents)
    }

    fn is_newly_linked(&self, digest: &Digest) -> bool {
        let newly_linked = self.newly_linked.lock().unwrap_or_else(PoisonError::into_inner);
        newly_linked.as_ref().is_none_or(|digests| digests.contains(digest))
    }
}

/// As long as it lives, what is linked is written down.
struct Journal<'a>(&'a Inner);

impl<'a> Journal<'a> {
    /// Every push writes itself down from here on, or has made its link: none is between its content and its link.
    fn begin(inner: &'a Inner) -> Result<Self, StoreError> {
        let _alone = inner.contents.write().unwrap_or_else(PoisonError::into_inner);
        let mut newly_linked = inner.newly_linked.lock().unwrap_or_else(PoisonError::into_inner);
        match newly_linked.replace(HashSet::new()) {
            None => Ok(Self(inner)),
            Some(running) => {
                *newly_linked = Some(running);
                Err(StoreError::CollectionRunning)
            }
        }
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        *self.0.newly_linked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn is_young(link: &Path, grace: Duration) -> Result<bool, StoreError> {
    let Some(marked) = present(fs::metadata(link))? else { return Ok(false) };
    // A time to come, after the clock was set back, counts as young.
    let old = marked.modified()?.elapsed().is_ok_and(|age| age >= grace);
    Ok(!old)
}

const HOUR: Duration = Duration::from_secs(60 * 60);
