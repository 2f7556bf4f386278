//! What refers to a manifest, found from the manifest: its referrers, and the indexes that list it.

use bytes::Bytes;
use serde::Deserialize;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest};

use super::files::Inner;
use super::layout::{digest_of_file_name, entry_names, file_name, read_if_present};
use super::{ManifestPush, Page, StoreError};
use crate::name::RepositoryName;

impl Inner {
    pub(super) fn write_backlinks(
        &self,
        repository: &RepositoryName,
        push: &ManifestPush,
        manifest: &Manifest,
    ) -> std::io::Result<()> {
        for child in manifest.manifests().iter().take(MAX_TRACKED_CHILDREN) {
            self.disk().mark(&self.layout.index(repository, &child.digest, &push.digest))?;
        }
        let Some(subject) = &manifest.subject else { return Ok(()) };
        let entry = serde_json::to_vec(&push.referrer(manifest)).map_err(std::io::Error::other)?;
        let path = self.layout.referrer(repository, &subject.digest, &push.digest);
        self.disk().put(&self.layout.scratch(), &path, &entry)
    }

    pub(super) fn referrers_page(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<Page<Bytes>, StoreError> {
        let _shared = self.shared(repository);
        let dir = self.layout.referrers(repository, subject);
        let after = after.map(file_name);
        let mut names = entry_names(&dir)?;
        names.retain(|name| after.as_ref().is_none_or(|after| name > after));
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (looked_at, name) in names.iter().enumerate() {
            if bytes >= PAGE_BYTES || looked_at >= PAGE_ENTRIES {
                let last = names.get(looked_at.saturating_sub(1)).and_then(|name| digest_of_file_name(name));
                return Ok(Page { entries, next: last.map(|digest| digest.to_string()) });
            }
            let Some(digest) = digest_of_file_name(name) else { continue };
            if !self.has_manifest(repository, &digest) {
                continue;
            }
            let Some(entry) = read_if_present(&dir.join(name))? else { continue };
            if artifact_type.is_none_or(|wanted| artifact_type_of(&entry).as_deref() == Some(wanted)) {
                bytes += entry.len();
                entries.push(Bytes::from(entry));
            }
        }
        Ok(Page { entries, next: None })
    }

    pub(super) fn indexes_of(
        &self,
        repository: &RepositoryName,
        child: &Digest,
    ) -> Result<Vec<Digest>, StoreError> {
        let _shared = self.shared(repository);
        let names = entry_names(&self.layout.indexes(repository, child))?;
        let digests = names.iter().filter_map(|name| digest_of_file_name(name));
        let existing = digests.filter(|digest| self.has_manifest(repository, digest));
        Ok(existing.take(MAX_INDEXES).collect())
    }
}

/// The entry of the referrers list (distribution-spec, "Listing Referrers").
pub(super) fn descriptor_of(media_type: &str, digest: Digest, size: u64, manifest: &Manifest) -> Descriptor {
    Descriptor {
        artifact_type: manifest.effective_artifact_type().map(str::to_owned),
        annotations: manifest.annotations.clone(),
        ..Descriptor::new(media_type, digest, size)
    }
}

fn artifact_type_of(entry: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        artifact_type: Option<String>,
    }
    serde_json::from_slice::<Entry>(entry).ok()?.artifact_type
}

/// More than anybody looks at.
const MAX_INDEXES: usize = 1_000;
/// Of larger indexes the later children do not find the index; nothing but the pull gate asks.
pub(super) const MAX_TRACKED_CHILDREN: usize = 1_000;
/// A page ends when it has this many bytes (clients accept manifests of 4 MiB) …
const PAGE_BYTES: usize = 3 << 20;
/// … or when this many entries were looked at.
const PAGE_ENTRIES: usize = 10_000;
