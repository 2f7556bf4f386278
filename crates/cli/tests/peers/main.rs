//! Judges no one here wrote: each suite signs with a tool of the field and verifies with Signet, and
//! the other way round, through the real binary and real registries on loopback.

mod attack;
mod authorities;
mod clients;
mod container;
mod containers_image;
mod cosign;
mod cosign_files;
mod cosign_options;
mod fulcio;
mod gate;
mod keyless;
mod keys;
mod log;
mod oras_crane;
mod outside_keys;
mod proven;
mod python;
mod sigstore_stack;
mod skopeo;
mod systemd;
mod timestamps;
mod tuf;
mod up;
mod writers;

use std::path::Path;

use signet_testkit::{Outcome, Peer, RegistryServer, Sandbox};

/// The binary under test.
fn signet() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_signet"))
}

/// A registry with the referrers API (Signet's) and one without (Debian's).
fn registries(docker_registry: &Peer) -> [RegistryServer; 2] {
    [RegistryServer::docker(docker_registry), RegistryServer::signet(signet())]
}

/// `signet verify --key PUB IMAGE`.
fn verify(sandbox: &Sandbox, key: &str, image: &str) -> Outcome {
    sandbox.run(signet(), &["verify", "--key", key, image])
}

/// Signet's "no": exit code 1, with the code of the reason. "Could not decide" is 3 and fails here.
#[track_caller]
fn denied(outcome: &Outcome) {
    let outcome = outcome.clone().exits(1);
    assert!(outcome.says("SGN-"), "no code given: {outcome}");
}

/// cosign 2.5 wants a trust root even for a key; this one trusts nothing.
const NO_TRUST: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
/// The predicate of cosign's image signatures in a bundle.
const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
