//! cosign's options beyond the key: annotations, another repository, the older bundle of files.

use signet_testkit::{Outcome, Peer, RegistryServer, Sandbox, peers};

use crate::keys::{MAIN, OTHER, private, public};
use crate::{denied, registries, signet};

const LOCAL: [&str; 2] = ["--tlog-upload=false", "--allow-http-registry"];
const IGNORE: [&str; 2] = ["--insecure-ignore-tlog", "--allow-http-registry"];

#[test]
fn annotations_are_understood_by_both() {
    let Some([registry, cosign]) = peers(["docker-registry", "cosign"]) else { return };
    let sandbox = Sandbox::new();
    let (key, public) = (private(MAIN), public(MAIN));
    for server in registries(&registry) {
        for (format, cosign_format) in [("bundle", "true"), ("cosign-legacy", "false")] {
            let new = format!("--new-bundle-format={cosign_format}");
            let image = |name: &str| {
                let repository = server.repository(&format!("{name}-{format}"));
                repository.at(&repository.push_image("1", "content"))
            };
            let (ours, theirs) = (image("by-signet"), image("by-cosign"));
            sandbox
                .run(signet(), &["sign", "--key", &key, "--format", format, "-a", "env=prod", &ours])
                .succeeds();
            let sign = ["sign", "--yes", "--use-signing-config=false", "--key", &key, "-a", "env=prod", &new];
            sandbox.run(&cosign, &[&sign[..], &LOCAL, &[&theirs]].concat()).succeeds();
            for image in [&ours, &theirs] {
                let ask = |value: &str| {
                    sandbox.run(signet(), &["verify", "--key", &public, "-a", &format!("env={value}"), image])
                };
                ask("prod").succeeds();
                denied(&ask("test"));
                let ask = |value: &str| {
                    let value = format!("env={value}");
                    let verify = ["verify", "--key", &public, "-a", &value, &new];
                    sandbox.run(&cosign, &[&verify[..], &IGNORE, &[image]].concat())
                };
                ask("prod").succeeds();
                ask("test").refuses_saying(&["annotation", "no matching", "env"]);
            }
        }
    }
}

#[test]
fn signatures_in_another_repository_are_found_by_both() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let sandbox = Sandbox::new();
    let server = RegistryServer::signet(signet());
    let repository = server.repository("images");
    let apart = |program: &dyn AsRef<std::path::Path>, args: &[&str]| {
        let mut command = sandbox.command(program);
        command.args(args).env("COSIGN_REPOSITORY", format!("{}/signatures", server.address()));
        command.output().expect("the program runs").status.code()
    };
    let (key, public) = (private(MAIN), public(MAIN));
    let image = |tag: &str| repository.at(&repository.push_image(tag, tag));
    let (ours, theirs) = (image("ours"), image("theirs"));
    let sign = ["sign", "--key", &key, "--format", "cosign-legacy", &ours];
    assert_eq!(apart(&signet(), &sign), Some(0));
    let sign = ["sign", "--yes", "--use-signing-config=false", "--new-bundle-format=false", "--key", &key];
    assert_eq!(apart(&cosign, &[&sign[..], &LOCAL, &[&theirs]].concat()), Some(0));
    for image in [&ours, &theirs] {
        assert_eq!(apart(&signet(), &["verify", "--key", &public, image]), Some(0));
        denied(&sandbox.run(signet(), &["verify", "--key", &public, image]));
        let verify = ["verify", "--new-bundle-format=false", "--key", &public];
        assert_eq!(apart(&cosign, &[&verify[..], &IGNORE, &[image]].concat()), Some(0));
        // A copy has them beside the image.
        assert_eq!(apart(&signet(), &["copy", image, "oci:carried:1"]), Some(0));
        sandbox.run(signet(), &["verify", "--key", &public, "oci:carried:1"]).succeeds();
    }
}

/// cosign's own way into an air gap.
#[test]
fn what_cosign_saved_is_verified_and_copied_with_its_signatures() {
    for cosign in ["cosign", "cosign2"] {
        let Some([cosign]) = peers([cosign]) else { return };
        let sandbox = Sandbox::new();
        let server = RegistryServer::signet(signet());
        let repository = server.repository("images");
        let image = repository.at(&repository.push_image("1", "content"));
        let (key, public) = (private(MAIN), public(MAIN));
        sandbox.run(signet(), &["sign", "--key", &key, "--format", "cosign-legacy", &image]).succeeds();
        sandbox.run(&cosign, &["save", "--dir", "saved", &image]).succeeds();
        let (_, digest) = image.split_once('@').expect("it is named by digest");
        for place in ["oci:saved", &format!("oci:saved@{digest}")] {
            sandbox.run(signet(), &["verify", "--key", &public, place]).succeeds();
        }
        sandbox.run(signet(), &["copy", "oci:saved", "oci:carried:1"]).succeeds();
        sandbox.run(signet(), &["verify", "--key", &public, "oci:carried:1"]).succeeds();
        denied(&sandbox.run(signet(), &["verify", "--key", &crate::keys::public(OTHER), "oci:carried:1"]));
    }
}

#[test]
fn the_older_bundle_of_a_file_by_cosign_is_accepted_by_signet() {
    let Some([cosign2]) = peers(["cosign2"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.write("file", "what is signed\n");
    sandbox.write("changed", "what is  signed\n");
    for key in [MAIN, OTHER] {
        let bundle = format!("{key}.bundle");
        cosign2_signs(&sandbox, &cosign2, key, &bundle).succeeds();
        let text = String::from_utf8(sandbox.read(&bundle)).expect("the bundle is text");
        assert!(text.contains("base64Signature"), "not the older form: {text}");
        verifies(&sandbox, key, &bundle, "file").succeeds();
        denied(&verifies(&sandbox, key, &bundle, "changed"));
        denied(&verifies(&sandbox, if key == MAIN { OTHER } else { MAIN }, &bundle, "file"));
    }
}

fn cosign2_signs(sandbox: &Sandbox, cosign2: &Peer, key: &str, bundle: &str) -> Outcome {
    let sign =
        ["sign-blob", "--yes", "--key", &private(key), "--bundle", bundle, "--tlog-upload=false", "file"];
    sandbox.run(cosign2, &sign)
}

fn verifies(sandbox: &Sandbox, key: &str, bundle: &str, file: &str) -> Outcome {
    sandbox.run(signet(), &["verify-blob", "--key", &public(key), "--bundle", bundle, file])
}
