//! What is kept of a repository, and why.

use std::collections::{HashMap, HashSet};

use signet_crypto::Digest;
use signet_formats::oci::Manifest;

use super::super::StoreError;
use super::super::files::Inner;
use super::super::layout::Links;
use super::{GcOptions, is_young};
use crate::name::RepositoryName;

/// The manifests that any repository had when the collection began.
pub(super) struct Held(HashSet<Digest>);

/// What is kept of a repository.
#[derive(Debug)]
pub(super) struct Kept {
    /// The manifests, and the blobs that they keep.
    pub(super) digests: HashSet<Digest>,
    /// What the kept manifests refer to.
    pub(super) subjects: HashSet<Digest>,
    /// Manifests that are kept for nothing but that what they refer to may be in another registry.
    pub(super) without_subject: Vec<Digest>,
}

/// What a manifest names.
pub(super) struct Names {
    /// What it keeps. A foreign layer too, if somebody pushed it.
    kept: Vec<Digest>,
    /// What it refers to, which it does not keep.
    subject: Option<Digest>,
}

impl Inner {
    pub(super) fn held(&self) -> Result<Held, StoreError> {
        let mut held = HashSet::new();
        for repository in self.layout.repository_names()? {
            held.extend(self.layout.linked(&repository, Links::Manifests)?);
        }
        Ok(Held(held))
    }

    /// What the repository's manifests name, as far as they can be read. It is their digests that say so and no lock:
    /// whoever pulls or pushes meanwhile need not wait until all are read.
    pub(super) fn known(&self, repository: &RepositoryName) -> Result<HashMap<Digest, Names>, StoreError> {
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

    /// What is kept of the repository's `manifests`. What is not `known` is read.
    pub(super) fn kept(
        &self,
        repository: &RepositoryName,
        manifests: &[Digest],
        mut known: HashMap<Digest, Names>,
        held: &Held,
        options: GcOptions,
    ) -> Result<Kept, StoreError> {
        let mut marks = Marks::default();
        for digest in manifests {
            let names = known.remove(digest).map_or_else(|| self.names(repository, digest), Ok)?;
            marks.add(*digest, names);
        }
        for (tag, named) in self.all_tags(repository)? {
            // What it kept nobody knows: nothing goes.
            marks.keep(named.ok_or(StoreError::CorruptTag(tag))?);
        }
        for digest in manifests {
            let link = self.layout.manifest_link(repository, digest);
            let is_elsewhere = |subject| held.0.contains(&subject) || self.is_newly_linked(&subject);
            if is_young(&link, options.grace)? || marks.foreign_subject(digest).is_some_and(is_elsewhere) {
                marks.keep(*digest);
            }
        }
        let mut without_subject = Vec::new();
        if !options.without_subject {
            // Whose subject was removed here goes; whose subject never was here has it in another registry, or will.
            let was_here = |subject| self.layout.removed(repository, &subject).is_file();
            let is_unknown = |digest: &&Digest| marks.foreign_subject(digest).is_some_and(|of| !was_here(of));
            let unkept = manifests.iter().filter(|digest| !marks.kept.contains(*digest));
            without_subject.extend(unkept.filter(is_unknown).copied());
            without_subject.iter().for_each(|digest| marks.keep(*digest));
        }
        Ok(marks.into_kept(without_subject))
    }
}

impl Names {
    fn of(manifest: &Manifest) -> Self {
        let blobs = manifest.config.iter().chain(manifest.layers());
        let kept = blobs.chain(manifest.manifests()).map(|descriptor| descriptor.digest).collect();
        Self { kept, subject: manifest.subject.as_ref().map(|subject| subject.digest) }
    }
}

/// What is marked as kept so far.
#[derive(Default)]
struct Marks {
    names: HashMap<Digest, Names>,
    referrers: HashMap<Digest, Vec<Digest>>,
    kept: HashSet<Digest>,
}

impl Marks {
    fn add(&mut self, digest: Digest, names: Names) {
        if let Some(subject) = names.subject {
            self.referrers.entry(subject).or_default().push(digest);
        }
        self.names.insert(digest, names);
    }

    /// Keeps it, what it names and what refers to it.
    fn keep(&mut self, digest: Digest) {
        let mut pending = vec![digest];
        while let Some(digest) = pending.pop() {
            if self.kept.insert(digest) {
                pending.extend(self.names.get(&digest).into_iter().flat_map(|names| &names.kept));
                pending.extend(self.referrers.get(&digest).into_iter().flatten());
            }
        }
    }

    /// What a manifest refers to, if this repository does not have that.
    fn foreign_subject(&self, digest: &Digest) -> Option<Digest> {
        let subject = self.names.get(digest)?.subject;
        subject.filter(|subject| !self.names.contains_key(subject))
    }

    fn into_kept(self, without_subject: Vec<Digest>) -> Kept {
        let kept = self.names.iter().filter(|(digest, _)| self.kept.contains(digest));
        let subjects = kept.filter_map(|(_, names)| names.subject).collect();
        Kept { digests: self.kept, subjects, without_subject }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::super::Expect;
    use super::super::super::tests::{NOW, image, name, open, push, push_blob};
    use super::*;

    /// All manifests of a repository had been read under its lock, for which its pulls and those of others waited.
    #[tokio::test]
    async fn what_was_read_beside_pulls_is_not_read_again_while_they_wait() {
        let dir = tempfile::tempdir().unwrap();
        let (store, repository) = (open(dir.path()), name("a"));
        let config = push_blob(&store, &repository, b"{}").await;
        let tagged =
            push(&store, &repository, image(config, &[], None), &["1"], Expect::Anything).await.unwrap();
        let (inner, held) = (&store.inner, store.inner.held().unwrap());
        let pulling = inner.shared(&repository);
        let known = inner.known(&repository).unwrap();
        drop(pulling);
        assert_eq!(known.keys().collect::<Vec<_>>(), [&tagged]);
        fs::remove_file(inner.layout.content(&tagged)).unwrap();
        let found = inner.kept(&repository, &[tagged], known, &held, NOW).unwrap();
        assert_eq!(found.digests, HashSet::from([tagged, config]));
        let unread = inner.kept(&repository, &[tagged], HashMap::new(), &held, NOW);
        assert!(matches!(unread, Err(StoreError::Corrupt(_))), "{unread:?}");
    }
}
