use signet_formats::time;
use signet_testkit::forge::TrustRepository;
use signet_verify::Code;
use signet_verify::tuf::{Freshness, SIGNED_AT, Why};

use crate::client::{Client, NOW};

#[test]
fn the_second_of_expiry_is_too_late() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let mut repository = TrustRepository::new();
        repository.expires.insert(role.to_owned(), NOW);
        repository.publish(&["root", "targets", "snapshot", "timestamp"]);
        let mut client = Client::of(&repository);
        let refusal = client.update(&repository).unwrap_err();
        let expired = Why::Expired { expires: NOW, at: NOW };
        assert_eq!((&refusal.why, refusal.code()), (&expired, Code::TrustExpired), "{role}");
        // A root is stored before it is looked at so (§5.3.8), nothing else is.
        assert_eq!(client.version(role), (role == "root").then_some(2));

        client.at = NOW - 1;
        client.update(&repository).unwrap();
    }
}

#[test]
fn only_the_last_root_must_not_have_expired() {
    let mut repository = TrustRepository::new();
    repository.expires.insert("root".to_owned(), NOW - 1);
    repository.publish(&["root"]);
    repository.expires.clear();
    repository.publish(&["root"]);
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();
    assert_eq!(client.version("root"), Some(3));
}

#[test]
fn what_expired_in_the_store_is_replaced_and_still_guards_against_rollback() {
    let mut repository = TrustRepository::new();
    repository.expires.insert("timestamp".to_owned(), NOW + 10);
    repository.publish(&["timestamp"]);
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();

    client.at = NOW + 20;
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustExpired);
    repository.expires.clear();
    repository.publish_as("timestamp", 1);
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustRollback);
    repository.publish_as("timestamp", 3);
    client.update(&repository).unwrap();
}

#[test]
fn offline_the_age_counts_from_when_the_timestamp_was_signed() {
    let mut repository = TrustRepository::new();
    repository.extensions.insert(SIGNED_AT.to_owned(), time::format(NOW - 100).unwrap().into());
    for role in ["timestamp", "snapshot"] {
        repository.expires.insert(role.to_owned(), NOW - 50);
    }
    repository.publish(&["snapshot", "timestamp"]);
    let mut client = Client::of(&repository);
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustExpired);

    client.freshness = Freshness::MaxAge(99);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!(refusal.why, Why::TooOld { signed: NOW - 100, at: NOW, max_age: 99 });
    client.freshness = Freshness::MaxAge(100);
    client.update(&repository).unwrap();
    client.load().unwrap();

    // Root and targets are believed no longer for that.
    repository.expires.insert("targets".to_owned(), NOW);
    repository.publish(&["targets", "snapshot", "timestamp"]);
    assert_eq!(client.update(&repository).unwrap_err().file, "targets.json");
}

#[test]
fn an_expired_timestamp_that_does_not_say_when_it_was_signed_is_too_old() {
    let mut repository = TrustRepository::new();
    repository.expires.insert("timestamp".to_owned(), NOW);
    repository.publish(&["timestamp"]);
    let mut client = Client::of(&repository);
    client.freshness = Freshness::MaxAge(i64::MAX);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!((&refusal.why, refusal.code()), (&Why::Undated, Code::TrustExpired));
}

/// A maximum is one also while nothing has expired, and what only limits does not lengthen.
#[test]
fn a_maximum_age_ends_before_the_expiry_and_does_not_outlast_it_unless_waived() {
    let mut repository = TrustRepository::new();
    repository.extensions.insert(SIGNED_AT.to_owned(), time::format(NOW - 100).unwrap().into());
    repository.expires.insert("timestamp".to_owned(), NOW + 100);
    repository.publish(&["timestamp"]);
    let mut client = Client::of(&repository);
    let too_old = Why::TooOld { signed: NOW - 100, at: NOW, max_age: 99 };
    for freshness in [Freshness::Within(99), Freshness::MaxAge(99)] {
        client.freshness = freshness;
        assert_eq!(client.update(&repository).unwrap_err().why, too_old, "{freshness:?}");
    }
    client.freshness = Freshness::Within(10_000);
    client.update(&repository).unwrap();
    client.at = NOW + 100;
    assert_eq!(client.load().unwrap_err().why, Why::Expired { expires: NOW + 100, at: NOW + 100 });
}
