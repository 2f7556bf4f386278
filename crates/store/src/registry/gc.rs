//! Garbage collection: what nothing keeps any more goes.
//!
//! Kept is what is tagged, what a kept index lists, and what refers to something kept: so a signature
//! lives as long as its image. Signatures may be kept apart from their image, here or in another registry:
//! what refers to a manifest that the repository never had is kept, until it is asked to go. What is younger than the grace is kept too, for whoever is about to
//! push what will refer to it. A push is never raced: a repository's links are judged under its lock,
//! and content is removed only if no link to it was made since the collection began.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use signet_crypto::Digest;
use signet_formats::oci::Manifest;

use super::StoreError;
use super::files::Inner;
use super::layout::{Links, entry_names, present};
use crate::name::{RepositoryName, UploadId};

/// How garbage is collected.
#[derive(Clone, Copy, Debug)]
pub struct GcOptions {
    /// What is younger is kept. Longer than any push takes.
    pub grace: Duration,
    /// Uploads that nobody added to for this long go too.
    pub uploads: Duration,
    /// Remove nothing.
    pub dry_run: bool,
    /// Remove also what refers to manifests that no repository of the data directory has.
    pub absent_subjects: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { grace: HOUR, uploads: 24 * HOUR, dry_run: false, absent_subjects: false }
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
}

impl Inner {
    pub(super) fn collect_garbage(&self, options: GcOptions) -> Result<GcReport, StoreError> {
        let _journal = Journal::begin(self)?;
        let repositories = self.layout.repository_names()?;
        let subjects = options.absent_subjects.then(|| self.all_manifests(&repositories)).transpose()?;
        let mut run = Run { options, subjects, linked: HashSet::new(), report: GcReport::default() };
        for repository in &repositories {
            self.collect_repository(repository, &mut run)?;
        }
        self.collect_contents(&mut run)?;
        run.report.uploads = self.collect_uploads(options);
        Ok(run.report)
    }

    fn all_manifests(&self, repositories: &[RepositoryName]) -> Result<HashSet<Digest>, StoreError> {
        let mut all = HashSet::new();
        for repository in repositories {
            all.extend(self.layout.linked(repository, Links::Manifests)?);
        }
        Ok(all)
    }

    /// One that cannot be removed is being added to.
    fn collect_uploads(&self, options: GcOptions) -> Vec<(RepositoryName, UploadId)> {
        let mut stale = self.stale_uploads(options.uploads);
        stale.retain(|(repository, id)| options.dry_run || self.cancel_upload(repository, *id).is_ok());
        stale
    }

    fn collect_repository(&self, repository: &RepositoryName, run: &mut Run) -> Result<(), StoreError> {
        let known = self.known(repository)?;
        let _exclusive = self.exclusive(repository);
        let manifests = self.layout.linked(repository, Links::Manifests)?;
        let blobs = self.layout.linked(repository, Links::Blobs)?;
        let kept = match self.kept(repository, &manifests, known, run) {
            Ok(kept) => kept,
            Err(StoreError::Corrupt(_) | StoreError::CorruptTag(_) | StoreError::Manifest(_)) => {
                run.report.damaged.push(repository.clone());
                run.linked.extend(manifests);
                run.linked.extend(blobs);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for digest in manifests {
            if kept.contains(&digest) {
                run.linked.insert(digest);
                continue;
            }
            if !run.options.dry_run {
                self.remove_manifest(repository, &digest)?;
            }
            run.report.manifests.push((repository.clone(), digest));
        }
        self.collect_blobs(repository, blobs, &kept, run)
    }

    fn collect_blobs(
        &self,
        repository: &RepositoryName,
        blobs: Vec<Digest>,
        kept: &HashSet<Digest>,
        run: &mut Run,
    ) -> Result<(), StoreError> {
        for digest in blobs {
            let link = self.layout.blob_link(repository, &digest);
            if kept.contains(&digest) || is_young(&link, run.options.grace)? {
                run.linked.insert(digest);
                continue;
            }
            if !run.options.dry_run {
                self.disk().remove(&link)?;
            }
            run.report.blobs.push((repository.clone(), digest));
        }
        Ok(())
    }

    /// What the repository's manifests name, as far as they can be read. It is their digests that say so and no lock:
    /// whoever pulls or pushes meanwhile need not wait until all are read.
    fn known(&self, repository: &RepositoryName) -> Result<HashMap<Digest, Names>, StoreError> {
        let manifests = self.layout.linked(repository, Links::Manifests)?;
        let read = |digest: Digest| {
            let _shared = self.shared(repository);
            self.names(repository, &digest).ok().map(|names| (digest, names))
        };
        Ok(manifests.into_iter().filter_map(read).collect())
    }

    fn names(&self, repository: &RepositoryName, digest: &Digest) -> Result<Names, StoreError> {
        let stored = self.read_manifest(repository, digest)?.ok_or(StoreError::Corrupt(*digest))?;
        Ok(Names::of(&Manifest::parse(&stored.bytes)?))
    }

    /// The manifests that are kept, and the blobs that they keep. What is not `known` is read.
    fn kept(
        &self,
        repository: &RepositoryName,
        manifests: &[Digest],
        mut known: HashMap<Digest, Names>,
        run: &Run,
    ) -> Result<HashSet<Digest>, StoreError> {
        let mut referrers: HashMap<Digest, Vec<Digest>> = HashMap::new();
        for digest in manifests {
            let names = match known.entry(*digest) {
                Entry::Occupied(names) => names.into_mut(),
                Entry::Vacant(unread) => unread.insert(self.names(repository, digest)?),
            };
            if let Some(subject) = names.subject {
                referrers.entry(subject).or_default().push(*digest);
            }
        }
        let mut pending = Vec::new();
        for (tag, named) in self.all_tags(repository)? {
            // What it kept nobody knows: nothing goes.
            pending.push(named.ok_or(StoreError::CorruptTag(tag))?);
        }
        for digest in manifests {
            if is_young(&self.layout.manifest_link(repository, digest), run.options.grace)? {
                pending.push(*digest);
            }
        }
        let elsewhere = referrers.keys().filter(|subject| !known.contains_key(subject));
        let is_kept =
            |subject: &&Digest| run.may_be_elsewhere(subject) && !self.was_deleted(repository, subject);
        pending.extend(elsewhere.filter(is_kept));
        let mut kept = HashSet::new();
        while let Some(digest) = pending.pop() {
            if kept.insert(digest) {
                pending.extend(known.get(&digest).into_iter().flat_map(|names| &names.kept));
                pending.extend(referrers.get(&digest).into_iter().flatten());
            }
        }
        Ok(kept)
    }

    fn collect_contents(&self, run: &mut Run) -> Result<(), StoreError> {
        for (digest, path) in self.contents_list()? {
            if run.linked.contains(&digest) {
                continue;
            }
            // Waits for pushes that are between their content and its link.
            let _alone = self.contents.write().unwrap_or_else(PoisonError::into_inner);
            if self.is_newly_linked(&digest) {
                continue;
            }
            let Some(content) = present(fs::metadata(&path))? else { continue };
            if !run.options.dry_run {
                self.disk().remove(&path)?;
            }
            run.report.bytes += content.len();
            run.report.contents.push(digest);
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

/// A collection under way.
struct Run {
    options: GcOptions,
    /// What may have referrers that are kept apart from it; unset, anything may.
    subjects: Option<HashSet<Digest>>,
    /// What repositories still have.
    linked: HashSet<Digest>,
    report: GcReport,
}

impl Run {
    fn may_be_elsewhere(&self, subject: &Digest) -> bool {
        self.subjects.as_ref().is_none_or(|subjects| subjects.contains(subject))
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

/// What a manifest names.
struct Names {
    /// What it keeps. A foreign layer too, if somebody pushed it.
    kept: Vec<Digest>,
    /// What it refers to, which it does not keep.
    subject: Option<Digest>,
}

impl Names {
    fn of(manifest: &Manifest) -> Self {
        let blobs = manifest.config.iter().chain(manifest.layers());
        let kept = blobs.chain(manifest.manifests()).map(|descriptor| descriptor.digest).collect();
        Self { kept, subject: manifest.subject.as_ref().map(|subject| subject.digest) }
    }
}

fn is_young(link: &Path, grace: Duration) -> Result<bool, StoreError> {
    let Some(marked) = present(fs::metadata(link))? else { return Ok(false) };
    // A time to come, after the clock was set back, counts as young.
    let old = marked.modified()?.elapsed().is_ok_and(|age| age >= grace);
    Ok(!old)
}

const HOUR: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::super::Expect;
    use super::super::tests::{image, name, open, push, push_blob};
    use super::*;

    /// All manifests of a repository had been read under its lock, for which its pulls and those of others waited.
    #[tokio::test]
    async fn what_was_read_beside_pulls_is_not_read_again_while_they_wait() {
        let dir = tempfile::tempdir().unwrap();
        let (store, repository) = (open(dir.path()), name("a"));
        let config = push_blob(&store, &repository, b"{}").await;
        let kept =
            push(&store, &repository, image(config, &[], None), &["1"], Expect::Anything).await.unwrap();
        let inner = &store.inner;
        let pulling = inner.shared(&repository);
        let known = inner.known(&repository).unwrap();
        drop(pulling);
        assert_eq!(known.keys().collect::<Vec<_>>(), [&kept]);
        fs::remove_file(inner.layout.content(&kept)).unwrap();
        let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
        let run = Run { options, subjects: None, linked: HashSet::new(), report: GcReport::default() };
        let found = inner.kept(&repository, &[kept], known, &run).unwrap();
        assert_eq!(found, HashSet::from([kept, config]));
        let unread = inner.kept(&repository, &[kept], HashMap::new(), &run);
        assert!(matches!(unread, Err(StoreError::Corrupt(_))), "{unread:?}");
    }
}
