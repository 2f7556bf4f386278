//! Where things are below the data directory.
//!
//! ```text
//! blobs/<algorithm>/<2 hex>/<hex>                content of blobs and manifests, shared
//! damaged/<algorithm>-<hex>                      content that lost its digest, for whoever wants to look
//! scratch/                                       files on their way to their place
//! repositories/<name>/_blobs/<algorithm>/<hex>   empty: the repository has this blob
//!                    /_manifests/<algorithm>/<hex>    the media type of this manifest
//!                    /_tags/<tag>                     the digest it names
//!                    /_referrers/<digest>/<digest>    subject, then the descriptor of what refers to it
//!                    /_indexes/<digest>/<digest>      empty: manifest, then an index that lists it
//!                    /_removed/<digest>               empty: this manifest was removed, and others still refer to it
//!                    /_uploads/<id>.<algorithm>       what was uploaded so far
//! ```
//! In a directory's name the digest has `-` for `:`. The lists of referrers and indexes repeat what the manifests say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::Tag;

use crate::name::{RepositoryName, UploadId};

/// The paths of a store.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// Where damaged content is set aside.
    pub(super) fn damaged(&self, digest: &Digest) -> PathBuf {
        self.root.join("damaged").join(file_name(digest))
    }

    pub(super) fn contents(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn content(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let shard = hex.get(..2).unwrap_or(&hex);
        self.contents().join(digest.algorithm().to_string()).join(shard).join(&hex)
    }

    pub(super) fn blob_link(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        self.links(repository, Links::Blobs).join(digest.algorithm().to_string()).join(digest.hex())
    }

    pub(super) fn manifest_link(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        self.links(repository, Links::Manifests).join(digest.algorithm().to_string()).join(digest.hex())
    }

    pub(super) fn tags(&self, repository: &RepositoryName) -> PathBuf {
        self.repository(repository).join("_tags")
    }

    pub(super) fn tag(&self, repository: &RepositoryName, tag: &Tag) -> PathBuf {
        self.tags(repository).join(tag.as_str())
    }

    pub(super) fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> PathBuf {
        self.repository(repository).join("_referrers").join(file_name(subject))
    }

    pub(super) fn indexes(&self, repository: &RepositoryName, child: &Digest) -> PathBuf {
        self.repository(repository).join("_indexes").join(file_name(child))
    }

    /// The entry of a manifest among the referrers of its subject.
    pub(super) fn referrer(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        manifest: &Digest,
    ) -> PathBuf {
        self.referrers(repository, subject).join(file_name(manifest))
    }

    /// The entry of an index among those that list a manifest.
    pub(super) fn index(&self, repository: &RepositoryName, child: &Digest, index: &Digest) -> PathBuf {
        self.indexes(repository, child).join(file_name(index))
    }

    pub(super) fn all_removed(&self, repository: &RepositoryName) -> PathBuf {
        self.repository(repository).join("_removed")
    }

    /// The mark that a manifest was here.
    pub(super) fn removed(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        self.all_removed(repository).join(file_name(digest))
    }

    pub(super) fn uploads(&self, repository: &RepositoryName) -> PathBuf {
        self.repository(repository).join("_uploads")
    }

    pub(super) fn upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        algorithm: DigestAlgorithm,
    ) -> PathBuf {
        self.uploads(repository).join(format!("{id}.{algorithm}"))
    }

    pub(super) fn repository(&self, repository: &RepositoryName) -> PathBuf {
        self.repositories().join(repository.as_str())
    }

    /// Every repository, in no order.
    pub(super) fn repository_names(&self) -> io::Result<Vec<RepositoryName>> {
        Ok(self.repository_paths()?.iter().filter_map(|path| path.parse().ok()).collect())
    }

    /// Where repositories are, below the directory of all of them; also where they cannot be.
    pub(super) fn repository_paths(&self) -> io::Result<Vec<String>> {
        let mut paths = Vec::new();
        let mut pending = vec![String::new()];
        while let Some(prefix) = pending.pop() {
            let mut is_repository = false;
            for name in entry_names(&self.repositories().join(&prefix))? {
                match name.strip_prefix('_') {
                    Some(_) => is_repository = true,
                    None if prefix.is_empty() => pending.push(name),
                    None => pending.push(format!("{prefix}/{name}")),
                }
            }
            if is_repository {
                paths.push(prefix);
            }
        }
        Ok(paths)
    }

    /// The digests that a repository has links to.
    pub(super) fn linked(&self, repository: &RepositoryName, links: Links) -> io::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        let dir = self.links(repository, links);
        for algorithm in entry_names(&dir)? {
            let hexes = entry_names(&dir.join(&algorithm))?;
            digests
                .extend(hexes.iter().filter_map(|hex| format!("{algorithm}:{hex}").parse::<Digest>().ok()));
        }
        Ok(digests)
    }

    fn links(&self, repository: &RepositoryName, links: Links) -> PathBuf {
        self.repository(repository).join(match links {
            Links::Blobs => "_blobs",
            Links::Manifests => "_manifests",
        })
    }

    /// A path as it is below the data directory.
    pub(super) fn below_root(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }

    pub(super) fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }
}

/// The two kinds of content that a repository links to.
#[derive(Clone, Copy)]
pub(super) enum Links {
    Blobs,
    Manifests,
}

/// A digest as a file's name.
pub(super) fn file_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm(), digest.hex())
}

/// The digest that a file's name is of.
pub(super) fn digest_of_file_name(name: &str) -> Option<Digest> {
    name.replacen('-', ":", 1).parse().ok()
}

/// The names in a directory, sorted by bytes; none if it is absent.
pub(super) fn entry_names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// A file's bytes, if it is there.
pub(super) fn read_if_present(path: &Path) -> io::Result<Option<Vec<u8>>> {
    present(fs::read(path))
}

/// Absence as a value.
pub(super) fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
