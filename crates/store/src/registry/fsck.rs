//! Checking what the disk holds.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Instant;

use signet_crypto::{Digest, Hasher};
use signet_formats::oci::{Manifest, Tag};

use super::StoreError;
use super::blobs::hash_file;
use super::files::{FsRegistry, Inner};
use super::layout::{Links, file_name, present};
use super::manifests::blobs_of;
use crate::name::RepositoryName;

impl FsRegistry {
    /// Reads all content and checks all links.
    pub async fn fsck(&self) -> Result<FsckReport, StoreError> {
        self.blocking(Inner::fsck).await
    }

    /// Reads all content once, in slices, resting `rest` times as long as each took, and sets aside what
    /// does not have its digest, which `damaged` is called for: who pushes it again is asked for it, and heals it.
    pub async fn scrub(&self, rest: u32, damaged: impl Fn(&Digest)) -> Result<(), StoreError> {
        for (digest, path) in self.blocking(Inner::contents_list).await? {
            if self.is_intact(digest, path.clone(), rest).await? {
                continue;
            }
            if self.blocking(move |inner| inner.set_aside_if_damaged(&digest, &path)).await? {
                damaged(&digest);
            }
        }
        Ok(())
    }

    async fn is_intact(&self, digest: Digest, path: PathBuf, rest: u32) -> Result<bool, StoreError> {
        let mut check = self.blocking(move |_| Check::begin(digest, &path)).await?;
        loop {
            let began = Instant::now();
            check = match self.blocking(move |_| Ok(check.go_on(SLICE))).await? {
                Checked::SoFar(check) => check,
                Checked::Whole(intact) => return Ok(intact),
            };
            tokio::time::sleep(began.elapsed() * rest).await;
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// How many repositories were checked.
    pub repositories: usize,
    /// How many pieces of content were read.
    pub contents: usize,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Content does not have its digest. Push it again.
    CorruptContent {
        /// Its digest.
        digest: Digest,
    },
    /// A tag names no manifest of the repository, or its file is unreadable.
    DanglingTag {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
    },
    /// A manifest names content that the repository does not have (any more).
    IncompleteManifest {
        /// The repository.
        repository: RepositoryName,
        /// The manifest.
        manifest: Digest,
        /// What it names.
        missing: Digest,
    },
    /// What is stored as a manifest is not one.
    MalformedManifest {
        /// The repository.
        repository: RepositoryName,
        /// Its digest.
        manifest: Digest,
    },
    /// The repository has a link to content that is not there.
    MissingContent {
        /// The repository.
        repository: RepositoryName,
        /// The content's digest.
        digest: Digest,
    },
    /// The referrers list of a subject lacks a manifest that refers to it. Push the manifest again.
    UnlistedReferrer {
        /// The repository.
        repository: RepositoryName,
        /// What it refers to.
        subject: Digest,
        /// The manifest.
        manifest: Digest,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CorruptContent { digest } => write!(f, "the content of {digest} is damaged"),
            Self::DanglingTag { repository, tag } => write!(f, "{repository}:{tag} names no manifest"),
            Self::IncompleteManifest { repository, manifest, missing } => {
                write!(f, "{repository}@{manifest} names {missing}, which the repository does not have")
            }
            Self::MalformedManifest { repository, manifest } => {
                write!(f, "{repository}@{manifest} is not a manifest")
            }
            Self::MissingContent { repository, digest } => {
                write!(f, "the content of {repository}@{digest} is missing")
            }
            Self::UnlistedReferrer { repository, subject, manifest } => {
                write!(f, "{repository}@{manifest} is not among the referrers of {subject}")
            }
        }
    }
}

impl Inner {
    fn fsck(&self) -> Result<FsckReport, StoreError> {
        let mut report = FsckReport::default();
        for (digest, path) in self.contents_list()? {
            report.contents += 1;
            if !is_intact(digest, &path)? {
                report.findings.push(Finding::CorruptContent { digest });
            }
        }
        for repository in self.layout.repository_names()? {
            report.repositories += 1;
            self.check_repository(&repository, &mut report.findings)?;
        }
        Ok(report)
    }

    fn set_aside_if_damaged(&self, digest: &Digest, path: &Path) -> Result<bool, StoreError> {
        if is_intact(*digest, path)? {
            return Ok(false);
        }
        // Once more while nobody can put it anew: it may just have been healed.
        let _alone = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        if is_intact(*digest, path)? {
            return Ok(false);
        }
        self.disk().rename(path, &self.layout.damaged(digest))?;
        self.disk().sync_parent(path)?;
        Ok(true)
    }

    fn check_repository(
        &self,
        repository: &RepositoryName,
        findings: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        let _shared = self.shared(repository);
        let manifests = self.layout.linked(repository, Links::Manifests)?;
        let blobs = self.layout.linked(repository, Links::Blobs)?;
        for digest in blobs.iter().chain(&manifests).filter(|digest| !self.layout.content(digest).is_file()) {
            findings.push(Finding::MissingContent { repository: repository.clone(), digest: *digest });
        }
        let linked: HashSet<_> = blobs.into_iter().chain(manifests.iter().copied()).collect();
        for (tag, named) in self.all_tags(repository)? {
            if named.is_none_or(|digest| !self.has_manifest(repository, &digest)) {
                findings.push(Finding::DanglingTag { repository: repository.clone(), tag });
            }
        }
        for manifest in manifests {
            self.check_manifest(repository, manifest, &linked, findings)?;
        }
        Ok(())
    }

    fn check_manifest(
        &self,
        repository: &RepositoryName,
        manifest: Digest,
        linked: &HashSet<Digest>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        let repository = repository.clone();
        let stored = match self.read_manifest(&repository, &manifest) {
            Ok(Some(stored)) => stored,
            // Reported as content.
            Ok(None) | Err(StoreError::Corrupt(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Ok(parsed) = Manifest::parse(&stored.bytes) else {
            findings.push(Finding::MalformedManifest { repository, manifest });
            return Ok(());
        };
        let named = blobs_of(&parsed).chain(parsed.manifests()).map(|descriptor| descriptor.digest);
        for missing in named.filter(|digest| !linked.contains(digest)) {
            findings.push(Finding::IncompleteManifest { repository: repository.clone(), manifest, missing });
        }
        if let Some(subject) = parsed.subject.map(|subject| subject.digest) {
            let entry = self.layout.referrers(&repository, &subject).join(file_name(&manifest));
            if !entry.is_file() {
                findings.push(Finding::UnlistedReferrer { repository, subject, manifest });
            }
        }
        Ok(())
    }
}

/// Whether content has its digest.
fn is_intact(digest: Digest, path: &Path) -> Result<bool, StoreError> {
    match Check::begin(digest, path)?.go_on(u64::MAX) {
        Checked::Whole(intact) => Ok(intact),
        Checked::SoFar(_) => Ok(false),
    }
}

/// Content being compared with its digest.
struct Check {
    digest: Digest,
    hasher: Hasher,
    /// Absent if it was removed meanwhile.
    file: Option<File>,
}

enum Checked {
    SoFar(Check),
    Whole(bool),
}

impl Check {
    fn begin(digest: Digest, path: &Path) -> Result<Self, StoreError> {
        Ok(Self { digest, hasher: Hasher::new(digest.algorithm()), file: present(File::open(path))? })
    }

    /// Reads the next `slice` bytes. What was removed is intact; what cannot be read is not.
    fn go_on(mut self, slice: u64) -> Checked {
        let Some(file) = &mut self.file else { return Checked::Whole(true) };
        match hash_file(&mut file.take(slice), &mut self.hasher) {
            Ok(read) if read == slice => Checked::SoFar(self),
            Ok(_) => Checked::Whole(self.hasher.finish() == self.digest),
            Err(_) => Checked::Whole(false),
        }
    }
}

/// Some hundredths of a second.
const SLICE: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_checked_in_slices_of_any_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("content");
        std::fs::write(&path, b"nine byte").unwrap();
        for (content, slice, intact) in [
            (b"nine byte", 3, true),
            (b"nine byte", 4, true),
            (b"nine byte", 99, true),
            (b"other one", 3, false),
        ] {
            let mut check = Check::begin(Digest::sha256(content), &path).unwrap();
            let found = loop {
                check = match check.go_on(slice) {
                    Checked::SoFar(check) => check,
                    Checked::Whole(intact) => break intact,
                };
            };
            assert_eq!(found, intact, "slices of {slice}");
        }
        let gone = Check::begin(Digest::sha256(b""), &dir.path().join("gone")).unwrap();
        assert!(matches!(gone.go_on(1), Checked::Whole(true)));
    }
}
