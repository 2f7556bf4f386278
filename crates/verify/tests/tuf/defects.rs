//! Published defects of other clients, by their names.

use signet_formats::tuf::{Metadata, TufError, file_name};
use signet_testkit::forge::{Key, TrustRepository};
use signet_verify::Code;
use signet_verify::tuf::Why;

use crate::client::{Client, NOW, rewrite};
use crate::delegations::publish;

const OTHERS: [&str; 3] = ["targets", "snapshot", "timestamp"];

/// tough: a root's version was not held to be the one asked for.
#[test]
fn cve_2025_2885_a_root_that_skips_versions() {
    let mut repository = TrustRepository::new();
    repository.publish_as("root", 3);
    let skipping = repository.files.remove("3.root.json").unwrap();
    repository.files.insert("2.root.json".to_owned(), skipping);
    let mut client = Client::of(&repository);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!(refusal.why, Why::Version { wanted: 2, found: 3 });
    assert_eq!(client.version("root"), Some(1));
}

/// tough: a terminating delegation did not end the search.
#[test]
fn cve_2025_2886_a_terminating_delegation_ends_the_search() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "owner", &["app/*"], true, Key::p256());
    repository.delegate("targets", "everybody", &["*", "*/*"], false, Key::p256());
    repository.add_target("everybody", "app/x", b"malicious");
    publish(&mut repository);
    let mut client = Client::of(&repository);
    assert_eq!(client.find(&repository, "app/x").unwrap(), None);
    assert_eq!(client.asked, ["1.owner.json"]);
}

/// tough: a rollback of delegated metadata was not seen.
#[test]
fn cve_2025_2887_a_delegated_role_never_goes_back_or_away() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "A", &["*"], false, Key::p256());
    publish(&mut repository);
    repository.publish(&["A", "snapshot", "timestamp"]);
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();

    repository.publish_as("A", 1);
    repository.publish(&["snapshot", "timestamp"]);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!(refusal.why, Why::Rollback { what: "A.json".to_owned(), seen: 2, found: 1 });

    repository.snapshot.meta.remove("A.json");
    repository.publish(&["snapshot", "timestamp"]);
    let refusal = client.update(&repository).unwrap_err();
    assert_eq!((&refusal.why, refusal.code()), (&Why::Removed("A.json".to_owned()), Code::TrustRollback));
}

/// tough: a timestamp that was refused stayed in the cache, and was believed the next time.
#[test]
fn cve_2025_2888_a_refused_timestamp_is_not_kept() {
    let mut repository = TrustRepository::new();
    repository.publish(&OTHERS);
    let mut client = Client::of(&repository);
    client.update(&repository).unwrap();
    let before = client.store.clone();

    // Newer itself, but it states an older snapshot; then older itself; then one that expired.
    let newer = repository.timestamp.clone();
    repository.timestamp.version = 1;
    repository.publish_as("timestamp", 3);
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustRollback);
    repository.publish_as("timestamp", 1);
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustRollback);
    repository.timestamp = newer;
    repository.expires.insert("timestamp".to_owned(), NOW - 1);
    repository.publish_as("timestamp", 4);
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustExpired);
    assert_eq!(client.store, before);
}

/// tough, and go-tuf before it: one key's signature counted twice toward the threshold.
#[test]
fn cve_2026_6966_one_key_counts_once() {
    let mut repository = TrustRepository::new();
    repository.root.roles.get_mut("timestamp").unwrap().threshold = 2;
    repository.publish(&["root", "timestamp"]);
    rewrite(&mut repository, "timestamp.json", |file| {
        let signatures = file["signatures"].as_array_mut().unwrap();
        signatures.push(signatures[0].clone());
    });
    let refusal = Client::of(&repository).update(&repository).unwrap_err();
    assert!(matches!(refusal.why, Why::Malformed(TufError::DuplicateSignature(_))), "{refusal}");
}

/// python-tuf: the same key under two ids.
#[test]
fn cve_2020_6174_one_key_under_two_ids_counts_once() {
    let mut repository = TrustRepository::new();
    let id = repository.root.roles["timestamp"].keyids[0].clone();
    let twin = repository.root.keys[&id].clone();
    repository.root.keys.insert("twin".to_owned(), twin);
    let role = repository.root.roles.get_mut("timestamp").unwrap();
    role.keyids.push("twin".to_owned());
    role.threshold = 2;
    repository.publish(&["root", "timestamp"]);
    rewrite(&mut repository, "timestamp.json", |file| {
        let signatures = file["signatures"].as_array_mut().unwrap();
        let mut again = signatures[0].clone();
        again["keyid"] = "twin".into();
        signatures.push(again);
    });
    let refusal = Client::of(&repository).update(&repository).unwrap_err();
    assert_eq!(refusal.why, Why::Signatures { found: 1, wanted: 2, role: "root".to_owned() });
}

/// A role whose key ids stand twice is malformed, so that nobody has to count them.
#[test]
fn a_key_id_that_stands_twice_in_a_role_is_refused() {
    let mut repository = TrustRepository::new();
    let served = rewritten_root(&mut repository, |root| {
        let ids = root["signed"]["roles"]["snapshot"]["keyids"].as_array_mut().unwrap();
        ids.push(ids[0].clone());
    });
    let refused = Metadata::<signet_formats::tuf::Root>::parse(&served).unwrap_err();
    assert!(matches!(refused, TufError::Duplicate { .. }), "{refused}");
}

/// tough: expiry, hash and length of delegated metadata went unchecked.
#[test]
fn cve_2026_6967_delegated_metadata_is_checked_as_all_other() {
    let delegating = || {
        let mut repository = TrustRepository::new();
        repository.delegate("targets", "A", &["*"], false, Key::p256());
        repository
    };
    let mut expired = delegating();
    expired.expires.insert("A".to_owned(), NOW);
    publish(&mut expired);
    let mut longer = delegating();
    publish(&mut longer);
    longer.files.get_mut("1.A.json").unwrap().push(b' ');
    let mut other = delegating();
    other.hashes = false;
    publish(&mut other);
    other.publish_as("A", 2);
    let newer = other.files["2.A.json"].clone();
    other.files.insert("1.A.json".to_owned(), newer);

    let refused =
        [(expired, Code::TrustExpired), (longer, Code::TrustMismatch), (other, Code::TrustMismatch)];
    for (repository, code) in refused {
        let mut client = Client::of(&repository);
        let refusal = client.find(&repository, "x").unwrap_err();
        assert_eq!((refusal.code(), client.version("A")), (code, None), "{refusal}");
    }
}

/// tough and go-tuf (CVE-2021-41131): names of roles and targets left the directory.
#[test]
fn cve_2026_6968_no_name_leaves_its_directory() {
    for name in ["../evil", "/evil", "a/../../evil", "..\\evil", "?", "#"] {
        let mut repository = TrustRepository::new();
        repository.delegate("targets", name, &["*"], false, Key::p256());
        publish(&mut repository);
        let mut client = Client::of(&repository);
        assert_eq!(client.find(&repository, "x").unwrap(), None);
        let encoded = format!("{}.json", file_name(name).unwrap());
        assert_eq!(client.asked, [format!("1.{encoded}")]);
        assert!(client.store.contains_key(&encoded) && !encoded.contains(['/', '\\', '?', '#']), "{encoded}");
    }
    for target in ["../evil", "/evil", "a/../../evil", "a//b", "."] {
        let mut repository = TrustRepository::new();
        repository.add_target("targets", target, b"evil");
        repository.publish(&OTHERS);
        let refusal = Client::of(&repository).find(&repository, target).unwrap_err();
        assert_eq!(refusal.code(), Code::TrustMalformed, "{target}");
    }
}

/// The metadata of a delegated role of such a name would take the place of a top-level role's.
#[test]
fn a_delegated_role_cannot_be_named_as_a_top_level_one() {
    for name in ["root", "timestamp", "snapshot"] {
        let mut repository = TrustRepository::new();
        repository.delegate("targets", "A", &["*"], false, Key::p256());
        repository.publish(&["A", "targets", "snapshot", "timestamp"]);
        let mut file: serde_json::Value =
            serde_json::from_slice(&repository.files["2.targets.json"]).unwrap();
        file["signed"]["delegations"]["roles"][0]["name"] = name.into();
        let refused = Metadata::<signet_formats::tuf::Targets>::parse(file.to_string().as_bytes());
        assert_eq!(refused.unwrap_err(), TufError::Name(name.to_owned()));
    }
}

/// A target of which only hashes of unknown algorithms are stated cannot be checked, and so is none.
#[test]
fn hashes_of_unknown_algorithms_prove_nothing() {
    let mut repository = TrustRepository::new();
    let hashes = serde_json::json!({"length": 1, "hashes": {"blake7": "00"}});
    let file = serde_json::from_value(hashes).unwrap();
    repository.roles.get_mut("targets").unwrap().targets.insert("x".to_owned(), file);
    repository.publish(&OTHERS);
    let refusal = Client::of(&repository).find(&repository, "x").unwrap_err();
    assert_eq!(refusal.code(), Code::TrustMismatch);
}

fn rewritten_root(repository: &mut TrustRepository, change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    rewrite(repository, "1.root.json", change);
    repository.files["1.root.json"].clone()
}
