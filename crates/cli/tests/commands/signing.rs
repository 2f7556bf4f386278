//! Signing where it is less usual: layouts, another repository, every algorithm, many signers and signatures.

use std::thread;

use serde_json::Value;
use signet_crypto::Digest;
use signet_testkit::{OCI_MANIFEST, RegistryServer, Repository, Sandbox};

use crate::{run, signet, with_keys};

#[test]
fn an_image_in_a_layout_is_signed_and_carries_its_signatures() {
    let sandbox = with_keys();
    let server = RegistryServer::signet(signet());
    let repository = server.repository("app");
    repository.push_index("1", "content");
    run(&sandbox, &["copy", &repository.tagged("1"), "oci:layout:1"]).exits(0);
    let sign = ["sign", "--key", "my.key", "oci:layout:1"];
    run(&sandbox, &sign).exits(0);
    assert!(run(&sandbox, &sign).exits(0).says("nothing to do"));
    run(&sandbox, &["verify", "--key", "my.pub", "oci:layout:1"]).exits(0);
    run(&sandbox, &["verify", "--key", "other.pub", "oci:layout:1"]).exits(1);
    let mirror = server.repository("mirror").tagged("1");
    run(&sandbox, &["copy", "oci:layout:1", &mirror]).exits(0);
    run(&sandbox, &["verify", "--key", "my.pub", &mirror]).exits(0);
    let legacy = ["sign", "--key", "my.key", "--format", "cosign-legacy", "oci:layout:1"];
    run(&sandbox, &legacy).exits(2).refuses_saying(&["SGN-3008"]);
    run(&sandbox, &["copy", "oci:layout:1", "oci-archive:a.tar:1"]).exits(0);
    run(&sandbox, &["sign", "--key", "my.key", "oci-archive:a.tar:1"]).exits(2).refuses_saying(&["SGN-3008"]);
}

/// The second of three images was not there: that the first was signed was not said, and the third was not.
#[test]
fn what_one_image_lacks_keeps_no_other_from_being_signed() {
    let sandbox = with_keys();
    let server = RegistryServer::signet(signet());
    let repository = server.repository("app");
    repository.push_image("1", "first");
    repository.push_image("3", "third");
    let [first, absent, third] = ["1", "2", "3"].map(|tag| repository.tagged(tag));
    let told = run(&sandbox, &["sign", "--key", "my.key", &first, &absent, &third]).exits(3);
    assert_eq!(told.stdout.matches("\nsigned ").count() + 1, 2, "{told}");
    assert!(told.stdout.contains(&format!("not signed {absent}")) && told.says("SGN-2004"), "{told}");
    for image in [&first, &third] {
        run(&sandbox, &["verify", "--key", "my.pub", image]).exits(0);
    }
    let json = run(&sandbox, &["sign", "--key", "my.key", "--output", "json", &first, &absent]).exits(3);
    let json: Value = serde_json::from_str(&json.stdout).expect("one document");
    assert_eq!(
        (&json["signed"][0]["action"], &json["failed"][0]["error"]["code"]),
        (&"present".into(), &"SGN-2004".into())
    );
    let alone = run(&sandbox, &["sign", "--key", "my.key", "--output", "json", &absent]).exits(3);
    let alone: Value = serde_json::from_str(&alone.stdout).expect("one document");
    assert_eq!(alone["error"]["code"], "SGN-2004");
}

/// A signature of another scheme by the same key is not the one that was asked for.
#[test]
fn a_scheme_that_is_asked_for_is_signed_with_once() {
    let sandbox = Sandbox::new();
    let server = RegistryServer::signet(signet());
    let repository = server.repository("app");
    repository.push_image("1", "content");
    let image = repository.tagged("1");
    run(&sandbox, &["keys", "generate", "--no-password", "--algorithm", "ed25519", "--out", "ed"]).exits(0);
    let sign = |more: &[&str]| {
        run(&sandbox, &[&["sign", "--key", "ed.key", &image][..], more].concat())
            .exits(0)
            .says("nothing to do")
    };
    assert!(!sign(&[]));
    assert!(!sign(&["--scheme", "ed25519ph"]));
    assert!(sign(&["--scheme", "ed25519ph"]));
    assert!(sign(&["--scheme", "ed25519"]));
    assert!(sign(&[]));
    // One of the scheme lacks the annotation, and one with the annotation is of another scheme.
    let annotated = ["--scheme", "ed25519ph", "-a", "by=ci"];
    assert!(!sign(&["-a", "by=ci"]));
    assert!(!sign(&annotated));
    assert!(sign(&annotated));
}

/// What is signed beside the digest, a policy can demand; so it is to be seen.
#[test]
fn inspect_shows_the_annotations_that_were_signed() {
    let sandbox = with_keys();
    let server = RegistryServer::signet(signet());
    let repository = server.repository("app");
    repository.push_image("1", "content");
    let image = repository.tagged("1");
    for format in ["bundle", "cosign-legacy"] {
        run(&sandbox, &["sign", "--key", "my.key", "--format", format, "-a", "env=prod,by=ci", &image])
            .exits(0);
    }
    let shown = run(&sandbox, &["inspect", "--key", "my.pub", &image]).exits(0);
    for line in ["    annotation    env=prod\n", "    annotation    by=ci\n"] {
        assert_eq!(shown.stdout.matches(line).count(), 2, "{shown}");
    }
    let json = run(&sandbox, &["inspect", "--output", "json", &image]).exits(0);
    let json: Value = serde_json::from_str(&json.stdout).expect("one document");
    for signature in json["signatures"].as_array().expect("a list") {
        assert_eq!(signature["claims"]["subjects"][0]["annotations"]["env"], "prod", "{json}");
    }
}

#[test]
fn signatures_are_kept_in_the_repository_that_cosign_repository_names() {
    let sandbox = with_keys();
    let server = RegistryServer::signet(signet());
    let images = server.repository("images");
    for format in ["bundle", "cosign-legacy"] {
        let digest = images.push_image(format, &format!("content {format}"));
        let image = images.tagged(format);
        let apart = |args: &[&str]| {
            let mut command = sandbox.command(signet());
            command.args(args).env("COSIGN_REPOSITORY", format!("{}/signatures", server.address()));
            command.output().expect("signet runs").status.code()
        };
        let sign = ["sign", "--key", "my.key", "--format", format, &image];
        assert_eq!(apart(&sign), Some(0), "{format}");
        assert_eq!(apart(&["verify", "--key", "my.pub", &image]), Some(0), "{format}");
        run(&sandbox, &["verify", "--key", "my.pub", &image]).exits(1);
        let listed = images.referrers(&digest).expect("the registry has the API");
        assert_eq!(listed["manifests"].as_array().map(Vec::len), Some(0), "{format}");
    }
    let mut command = sandbox.command(signet());
    command.args(["verify", "--key", "my.pub", &images.tagged("bundle")]).env("COSIGN_REPOSITORY", "UPPER");
    assert_eq!(command.output().expect("signet runs").status.code(), Some(2));
}

#[test]
fn every_algorithm_signs_images() {
    let sandbox = Sandbox::new();
    let server = RegistryServer::signet(signet());
    let schemes = [
        ("rsa-2048", "rsa-pss-sha256"),
        ("ed25519", "ed25519ph"),
        ("ed25519", "ed25519"),
        ("ml-dsa-44", "ml-dsa-44"),
        ("ml-dsa-65", "ml-dsa-65"),
        ("ml-dsa-87", "ml-dsa-87"),
    ];
    for (algorithm, scheme) in schemes {
        let repository = server.repository(scheme);
        repository.push_image("1", "content");
        let image = repository.tagged("1");
        let generate = ["keys", "generate", "--no-password", "--algorithm", algorithm, "--out", scheme];
        run(&sandbox, &generate).exits(0);
        let (key, public) = (format!("{scheme}.key"), format!("{scheme}.pub"));
        let sign = ["sign", "--key", &key, "--scheme", scheme, &image];
        run(&sandbox, &sign).exits(0);
        assert!(run(&sandbox, &sign).exits(0).says("nothing to do"), "{scheme}");
        let verified = run(&sandbox, &["verify", "--key", &public, "--output", "json", &image]).exits(0);
        assert!(verified.says(&format!(", {scheme}\"")), "signed by another scheme: {verified}");
        let legacy = ["sign", "--key", &key, "--scheme", scheme, "--format", "cosign-legacy", &image];
        run(&sandbox, &legacy).exits(2).refuses_saying(&["SGN-3009"]);
    }
    run(&sandbox, &["verify", "--key", "ml-dsa-44.pub", &server.repository("ml-dsa-65").tagged("1")])
        .exits(1);
}

/// The list is written on conditions that Signet's registry holds, so nothing is lost and nobody is warned.
#[test]
fn eight_signers_at_once_lose_nothing_and_are_not_warned() {
    let sandbox = Sandbox::new();
    let server = RegistryServer::signet(signet());
    let keys: Vec<String> = (0..8).map(|number| format!("signer{number}")).collect();
    for key in &keys {
        run(&sandbox, &["keys", "generate", "--no-password", "--out", key]).exits(0);
    }
    for format in ["bundle", "cosign-legacy"] {
        let repository = server.repository(format);
        repository.push_image("1", "content");
        let image = repository.tagged("1");
        thread::scope(|scope| {
            for key in &keys {
                let (sandbox, image) = (&sandbox, &image);
                scope.spawn(move || {
                    let key = format!("{key}.key");
                    let signed = run(sandbox, &["sign", "--key", &key, "--format", format, image]).exits(0);
                    assert!(!signed.says("cannot tell concurrent writers apart"), "{signed}");
                });
            }
        });
        for key in &keys {
            run(&sandbox, &["verify", "--key", &format!("{key}.pub"), &image]).exits(0);
        }
    }
}

/// Two hundred signatures of which only the last is by the key that is asked for.
#[test]
fn the_last_of_two_hundred_signatures_is_found_within_64_mib() {
    let sandbox = with_keys();
    let server = RegistryServer::signet(signet());
    let repository = server.repository("crowded");
    let digest = repository.push_image("1", "content");
    let image = repository.tagged("1");
    run(&sandbox, &["sign", "--key", "other.key", &image]).exits(0);
    crowd(&repository, &digest, 198);
    run(&sandbox, &["verify", "--key", "my.pub", &image]).exits(1);
    run(&sandbox, &["sign", "--key", "my.key", &image]).exits(0);
    let listed = repository.referrers(&digest).expect("the registry has the API");
    assert_eq!(listed["manifests"].as_array().map(Vec::len), Some(200));
    // Data is what is allocated: what the kernel counts for `ulimit -d`, stacks and heap together.
    let bounded = format!("ulimit -d 65536 && exec {} verify --key my.pub {image}", signet().display());
    sandbox.run("sh", &["-c", &bounded]).exits(0);
}

/// Attaches the one signature of an image `more` times again, each as other bytes of the same meaning.
fn crowd(repository: &Repository, subject: &Digest, more: usize) {
    let listed = repository.referrers(subject).expect("the registry has the API");
    let mut manifest = repository.manifest(&text(&listed, "/manifests/0/digest")).expect("it is there");
    let media_type = text(&manifest, "/layers/0/mediaType");
    let mut bundle = repository.blob(&text(&manifest, "/layers/0/digest"));
    for _ in 0..more {
        bundle.push(b' ');
        let layer = manifest.pointer_mut("/layers/0").expect("a signature has a layer");
        *layer = repository.put_blob(&media_type, &bundle);
        let bytes = manifest.to_string().into_bytes();
        repository.put_manifest(&Digest::sha256(&bytes).to_string(), OCI_MANIFEST, &bytes);
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).expect("the registry's documents are whole").to_owned()
}
