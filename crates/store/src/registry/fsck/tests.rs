//! Every record that the directory has, changed, removed or renamed by itself: `fsck` says which.

use std::fs;
use std::path::PathBuf;

use signet_crypto::Digest;
use signet_formats::oci::media_type;
use tempfile::TempDir;

use super::Finding;
use crate::name::RepositoryName;
use crate::registry::tests::{image, index, name, open, push, push_blob};
use crate::registry::{Expect, FsRegistry};

/// An image under the tag `v1`, an index of it, and what refers to it.
struct Setting {
    dir: TempDir,
    store: FsRegistry,
    repository: RepositoryName,
    config: Digest,
    child: Digest,
    parent: Digest,
    referrer: Digest,
}

impl Setting {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, repository) = (open(dir.path()), name("a"));
        let config = push_blob(&store, &repository, b"{}").await;
        let push = async |manifest, tags: &[&str]| {
            push(&store, &repository, manifest, tags, Expect::Anything).await.unwrap()
        };
        let child = push(image(config, &[], None), &["v1"]).await;
        let parent = push(index(&[child]), &[]).await;
        let referrer = push(image(config, &[config], Some(child)), &[]).await;
        let setting = Self { dir, store, repository, config, child, parent, referrer };
        assert_eq!(setting.findings().await, []);
        setting
    }

    async fn findings(&self) -> Vec<Finding> {
        self.store.fsck().await.unwrap().findings
    }

    fn link(&self, manifest: &Digest) -> PathBuf {
        self.store.inner.layout.manifest_link(&self.repository, manifest)
    }

    fn listed(&self, subject: &Digest) -> PathBuf {
        self.store.inner.layout.referrer(&self.repository, subject, &self.referrer)
    }

    fn indexed(&self, manifest: &Digest) -> PathBuf {
        self.store.inner.layout.index(&self.repository, manifest, &self.parent)
    }

    /// With this content in the file, a new one perhaps, `finding` must be all that is found.
    async fn finds(&self, path: PathBuf, content: &str, finding: Finding) {
        let before = fs::read(&path).ok();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        assert_eq!(self.findings().await, [finding], "{content}");
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        assert_eq!(self.findings().await, []);
    }

    /// With the file under another name these must be found, and the name.
    async fn misses(&self, path: PathBuf, expected: &[Finding]) {
        let stray = path.with_file_name("a stray file");
        fs::rename(&path, &stray).unwrap();
        let mut found = self.findings().await;
        let below = stray.strip_prefix(self.dir.path()).unwrap().to_owned();
        assert_eq!(found.pop(), Some(Finding::StrayFile { path: below }));
        assert!(expected.iter().all(|finding| found.contains(finding)), "{found:?}");
        assert_eq!(found.len(), expected.len(), "{found:?}");
        fs::rename(&stray, &path).unwrap();
    }
}

#[tokio::test]
async fn a_changed_media_type_is_found() {
    let setting = Setting::new().await;
    let wrong = |recorded: &str| Finding::WrongMediaType {
        repository: setting.repository.clone(),
        manifest: setting.child,
        recorded: recorded.to_owned(),
    };
    for recorded in [media_type::OCI_INDEX, "text/html", ""] {
        setting.finds(setting.link(&setting.child), recorded, wrong(recorded)).await;
    }
    let junk = setting.link(&setting.child);
    fs::write(junk, [0xff]).unwrap();
    assert_eq!(setting.findings().await, [wrong("\u{fffd}")]);
}

#[tokio::test]
async fn a_list_that_says_what_the_manifests_do_not_is_found() {
    let setting = Setting::new().await;
    let Setting { repository, config, child, parent, referrer, .. } = &setting;
    let entry = fs::read_to_string(setting.listed(child)).unwrap();
    let wrong = |subject: &Digest| Finding::WrongReferrer {
        repository: repository.clone(),
        subject: *subject,
        manifest: *referrer,
    };
    for other in [
        entry.replace(media_type::OCI_MANIFEST, media_type::OCI_INDEX),
        entry.replace("\"size\":", "\"size\":1"),
        entry.replace(&referrer.to_string(), &parent.to_string()),
        "{}".to_owned(),
    ] {
        setting.finds(setting.listed(child), &other, wrong(child)).await;
    }
    setting.finds(setting.listed(parent), &entry, wrong(parent)).await;
    let index = Finding::WrongIndex { repository: repository.clone(), manifest: *config, index: *parent };
    setting.finds(setting.indexed(config), "", index).await;
}

#[tokio::test]
async fn every_missing_or_renamed_record_is_found() {
    let setting = Setting::new().await;
    let Setting { repository, config, child, parent, referrer, .. } = &setting;
    let named = || repository.clone();
    let incomplete = |manifest: &Digest, missing: &Digest| Finding::IncompleteManifest {
        repository: named(),
        manifest: *manifest,
        missing: *missing,
    };
    let layout = &setting.store.inner.layout;
    // The referrer names it as its configuration and as its layer.
    let without_blob =
        [incomplete(child, config), incomplete(referrer, config), incomplete(referrer, config)];
    setting.misses(layout.blob_link(repository, config), &without_blob).await;
    let untagged = Finding::DanglingTag { repository: named(), tag: "v1".parse().unwrap() };
    setting.misses(setting.link(child), &[untagged, incomplete(parent, child)]).await;
    let unlisted = Finding::UnlistedReferrer { repository: named(), subject: *child, manifest: *referrer };
    setting.misses(setting.listed(child), &[unlisted]).await;
    let unlisted = Finding::UnlistedIndex { repository: named(), manifest: *child, index: *parent };
    setting.misses(setting.indexed(child), &[unlisted]).await;
    let gone = Finding::MissingContent { repository: named(), digest: *config };
    setting.misses(layout.content(config), &[gone]).await;
}

#[tokio::test]
async fn what_has_no_name_of_the_registrys_is_found() {
    let setting = Setting::new().await;
    let root = setting.store.inner.layout.repository(&setting.repository);
    for part in ["_parts", "_tags/-not-a-tag", "_uploads/1.sha256", "B/_tags"] {
        let path = root.join(part);
        fs::create_dir_all(&path).unwrap();
        let found = setting.findings().await;
        assert!(matches!(found.as_slice(), [Finding::StrayFile { .. }]), "{part}: {found:?}");
        fs::remove_dir_all(path).unwrap();
        assert_eq!(setting.findings().await, []);
    }
}

#[tokio::test]
async fn lists_are_made_to_say_what_the_manifests_say() {
    let setting = Setting::new().await;
    let Setting { config, child, parent, .. } = &setting;
    let entry = fs::read(setting.listed(child)).unwrap();
    let damage: [&dyn Fn(); 5] = [
        &|| fs::remove_file(setting.listed(child)).unwrap(),
        &|| fs::remove_file(setting.indexed(child)).unwrap(),
        &|| fs::write(setting.listed(child), "{}").unwrap(),
        &|| {
            fs::create_dir_all(setting.listed(parent).parent().unwrap()).unwrap();
            fs::write(setting.listed(parent), &entry).unwrap();
        },
        &|| {
            fs::create_dir_all(setting.indexed(config).parent().unwrap()).unwrap();
            fs::write(setting.indexed(config), "").unwrap();
        },
    ];
    for (number, damage) in damage.iter().enumerate() {
        damage();
        let found = setting.findings().await;
        assert_eq!(found.len(), 1, "{number}: {found:?}");
        assert_eq!(setting.store.repair(found.clone()).await.unwrap(), found, "{number}");
        assert_eq!(setting.findings().await, [], "{number}");
        assert_eq!(fs::read(setting.listed(child)).unwrap(), entry, "{number}");
    }
}

#[tokio::test]
async fn damaged_content_is_set_aside_and_healed_by_who_pushes_it_again() {
    let setting = Setting::new().await;
    let path = setting.store.inner.layout.content(&setting.config);
    fs::write(&path, b"other").unwrap();
    let found = setting.findings().await;
    assert_eq!(setting.store.repair(found.clone()).await.unwrap(), found);
    let repository = setting.repository.clone();
    let gone = Finding::MissingContent { repository, digest: setting.config };
    assert_eq!(setting.findings().await, [gone.clone()]);
    assert_eq!(setting.store.repair(vec![gone]).await.unwrap(), [], "nobody here has it");
    push_blob(&setting.store, &setting.repository, b"{}").await;
    assert_eq!(setting.findings().await, []);
    assert_eq!(fs::read(setting.store.inner.layout.damaged(&setting.config)).unwrap(), b"other");
}

/// What a tag named, and what a link said, is nowhere else.
#[tokio::test]
async fn tags_links_and_strays_are_left_as_they_are() {
    let setting = Setting::new().await;
    fs::write(setting.link(&setting.child), "text/html").unwrap();
    fs::write(setting.store.inner.layout.repository(&setting.repository).join("_tags/v2"), "junk").unwrap();
    let found = setting.findings().await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(setting.store.repair(found.clone()).await.unwrap(), []);
    assert_eq!(setting.findings().await, found);
}
