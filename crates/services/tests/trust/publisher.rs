use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signet_formats::tuf::{Metadata, Role, Root};
use signet_keys::{KeyReference, KeyUnavailable, PrivateFormat, PrivateKey, SignError};
use signet_services::clock::{Clock, ManualClock};
use signet_services::trust::{
    CeremonyError, Home, OnlineKey, Periods, Pin, Publisher, PublisherError, RootPlan, Standing,
    TRUSTED_ROOT, Watch, countersign, mark_restored, root_alert,
};
use signet_store::fs::{Disk, Faults, Step};
use signet_store::{DataDir, Kind};
use signet_verify::Code;
use tempfile::TempDir;

use crate::memory::{CutOff, Memory, URL};

const NOW: u64 = 1_795_000_000;
const DAY: u64 = 24 * 3_600;

#[tokio::test]
async fn a_root_is_published_when_enough_have_signed_and_clients_follow_it() {
    let stage = Stage::new(3);
    let mut root = stage.publisher.stage(&stage.plan(2), None, false).unwrap();
    assert_eq!(stage.refusal(&root).await, Code::TrustSignatures);
    countersign(&mut root, None, &stage.keys[0]).await.unwrap();
    // The same person twice is one person.
    countersign(&mut root, None, &stage.keys[0]).await.unwrap();
    assert_eq!(stage.refusal(&root).await, Code::TrustSignatures);
    assert_eq!(Standing::of(&root, None).unwrap().signed.len(), 1);
    let stranger = key();
    let refused = countersign(&mut root, None, &stranger).await;
    assert!(matches!(refused, Err(CeremonyError::NotASigner(_))), "{refused:?}");

    countersign(&mut root, None, &stage.keys[2]).await.unwrap();
    stage.publisher.rehearse(Some(root.to_json().as_bytes()), &[]).unwrap();
    assert!(matches!(stage.publisher.published(), Err(PublisherError::NoRoot)));
    stage.publish(&root, b"trusted").await.unwrap();
    assert_eq!(stage.followed(&root).await, b"trusted");
}

#[tokio::test]
async fn the_next_root_needs_both_thresholds_and_hands_over_to_other_keys() {
    let mut stage = Stage::new(2);
    let first = stage.first_root().await;
    stage.publish(&first, b"1").await.unwrap();
    let (online, newcomer) = (stage.publisher.new_online_key().unwrap(), key());
    let mut plan = RootPlan::of(&first).unwrap();
    plan.root_keys = vec![newcomer.public_key().clone()];
    plan.threshold = 1;
    plan.online_key = online;
    let mut second = stage.publisher.stage(&plan, None, false).unwrap();
    assert_eq!(second.version, 2);
    countersign(&mut second, Some(&first), &newcomer).await.unwrap();
    assert_eq!(stage.refusal(&second).await, Code::TrustSignatures);
    for key in &stage.keys {
        countersign(&mut second, Some(&first), key).await.unwrap();
    }
    stage.publish(&second, b"2").await.unwrap();
    stage.keys.clear();
    assert_eq!(stage.followed(&first).await, b"2");
    let roles = stage.publisher.published().unwrap().roles;
    assert_eq!(roles.iter().map(|(_, version, _)| *version).collect::<Vec<_>>(), [2; 4]);

    // The first root again, or the second once more as if a publication had been cut off.
    assert!(matches!(stage.publish(&first, b"3").await, Err(PublisherError::Ceremony(_))));
    stage.publish(&second, b"3").await.unwrap();
    assert_eq!(stage.followed(&first).await, b"3");
}

#[tokio::test]
async fn what_is_due_is_signed_again_before_it_expires() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    stage.publish(&root, b"trusted").await.unwrap();
    let versions = || {
        let roles = stage.publisher.published().unwrap().roles;
        roles.into_iter().map(|(_, version, _)| version).collect::<Vec<_>>()
    };
    stage.publisher.keep(&[]).await.unwrap();
    assert_eq!(versions(), [1, 1, 1, 1]);
    stage.clock.advance(Duration::from_secs(3_600));
    stage.publisher.keep(&[]).await.unwrap();
    assert_eq!(versions(), [1, 2, 1, 1]);
    stage.clock.advance(Duration::from_secs(46 * DAY));
    stage.publisher.keep(&[]).await.unwrap();
    assert_eq!(versions(), [1, 3, 2, 2]);
    assert_eq!(stage.followed(&root).await, b"trusted");
}

/// What a clock that was ahead has signed would be good for longer than anything is meant to be.
#[tokio::test]
async fn a_clock_that_was_stepped_leaves_nothing_behind() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    stage.publish(&root, b"trusted").await.unwrap();
    let roles = async || stage.publisher.keep(&[]).await.unwrap().roles;
    let now = stage.clock.read().wall;
    stage.clock.step_to(now + Duration::from_secs(200 * DAY));
    let ahead = roles().await;
    assert!(
        ahead[1..].iter().all(|(_, version, _)| *version == 2),
        "it believes that all has expired: {ahead:?}"
    );
    stage.clock.step_to(now);
    let back = roles().await;
    for ((role, version, expires), life) in back[1..].iter().zip([4, 90, 90]) {
        let life = i64::try_from(life * DAY).unwrap();
        assert_eq!((*version, *expires), (3, stage.clock.seconds() + life), "{role}");
    }
    assert_eq!(roles().await, back);
    assert_eq!(stage.followed(&root).await, b"trusted");
}

#[tokio::test]
async fn a_watch_knows_whether_clients_are_served_and_when_people_are_needed() {
    let stage = Stage::new(1);
    let watch = Watch::new(stage.publisher.clone(), stage.clock.clone());
    assert!(watch.look().await.is_err() && !watch.is_fresh());
    let root = stage.first_root().await;
    stage.publish(&root, b"trusted").await.unwrap();
    let published = watch.look().await.unwrap();
    assert!(watch.is_fresh());
    let now = stage.clock.seconds();
    assert_eq!(root_alert(&published, now), None);
    stage.clock.advance(Duration::from_secs(306 * DAY));
    let published = watch.look().await.unwrap();
    let alert = root_alert(&published, stage.clock.seconds()).unwrap();
    assert!(alert.contains("59 days are left"), "{alert}");

    // Whoever stole the online key may sign, but whoever has lost it serves what it has until that expires.
    fs::remove_dir_all(stage.dir.path().join("data/keys")).unwrap();
    assert!(watch.look().await.is_err() && watch.is_fresh());
    stage.clock.advance(Duration::from_secs(5 * DAY));
    assert!(watch.look().await.is_err() && !watch.is_fresh());
}

#[tokio::test]
async fn only_plain_names_of_the_repository_are_served() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    stage.publish(&root, b"trusted").await.unwrap();
    for name in ["1.root.json", "timestamp.json", "1.snapshot.json"] {
        assert!(stage.publisher.file(name).unwrap().is_some(), "{name}");
    }
    let online =
        fs::read_dir(stage.dir.path().join("data/keys")).unwrap().next().unwrap().unwrap().file_name();
    let online = format!("../keys/{}", online.to_str().unwrap());
    for name in ["", ".", "..", "targets", "targets/", "../signet.json", "targets/../1.root.json", &online] {
        assert_eq!(stage.publisher.file(name).unwrap(), None, "{name}");
    }
}

#[test]
fn a_plan_that_nobody_could_fulfil_is_refused() {
    let stage = Stage::new(2);
    for threshold in [0, 3] {
        let refused = stage.plan(threshold).draft(None);
        assert!(matches!(refused, Err(CeremonyError::Threshold { .. })), "{threshold}");
    }
    let twice =
        RootPlan { root_keys: [stage.plan(1).root_keys, stage.plan(1).root_keys].concat(), ..stage.plan(1) };
    assert!(matches!(twice.draft(None), Err(CeremonyError::Twice)));
    let online = RootPlan { online_key: stage.keys[0].public_key().clone(), ..stage.plan(1) };
    assert!(matches!(online.draft(None), Err(CeremonyError::OnlineRootKey)));
}

/// It may have been carried to who signs it, and they have signed it there.
#[tokio::test]
async fn a_draft_is_given_up_for_another_only_where_that_is_asked_for() {
    let stage = Stage::new(1);
    let keys = || fs::read_dir(stage.dir.path().join("data/keys")).unwrap().count();
    let (first, second) = (OnlineKey::make().unwrap(), OnlineKey::make().unwrap());
    let plan = |online: &OnlineKey| RootPlan {
        root_keys: vec![stage.keys[0].public_key().clone()],
        threshold: 1,
        online_key: online.public_key().clone(),
        expires: NOW as i64 + 1_000_000,
    };
    stage.publisher.stage(&plan(&first), Some(&first), false).unwrap();
    let drafted = fs::read(stage.publisher.staged_root()).unwrap();
    let refused = stage.publisher.stage(&plan(&second), Some(&second), false);
    assert!(matches!(refused, Err(PublisherError::Staged { signatures: 0, .. })), "{refused:?}");
    assert_eq!((fs::read(stage.publisher.staged_root()).unwrap(), keys()), (drafted, 1));
    let root = stage.publisher.stage(&plan(&second), Some(&second), true).unwrap();
    assert_eq!(keys(), 1, "nobody needs the key of a draft that was given up");

    let mut root = root;
    countersign(&mut root, None, &stage.keys[0]).await.unwrap();
    stage.publish(&root, b"one").await.unwrap();
    let next = RootPlan::of(&root).unwrap();
    stage.publisher.stage(&next, None, false).unwrap();
    stage.publisher.stage(&next, None, true).unwrap();
    assert_eq!(keys(), 1, "the published root goes on to name its key");
}

/// People travel to sign it, and a key has to be withdrawn meanwhile.
#[tokio::test]
async fn targets_do_not_wait_for_a_root_that_is_being_signed() {
    let stage = Stage::new(2);
    let targets = [(TRUSTED_ROOT.to_owned(), b"withdrawn".to_vec())];
    let mut first = stage.first_root().await;
    fs::write(stage.publisher.staged_root(), first.to_json()).unwrap();
    assert!(stage.publisher.ripe_root(&targets).unwrap().is_some(), "with which it all begins");
    stage.publish(&first, b"one").await.unwrap();
    assert!(!stage.publisher.staged_root().exists());

    let mut second = stage.publisher.stage(&RootPlan::of(&first).unwrap(), None, false).unwrap();
    countersign(&mut second, Some(&first), &stage.keys[0]).await.unwrap();
    let draft = second.to_json();
    fs::write(stage.publisher.staged_root(), &draft).unwrap();
    assert_eq!(stage.publisher.ripe_root(&targets).unwrap(), None);
    assert!(stage.publisher.ripe_root(&[]).unwrap().is_some(), "to say what it lacks");
    for root in [None, Some(first.to_json())] {
        stage.publisher.publish(root.as_ref().map(String::as_bytes), &targets).await.unwrap();
        assert_eq!(fs::read_to_string(stage.publisher.staged_root()).unwrap(), draft, "with its signatures");
    }
    assert_eq!(stage.followed(&first).await, b"withdrawn");

    countersign(&mut second, Some(&first), &stage.keys[1]).await.unwrap();
    fs::write(stage.publisher.staged_root(), second.to_json()).unwrap();
    let ripe = stage.publisher.ripe_root(&targets).unwrap();
    assert_eq!(ripe.as_deref(), Some(second.to_json().as_bytes()));
    stage.publisher.publish(ripe.as_deref(), &targets).await.unwrap();
    assert!(!stage.publisher.staged_root().exists());
    first = stage.publisher.root().unwrap().unwrap();
    assert_eq!(first.version, 2);
}

/// The stack would take them back at its next look, and nobody would know.
#[tokio::test]
async fn targets_are_not_published_over_the_head_of_a_stack() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    drop(DataDir::open(&stage.dir.path().join("stack"), Kind::Stack).unwrap());
    fs::rename(stage.dir.path().join("data"), stage.dir.path().join("stack/trust")).unwrap();
    let publisher =
        Publisher::new(&stage.dir.path().join("stack/trust"), Periods::default(), stage.clock.clone())
            .unwrap();
    let (root, targets) = (root.to_json(), [(TRUSTED_ROOT.to_owned(), b"theirs".to_vec())]);
    let refused = publisher.publish(Some(root.as_bytes()), &targets).await;
    assert!(matches!(refused, Err(PublisherError::OfStack { .. })), "{refused:?}");
    let refused = publisher.rehearse(Some(root.as_bytes()), &targets);
    assert!(matches!(refused, Err(PublisherError::OfStack { .. })), "{refused:?}");
    assert!(publisher.root().unwrap().is_none());
    publisher.publish(Some(root.as_bytes()), &[]).await.unwrap();
    publisher.keep(&targets).await.unwrap();
    assert_eq!(publisher.published().unwrap().targets, [TRUSTED_ROOT]);
}

/// The service looks at the same moment, as it does again and again.
#[tokio::test]
async fn who_publishes_waits_for_who_is_publishing() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    let held = DataDir::open(&stage.dir.path().join("data"), Kind::Trust).unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(held);
    };
    let (published, ()) = tokio::join!(stage.publish(&root, b"trusted"), release);
    published.unwrap();
    assert_eq!(stage.followed(&root).await, b"trusted");
}

#[test]
fn a_plan_that_is_refused_leaves_no_key_behind() {
    let stage = Stage::new(1);
    let online = OnlineKey::make().unwrap();
    for threshold in [0, 2] {
        let online_key = online.public_key().clone();
        let root_keys = vec![stage.keys[0].public_key().clone()];
        let plan = RootPlan { root_keys, threshold, online_key, expires: NOW as i64 + 1 };
        stage.publisher.stage(&plan, Some(&online), true).unwrap_err();
    }
    assert!(!stage.dir.path().join("data").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn online_keys_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new(1);
    stage.plan(1);
    for file in fs::read_dir(stage.dir.path().join("data/keys")).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// For development: a root without people, which goes on for years.
#[tokio::test]
async fn a_root_of_its_own_leads_clients_and_is_followed_by_the_next() {
    let stage = Stage::new(0);
    let watch = Watch::new(stage.publisher.clone(), stage.clock.clone());
    watch.set_targets(vec![(TRUSTED_ROOT.to_owned(), b"one".to_vec())]);
    watch.own_root().await.unwrap();
    let first = stage.publisher.root().unwrap().unwrap();
    assert_eq!(stage.followed(&first).await, b"one");
    watch.own_root().await.unwrap();
    assert_eq!(stage.publisher.root().unwrap().unwrap().version, 1, "it is not time");
    watch.look().await.unwrap();
    let versions =
        || watch.published().unwrap().roles.into_iter().map(|(_, version, _)| version).collect::<Vec<_>>();
    assert_eq!(versions(), [1; 4], "nothing is due");

    watch.set_targets(vec![(TRUSTED_ROOT.to_owned(), b"two".to_vec())]);
    watch.look().await.unwrap();
    assert_eq!((versions(), stage.followed(&first).await), (vec![1, 2, 2, 2], b"two".to_vec()));
    stage.clock.advance(Duration::from_secs(183 * DAY));
    assert!(!watch.is_fresh(), "nobody has signed for half a year");
    // Without a restart.
    watch.look().await.unwrap();
    assert_eq!((versions()[0], watch.is_fresh()), (2, true));
    assert_eq!(stage.followed(&first).await, b"two", "by the root that was pinned first");
    assert_eq!(stage.publisher.fsck(), Vec::<String>::new());
}

#[tokio::test]
async fn a_root_of_people_stays_theirs() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    stage.publish(&root, b"trusted").await.unwrap();
    stage.clock.advance(Duration::from_secs(300 * DAY));
    stage.publisher.own_root(&[]).await.unwrap();
    assert_eq!(stage.publisher.root().unwrap().unwrap().version, 1);
    assert!(!stage.dir.path().join("data/root.key").exists());
}

/// Clients refuse versions below those that they have seen, so a repository out of a backup must not count on from there.
#[tokio::test]
async fn after_a_restore_versions_jump_once() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    stage.publish(&root, b"trusted").await.unwrap();
    let data = stage.dir.path().join("data");
    mark_restored(&data).unwrap();
    let versions = async || {
        let roles = stage.publisher.keep(&[]).await.unwrap().roles;
        roles.into_iter().map(|(_, version, _)| version).collect::<Vec<_>>()
    };
    let now = u64::try_from(stage.clock.seconds()).unwrap();
    let jumped = vec![1, now, now, now];
    assert_eq!(versions().await, jumped);
    assert_eq!(versions().await, jumped);
    assert_eq!(stage.followed(&root).await, b"trusted");
    let target = fs::read_dir(data.join("repository/targets")).unwrap().next().unwrap().unwrap().path();
    fs::write(target, b"changed").unwrap();
    assert_eq!(stage.publisher.fsck(), ["the target `trusted_root.json` is missing or damaged"]);
}

/// Clients that have a root refuse what only the one before it led to.
#[tokio::test]
async fn a_root_is_published_only_when_its_online_key_has_signed() {
    let stage = Stage::new(1);
    let first = stage.first_root().await;
    stage.publish(&first, b"old").await.unwrap();
    let plan = RootPlan { online_key: key().public_key().clone(), ..RootPlan::of(&first).unwrap() };
    let absent = KeyReference::parse("absent-in-tests://key").unwrap();
    let absent = OnlineKey::Named(absent, plan.online_key.clone());
    let mut second = stage.publisher.stage(&plan, Some(&absent), false).unwrap();
    countersign(&mut second, Some(&first), &stage.keys[0]).await.unwrap();
    let refused = stage.publish(&second, b"new").await;
    assert!(
        matches!(refused, Err(PublisherError::Ceremony(CeremonyError::Sign(SignError::Outside(_))))),
        "{refused:?}"
    );
    assert_eq!(stage.publisher.root().unwrap().unwrap().version, 1);
    assert!(stage.publisher.staged_root().is_file(), "it is still to be published");
    assert_eq!(stage.followed(&first).await, b"old");
    stage.clock.advance(Duration::from_secs(2 * DAY));
    stage.publisher.keep(&[]).await.unwrap();
    assert_eq!(stage.followed(&first).await, b"old");
}

#[tokio::test]
async fn while_the_online_key_is_out_of_reach_what_is_published_serves_until_it_expires() {
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    stage.publish(&root, b"old").await.unwrap();
    let watch = Watch::new(stage.publisher.clone(), stage.clock.clone());
    watch.begin().await.unwrap();
    let keys = stage.dir.path().join("data/keys");
    let id = RootPlan::of(&root).unwrap().online_key.id().hex();
    let (made, aside) = (keys.join(format!("{id}.key")), keys.join("aside"));
    fs::rename(&made, &aside).unwrap();
    fs::write(keys.join(format!("{id}.ref")), "absent-in-tests://key").unwrap();
    assert_eq!(stage.publisher.fsck(), Vec::<String>::new(), "it is not asked for before it signs");
    watch.look().await.unwrap();
    stage.clock.advance(Duration::from_secs(DAY));
    assert!(watch.look().await.is_err() && watch.is_fresh());
    assert_eq!((watch.failures(), stage.followed(&root).await), (1, b"old".to_vec()));
    Watch::new(stage.publisher.clone(), stage.clock.clone()).begin().await.unwrap();
    stage.clock.advance(Duration::from_secs(4 * DAY));
    assert!(watch.look().await.is_err() && !watch.is_fresh());
    fs::rename(&aside, &made).unwrap();
    watch.look().await.unwrap();
    assert!(watch.is_fresh() && watch.failures() == 2);

    // One that is another key than the root names.
    fs::rename(&made, &aside).unwrap();
    fs::write(keys.join(format!("{id}.ref")), aside.to_str().unwrap()).unwrap();
    assert_eq!(stage.publisher.fsck(), Vec::<String>::new());
    let other = key().encode(PrivateFormat::Pkcs8).unwrap();
    fs::write(&aside, &other).unwrap();
    let refused = watch.publisher().publish(None, &[]).await;
    assert!(
        matches!(refused, Err(PublisherError::KeyUnavailable(KeyUnavailable::Another { .. }))),
        "{refused:?}"
    );
}

/// A publisher with a clock of its own, and the people who sign its roots.
struct Stage {
    dir: TempDir,
    clock: Arc<ManualClock>,
    publisher: Publisher,
    keys: Vec<PrivateKey>,
}

impl Stage {
    fn new(people: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let publisher = Publisher::new(&dir.path().join("data"), Periods::default(), clock.clone()).unwrap();
        Self { dir, clock, publisher, keys: (0..people).map(|_| key()).collect() }
    }

    fn plan(&self, threshold: u64) -> RootPlan {
        RootPlan {
            root_keys: self.keys.iter().map(|key| key.public_key().clone()).collect(),
            threshold,
            online_key: self.publisher.new_online_key().unwrap(),
            expires: self.clock.seconds() + i64::try_from(365 * DAY).unwrap(),
        }
    }

    /// A root that all have signed.
    async fn first_root(&self) -> Metadata<Root> {
        let mut root =
            self.publisher.stage(&self.plan(u64::try_from(self.keys.len()).unwrap()), None, false).unwrap();
        for key in &self.keys {
            countersign(&mut root, None, key).await.unwrap();
        }
        root
    }

    async fn publish(&self, root: &Metadata<Root>, target: &[u8]) -> Result<(), PublisherError> {
        let targets = [(TRUSTED_ROOT.to_owned(), target.to_vec())];
        self.publisher.publish(Some(root.to_json().as_bytes()), &targets).await.map(drop)
    }

    async fn refusal(&self, root: &Metadata<Root>) -> Code {
        match self.publish(root, b"").await {
            Err(PublisherError::Ceremony(CeremonyError::Refused(refusal))) => refusal.code(),
            other => panic!("{other:?}"),
        }
    }

    /// What a client that has pinned this root gets.
    async fn followed(&self, root: &Metadata<Root>) -> Vec<u8> {
        let home = TempDir::new().unwrap();
        let home = Home::new(&home.path().join("home")).unwrap();
        let memory = Memory::of(&served(&self.publisher, &self.dir.path().join("data")));
        let (root, now) = (root.to_json(), self.clock.seconds());
        let pin = Pin { root: root.as_bytes(), url: Some(URL), authorities: None };
        home.init(pin, &memory, now).await.unwrap();
        home.current(now).unwrap().trusted_root.unwrap()
    }
}

/// Everything that the publisher of a data directory serves.
pub(crate) fn served(publisher: &Publisher, data: &Path) -> BTreeMap<String, Vec<u8>> {
    let repository = data.join("repository");
    let names = |dir: &Path, prefix: &str| -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| format!("{prefix}{}", name.to_str().unwrap())).collect()
    };
    let all = [names(&repository, ""), names(&repository.join("targets"), "targets/")].concat();
    let file = |name: String| publisher.file(&name).unwrap().map(|bytes| (name, bytes));
    all.into_iter().filter_map(file).collect()
}

fn key() -> PrivateKey {
    PrivateKey::generate(signet_crypto::KeyAlgorithm::EcdsaP256).unwrap()
}

#[test]
fn every_role_but_root_is_signed_by_the_one_online_key() {
    let stage = Stage::new(2);
    let root = stage.plan(2).draft(None).unwrap();
    for role in [Role::Timestamp, Role::Snapshot, Role::Targets] {
        let keys = root.body.role(role).unwrap();
        assert_eq!((keys.keyids.len(), keys.threshold), (1, 1), "{role}");
    }
}

/// What is published goes on to be served and followed; once there is room again what is due is signed.
#[tokio::test]
async fn on_a_full_disk_nothing_is_published_and_nothing_is_lost() {
    struct Full(AtomicBool);
    impl Faults for Full {
        fn before(&self, step: Step<'_>, _: &Path) -> io::Result<()> {
            // What is there can be synced.
            match self.0.load(Ordering::Acquire) && matches!(step, Step::Write(_)) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }
    let stage = Stage::new(1);
    let root = stage.first_root().await;
    stage.publish(&root, b"old").await.unwrap();
    let full = Arc::new(Full(true.into()));
    let publisher = stage.publisher.clone().on(Disk::with_faults(full.clone()));
    let watch = Watch::new(publisher.clone(), stage.clock.clone());
    watch.set_targets(vec![(TRUSTED_ROOT.to_owned(), b"new".to_vec())]);
    let refused = watch.look().await;
    assert!(matches!(refused, Err(PublisherError::Io(_))), "{refused:?}");
    assert!(watch.is_fresh(), "it may still be used");
    assert_eq!(stage.followed(&root).await, b"old");
    stage.clock.advance(Duration::from_secs(5 * DAY));
    assert!(watch.look().await.is_err() && !watch.is_fresh(), "the timestamp has expired");
    full.0.store(false, Ordering::Release);
    watch.look().await.unwrap();
    assert!(watch.is_fresh());
    assert_eq!(stage.followed(&root).await, b"new");
    assert_eq!(stage.publisher.fsck(), Vec::<String>::new());
}

/// Cuts the disk off before the n-th step of a publication, for every n: what clients follow is the old state or the
/// new one, whole, and the next renewal goes on.
#[tokio::test]
async fn a_publication_that_was_cut_off_anywhere_is_seen_whole_or_not_at_all() {
    for steps in 0.. {
        let stage = Stage::new(1);
        let root = stage.first_root().await;
        stage.publish(&root, b"old").await.unwrap();
        stage.clock.advance(Duration::from_secs(10));

        let disk = Disk::with_faults(Arc::new(CutOff::after(steps)));
        let publisher = stage.publisher.clone().on(disk);
        let done = publisher.publish(None, &[(TRUSTED_ROOT.to_owned(), b"new".to_vec())]).await;
        let seen = stage.followed(&root).await;
        assert!(seen == b"old" || seen == b"new", "{steps}");
        assert!(done.is_err() || seen == b"new", "{steps}: what was acknowledged is lost");

        stage.clock.advance(Duration::from_secs(3_600));
        stage.publisher.keep(&[]).await.unwrap();
        assert_eq!(stage.followed(&root).await, seen);
        stage.publish(&root, b"newest").await.unwrap();
        assert_eq!(stage.followed(&root).await, b"newest");
        if done.is_ok() {
            assert!(steps > 10);
            break;
        }
    }
}
