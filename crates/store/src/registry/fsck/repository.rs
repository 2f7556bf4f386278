//! One repository: its links, tags and lists.

use std::collections::HashSet;

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest};

use super::super::StoreError;
use super::super::backlinks::{MAX_TRACKED_CHILDREN, descriptor_of};
use super::super::files::Inner;
use super::super::layout::{Links, digest_of_file_name, entry_names, read_if_present};
use super::super::manifests::{blobs_of, fits};
use super::Finding;
use crate::name::RepositoryName;

impl Inner {
    pub(super) fn check_repository(
        &self,
        repository: &RepositoryName,
        findings: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        let _shared = self.shared(repository);
        let manifests = self.layout.linked(repository, Links::Manifests)?;
        let blobs = self.layout.linked(repository, Links::Blobs)?;
        let mut check = Check { inner: self, repository, linked: HashSet::new(), findings };
        check.contents(blobs.iter().chain(&manifests));
        check.tags()?;
        for manifest in &manifests {
            check.manifest(*manifest)?;
        }
        check.lists()
    }
}

/// The check of one repository, whose lock is held.
struct Check<'a> {
    inner: &'a Inner,
    repository: &'a RepositoryName,
    /// What the repository has, blobs and manifests.
    linked: HashSet<Digest>,
    findings: &'a mut Vec<Finding>,
}

impl Check<'_> {
    fn contents<'d>(&mut self, linked: impl Iterator<Item = &'d Digest>) {
        for digest in linked {
            self.linked.insert(*digest);
            if !self.inner.layout.content(digest).is_file() {
                let repository = self.repository.clone();
                self.findings.push(Finding::MissingContent { repository, digest: *digest });
            }
        }
    }

    fn tags(&mut self) -> Result<(), StoreError> {
        for (tag, named) in self.inner.all_tags(self.repository)? {
            if named.is_none_or(|digest| !self.inner.has_manifest(self.repository, &digest)) {
                self.findings.push(Finding::DanglingTag { repository: self.repository.clone(), tag });
            }
        }
        Ok(())
    }

    /// A manifest, the media type recorded for it, and what it names.
    fn manifest(&mut self, manifest: Digest) -> Result<(), StoreError> {
        let repository = || self.repository.clone();
        let Some(bytes) = self.inner.intact_manifest(&manifest)? else { return Ok(()) };
        let Ok(parsed) = Manifest::parse(&bytes) else {
            self.findings.push(Finding::MalformedManifest { repository: repository(), manifest });
            return Ok(());
        };
        let recorded = read_if_present(&self.inner.layout.manifest_link(self.repository, &manifest))?;
        let recorded = String::from_utf8_lossy(&recorded.unwrap_or_default()).into_owned();
        if !fits(&recorded, &parsed) {
            self.findings.push(Finding::WrongMediaType { repository: repository(), manifest, recorded });
        }
        let named = blobs_of(&parsed).chain(parsed.manifests()).map(|descriptor| descriptor.digest);
        for missing in named.filter(|digest| !self.linked.contains(digest)) {
            let finding = Finding::IncompleteManifest { repository: repository(), manifest, missing };
            self.findings.push(finding);
        }
        self.is_listed(manifest, &parsed);
        Ok(())
    }

    /// Whether what the manifest names leads back to it.
    fn is_listed(&mut self, digest: Digest, manifest: &Manifest) {
        let (layout, repository) = (&self.inner.layout, || self.repository.clone());
        for child in manifest.manifests().iter().take(MAX_TRACKED_CHILDREN) {
            if !layout.index(self.repository, &child.digest, &digest).is_file() {
                self.findings.push(Finding::UnlistedIndex {
                    repository: repository(),
                    manifest: child.digest,
                    index: digest,
                });
            }
        }
        if let Some(subject) = manifest.subject.as_ref().map(|subject| subject.digest)
            && !layout.referrer(self.repository, &subject, &digest).is_file()
        {
            let repository = repository();
            self.findings.push(Finding::UnlistedReferrer { repository, subject, manifest: digest });
        }
    }

    /// Whether what the lists say is what the manifests say.
    fn lists(&mut self) -> Result<(), StoreError> {
        let of_repository = self.inner.layout.repository(self.repository);
        for (manifest, index) in entries(&of_repository.join("_indexes"))? {
            let Some(parsed) = self.listed(&index)? else { continue };
            if !parsed.manifests().iter().any(|child| child.digest == manifest) {
                let repository = self.repository.clone();
                self.findings.push(Finding::WrongIndex { repository, manifest, index });
            }
        }
        for (subject, manifest) in entries(&of_repository.join("_referrers"))? {
            let Some(parsed) = self.listed(&manifest)? else { continue };
            if !self.describes(&subject, &manifest, &parsed)? {
                let repository = self.repository.clone();
                self.findings.push(Finding::WrongReferrer { repository, subject, manifest });
            }
        }
        Ok(())
    }

    /// A manifest of a list, unless it is reported elsewhere; entries of what was removed are passed over.
    fn listed(&self, manifest: &Digest) -> Result<Option<Manifest>, StoreError> {
        if !self.inner.has_manifest(self.repository, manifest) {
            return Ok(None);
        }
        let bytes = self.inner.intact_manifest(manifest)?;
        Ok(bytes.and_then(|bytes| Manifest::parse(&bytes).ok()))
    }

    fn describes(&self, subject: &Digest, digest: &Digest, manifest: &Manifest) -> Result<bool, StoreError> {
        let entry = read_if_present(&self.inner.layout.referrer(self.repository, subject, digest))?;
        let Ok(entry) = serde_json::from_slice::<Descriptor>(&entry.unwrap_or_default()) else {
            return Ok(false);
        };
        let size = std::fs::metadata(self.inner.layout.content(digest))?.len();
        // A manifest that states no media type may have been pushed as another one of its kind meanwhile.
        let expected = descriptor_of(&entry.media_type, *digest, size, manifest);
        let refers = manifest.subject.as_ref().is_some_and(|stated| stated.digest == *subject);
        Ok(refers && entry == expected && fits(&entry.media_type, manifest))
    }
}

/// The lists below a directory: of what, and each entry.
fn entries(dir: &std::path::Path) -> std::io::Result<Vec<(Digest, Digest)>> {
    let mut found = Vec::new();
    for of in entry_names(dir)? {
        let Some(digest) = digest_of_file_name(&of) else { continue };
        let names = entry_names(&dir.join(&of))?;
        found.extend(names.iter().filter_map(|name| Some((digest, digest_of_file_name(name)?))));
    }
    Ok(found)
}
