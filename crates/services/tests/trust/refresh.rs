//! What is pinned is brought up to date before it is used, by one for all and not at any price.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use signet_services::trust::{Home, HomeError, Patience, TRUSTED_ROOT};
use signet_testkit::forge::TrustRepository;
use signet_verify::Code;
use tempfile::TempDir;

use crate::home::{NOW, pinned, refused, trusted_root};
use crate::memory::{Hanging, Memory};

const DAY: i64 = 24 * 3_600;
const BRIEF: Patience =
    Patience { while_it_serves: Duration::from_millis(30), for_anything: Duration::from_millis(60) };
const PATIENT: Patience =
    Patience { while_it_serves: Duration::from_secs(60), for_anything: Duration::from_secs(60) };

/// A home whose timestamp expires four days from now.
async fn of_four_days() -> (TrustRepository, TempDir, Home) {
    let (mut repository, dir, home) = pinned().await;
    repository.expires.insert("timestamp".to_owned(), NOW + 4 * DAY);
    repository.publish(&["timestamp"]);
    home.update(&Memory::of(&repository.files), NOW).await.unwrap();
    (repository, dir, home)
}

/// What the repository says after its timestamp has expired.
fn renewed(mut repository: TrustRepository) -> TrustRepository {
    repository.expires.insert("timestamp".to_owned(), NOW + 9 * DAY);
    repository.add_target("targets", TRUSTED_ROOT, b"second");
    repository.publish(&["targets", "snapshot", "timestamp"]);
    repository
}

/// A runner whose image is older than that begins so.
#[tokio::test]
async fn of_those_who_have_expired_trust_one_asks_and_all_wait_for_it() {
    let (repository, _dir, home) = of_four_days().await;
    let later = NOW + 5 * DAY;
    let repository = Hanging::after(usize::MAX, &renewed(repository).files);
    let alone = {
        let (old, _dir, home) = of_four_days().await;
        let once = Hanging::after(usize::MAX, &renewed(old).files);
        home.refresh(&once, PATIENT, later).await.unwrap();
        once.asked.load(Ordering::Acquire)
    };
    let all = join_all((0..8).map(|_| home.refresh(&repository, PATIENT, later))).await;
    all.into_iter().for_each(|one| assert_eq!(one.unwrap(), None));
    assert_eq!(repository.asked.load(Ordering::Acquire), alone);
    assert_eq!(trusted_root(&home, later), b"second");

    // Who asks by hand waits too, and learns what there is then.
    let both = join_all((0..2).map(|_| home.update(&repository, later))).await;
    both.into_iter().for_each(|one| one.unwrap());
}

#[tokio::test]
async fn a_repository_that_hangs_is_waited_for_briefly_and_not_asked_again_soon() {
    let (repository, _dir, home) = of_four_days().await;
    let hanging = Hanging::after(0, &repository.files);
    let asked = || hanging.asked.load(Ordering::Acquire);
    let since = NOW + DAY + 1;
    let outage = home.refresh(&hanging, BRIEF, since).await.unwrap().unwrap();
    assert_eq!((outage.failure.since, outage.until, asked()), (since, NOW + 4 * DAY, 1));
    for later in [1, 599] {
        assert_eq!(home.refresh(&hanging, BRIEF, since + later).await.unwrap(), None);
    }
    assert_eq!(asked(), 1);
    home.refresh(&hanging, BRIEF, since + 600).await.unwrap().unwrap();
    assert_eq!(asked(), 2);
    // It answers again, and is asked no more that day.
    let memory = Memory::of(&repository.files);
    assert_eq!(home.refresh(&memory, BRIEF, since + 1_200).await.unwrap(), None);
    assert_eq!(home.source().unwrap().failed, None);
    home.refresh(&hanging, BRIEF, since + 1_201).await.unwrap();
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn an_outage_is_told_when_half_of_the_time_is_over_and_by_what_it_ends_in() {
    let (repository, _dir, home) = of_four_days().await;
    let down = Memory::default();
    let (since, half) = (NOW + DAY + 1, NOW + 2 * DAY);
    home.refresh(&down, BRIEF, since).await.unwrap().unwrap();
    home.refresh(&down, BRIEF, half - 300).await.unwrap().unwrap();
    assert_eq!(home.refresh(&down, BRIEF, half).await.unwrap(), None);
    let told = home.refresh(&down, BRIEF, half + 1).await.unwrap().unwrap();
    assert_eq!(told.failure.since, since);
    let error = home.refresh(&down, BRIEF, NOW + 4 * DAY).await.unwrap_err();
    let HomeError::Stale { stale, failure } = error else { panic!("{error}") };
    assert_eq!((failure.since, refused::<()>(Err(*stale))), (since, Some(Code::TrustExpired)));

    // Those who waited meanwhile do not ask one after the other.
    let hanging = Hanging::after(0, &repository.files);
    let all = join_all((0..4).map(|_| home.refresh(&hanging, BRIEF, NOW + 4 * DAY + 1))).await;
    assert!(all.iter().all(|one| matches!(one, Err(HomeError::Stale { .. }))), "{all:?}");
    assert_eq!(hanging.asked.load(Ordering::Acquire), 1);
}

/// A repository that leads back is no outage.
#[tokio::test]
async fn what_is_not_to_be_believed_is_not_passed_over() {
    let (repository, _dir, home) = of_four_days().await;
    let old = repository.files.clone();
    home.update(&Memory::of(&renewed(repository).files), NOW).await.unwrap();
    let rolled_back = home.refresh(&Memory::of(&old), BRIEF, NOW + DAY).await;
    assert_eq!(refused(rolled_back), Some(Code::TrustRollback));
    assert_eq!(home.source().unwrap().failed, None);
}
