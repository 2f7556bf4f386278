//! Checking what the disk holds.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

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

    /// Reads all content once, `pause` after each piece, and calls `damaged` for what does not have its digest.
    pub async fn scrub(&self, pause: Duration, damaged: impl Fn(&Digest)) -> Result<(), StoreError> {
        for (digest, path) in self.blocking(Inner::contents_list).await? {
            if !self.blocking(move |_| is_intact(&digest, &path)).await? {
                damaged(&digest);
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
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
            if !is_intact(&digest, &path)? {
                report.findings.push(Finding::CorruptContent { digest });
            }
        }
        for repository in self.layout.repository_names()? {
            report.repositories += 1;
            self.check_repository(&repository, &mut report.findings)?;
        }
        Ok(report)
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

/// Whether content has its digest; so it has if it was removed meanwhile.
fn is_intact(digest: &Digest, path: &Path) -> Result<bool, StoreError> {
    let Some(mut file) = present(File::open(path))? else { return Ok(true) };
    let mut hasher = Hasher::new(digest.algorithm());
    hash_file(&mut file, &mut hasher)?;
    Ok(hasher.finish() == *digest)
}
