//! cosign 3.1 and 2.5 on images: bundle and legacy format, with and without the referrers API.

use signet_crypto::Digest;
use signet_testkit::{Outcome, Peer, Repository, Sandbox, peers};

use crate::attack::Stored;
use crate::keys::{ALGORITHMS, Algorithm, MAIN, OTHER, private, public};
use crate::{NO_TRUST, SIGN_PREDICATE, denied, registries, signet, verify};

/// What cosign says when it looked at a signature and it was not good, or saw none.
const COSIGN_NO: [&str; 5] = [
    "could not verify envelope",
    "invalid signature",
    "verification error",
    "no signatures found",
    "no matching",
];

#[test]
fn a_bundle_by_signet_is_accepted_by_cosign() {
    let Some([registry, cosign, cosign2]) = peers(["docker-registry", "cosign", "cosign2"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.write("no-trust.json", NO_TRUST);
    for server in registries(&registry) {
        for algorithm in ALGORITHMS {
            let (repository, digest) = image(&server, "signet-bundle", &algorithm);
            let image = repository.at(&digest);
            signet_signs(&sandbox, algorithm.name, &[], &image).succeeds();
            verify(&sandbox, &public(algorithm.name), &image).succeeds();
            cosign_verifies(&sandbox, &cosign, &algorithm, Stored::Bundle, &image).succeeds();
            if algorithm.name == MAIN {
                cosign2_verifies_bundle(&sandbox, &cosign2, &image).succeeds();
            }
        }
    }
}

#[test]
fn a_bundle_by_cosign_is_accepted_by_signet() {
    let Some([registry, cosign]) = peers(["docker-registry", "cosign"]) else { return };
    let sandbox = Sandbox::new();
    for server in registries(&registry) {
        for algorithm in ALGORITHMS {
            let (repository, digest) = image(&server, "cosign-bundle", &algorithm);
            let image = repository.at(&digest);
            cosign_signs(&sandbox, &cosign, algorithm.name, Stored::Bundle, &image).succeeds();
            verify(&sandbox, &public(algorithm.name), &image).succeeds();
            denied(&verify(&sandbox, &public(another(algorithm.name)), &image));
        }
    }
}

#[test]
fn a_legacy_signature_by_signet_is_accepted_by_cosign() {
    let Some([registry, cosign, cosign2]) = peers(["docker-registry", "cosign", "cosign2"]) else { return };
    let sandbox = Sandbox::new();
    for server in registries(&registry) {
        for algorithm in ALGORITHMS {
            let (repository, digest) = image(&server, "signet-legacy", &algorithm);
            let image = repository.at(&digest);
            let signed = signet_signs(&sandbox, algorithm.name, &["--format", "cosign-legacy"], &image);
            if !algorithm.legacy {
                // cosign and skopeo disagree on these, so Signet writes none of them.
                signed.refuses_saying(&["SGN-"]);
                continue;
            }
            signed.succeeds();
            verify(&sandbox, &public(algorithm.name), &image).succeeds();
            cosign_verifies(&sandbox, &cosign, &algorithm, Stored::Legacy, &image).succeeds();
            cosign2_verifies(&sandbox, &cosign2, &public(algorithm.name), &image).succeeds();
        }
    }
}

/// cosign 2.5 signs SHA-256 with every curve and pure Ed25519, cosign 3.1 the curve's own hash and
/// Ed25519ph: both lie in registries.
#[test]
fn a_legacy_signature_by_cosign_is_accepted_by_signet() {
    let Some([registry, cosign, cosign2]) = peers(["docker-registry", "cosign", "cosign2"]) else { return };
    let sandbox = Sandbox::new();
    for server in registries(&registry) {
        for algorithm in ALGORITHMS {
            for (version, program) in [("3", &cosign), ("2", &cosign2)] {
                let (repository, digest) = image(&server, &format!("cosign{version}-legacy"), &algorithm);
                let image = repository.at(&digest);
                if version == "3" {
                    cosign_signs(&sandbox, program, algorithm.name, Stored::Legacy, &image).succeeds();
                } else {
                    cosign2_signs(&sandbox, program, algorithm.name, &image).succeeds();
                }
                verify(&sandbox, &public(algorithm.name), &image).succeeds();
                denied(&verify(&sandbox, &public(another(algorithm.name)), &image));
            }
        }
    }
}

#[test]
fn a_wrong_key_a_tampered_payload_and_a_swapped_digest_are_refused_by_both() {
    let Some([registry, cosign]) = peers(["docker-registry", "cosign"]) else { return };
    let sandbox = Sandbox::new();
    for server in registries(&registry) {
        for stored in [Stored::Bundle, Stored::Legacy] {
            for by_cosign in [false, true] {
                let name = format!("refused-{stored:?}-{by_cosign}").to_lowercase();
                let repository = server.repository(&name);
                let digest = repository.push_image("1", "the image");
                let other = repository.push_image("2", "another image");
                let image = repository.at(&digest);
                let signed = if by_cosign {
                    cosign_signs(&sandbox, &cosign, MAIN, stored, &image)
                } else {
                    signet_signs(&sandbox, MAIN, signet_format(stored), &image)
                };
                signed.succeeds();
                both_refuse(&sandbox, &cosign, OTHER, stored, &image);
                both_refuse(&sandbox, &cosign, MAIN, stored, &repository.at(&other));
                stored.swap(&repository, &digest, &other);
                both_refuse(&sandbox, &cosign, MAIN, stored, &repository.at(&other));
                verify(&sandbox, &public(MAIN), &image).succeeds();
                stored.tamper(&repository, &digest);
                both_refuse(&sandbox, &cosign, MAIN, stored, &image);
            }
        }
    }
}

#[test]
fn the_index_and_every_platform_signed_by_signet_are_accepted_by_cosign() {
    let Some([registry, cosign]) = peers(["docker-registry", "cosign"]) else { return };
    let sandbox = Sandbox::new();
    for server in registries(&registry) {
        for stored in [Stored::Bundle, Stored::Legacy] {
            let repository = server.repository(&format!("index-{stored:?}").to_lowercase());
            let (index, images) = repository.push_index("1", "multi");
            signet_signs(&sandbox, MAIN, signet_format(stored), &repository.tagged("1")).succeeds();
            for digest in images.iter().chain([&index]) {
                cosign_verifies(&sandbox, &cosign, main(), stored, &repository.at(digest)).succeeds();
            }
        }
    }
}

#[test]
fn a_key_by_cosign_signs_with_signet() {
    let Some([registry, cosign]) = peers(["docker-registry", "cosign"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.run(&cosign, &["generate-key-pair"]).succeeds();
    let [server, _] = registries(&registry);
    let repository = server.repository("cosign-key");
    let image = repository.at(&repository.push_image("1", "content"));
    sandbox.run(signet(), &["sign", "--key", "cosign.key", &image]).succeeds();
    verify(&sandbox, "cosign.pub", &image).succeeds();
    let flags = ["--insecure-ignore-tlog", "--allow-http-registry"];
    sandbox.run(&cosign, &[&["verify", "--key", "cosign.pub"][..], &flags, &[&image]].concat()).succeeds();
}

#[track_caller]
fn both_refuse(sandbox: &Sandbox, cosign: &Peer, key: &str, stored: Stored, image: &str) {
    denied(&verify(sandbox, &public(key), image));
    let algorithm =
        Algorithm { name: if key == MAIN { MAIN } else { OTHER }, cosign_flags: &[], legacy: true };
    cosign_verifies(sandbox, cosign, &algorithm, stored, image).refuses_saying(&COSIGN_NO);
}

fn image(
    server: &signet_testkit::RegistryServer,
    suite: &str,
    algorithm: &Algorithm,
) -> (Repository, Digest) {
    let repository = server.repository(&format!("{suite}/{}", algorithm.name));
    let digest = repository.push_image("1", "content");
    (repository, digest)
}

fn main() -> &'static Algorithm {
    const { &ALGORITHMS[0] }
}

/// A key that is not this one.
fn another(algorithm: &str) -> &'static str {
    if algorithm == OTHER { MAIN } else { OTHER }
}

fn signet_format(stored: Stored) -> &'static [&'static str] {
    match stored {
        Stored::Bundle => &[],
        Stored::Legacy => &["--format", "cosign-legacy"],
    }
}

fn cosign_format(stored: Stored) -> &'static [&'static str] {
    match stored {
        Stored::Bundle => &[],
        Stored::Legacy => &["--new-bundle-format=false"],
    }
}

fn signet_signs(sandbox: &Sandbox, algorithm: &str, flags: &[&str], image: &str) -> Outcome {
    let key = private(algorithm);
    sandbox.run(signet(), &[&["sign", "--key", &key][..], flags, &[image]].concat())
}

fn cosign_signs(sandbox: &Sandbox, cosign: &Peer, algorithm: &str, stored: Stored, image: &str) -> Outcome {
    let key = private(algorithm);
    let flags = ["--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry"];
    sandbox.run(
        cosign,
        &[&["sign", "--yes", "--key", &key][..], &flags, cosign_format(stored), &[image]].concat(),
    )
}

fn cosign_verifies(
    sandbox: &Sandbox,
    cosign: &Peer,
    algorithm: &Algorithm,
    stored: Stored,
    image: &str,
) -> Outcome {
    let key = public(algorithm.name);
    let flags = ["--insecure-ignore-tlog", "--allow-http-registry"];
    let command = ["verify", "--key", &key];
    sandbox.run(
        cosign,
        &[&command[..], &flags, algorithm.cosign_flags, cosign_format(stored), &[image]].concat(),
    )
}

fn cosign2_signs(sandbox: &Sandbox, cosign2: &Peer, algorithm: &str, image: &str) -> Outcome {
    let key = private(algorithm);
    let flags = ["--tlog-upload=false", "--allow-http-registry"];
    sandbox.run(cosign2, &[&["sign", "--yes", "--key", &key][..], &flags, &[image]].concat())
}

fn cosign2_verifies(sandbox: &Sandbox, cosign2: &Peer, key: &str, image: &str) -> Outcome {
    let flags = ["--insecure-ignore-tlog", "--allow-http-registry"];
    sandbox.run(cosign2, &[&["verify", "--key", key][..], &flags, &[image]].concat())
}

/// cosign 2.5 knows image signatures in bundles only as attestations.
fn cosign2_verifies_bundle(sandbox: &Sandbox, cosign2: &Peer, image: &str) -> Outcome {
    let key = public(MAIN);
    let trust = ["--new-bundle-format", "--trusted-root", "no-trust.json", "--insecure-ignore-tlog"];
    let command = ["verify-attestation", "--key", &key, "--type", SIGN_PREDICATE, "--allow-http-registry"];
    sandbox.run(cosign2, &[&command[..], &trust, &[image]].concat())
}
