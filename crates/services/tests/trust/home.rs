use std::collections::BTreeMap;
use std::sync::Arc;

use signet_formats::time;
use signet_formats::trust_bundle::TrustBundle;
use signet_formats::tuf::MetaFile;
use signet_services::trust::{FollowError, Home, HomeError, Repository, Store, TRUSTED_ROOT, update};
use signet_store::fs::Disk;
use signet_testkit::forge::{Key, TrustRepository};
use signet_verify::Code;
use signet_verify::tuf::SIGNED_AT;
use tempfile::TempDir;

use crate::memory::{CutOff, Memory, URL};

const NOW: i64 = 1_795_000_000;

#[tokio::test]
async fn what_is_pinned_is_followed_and_read_again_without_a_network() {
    let (mut repository, _dir, home) = pinned();
    let memory = Memory::of(&repository.files);
    assert!(matches!(home.current(NOW), Err(HomeError::Empty { .. })));
    home.update(&memory, NOW).await.unwrap();
    memory.set(&BTreeMap::new());
    assert_eq!(trusted_root(&home, NOW), b"first");

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
    let (mut repository, _dir, home) = pinned();
    let memory = Memory::of(&repository.files);
    home.update(&memory, NOW).await.unwrap();

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
    let (_, _dir, home) = pinned();
    let repository = TrustRepository::EXPIRES;
    assert_eq!(refused(home.current(repository)), None);
    let (repository, _dir, home) = pinned();
    home.update(&Memory::of(&repository.files), NOW).await.unwrap();
    assert_eq!(refused(home.current(TrustRepository::EXPIRES)), Some(Code::TrustExpired));
    home.current(TrustRepository::EXPIRES - 1).unwrap();
}

#[test]
fn a_pinned_root_is_not_replaced_and_a_bad_one_not_pinned() {
    let (repository, dir, home) = pinned();
    let other = TrustRepository::new();
    let refused = home.pin(&other.files["1.root.json"], Some(URL));
    assert!(matches!(refused, Err(HomeError::Pinned { .. })), "{refused:?}");

    let elsewhere = Home::new(&dir.path().join("elsewhere")).unwrap();
    assert!(elsewhere.pin(&repository.files["1.targets.json"], None).is_err());
    assert!(!elsewhere.path().exists());
}

/// Both repositories have several roots, so that what one led to could be taken for what the other leads to.
#[tokio::test]
async fn another_root_can_be_pinned_after_a_failed_try() {
    let grown = || {
        let mut repository = TrustRepository::new();
        repository.add_target("targets", TRUSTED_ROOT, b"first");
        repository.publish(&["targets", "snapshot", "timestamp"]);
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
    let wrong = home.init(&theirs.files["2.root.json"], Some(URL), &memory, NOW).await;
    assert_eq!(refused_unit(wrong), Some(Code::TrustSignatures));
    assert!(!home.is_pinned());
    for left in ["metadata", "targets", "source.json", "current.json"] {
        assert!(!home.path().join(left).exists(), "{left}");
    }
    let mut without_target = ours.files.clone();
    without_target.retain(|name, _| !name.starts_with("targets/"));
    memory.set(&without_target);
    home.init(&ours.files["2.root.json"], Some(URL), &memory, NOW).await.unwrap_err();
    assert!(!home.path().join("metadata").exists());
    memory.set(&ours.files);
    home.init(&ours.files["3.root.json"], Some(URL), &memory, NOW).await.unwrap();
    assert_eq!(trusted_root(&home, NOW), b"first");
    assert_eq!(home.current(NOW).unwrap().updater.root().version, 3);
}

/// The process was killed, and could not clean up.
#[tokio::test]
async fn what_a_try_that_was_cut_off_has_left_leads_nobody_astray() {
    let (mut theirs, _dir, home) = pinned();
    theirs.rotate("root");
    theirs.publish(&["root"]);
    home.update(&Memory::of(&theirs.files), NOW).await.unwrap();
    std::fs::remove_file(home.path().join("metadata/root.json")).unwrap();
    let (mut ours, ..) = pinned();
    ours.rotate("root");
    ours.publish(&["root"]);
    home.init(&ours.files["2.root.json"], Some(URL), &Memory::of(&ours.files), NOW).await.unwrap();
    assert_eq!(home.current(NOW).unwrap().updater.root().version, 2);
}

/// Scripts do so at every start; and who began with bundles may get a repository later.
#[tokio::test]
async fn the_same_root_may_be_pinned_again_and_be_given_a_repository() {
    let mut repository = TrustRepository::new();
    repository.add_target("targets", TRUSTED_ROOT, b"first");
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let first = repository.files["1.root.json"].clone();
    let dir = TempDir::new().unwrap();
    let home = Home::new(&dir.path().join("home")).unwrap();
    let memory = Memory::of(&repository.files);
    home.init(&first, None, &memory, NOW).await.unwrap();
    home.init(&first, None, &memory, NOW).await.unwrap();
    memory.set(&BTreeMap::new());
    home.init(&first, Some(URL), &memory, NOW).await.unwrap_err();
    assert!(home.is_pinned(), "it was before");
    assert_eq!(home.source().unwrap().url, None);
    repository.rotate("root");
    repository.publish(&["root"]);
    memory.set(&repository.files);
    for url in [Some(URL), Some(URL), None] {
        home.init(&first, url, &memory, NOW).await.unwrap();
        assert_eq!(home.source().unwrap().url.as_deref(), Some(URL));
        assert_eq!(trusted_root(&home, NOW), b"first");
        assert_eq!(home.current(NOW).unwrap().updater.root().version, 2, "what was learnt is kept");
    }
    let other = TrustRepository::new().files["1.root.json"].clone();
    for (root, url) in [(&other, None), (&first, Some("https://elsewhere.example"))] {
        let refused = home.init(root, url, &memory, NOW).await;
        assert!(matches!(refused, Err(HomeError::Pinned { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_bundle_is_followed_as_a_repository_is() {
    let (mut repository, _dir, online) = pinned();
    repository.rotate("timestamp");
    repository.publish(&["root", "timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    let bundle = online.bundle().unwrap();

    let dir = TempDir::new().unwrap();
    let offline = Home::new(&dir.path().join("home")).unwrap();
    offline.pin(&repository.files["1.root.json"], None).unwrap();
    assert!(matches!(offline.update(&Memory::default(), NOW).await, Err(HomeError::NoRepository)));
    let mut tampered = bundle.clone();
    tampered.targets.values_mut().for_each(|bytes| bytes[0] ^= 1);
    let refused = offline.import(&tampered, None, NOW).await;
    assert!(matches!(refused, Err(HomeError::Client(FollowError::OtherTarget { .. }))), "{refused:?}");
    offline.import(&bundle, None, NOW).await.unwrap();
    assert_eq!(trusted_root(&offline, NOW), b"first");

    // Another repository's.
    let other = TrustRepository::new();
    let stranger = Home::new(&dir.path().join("stranger")).unwrap();
    stranger.pin(&other.files["1.root.json"], None).unwrap();
    assert_eq!(refused_unit(stranger.import(&bundle, None, NOW).await), Some(Code::TrustSignatures));

    // An older one is a rollback.
    repository.publish(&["targets", "snapshot", "timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    offline.import(&online.bundle().unwrap(), None, NOW).await.unwrap();
    assert_eq!(refused_unit(offline.import(&bundle, None, NOW).await), Some(Code::TrustRollback));
}

#[tokio::test]
async fn the_maximum_age_of_a_bundle_counts_from_when_it_was_signed() {
    let (mut repository, _dir, online) = pinned();
    repository.extensions.insert(SIGNED_AT.to_owned(), time::format(NOW).unwrap().into());
    repository.expires.insert("timestamp".to_owned(), NOW + 100);
    repository.publish(&["timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    let bundle = TrustBundle { max_age: Some(1_000), ..online.bundle().unwrap() };

    let dir = TempDir::new().unwrap();
    let at = |name: &str| {
        let home = Home::new(&dir.path().join(name)).unwrap();
        home.pin(&repository.files["1.root.json"], None).unwrap();
        home
    };
    let (lenient, strict) = (at("lenient"), at("strict"));
    lenient.import(&bundle, Some(5_000), NOW + 200).await.unwrap();
    strict.import(&bundle, Some(500), NOW + 200).await.unwrap();
    for (home, age) in [(lenient, 1_000), (strict, 500)] {
        assert_eq!(trusted_root(&home, NOW + age), b"first");
        assert_eq!(refused(home.current(NOW + age + 1)), Some(Code::TrustExpired));
    }
    let late = at("late");
    assert_eq!(refused_unit(late.import(&bundle, Some(5_000), NOW + 1_001).await), Some(Code::TrustExpired));
}

/// Whoever carries a bundle can write any age into it.
#[tokio::test]
async fn the_age_that_a_bundle_says_only_shortens_how_long_it_may_be_used() {
    let (mut repository, _dir, online) = pinned();
    repository.extensions.insert(SIGNED_AT.to_owned(), time::format(NOW).unwrap().into());
    repository.expires.insert("timestamp".to_owned(), NOW + 100);
    repository.publish(&["timestamp"]);
    online.update(&Memory::of(&repository.files), NOW).await.unwrap();
    let dir = TempDir::new().unwrap();
    for (stated, last) in [(1_000_000, 99), (50, 50)] {
        let bundle = TrustBundle { max_age: Some(stated), ..online.bundle().unwrap() };
        let home = Home::new(&dir.path().join(stated.to_string())).unwrap();
        home.pin(&repository.files["1.root.json"], None).unwrap();
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

/// A repository with one target, and a home that has its first root.
fn pinned() -> (TrustRepository, TempDir, Home) {
    let mut repository = TrustRepository::new();
    repository.add_target("targets", TRUSTED_ROOT, b"first");
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let dir = TempDir::new().unwrap();
    let home = Home::new(&dir.path().join("home")).unwrap();
    home.pin(&repository.files["1.root.json"], Some(URL)).unwrap();
    (repository, dir, home)
}

fn trusted_root(home: &Home, at: i64) -> Vec<u8> {
    home.current(at).unwrap().trusted_root.unwrap()
}

fn refused<T>(outcome: Result<T, HomeError>) -> Option<Code> {
    match outcome {
        Err(HomeError::Client(FollowError::Refused(refusal))) => Some(refusal.code()),
        _ => None,
    }
}

fn refused_unit(outcome: Result<(), HomeError>) -> Option<Code> {
    refused(outcome)
}
