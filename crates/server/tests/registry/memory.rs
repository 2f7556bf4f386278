//! A store that is no directory: what the interface needs, others can implement.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::{Manifest, Tag};
use signet_store::registry::{
    ByteStream, GcOptions, GcReport, ManifestPush, MountFrom, OpenBlob, Page, PushedManifest, RegistryStore,
    StoreError, StoredManifest, blobs_of,
};
use signet_store::{RepositoryName, UploadId};

/// Runs this program again with a store in memory, for all tests that look at nothing but the answers.
#[test]
fn a_store_in_memory_passes_the_tests_of_the_interface() {
    if Memory::is_asked_for() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["uploads::", "manifests::", "access::", "gate::", "--skip", "removed_from_the_list"]);
    let outcome = child.env(ASKED_FOR, "1").output().unwrap();
    let told = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success(), "{told}");
    assert!(told.lines().filter(|line| line.ends_with("... ok")).count() > 20, "{told}");
}

/// Clones are the same store.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<HashMap<RepositoryName, Kept>>>);

/// What a repository has.
#[derive(Default)]
struct Kept {
    blobs: HashMap<Digest, Bytes>,
    manifests: HashMap<Digest, ManifestPush>,
    tags: BTreeMap<String, Digest>,
    uploads: HashMap<UploadId, Vec<u8>>,
}

impl Memory {
    /// Whether this process is to use it.
    pub(crate) fn is_asked_for() -> bool {
        std::env::var_os(ASKED_FOR).is_some()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<RepositoryName, Kept>> {
        self.0.lock().unwrap()
    }

    /// What `look` finds in the repository.
    fn of<T: Default>(&self, repository: &RepositoryName, look: impl FnOnce(&mut Kept) -> T) -> T {
        self.all().get_mut(repository).map(look).unwrap_or_default()
    }
}

impl Kept {
    fn parsed(&self) -> impl Iterator<Item = (&ManifestPush, Manifest)> {
        self.manifests.values().map(|push| (push, push.parse().unwrap()))
    }

    fn missing(&self, manifest: &Manifest) -> Vec<Digest> {
        let blobs =
            blobs_of(manifest).map(|blob| blob.digest).filter(|digest| !self.blobs.contains_key(digest));
        let children = manifest.manifests().iter().map(|child| child.digest);
        blobs.chain(children.filter(|digest| !self.manifests.contains_key(digest))).collect()
    }
}

#[async_trait]
impl RegistryStore for Memory {
    async fn blob_size(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, StoreError> {
        Ok(self.of(repository, |kept| kept.blobs.get(digest).map(|blob| blob.len() as u64)))
    }

    async fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<OpenBlob>, StoreError> {
        Ok(self.of(repository, |kept| kept.blobs.get(digest).cloned()).map(OpenBlob::whole))
    }

    async fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let found = Digest::of(digest.algorithm(), &bytes);
        if found != *digest {
            return Err(StoreError::DigestMismatch { found });
        }
        self.all().entry(repository.clone()).or_default().blobs.insert(*digest, bytes);
        Ok(())
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.of(repository, |kept| kept.blobs.remove(digest).is_some()))
    }

    async fn mount_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: MountFrom,
    ) -> Result<bool, StoreError> {
        let mut all = self.all();
        let may = |name: &RepositoryName| match &from {
            MountFrom::Any(accepts) => accepts(name),
            MountFrom::Repository(source) => name == source,
        };
        let found =
            all.iter().filter(|(name, _)| may(name)).find_map(|(_, kept)| kept.blobs.get(digest).cloned());
        let Some(blob) = found else { return Ok(false) };
        all.entry(repository.clone()).or_default().blobs.insert(*digest, blob);
        Ok(true)
    }

    async fn start_upload(
        &self,
        repository: &RepositoryName,
        _algorithm: DigestAlgorithm,
        _owner: &str,
    ) -> Result<UploadId, StoreError> {
        let id = UploadId::random();
        self.all().entry(repository.clone()).or_default().uploads.insert(id, Vec::new());
        Ok(id)
    }

    async fn upload_offset(&self, repository: &RepositoryName, id: UploadId) -> Result<u64, StoreError> {
        let size = self.of(repository, |kept| kept.uploads.get(&id).map(|upload| upload.len() as u64));
        size.ok_or(StoreError::UploadUnknown)
    }

    async fn append_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        at: Option<u64>,
        mut body: ByteStream,
    ) -> Result<u64, StoreError> {
        let offset = self.upload_offset(repository, id).await?;
        if at.is_some_and(|at| at != offset) {
            return Err(StoreError::OutOfOrder { offset });
        }
        while let Some(bytes) = body.try_next().await.map_err(StoreError::BodyBrokeOff)? {
            self.of(repository, |kept| {
                kept.uploads.get_mut(&id).map(|upload| upload.extend_from_slice(&bytes))
            });
        }
        self.upload_offset(repository, id).await
    }

    async fn finish_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let upload = self.of(repository, |kept| kept.uploads.remove(&id)).ok_or(StoreError::UploadUnknown)?;
        self.put_blob(repository, digest, upload.into()).await
    }

    async fn cancel_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), StoreError> {
        self.of(repository, |kept| kept.uploads.remove(&id)).map(drop).ok_or(StoreError::UploadUnknown)
    }

    async fn resolve_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<Digest>, StoreError> {
        Ok(self.of(repository, |kept| kept.tags.get(tag.as_str()).copied()))
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Arc<StoredManifest>>, StoreError> {
        let push = self.of(repository, |kept| kept.manifests.get(digest).cloned());
        Ok(push.map(|ManifestPush { bytes, digest, media_type, .. }| {
            Arc::new(StoredManifest { bytes, digest, media_type })
        }))
    }

    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        push: ManifestPush,
    ) -> Result<PushedManifest, StoreError> {
        let manifest = push.parse()?;
        let mut all = self.all();
        let kept = all.entry(repository.clone()).or_default();
        let current = push.tags.first().and_then(|tag| kept.tags.get(tag.as_str()).copied());
        if !push.expect.accepts(current) {
            return Err(StoreError::ExpectationFailed);
        }
        let missing = kept.missing(&manifest);
        if !missing.is_empty() {
            return Err(StoreError::MissingContent(missing));
        }
        kept.tags.extend(push.tags.iter().map(|tag| (tag.to_string(), push.digest)));
        kept.manifests.insert(push.digest, push);
        Ok(PushedManifest { subject: manifest.subject.map(|subject| subject.digest) })
    }

    async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        Ok(self.of(repository, |kept| {
            kept.tags.retain(|_, named| named != digest);
            kept.manifests.remove(digest).is_some()
        }))
    }

    async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError> {
        Ok(self.of(repository, |kept| kept.tags.remove(tag.as_str()).is_some()))
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<String>>, StoreError> {
        Ok(self.of(repository, |kept| {
            let names = kept.tags.keys().filter(|tag| after.is_none_or(|after| tag.as_str() > after));
            let mut entries: Vec<String> = names.take(limit + 1).cloned().collect();
            let more = entries.len() > limit;
            entries.truncate(limit);
            let next = entries.last().filter(|_| more).cloned();
            Some(Page { entries, next })
        }))
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        _after: Option<&Digest>,
    ) -> Result<Page<Bytes>, StoreError> {
        let entries = self.of(repository, |kept| {
            let about =
                kept.parsed().filter(|(_, m)| m.subject.as_ref().is_some_and(|s| s.digest == *subject));
            let listed = about.map(|(push, manifest)| push.referrer(&manifest));
            let wanted = listed
                .filter(|entry| artifact_type.is_none() || entry.artifact_type.as_deref() == artifact_type);
            let mut wanted: Vec<_> = wanted.collect();
            wanted.sort_by_key(|entry| entry.digest);
            wanted.iter().map(|entry| Bytes::from(serde_json::to_vec(entry).unwrap())).collect()
        });
        Ok(Page { entries, next: None })
    }

    async fn indexes_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Digest>, StoreError> {
        Ok(self.of(repository, |kept| {
            let lists =
                |manifest: &Manifest| manifest.manifests().iter().any(|child| child.digest == *digest);
            kept.parsed().filter(|(_, manifest)| lists(manifest)).map(|(push, _)| push.digest).collect()
        }))
    }

    async fn expire_uploads(&self, _age: Duration) -> Result<usize, StoreError> {
        Ok(self.all().values_mut().map(|kept| kept.uploads.drain().count()).sum())
    }

    async fn collect_garbage(&self, _options: GcOptions) -> Result<GcReport, StoreError> {
        Ok(GcReport::default())
    }

    /// Memory does not rot.
    async fn scrub(&self, _rest: u32, _damaged: &(dyn Fn(Digest) + Sync)) -> Result<(), StoreError> {
        Ok(())
    }
}

const ASKED_FOR: &str = "SIGNET_TEST_STORE_IN_MEMORY";
