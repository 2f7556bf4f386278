//! oras and crane: what Signet attaches is found by `oras discover`; images with their signatures go
//! through layouts of either side and still verify.

use serde_json::Value;
use signet_testkit::{Sandbox, peers};

use crate::keys::{MAIN, OTHER, private, public};
use crate::{denied, registries, signet, verify};

const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[test]
fn a_signature_by_signet_is_discovered_by_oras() {
    let Some([registry, oras]) = peers(["docker-registry", "oras"]) else { return };
    let sandbox = Sandbox::new();
    for server in registries(&registry) {
        let repository = server.repository("discovered");
        let image = repository.at(&repository.push_image("1", "content"));
        sandbox.run(signet(), &["sign", "--key", &private(MAIN), &image]).succeeds();
        let found = sandbox.run(&oras, &["discover", "--plain-http", "--format", "json", &image]).succeeds();
        let found: Value = serde_json::from_str(&found.stdout).expect("oras answers with JSON");
        let referrer = found.pointer("/referrers/0/artifactType").and_then(Value::as_str);
        assert_eq!(referrer, Some(BUNDLE_TYPE), "{found}");
    }
}

#[test]
fn an_image_copied_by_oras_through_a_layout_keeps_its_signature() {
    let Some([registry, oras]) = peers(["docker-registry", "oras"]) else { return };
    let sandbox = Sandbox::new();
    for (number, server) in registries(&registry).iter().enumerate() {
        let (from, to) = (server.repository("from"), server.repository("to"));
        from.push_image("1", "content");
        sandbox.run(signet(), &["sign", "--key", &private(MAIN), &from.tagged("1")]).succeeds();
        let layout = format!("layout{number}:1");
        let out = ["copy", "-r", "--from-plain-http", "--to-oci-layout", &from.tagged("1"), &layout];
        sandbox.run(&oras, &out).succeeds();
        let back = ["copy", "-r", "--from-oci-layout", "--to-plain-http", &layout, &to.tagged("1")];
        sandbox.run(&oras, &back).succeeds();
        verify(&sandbox, &public(MAIN), &to.tagged("1")).succeeds();
        denied(&verify(&sandbox, &public(OTHER), &to.tagged("1")));
        sandbox.run(signet(), &["copy", &format!("oci:{layout}"), &to.tagged("2")]).succeeds();
        verify(&sandbox, &public(MAIN), &to.tagged("2")).succeeds();
    }
}

#[test]
fn a_layout_by_signet_is_read_by_oras_crane_and_skopeo() {
    let Some([registry, oras, crane, skopeo]) = peers(["docker-registry", "oras", "crane", "skopeo"]) else {
        return;
    };
    let sandbox = Sandbox::new();
    for (number, server) in registries(&registry).iter().enumerate() {
        let (from, to) = (server.repository("from"), server.repository("to"));
        let (index, images) = from.push_index("1", "content");
        sandbox.run(signet(), &["sign", "--key", &private(MAIN), &from.tagged("1")]).succeeds();
        let folder = format!("signet-layout{number}");
        let layout = format!("{folder}:1");
        sandbox.run(signet(), &["copy", &from.tagged("1"), &format!("oci:{layout}")]).succeeds();
        let resolved = sandbox.run(&oras, &["resolve", "--oci-layout", &layout]).succeeds();
        assert_eq!(resolved.stdout.trim(), index.to_string());
        let raw = sandbox.run(&skopeo, &["inspect", "--raw", &format!("oci:{layout}")]).succeeds();
        assert!(raw.says(&images[1].to_string()), "{raw}");
        let back = ["copy", "-r", "--from-oci-layout", "--to-plain-http", &layout, &to.tagged("1")];
        sandbox.run(&oras, &back).succeeds();
        verify(&sandbox, &public(MAIN), &to.tagged("1")).succeeds();
        // crane takes the first image of a layout; the push of an index needs no tag.
        let pushed = sandbox.run(&crane, &["push", "--index", &folder, &to.tagged("crane")]).succeeds();
        assert!(pushed.says(&to.tagged("crane").replace(":crane", "@sha256:")), "{pushed}");
    }
}

#[test]
fn an_image_copied_by_signet_and_pulled_by_crane_is_the_same() {
    let Some([registry, crane]) = peers(["docker-registry", "crane"]) else { return };
    let sandbox = Sandbox::new();
    let [without, with] = registries(&registry);
    for (from, to) in [(&without, &with), (&with, &without)] {
        let (source, target) = (from.repository("one-way"), to.repository("or-the-other"));
        let (index, images) = source.push_index("1", "content");
        sandbox.run(signet(), &["sign", "--key", &private(MAIN), &source.tagged("1")]).succeeds();
        sandbox.run(signet(), &["copy", &source.tagged("1"), &target.tagged("1")]).succeeds();
        let digest = sandbox.run(&crane, &["digest", &target.tagged("1")]).succeeds();
        assert_eq!(digest.stdout.trim(), index.to_string());
        sandbox.run(&crane, &["export", &target.at(&images[0]), "image.tar"]).succeeds();
        for digest in images.iter().chain([&index]) {
            verify(&sandbox, &public(MAIN), &target.at(digest)).succeeds();
        }
    }
}
