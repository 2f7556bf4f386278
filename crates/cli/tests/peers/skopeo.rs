//! skopeo 1.22 and 1.18 under a `sigstoreSigned` policy. containers/image reads the legacy format only,
//! and looks at the image of the platform, never at the index.

use signet_testkit::{Outcome, Peer, RegistryServer, Repository, Sandbox, peers};

use crate::keys::{MAIN, OTHER, private, public};
use crate::{denied, registries, signet, verify};

#[test]
fn an_image_signed_by_signet_is_accepted_by_skopeo() {
    let Some([registry, skopeo, skopeo118]) = peers(["docker-registry", "skopeo", "skopeo118"]) else {
        return;
    };
    for server in registries(&registry) {
        let sandbox = sandbox(&server);
        for algorithm in [MAIN, OTHER] {
            let repository = server.repository(&format!("signed/{algorithm}"));
            repository.push_image("1", "content");
            signet_signs(&sandbox, algorithm, &[], &repository).succeeds();
            let wrong = if algorithm == MAIN { OTHER } else { MAIN };
            for program in [&skopeo, &skopeo118] {
                pulls(&sandbox, program, algorithm, &repository).succeeds();
                pulls(&sandbox, program, wrong, &repository)
                    .refuses_saying(&["signature verification failed"]);
            }
        }
    }
}

#[test]
fn an_unsigned_image_and_a_bundle_alone_are_refused_by_skopeo() {
    let Some([registry, skopeo]) = peers(["docker-registry", "skopeo"]) else { return };
    for server in registries(&registry) {
        let sandbox = sandbox(&server);
        let repository = server.repository("bundle");
        repository.push_image("1", "content");
        let no_signature = ["A signature was required, but no signature exists"];
        pulls(&sandbox, &skopeo, MAIN, &repository).refuses_saying(&no_signature);
        sandbox.run(signet(), &["sign", "--key", &private(MAIN), &repository.tagged("1")]).succeeds();
        pulls(&sandbox, &skopeo, MAIN, &repository).refuses_saying(&no_signature);
    }
}

#[test]
fn a_platform_of_an_index_signed_by_signet_is_accepted_by_skopeo_unless_only_the_index_is_signed() {
    let Some([registry, skopeo]) = peers(["docker-registry", "skopeo"]) else { return };
    for server in registries(&registry) {
        let sandbox = sandbox(&server);
        let whole = server.repository("whole");
        whole.push_index("1", "content");
        signet_signs(&sandbox, MAIN, &[], &whole).succeeds();
        pulls(&sandbox, &skopeo, MAIN, &whole).succeeds();
        let only = server.repository("index-only");
        only.push_index("1", "content");
        signet_signs(&sandbox, MAIN, &["--index-only"], &only).succeeds();
        pulls(&sandbox, &skopeo, MAIN, &only).refuses_saying(&["no signature exists"]);
    }
}

#[test]
fn an_image_signed_by_skopeo_is_accepted_by_signet() {
    let Some([registry, skopeo, skopeo118]) = peers(["docker-registry", "skopeo", "skopeo118"]) else {
        return;
    };
    for server in registries(&registry) {
        let sandbox = sandbox(&server);
        server.repository("plain").push_image("1", "content");
        for (program, name) in [(&skopeo, "by-skopeo"), (&skopeo118, "by-skopeo118")] {
            let target = server.repository(name);
            skopeo_signs(&sandbox, program, &server.repository("plain"), &target).succeeds();
            verify(&sandbox, &public(MAIN), &target.tagged("1")).succeeds();
            denied(&verify(&sandbox, &public(OTHER), &target.tagged("1")));
        }
    }
}

/// With a policy for each key and the registry's signatures switched on.
fn sandbox(server: &RegistryServer) -> Sandbox {
    let sandbox = Sandbox::new();
    let address = server.address();
    let attachments = format!("docker:\n  {address}:\n    use-sigstore-attachments: true\n");
    sandbox.write("registries.d/test.yaml", attachments);
    sandbox.write("accept.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    sandbox.write("password", signet_testkit::PASSWORD);
    for algorithm in [MAIN, OTHER] {
        let policy = serde_json::json!({
            "default": [{ "type": "reject" }],
            "transports": { "docker": { address: [{
                "type": "sigstoreSigned",
                "keyPath": public(algorithm),
                "signedIdentity": { "type": "matchRepository" },
            }] } },
        });
        sandbox.write(&format!("{algorithm}.json"), policy.to_string());
    }
    sandbox
}

fn signet_signs(sandbox: &Sandbox, algorithm: &str, flags: &[&str], repository: &Repository) -> Outcome {
    let (key, image) = (private(algorithm), repository.tagged("1"));
    let command = ["sign", "--key", &key, "--format", "cosign-legacy"];
    sandbox.run(signet(), &[&command[..], flags, &[&image]].concat())
}

/// `skopeo copy` into a folder, as pulling programs do it.
fn pulls(sandbox: &Sandbox, skopeo: &Peer, algorithm: &str, repository: &Repository) -> Outcome {
    let (policy, image) = (format!("{algorithm}.json"), format!("docker://{}", repository.tagged("1")));
    let global = ["--policy", &policy, "--registries.d", "registries.d", "--override-arch", "amd64"];
    let copy = ["copy", "--src-tls-verify=false", &image, "dir:pulled"];
    sandbox.run(skopeo, &[&global[..], &copy].concat())
}

fn skopeo_signs(sandbox: &Sandbox, skopeo: &Peer, from: &Repository, to: &Repository) -> Outcome {
    let (from, to) = (format!("docker://{}", from.tagged("1")), format!("docker://{}", to.tagged("1")));
    let key = private(MAIN);
    let global = ["--policy", "accept.json", "--registries.d", "registries.d", "copy"];
    let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let sign = ["--sign-by-sigstore-private-key", &key, "--sign-passphrase-file", "password", &from, &to];
    sandbox.run(skopeo, &[&global[..], &plain, &sign].concat())
}
