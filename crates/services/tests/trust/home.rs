use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signet_formats::time;
use signet_formats::trust_bundle::TrustBundle;
use signet_formats::tuf::MetaFile;
use signet_services::trust::{FollowError, Home, HomeError, Pin, Repository, Store, TRUSTED_ROOT, update};
use signet_store::fs::Disk;
use signet_testkit::forge::{Key, TrustRepository};
use signet_verify::Code;
use signet_verify::tuf::SIGNED_AT;
use tempfile::TempDir;

use crate::golden::copy;
use crate::memory::{CutOff, Hanging, Memory, URL};

pub(crate) const NOW: i64 = 1_795_000_000;

#[tokio::test]
async fn what_is_pinned_is_followed_and_read_again_without_a_network() {
    let (mut repository, dir, home) = pinned().await;
    let memory = Memory::default();
    assert_eq!(trusted_root(&home, NOW), b"first");
    let alone = offline(&dir, "alone", &repository.files["1.root.json"]).await;
    assert!(matches!(alone.current(NOW), Err(HomeError::Empty { .. })));

    // A root that snapshot lists, as Sigstore's does, is not taken for targets.
    repository.rotate("root");
    repository.snapshot.meta.insert("root.json".to_owned(), MetaFile::of(1, b""));
    repository.add_target("targets", TRUSTED_ROOT, b"second");
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    memory.set(&repository.files);
    home.update(&memory, NOW).await.unwrap();
    assert_eq!(trusted_root(&home, NOW), b"second");
    assert_eq!(home.current(NOW).unwrap().updater.root().version, 2);
}

#[tokio::test]
async fn an_update_that_fails_leaves_what_was_trusted() {
    let (mut repository, _dir, home) = pinned().await;
    let memory = Memory::default();
    repository.add_target("targets", TRUSTED_ROOT, b"second");
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let mut without_target = repository.files.clone();
    without_target.retain(|name, _| !name.starts_with("targets/"));
    memory.set(&without_target);
    let refused = home.update(&memory, NOW).await;
    assert!(matches!(refused, Err(HomeError::Client(FollowError::NoTarget { .. }))), "{refused:?}");
    assert_eq!(trusted_root(&home, NOW), b"first");

    let mut other_target = repository.files.clone();
    other_target.iter_mut().filter(|(name, _)| name.starts_with("targets/")).for_each(|(_, it)| it[0] ^= 1);
    memory.set(&other_target);
    let refused = home.update(&memory, NOW).await;
    assert!(matches!(refused, Err(HomeError::Client(FollowError::OtherTarget { .. }))), "{refused:?}");

    memory.set(&BTreeMap::new());
    let refused = home.update(&memory, NOW).await;
    assert!(matches!(refused, Err(HomeError::Client(FollowError::Unreachable { .. }))), "{refused:?}");
    assert_eq!(trusted_root(&home, NOW), b"first");
}

#[tokio::test]
async fn what_is_stored_is_not_believed_beyond_its_expiry() {
    let (_, _dir, home) = pinned().await;
    assert_eq!(refused(home.current(TrustRepository::EXPIRES)), Some(Code::TrustExpired));
    home.current(TrustRepository::EXPIRES - 1).unwrap();
}

#[tokio::test]
async fn a_pinned_root_is_not_replaced_and_a_bad_one_not_pinned() {
    let (repository, dir, home) = pinned().await;
    let other = TrustRepository::new();
    let memory = Memory::of(&other.files);
    let refused = home.init(pin(&other.files["1.root.json"], Some(URL)), &memory, NOW).await;
    assert!(matches!(refused, Err(HomeError::Pinned { .. })), "{refused:?}");

    let elsewhere = Home::new(&dir.path().join("elsewhere")).unwrap();
    let no_root = pin(&repository.files["1.targets.json"], None);
    assert!(elsewhere.init(no_root, &memory, NOW).await.is_err());
    assert!(!elsewhere.path().exists());
}

/// Both repositories have several roots, so that what one led to could be taken for what the other leads to.
#[tokio::test]
async fn another_root_can_be_pinned_after_a_failed_try() {
    let grown = || {
        let mut repository = repository();
        for _ in 0..2 {
            repository.rotate("root");
            repository.publish(&["root"]);
        }
        repository
    };
    let (theirs, ours) = (grown(), grown());
    let memory = Memory::of(&ours.files);
    let dir = TempDir::new().unwrap();
    let home = Home::new(&dir.path().join("home")).unwrap();
    let wrong = home.init(pin(&theirs.files["2.root.json"], Some(URL)), &memory, NOW).await;
    assert_eq!(refused_unit(wrong), Some(Code::TrustSignatures));
    assert!(!home.is_pinned().unwrap());
    for left in ["metadata", "targets", "pinning", "source.json", "current.json"] {
        assert!(!home.path().join(left).exists(), "{left}");
    }
    let mut without_target = ours.files.clone();
    without_target.retain(|name, _| !name.starts_with("targets/"));
    memory.set(&without_target);
    home.init(pin(&ours.files["2.root.json"], Some(URL)), &memory, NOW).await.unwrap_err();
    assert!(!home.path().join("metadata").exists());
    memory.set(&ours.files);
    home.init(pin(&ours.files["3.root.json"], Some(URL)), &memory, NOW).await.unwrap();
    assert_eq!(trusted_root(&home, NOW), b"first");
    assert_eq!(home.current(NOW).unwrap().updater.root().version, 3);
}

/// Somebody pressed Ctrl-C, or the process was killed and could not clean up.
#[tokio::test]
async fn a_try_that_was_cut_off_has_pinned_nothing() {
    let (theirs, ours) = (repository(), repository());
    let dir = TempDir::new().unwrap();
    let home = Home::new(&dir.path().join("home")).unwrap();
    let root = &theirs.files["1.root.json"];
    for answers in 0.. {
        let hanging = Hanging::after(answers, &theirs.files);
        let trying = home.init(pin(root, Some(URL)), &hanging, NOW);
        if tokio::time::timeout(Duration::from_millis(20), trying).await.is_ok() {
            assert!(answers > 3, "each file of it was waited for");
            break;
        }
        assert!(!home.is_pinned().unwrap(), "{answers}");
        assert!(matches!(home.current(NOW), Err(HomeError::Client(FollowError::NotPinned { .. }))));
        let other = Home::new(&dir.path().join(format!("other-{answers}"))).unwrap();
        copy(home.path(), other.path());
        let memory = Memory::of(&ours.files);
        other.init(pin(&ours.files["1.root.json"], Some(URL)), &memory, NOW).await.unwrap();
        assert_eq!(trusted_root(&other, NOW), b"first");
        assert!(!other.path().join("pinning").exists());
    }
}

/// What another root led to may be there yet when the power is gone.
#[tokio::test]
async fn what_a_pinning_that_was_cut_off_has_left_leads_nobody_astray() {
    let (mut theirs, _dir, home) = pinned().await;
    theirs.rotate("root");
    theirs.publish(&["root"]);
    home.update(&Memory::of(&theirs.files), NOW).await.unwrap();
    std::fs::remove_file(home.path().join("metadata/root.json")).unwrap();
    let mut ours = repository();
    ours.rotate("root");
    ours.publish(&["root"]);
    let memory = Memory::of(&ours.files);
    home.init(pin(&ours.files["2.root.json"], Some(URL)), &memory, NOW).await.unwrap();
    assert_eq!(home.current(NOW).unwrap().updater.root().version, 2);
}

/// Scripts do so at every start; and who began with bundles may get a repository later.
#[tokio::test]
async fn the_same_root_may_be_pinned_again_and_be_given_a_repository() {
    let mut repository = repository();
    let first = repository.files["1.root.json"].clone();
    let dir = TempDir::new().unwrap();
    let home = Home::new(&dir.path().join("home")).unwrap();
    let memory = Memory::of(&repository.files);
    home.init(pin(&first, None), &memory, NOW).await.unwrap();
    home.init(pin(&first, None), &memory, NOW).await.unwrap();
    memory.set(&BTreeMap::new());
    home.init(pin(&first, Some(URL)), &memory, NOW).await.unwrap_err();
    assert!(home.is_pinned().unwrap(), "it was before");
    assert_eq!(home.source().unwrap().url, None);
    repository.rotate("root");
    repository.publish(&["root"]);
    memory.set(&repository.files);
    for url in [Some(URL), Some(URL), None] {
        home.init(pin(&first, url), &memory, NOW).await.unwrap();
        assert_eq!(home.source().unwrap().url.as_deref(), Some(URL));
        assert_eq!(trusted_root(&home, NOW), b"first");
        assert_eq!(home.current(NOW).unwrap().updater.root().version, 2, "what was learnt is kept");
    }
    let other = TrustRepository::new().files["1.root.json"].clone();
    for (root, url) in [(&other, None), (&first, Some("https://elsewhere.example"))] {
        let refused = home.init(pin(root, url), &memory, NOW).await;
        assert!(matches!(refused, Err(HomeError::Pinned { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_bundle_is_followed_as_a_repository_is() {
    let (mut repository, _dir, online) = pinned().await;
    repository.rotate("timestamp");
    repository.publish(&["root", "timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    let bundle = online.bundle().unwrap();

    let dir = TempDir::new().unwrap();
    let inside = offline(&dir, "home", &repository.files["1.root.json"]).await;
    assert!(matches!(inside.update(&Memory::default(), NOW).await, Err(HomeError::NoRepository)));
    let mut tampered = bundle.clone();
    tampered.targets.values_mut().for_each(|bytes| bytes[0] ^= 1);
    let refused = inside.import(&tampered, None, NOW).await;
    assert!(matches!(refused, Err(HomeError::Client(FollowError::OtherTarget { .. }))), "{refused:?}");
    inside.import(&bundle, None, NOW).await.unwrap();
    assert_eq!(trusted_root(&inside, NOW), b"first");

    // Another repository's.
    let other = TrustRepository::new();
    let stranger = offline(&dir, "stranger", &other.files["1.root.json"]).await;
    assert_eq!(refused_unit(stranger.import(&bundle, None, NOW).await), Some(Code::TrustSignatures));

    // An older one is a rollback.
    repository.publish(&["targets", "snapshot", "timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    inside.import(&online.bundle().unwrap(), None, NOW).await.unwrap();
    assert_eq!(refused_unit(inside.import(&bundle, None, NOW).await), Some(Code::TrustRollback));
}

#[tokio::test]
async fn the_maximum_age_of_a_bundle_counts_from_when_it_was_signed() {
    let (mut repository, _dir, online) = pinned().await;
    repository.extensions.insert(SIGNED_AT.to_owned(), time::format(NOW).unwrap().into());
    repository.expires.insert("timestamp".to_owned(), NOW + 100);
    repository.publish(&["timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    let bundle = TrustBundle { max_age: Some(1_000), ..online.bundle().unwrap() };

    let dir = TempDir::new().unwrap();
    let at = |name| offline(&dir, name, &repository.files["1.root.json"]);
    let (lenient, strict) = (at("lenient").await, at("strict").await);
    lenient.import(&bundle, Some(5_000), NOW + 200).await.unwrap();
    strict.import(&bundle, Some(500), NOW + 200).await.unwrap();
    for (home, age) in [(lenient, 1_000), (strict, 500)] {
        assert_eq!(trusted_root(&home, NOW + age), b"first");
        assert_eq!(refused(home.current(NOW + age + 1)), Some(Code::TrustExpired));
    }
    let late = at("late").await;
    assert_eq!(refused_unit(late.import(&bundle, Some(5_000), NOW + 1_001).await), Some(Code::TrustExpired));
}

/// Whoever carries a bundle can write any age into it.
#[tokio::test]
async fn the_age_that_a_bundle_says_only_shortens_how_long_it_may_be_used() {
    let (mut repository, _dir, online) = pinned().await;
    repository.extensions.insert(SIGNED_AT.to_owned(), time::format(NOW).unwrap().into());
    repository.expires.insert("timestamp".to_owned(), NOW + 100);
    repository.publish(&["timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    let dir = TempDir::new().unwrap();
    for (stated, last) in [(1_000_000, 99), (50, 50)] {
        let bundle = TrustBundle { max_age: Some(stated), ..online.bundle().unwrap() };
        let home = offline(&dir, &stated.to_string(), &repository.files["1.root.json"]).await;
        home.import(&bundle, None, NOW).await.unwrap();
        assert_eq!(trusted_root(&home, NOW + last), b"first");
        assert_eq!(refused(home.current(NOW + last + 1)), Some(Code::TrustExpired));
        assert_eq!(refused_unit(home.import(&bundle, None, NOW + last + 1).await), Some(Code::TrustExpired));
    }
}

/// Cuts the disk off before its n-th step, for every n: what is left is followed to its end the next time, and never
/// leads back.
#[tokio::test]
async fn a_store_that_was_cut_off_anywhere_is_gone_on_with() {
    let mut repository = TrustRepository::new();
    let first = repository.files["1.root.json"].clone();
    let before = repository.files.clone();
    repository.rotate("timestamp");
    repository.delegate("targets", "A", &["*"], false, Key::p256());
    repository.add_target("A", "target", b"content");
    repository.publish(&["A", "root", "targets", "snapshot", "timestamp"]);
    for steps in 0.. {
        let dir = TempDir::new().unwrap();
        let sound = Store::new(Disk::default(), dir.path().to_owned());
        sound.put("root.json", &first).unwrap();
        let old = Memory::of(&before);
        update(&sound, &Repository::at(&old, URL), NOW).await.unwrap();

        let memory = Memory::of(&repository.files);
        let repository_now = Repository::at(&memory, URL);
        let faults = Arc::new(CutOff::after(steps));
        let cut = Store::new(Disk::with_faults(faults), dir.path().to_owned());
        let done = update(&cut, &repository_now, NOW).await;
        let again = update(&sound, &repository_now, NOW).await.unwrap();
        let versions = [again.root().version, again.timestamp().unwrap().version];
        assert_eq!((versions, again.snapshot().unwrap().version), ([2, 2], 2), "{steps}");
        if done.is_ok() {
            assert!(steps > 10);
            break;
        }
    }
}

/// A repository with one target, and a home that has its first root and follows it.
pub(crate) async fn pinned() -> (TrustRepository, TempDir, Home) {
    let repository = repository();
    let dir = TempDir::new().unwrap();
    let home = Home::new(&dir.path().join("home")).unwrap();
    let pin = pin(&repository.files["1.root.json"], Some(URL));
    home.init(pin, &Memory::of(&repository.files), NOW).await.unwrap();
    (repository, dir, home)
}

/// A home that has this root and no repository to ask.
async fn offline(dir: &TempDir, name: &str, root: &[u8]) -> Home {
    let home = Home::new(&dir.path().join(name)).unwrap();
    home.init(pin(root, None), &Memory::default(), NOW).await.unwrap();
    home
}

fn repository() -> TrustRepository {
    let mut repository = TrustRepository::new();
    repository.add_target("targets", TRUSTED_ROOT, b"first");
    repository.publish(&["targets", "snapshot", "timestamp"]);
    repository
}

pub(crate) fn pin<'a>(root: &'a [u8], url: Option<&'a str>) -> Pin<'a> {
    Pin { root, url, authorities: None }
}

pub(crate) fn trusted_root(home: &Home, at: i64) -> Vec<u8> {
    home.current(at).unwrap().trusted_root.unwrap()
}

pub(crate) fn refused<T>(outcome: Result<T, HomeError>) -> Option<Code> {
    match outcome {
        Err(HomeError::Client(FollowError::Refused(refusal))) => Some(refusal.code()),
        _ => None,
    }
}

fn refused_unit(outcome: Result<(), HomeError>) -> Option<Code> {
    refused(outcome)
}
