//! Indexes of indexes: every face walks them, each manifest once, and says where it will not go.

use insta::assert_snapshot;
use serde_json::{Value, json};
use signet_crypto::Digest;
use signet_testkit::{OCI_INDEX, RegistryServer, Repository, Sandbox, Shelf};

use crate::text::shown;
use crate::{run, signet, with_keys};

/// A tag `1` on an index of an index of the index of two platforms, and of that last index once more.
struct Setting {
    sandbox: Sandbox,
    server: RegistryServer,
    repository: Repository,
    image: String,
    /// The index, what it lists, and the platforms' images: each of them once.
    manifests: Vec<Digest>,
}

impl Setting {
    fn new() -> Self {
        let server = RegistryServer::signet(signet());
        let repository = server.repository("app");
        let (platforms, images) = repository.push_index("platforms", "content");
        let middle = repository.push_index_of("middle", &[platforms]);
        let outer = repository.push_index_of("1", &[middle, platforms]);
        let image = repository.tagged("1");
        let manifests = [&[outer, middle, platforms], images.as_slice()].concat();
        Self { sandbox: with_keys(), server, repository, image, manifests }
    }

    /// An index of an index of an index …, as many above the platforms; where it is, and its digest.
    fn push_tower(&self, tag: &str, height: usize) -> (String, Digest) {
        let first = self.repository.push_index("tower", "content").0;
        let top = (1..height).fold(first, |below, _| self.repository.push_index_of(tag, &[below]));
        (self.repository.tagged(tag), top)
    }

    fn signs(&self, args: &[&str]) -> Vec<(Digest, String)> {
        let sign = [&["sign", "--key", "my.key", "--output", "json"], args].concat();
        let signed = run(&self.sandbox, &sign).exits(0);
        let signed: Value = serde_json::from_str(&signed.stdout).expect("one document");
        let bodies = signed.get("signed").and_then(Value::as_array).expect("a list").iter();
        let text = |body: &Value, name| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let digest = |name: &str| name.split_once('@').expect("by digest").1.parse().expect("a digest");
        bodies.map(|body| (digest(&text(body, "name")), text(body, "platform"))).collect()
    }

    fn verify(&self, repository: &Repository, digest: &Digest, status: i32) {
        run(&self.sandbox, &["verify", "--key", "my.pub", &repository.at(digest)]).exits(status);
    }
}

#[test]
fn an_index_of_indexes_is_signed_to_the_last_platform_each_manifest_once() {
    let setting = Setting::new();
    let signed: Vec<Digest> =
        setting.signs(&[&setting.image]).into_iter().map(|(digest, _)| digest).collect();
    assert_eq!(signed, setting.manifests);
    for digest in &setting.manifests {
        setting.verify(&setting.repository, digest, 0);
    }
    assert!(
        run(&setting.sandbox, &["sign", "--key", "my.key", &setting.image]).exits(0).says("nothing to do")
    );
}

#[test]
fn a_platform_is_found_in_an_index_of_indexes() {
    let setting = Setting::new();
    let [outer, _, _, amd64, arm64] = setting.manifests.as_slice() else { panic!("five manifests") };
    // One platform in two spellings, as containerd and docker take them.
    let signed = setting.signs(&["--platform", "linux/arm64,linux/arm64/v8", &setting.image]);
    assert_eq!(signed, [(*arm64, "linux/arm64".to_owned())]);
    setting.verify(&setting.repository, outer, 1);
    setting.verify(&setting.repository, amd64, 1);
    let missing = ["sign", "--key", "my.key", "--platform", "linux/s390x", &setting.image];
    run(&setting.sandbox, &missing).exits(2).refuses_saying(&["linux/amd64, linux/arm64"]);
}

#[test]
fn the_tree_unfolds_an_index_of_indexes_and_each_manifest_once() {
    let setting = Setting::new();
    setting.signs(&[&setting.image]);
    let tree = run(&setting.sandbox, &["tree", &setting.image]).exits(0);
    assert_snapshot!("tree-nested", shown(&tree).replace(setting.server.address(), "registry"));
}

#[test]
fn an_index_of_indexes_is_copied_with_all_signatures() {
    let setting = Setting::new();
    setting.signs(&[&setting.image]);
    run(&setting.sandbox, &["copy", &setting.image, "oci:layout:1"]).exits(0);
    let mirror = setting.server.repository("mirror");
    run(&setting.sandbox, &["copy", "oci:layout:1", &mirror.tagged("1")]).exits(0);
    for digest in &setting.manifests {
        setting.verify(&mirror, digest, 0);
    }
}

/// Sixteen steps below the first is as deep as anybody goes: seventeen indexes above a platform are too many.
#[test]
fn indexes_within_indexes_are_walked_to_a_bound_and_refused_beyond() {
    let setting = Setting::new();
    let (deepest, _) = setting.push_tower("deepest", 16);
    assert_eq!(setting.signs(&[&deepest]).len(), 16 + 2);
    run(&setting.sandbox, &["copy", &deepest, "oci:layout:deepest"]).exits(0);
    let (beyond, top) = setting.push_tower("beyond", 17);
    let sign = ["sign", "--key", "my.key", &beyond];
    for args in [&sign[..], &["copy", &beyond, "oci:layout:beyond"], &["tree", &beyond]] {
        let refused = run(&setting.sandbox, args).exits(3).refuses_saying(&["SGN-2006"]);
        assert!(refused.says("manifests within manifests: more than 16"), "{refused}");
    }
    let listed = setting.repository.referrers(&top).expect("the registry has the API");
    assert_eq!(listed["manifests"], json!([]), "nothing was signed");
}

/// The bound counts what is listed, so nothing of a hostile list is fetched.
#[test]
fn a_thousand_manifests_of_one_image_are_signed_and_no_more() {
    let sandbox = with_keys();
    let list = |count: usize| {
        let listed = (0..count).map(|number| {
            let digest = Digest::sha256(number.to_string().as_bytes());
            json!({"mediaType": OCI_INDEX, "digest": digest, "size": 2})
        });
        let listed: Vec<Value> = listed.collect();
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}).to_string()
    };
    for (listed, code) in [(999, "SGN-2004"), (1_000, "SGN-2006")] {
        let shelf = Shelf::serve(&[("app", "1", OCI_INDEX, list(listed).as_bytes())]);
        let image = format!("{}/app:1", shelf.address());
        run(&sandbox, &["sign", "--key", "my.key", &image]).exits(3).refuses_saying(&[code]);
    }
}
