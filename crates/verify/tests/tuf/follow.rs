use signet_testkit::forge::{Key, TrustRepository};
use signet_verify::Code;
use signet_verify::tuf::{MAX_ROTATIONS, Why};

use crate::client::{Client, rewrite};

const OTHERS: [&str; 3] = ["targets", "snapshot", "timestamp"];

#[test]
fn each_file_is_asked_for_once_and_kept_byte_for_byte() {
    let mut repository = TrustRepository::new();
    let timestamp = repository.files.get_mut("timestamp.json").unwrap();
    timestamp.extend_from_slice(b"  \n");
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();
    assert_eq!(client.asked, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]);
    assert_eq!(client.store["timestamp.json"], repository.files["timestamp.json"]);

    client.update(&repository).unwrap();
    assert_eq!(client.asked, ["2.root.json", "timestamp.json"]);
    client.load().unwrap();
}

#[test]
fn names_bear_versions_only_in_a_consistent_repository() {
    let mut repository = TrustRepository::new();
    repository.root.consistent_snapshot = false;
    repository.add_target("targets", "a", b"a");
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    for role in ["snapshot", "targets"] {
        let bytes = repository.files[&format!("2.{role}.json")].clone();
        repository.files.insert(format!("{role}.json"), bytes);
    }
    let mut client = Client::of(&repository);
    let found = client.find(&repository, "a").unwrap().unwrap();
    assert_eq!((found.url.as_str(), found.file.fits(b"a"), found.file.fits(b"b")), ("a", true, false));
}

#[test]
fn a_file_that_is_not_there_ends_the_update_and_keeps_what_came_before() {
    for (role, stored) in [("timestamp", 1), ("snapshot", 2), ("targets", 3)] {
        let mut repository = TrustRepository::new();
        let file = if role == "timestamp" { "timestamp.json".to_owned() } else { format!("1.{role}.json") };
        repository.files.remove(&file);
        let mut client = Client::of(&repository);
        let refusal = client.update(&repository).unwrap_err();
        assert_eq!((refusal.why.clone(), refusal.code()), (Why::Missing, Code::TrustMissing));
        assert_eq!(client.store.len(), stored, "{role}");
    }
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let mut repository = TrustRepository::new();
    repository.rotate("snapshot");
    repository.publish(&["root"]);
    // Signed by the timestamp's key, and of its shape, but of another type.
    let timestamp = repository.signers.remove("timestamp").unwrap();
    repository.signers.insert("snapshot".to_owned(), timestamp);
    repository.snapshot.meta.insert("snapshot.json".to_owned(), repository.timestamp.clone());
    repository.publish(&["snapshot"]);
    let served = repository.files["2.snapshot.json"].clone();
    repository.files.insert("timestamp.json".to_owned(), served);
    let mut client = Client::of(&repository);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!(refusal.code(), Code::TrustMalformed, "{refusal}");
    assert_eq!((client.version("root"), client.version("timestamp")), (Some(2), None));
}

#[test]
fn another_version_than_its_name_says_is_refused() {
    for role in ["snapshot", "targets"] {
        let mut repository = TrustRepository::new();
        repository.hashes = false;
        repository.publish(&OTHERS);
        let name = format!("2.{role}.json");
        repository.publish_as(role, 3);
        let newer = repository.files[&format!("3.{role}.json")].clone();
        repository.files.insert(name, newer);
        let refusal = Client::of(&repository).update(&repository).unwrap_err();
        assert_eq!(refusal.why, Why::Version { wanted: 2, found: 3 }, "{role}");
    }
}

#[test]
fn hash_and_length_must_be_the_ones_stated() {
    for role in ["snapshot", "targets"] {
        let mut repository = TrustRepository::new();
        let name = format!("1.{role}.json");
        repository.files.get_mut(&name).unwrap().pop();
        let mut client = Client::of(&repository);
        let refusal = client.update(&repository).unwrap_err();
        assert_eq!((refusal.code(), client.version(role)), (Code::TrustMismatch, None), "{refusal}");
    }
}

#[test]
fn an_equal_timestamp_is_not_taken_whatever_it_says() {
    let mut repository = TrustRepository::new();
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();
    repository.timestamp.version = 100;
    repository.publish_as("timestamp", 1);
    client.update(&repository).unwrap();
    assert_eq!(client.asked, ["2.root.json", "timestamp.json"]);
    client.load().unwrap();
}

#[test]
fn new_roots_are_followed_one_by_one_and_not_without_end() {
    let mut repository = TrustRepository::new();
    for _ in 0..MAX_ROTATIONS {
        repository.publish(&["root"]);
    }
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();
    assert_eq!(client.version("root"), Some(257));

    repository.publish(&["root"]);
    let mut client = Client::of(&repository);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!(refusal.why, Why::Limit { what: "new roots", limit: MAX_ROTATIONS });
    // What was followed is kept: the next update comes further.
    assert_eq!(client.version("root"), Some(257));
    client.update(&repository).unwrap();
}

#[test]
fn taking_a_key_from_timestamp_or_snapshot_recovers_from_versions_it_may_have_signed() {
    for role in ["timestamp", "snapshot"] {
        let mut repository = TrustRepository::new();
        repository.publish_as("targets", 100);
        repository.publish_as("snapshot", 100);
        repository.publish_as("timestamp", 100);
        let mut client = Client::of(&repository);
        client.update(&repository).unwrap();

        repository.rotate(role);
        repository.publish(&["root"]);
        for role in OTHERS {
            repository.publish_as(role, 1);
        }
        client.update(&repository).unwrap();
        let versions = OTHERS.map(|role| client.version(role));
        assert_eq!(versions, [Some(1); 3], "{role}");
    }
}

#[test]
fn a_key_more_recovers_nothing() {
    let mut repository = TrustRepository::new();
    repository.publish(&OTHERS);
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();
    repository.add_key("timestamp", Key::p256());
    repository.publish(&["root"]);
    repository.publish_as("timestamp", 1);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!((refusal.code(), client.version("timestamp")), (Code::TrustRollback, Some(2)));
}

#[test]
fn what_the_store_has_under_a_withdrawn_key_is_as_good_as_absent() {
    let mut repository = TrustRepository::new();
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();
    repository.rotate("targets");
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    client.update(&repository).unwrap();
    assert_eq!(client.version("targets"), Some(2));
}

#[test]
fn the_store_alone_must_be_whole_and_sound() {
    let repository = TrustRepository::new();
    let mut client = Client::of(&repository);
    assert_eq!(client.load().unwrap_err().why, Why::Missing);
    client.update(&repository).unwrap();
    for role in OTHERS {
        let kept = client.store.remove(&format!("{role}.json")).unwrap();
        assert_eq!(client.load().unwrap_err().why, Why::Missing, "{role}");
        client.store.insert(format!("{role}.json"), b"{}".to_vec());
        assert_eq!(client.load().unwrap_err().code(), Code::TrustMalformed, "{role}");
        client.store.insert(format!("{role}.json"), kept);
    }
    client.load().unwrap();
}

#[test]
fn unknown_members_are_covered_by_the_signature_and_do_no_harm() {
    let mut repository = TrustRepository::new();
    repository.extensions.insert("x-more".to_owned(), serde_json::json!({"a": [1, null]}));
    repository.publish(&["timestamp"]);
    Client::of(&repository).update(&repository).unwrap();
    rewrite(&mut repository, "timestamp.json", |file| file["signed"]["x-more"] = 1.into());
    let refusal = Client::of(&repository).update(&repository).unwrap_err();
    assert_eq!(refusal.code(), Code::TrustSignatures);
}

#[test]
fn an_initial_root_that_is_not_signed_asks_for_nothing() {
    let mut repository = TrustRepository::new();
    rewrite(&mut repository, "1.root.json", |file| file["signatures"] = serde_json::json!([]));
    let mut client = Client::of(&repository);
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustSignatures);
    assert_eq!(client.asked, Vec::<String>::new());
}
