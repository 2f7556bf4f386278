//! Mending what a check found, as far as something intact says how it should be.

use signet_crypto::Digest;
use signet_formats::oci::Manifest;

use super::super::files::{FsRegistry, Inner};
use super::super::{Expect, ManifestPush, StoreError};
use super::Finding;
use crate::name::RepositoryName;

impl FsRegistry {
    /// Sets damaged content aside, where whoever pushes it again heals it, and makes the lists of referrers and indexes
    /// say what the manifests say. Nothing else is touched: no tag, no link and no content that is whole. Answers what it mended.
    pub async fn repair(&self, findings: Vec<Finding>) -> Result<Vec<Finding>, StoreError> {
        self.blocking(move |inner| {
            let mut mended = Vec::new();
            for finding in findings {
                if inner.repair(&finding)? {
                    mended.push(finding);
                }
            }
            Ok(mended)
        })
        .await
    }
}

impl Inner {
    fn repair(&self, finding: &Finding) -> Result<bool, StoreError> {
        match finding {
            Finding::CorruptContent { digest } => {
                self.set_aside_if_damaged(digest, &self.layout.content(digest))
            }
            Finding::UnlistedIndex { repository, index: manifest, .. }
            | Finding::UnlistedReferrer { repository, manifest, .. } => self.list_again(repository, manifest),
            Finding::WrongIndex { repository, manifest, index } => {
                let _exclusive = self.exclusive(repository);
                self.disk().remove(&self.layout.index(repository, manifest, index))?;
                Ok(true)
            }
            Finding::WrongReferrer { repository, subject, manifest } => {
                {
                    let _exclusive = self.exclusive(repository);
                    self.disk().remove(&self.layout.referrer(repository, subject, manifest))?;
                }
                self.list_again(repository, manifest)
            }
            // Whoever has what is missing has to push it, and only people know what a tag should name.
            _ => Ok(false),
        }
    }

    /// Lists a manifest wherever it says that it belongs; whether it is there to say so.
    fn list_again(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError> {
        let _exclusive = self.exclusive(repository);
        let stored = match self.read_manifest(repository, digest) {
            Ok(stored) => stored,
            Err(StoreError::Corrupt(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(stored) = stored else { return Ok(false) };
        let Ok(manifest) = Manifest::parse(&stored.bytes) else { return Ok(false) };
        let push = ManifestPush {
            bytes: stored.bytes,
            digest: stored.digest,
            media_type: stored.media_type,
            tags: Vec::new(),
            expect: Expect::Anything,
        };
        self.write_backlinks(repository, &push, &manifest)?;
        Ok(true)
    }
}
