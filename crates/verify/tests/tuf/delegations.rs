use signet_formats::tuf::{Bins, RoleKeys};
use signet_testkit::forge::{Key, TrustRepository};
use signet_verify::Code;
use signet_verify::tuf::{MAX_ROLES, Why};

use crate::client::Client;

/// Delegations `(from, to, paths, terminating)`, and in which order a target that nobody has is looked for.
type Graph = (&'static [(&'static str, &'static str, &'static str, bool)], &'static [&'static str]);

const GRAPHS: [Graph; 8] = [
    (&[("targets", "A", "*", false), ("targets", "B", "*", false), ("B", "C", "*", false)], &["A", "B", "C"]),
    (
        &[
            ("targets", "A", "*", false),
            ("targets", "B", "*", false),
            ("A", "C", "*", false),
            ("A", "D", "*", false),
        ],
        &["A", "C", "D", "B"],
    ),
    (
        &[
            ("targets", "A", "*", false),
            ("targets", "B", "*", false),
            ("A", "C", "*", true),
            ("A", "D", "*", false),
        ],
        &["A", "C"],
    ),
    (
        &[
            ("targets", "A", "*", false),
            ("targets", "B", "*", false),
            ("A", "C", "*", true),
            ("C", "D", "*", false),
        ],
        &["A", "C", "D"],
    ),
    (&[("targets", "A", "*.py", true), ("targets", "B", "*", false), ("A", "C", "*", false)], &["B"]),
    (
        &[
            ("targets", "A", "*", false),
            ("targets", "B", "*", false),
            ("B", "C", "*", false),
            ("C", "D", "*", false),
            ("D", "B", "*", false),
        ],
        &["A", "B", "C", "D"],
    ),
    (
        &[
            ("targets", "A", "*", false),
            ("targets", "B", "*", false),
            ("B", "C", "*", false),
            ("A", "C", "*", false),
        ],
        &["A", "C", "B"],
    ),
    (
        &[
            ("targets", "A", "*", false),
            ("targets", "B", "*", false),
            ("B", "C", "*", false),
            ("A", "C", "*.py", false),
        ],
        &["A", "B", "C"],
    ),
];

#[test]
fn delegations_are_searched_in_pre_order_and_no_role_twice() {
    for (delegations, order) in GRAPHS {
        let mut repository = TrustRepository::new();
        for (from, to, paths, terminating) in delegations {
            repository.delegate(from, to, &[paths], *terminating, Key::p256());
        }
        publish(&mut repository);
        let mut client = Client::of(&repository);
        assert_eq!(client.find(&repository, "missing").unwrap(), None);
        let asked: Vec<String> = order.iter().map(|role| format!("1.{role}.json")).collect();
        assert_eq!(client.asked, asked, "{delegations:?}");

        // All of it is in the store now.
        assert_eq!(client.find(&repository, "missing").unwrap(), None);
        assert_eq!(client.asked, Vec::<String>::new());
    }
}

#[test]
fn a_target_counts_only_where_every_role_above_may_name_it() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "A", &["releases/*/*"], false, Key::p256());
    repository.delegate("A", "B", &["releases/x/*"], false, Key::p256());
    for path in ["releases/x/1", "releases/z/1", "README"] {
        repository.add_target("B", path, path.as_bytes());
    }
    publish(&mut repository);
    let mut client = Client::of(&repository);
    let mut found = |path| client.find(&repository, path).unwrap().map(|found| found.name);
    assert_eq!(found("releases/x/1").as_deref(), Some("releases%2Fx%2F1"));
    assert_eq!((found("releases/z/1"), found("README")), (None, None));
}

/// Both python-tuf and go-tuf fail it in tuf-conformance.
#[test]
fn a_cached_role_is_verified_against_the_current_delegator() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "parent-a", &["team-a/*"], false, Key::p256());
    repository.delegate("targets", "parent-b", &["team-b/*"], false, Key::p256());
    repository.delegate("parent-a", "release", &["team-a/*"], false, Key::p256());
    repository.delegate("parent-b", "release", &["team-b/*"], false, Key::p256());
    repository.add_target("release", "team-a/root", b"good");
    repository.add_target("release", "team-b/root", b"bad");
    // Of the two delegators' keys only the first one's signs.
    repository.signers.get_mut("release").unwrap().truncate(1);
    publish(&mut repository);

    let mut client = Client::of(&repository);
    let updater = client.update(&repository).unwrap();
    assert!(client.search(&updater, &repository, "team-a/root").unwrap().is_some());
    let refusal = client.search(&updater, &repository, "team-b/root").unwrap_err();
    assert_eq!(refusal.why, Why::Signatures { found: 0, wanted: 1, role: "parent-b".to_owned() });
}

#[test]
fn a_role_that_the_snapshot_does_not_list_is_not_even_asked_for() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "A", &["*"], false, Key::p256());
    repository.publish(&["A", "targets"]);
    repository.snapshot.meta.remove("A.json");
    repository.publish(&["snapshot", "timestamp"]);
    let mut client = Client::of(&repository);
    let refusal = client.find(&repository, "x").unwrap_err();
    assert_eq!((&refusal.why, refusal.code()), (&Why::Unlisted, Code::TrustMismatch));
    assert_eq!(client.asked, Vec::<String>::new());
}

#[test]
fn one_search_visits_a_bounded_number_of_roles() {
    let mut repository = TrustRepository::new();
    let mut above = "targets".to_owned();
    for at in 0..=MAX_ROLES {
        let name = format!("role-{at}");
        repository.delegate(&above, &name, &["*"], false, Key::p256());
        above = name;
    }
    repository.add_target(&format!("role-{}", MAX_ROLES - 1), "near", b"1");
    repository.add_target(&above, "far", b"1");
    publish(&mut repository);
    let mut client = Client::of(&repository);
    assert!(client.find(&repository, "near").unwrap().is_some());
    let refusal = client.find(&repository, "far").unwrap_err();
    assert_eq!(refusal.why, Why::Limit { what: "delegated roles in one search", limit: MAX_ROLES });
}

#[test]
fn hashes_of_paths_choose_among_bins() {
    let mut repository = TrustRepository::new();
    let key = Key::p256();
    repository.delegate("targets", "bin-a", &["*"], false, Key::p256());
    let delegations = repository.roles.get_mut("targets").unwrap().delegations.as_mut().unwrap();
    delegations.roles = None;
    delegations.keys.clear();
    let named = signet_formats::tuf::Key::of(key.public()).unwrap();
    let id = named.id().unwrap();
    delegations.keys.insert(id.clone(), named);
    let keys = RoleKeys { keyids: vec![id], threshold: 1 };
    delegations.succinct_roles = Some(Bins { keys, bit_length: 4, name_prefix: "bin".to_owned() });
    repository.signers.insert("bin-a".to_owned(), vec![key]);
    // SHA-256("file3") begins with a nibble that `path` is chosen for below.
    let path = (0..100)
        .map(|at| format!("file{at}"))
        .find(|path| signet_crypto::Digest::sha256(path.as_bytes()).hex().starts_with('a'))
        .unwrap();
    repository.add_target("bin-a", &path, b"content");
    publish(&mut repository);
    let mut client = Client::of(&repository);
    assert!(client.find(&repository, &path).unwrap().is_some());
    assert_eq!(client.asked, ["1.bin-a.json"]);
}

#[test]
fn prefixes_of_hashes_delegate_too() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "A", &[], false, Key::p256());
    let delegations = repository.roles.get_mut("targets").unwrap().delegations.as_mut().unwrap();
    let role = delegations.roles.as_mut().unwrap().first_mut().unwrap();
    let hash = signet_crypto::Digest::sha256(b"covered").hex();
    role.paths.paths = None;
    role.paths.path_hash_prefixes = Some(vec![hash.chars().take(6).collect()]);
    repository.add_target("A", "covered", b"1");
    repository.add_target("A", "other", b"1");
    publish(&mut repository);
    let mut client = Client::of(&repository);
    assert!(client.find(&repository, "covered").unwrap().is_some());
    assert!(client.find(&repository, "other").unwrap().is_none());
}

/// Publishes every role, those that delegate after those they delegate to being of no matter.
pub(crate) fn publish(repository: &mut TrustRepository) {
    let delegated: Vec<String> = repository.roles.keys().filter(|role| *role != "targets").cloned().collect();
    let roles: Vec<&str> = delegated.iter().map(String::as_str).collect();
    repository.publish(&roles);
    repository.publish(&["targets", "snapshot", "timestamp"]);
}
