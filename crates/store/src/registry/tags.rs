//! Tags: names that move.

use signet_crypto::Digest;
use signet_formats::oci::Tag;

use super::files::Inner;
use super::layout::{entry_names, read_if_present};
use super::manifests::ENTRY_BYTES;
use super::{Page, StoreError};
use crate::name::RepositoryName;

impl Inner {
    pub(super) fn load_tag(&self, key: (RepositoryName, Tag)) -> Result<Option<Digest>, StoreError> {
        let _shared = self.shared(&key.0);
        let digest = self.read_tag(&key.0, &key.1)?;
        if let Some(digest) = digest {
            self.tags.insert(key, digest, ENTRY_BYTES);
        }
        Ok(digest)
    }

    /// What a tag names. A damaged one is not absent: what is signed would pass for unsigned. The caller holds the lock.
    pub(super) fn read_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<Digest>, StoreError> {
        let Some(text) = read_if_present(&self.layout.tag(repository, tag))? else { return Ok(None) };
        let digest = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        digest.map(Some).ok_or_else(|| StoreError::CorruptTag(tag.clone()))
    }

    pub(super) fn write_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let key = (repository.clone(), tag.clone());
        // If the write fails half-way, the disk decides which of the two it is.
        self.tags.remove(&key);
        let path = self.layout.tag(repository, tag);
        self.disk().put(&self.layout.scratch(), &path, digest.to_string().as_bytes())?;
        self.tags.insert(key, *digest, ENTRY_BYTES);
        Ok(())
    }

    pub(super) fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError> {
        let _exclusive = self.exclusive(repository);
        self.remove_tag(repository, tag)
    }

    /// Removes a tag. The caller holds the repository's lock.
    pub(super) fn remove_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError> {
        self.tags.remove(&(repository.clone(), tag.clone()));
        let path = self.layout.tag(repository, tag);
        Ok(path.is_file() && self.disk().remove(&path)?)
    }

    /// Every tag and what it names; nothing if its file is damaged. The caller holds the repository's lock.
    pub(super) fn all_tags(
        &self,
        repository: &RepositoryName,
    ) -> Result<Vec<(Tag, Option<Digest>)>, StoreError> {
        let names = entry_names(&self.layout.tags(repository))?;
        let tags = names.iter().filter_map(|name| name.parse::<Tag>().ok());
        let read = |tag: Tag| match self.read_tag(repository, &tag) {
            Err(StoreError::CorruptTag(_)) => Ok((tag, None)),
            read => read.map(|digest| (tag, digest)),
        };
        tags.map(read).collect()
    }

    pub(super) fn tags_page(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<String>>, StoreError> {
        let parts = entry_names(&self.layout.repository(repository))?;
        if !parts.iter().any(|part| part.starts_with('_')) {
            return Ok(None);
        }
        let mut tags = entry_names(&self.layout.tags(repository))?;
        tags.retain(|tag| after.is_none_or(|after| tag.as_str() > after));
        let more = tags.len() > limit;
        tags.truncate(limit);
        let next = tags.last().filter(|_| more).cloned();
        Ok(Some(Page { entries: tags, next }))
    }
}
